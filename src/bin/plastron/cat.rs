//! `plastron cat`: write an object, or a range of it, to standard output.

use std::ops::Range;
use std::str::FromStr;
use std::sync::Arc;

use clap::Args;
use futures::StreamExt;
use tokio::sync::Semaphore;

use crate::context::{Access, Context};
use crate::failure::{Failure, Result};
use crate::pieces::Pieces;

const AFTER_HELP: &str = "\
A range counts from 0 and includes both ends, as in HTTP: 0-99 is the first hundred bytes, 100- is everything after them, -100
is the last hundred. A range that the object does not have is an error (exit code 2). The bytes are written as they are, with
--json too.

Examples:
  plastron cat db1/table-000001.wt > table.wt
  plastron cat db1/table-000001.wt --range 0-4095 | xxd
  plastron cat log.txt --range -1000";

/// Options of `cat`.
#[derive(Debug, Args)]
#[command(after_help = AFTER_HELP)]
pub(crate) struct Cat {
    /// The object's name
    name: String,

    /// Bytes A to B, both included; A- for all from A on, -N for the last N
    #[arg(long, value_name = "A-B", allow_hyphen_values = true)]
    range: Option<ByteRange>,
}

impl Cat {
    /// Runs the command.
    pub(crate) async fn run(self, context: &Context) -> Result<()> {
        let store = context.open(Access::Read).await?;
        let object = store.file_system().open_file(&self.name).await?;
        let range = match self.range {
            Some(range) => range.of(object.size())?,
            None => 0..object.size(),
        };
        let mut pieces = Pieces::of(object, range, Arc::new(Semaphore::new(Pieces::IN_FLIGHT))).stream();
        while let Some(piece) = pieces.next().await {
            context.output.bytes(piece?).await?;
        }
        Ok(())
    }
}

/// A range as the user writes it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum ByteRange {
    /// From the first to the last, both included.
    Bounded(u64, u64),
    /// From the first to the end.
    From(u64),
    /// So many at the end.
    Last(u64),
}

impl FromStr for ByteRange {
    type Err = String;

    fn from_str(text: &str) -> std::result::Result<Self, String> {
        let number = |digits: &str| {
            // `parse` alone would also take a sign.
            let plain = !digits.is_empty() && digits.bytes().all(|byte| byte.is_ascii_digit());
            let parsed = if plain { digits.parse().ok() } else { None };
            parsed.ok_or_else(|| "a range is A-B, A- or -N, in bytes counted from 0".to_owned())
        };
        match text.split_once('-') {
            Some(("", last)) => Ok(Self::Last(number(last)?)),
            Some((first, "")) => Ok(Self::From(number(first)?)),
            Some((first, last)) => match (number(first)?, number(last)?) {
                (first, last) if first > last => Err(format!("the range ends ({last}) before it begins ({first})")),
                (first, last) => Ok(Self::Bounded(first, last)),
            },
            None => Err("a range is A-B, A- or -N, in bytes counted from 0".to_owned()),
        }
    }
}

impl ByteRange {
    /// The half-open range in an object of `size` bytes.
    fn of(self, size: u64) -> Result<Range<u64>> {
        let range = match self {
            Self::Bounded(first, last) if last < size => first..last + 1,
            Self::From(first) if first <= size => first..size,
            Self::Last(count) if count <= size => size - count..size,
            _ => return Err(Failure::usage(format!("range {self} is outside the object, which has {size} bytes"))),
        };
        Ok(range)
    }
}

impl std::fmt::Display for ByteRange {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Bounded(first, last) => write!(f, "{first}-{last}"),
            Self::From(first) => write!(f, "{first}-"),
            Self::Last(count) => write!(f, "-{count}"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ranges_are_those_of_http() {
        for (text, size, range) in [
            ("0-0", 1, Some(0..1)),
            ("0-9", 10, Some(0..10)),
            ("0-10", 10, None),
            ("5-", 10, Some(5..10)),
            ("10-", 10, Some(10..10)),
            ("11-", 10, None),
            ("-3", 10, Some(7..10)),
            ("-0", 10, Some(10..10)),
            ("-11", 10, None),
            ("0-18446744073709551615", 10, None),
        ] {
            let parsed: ByteRange = text.parse().unwrap();
            assert_eq!(parsed.to_string(), text);
            match (parsed.of(size), range) {
                (Ok(found), Some(expected)) => assert_eq!(found, expected, "{text}"),
                (Err(failure), None) => assert_eq!(failure.kind(), "invalid", "{text}"),
                (found, expected) => panic!("{text} of {size}: {found:?}, expected {expected:?}"),
            }
        }
        for text in ["", "-", "5", "a-b", "3-2", "1-2-3", "+1-2", "--1", "0x1-2", "18446744073709551616-", " 1-2"] {
            assert!(text.parse::<ByteRange>().is_err(), "{text:?}");
        }
    }
}
