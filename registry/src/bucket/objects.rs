//! The four requests that the registry makes, so that a simulation can stand in for a bucket.

use std::fmt;
use std::time::SystemTime;

use async_trait::async_trait;
use bytes::Bytes;
use futures::stream::{BoxStream, StreamExt};
use plastron_sources::{Bucket, Error, Fault, ListEntry, ListOptions, Result};

use crate::register::record_in;
use crate::turtle_object::MAX_TURTLE_BYTES;

/// Where turtle objects stand.
const PREFIX: &str = "_plastron/turtle/";
const SUFFIX: &str = ".turtle";
/// Why a database of another registry is left alone.
const RECORDED: &str =
    "another registry knows the latest turtle of the database here; name it in registry=(…), as its leaders do";
/// Digits of a sequence, so that the order of names is the order of numbers.
const DIGITS: usize = 20;

/// What a listing says about a turtle.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct ListedTurtle {
    /// The object's name.
    pub name: String,
    /// Its number.
    pub sequence: u64,
    /// Bytes of the object.
    pub size: u64,
    /// When it was published, by the provider's clock.
    pub created: SystemTime,
    /// The provider's entity tag, without quotes; empty where the listing has none.
    pub(super) etag: String,
}

impl ListedTurtle {
    /// Where turtle objects stand.
    pub const PREFIX: &'static str = PREFIX;

    /// The name of the turtle object with this number.
    pub fn object_name(sequence: u64) -> String {
        name(sequence)
    }

    /// The number in an object's name, whichever registry named it; none for names that are not of turtles.
    pub fn sequence_in(name: &str) -> Option<u64> {
        sequence(name).or_else(|| record_in(name).map(|version| version.sequence))
    }

    /// Some providers put quotes around a tag in one answer, and none in another.
    pub(crate) fn new(name: String, sequence: u64, size: u64, created: SystemTime, etag: &str) -> Self {
        Self { name, sequence, size, created, etag: bare(etag) }
    }

    /// Whether no turtle is of this size.
    pub(super) fn is_too_large(&self) -> bool {
        self.size > MAX_TURTLE_BYTES as u64
    }
}

/// Turtle objects by number, in a store that lists and creates with strict consistency.
#[async_trait]
pub(super) trait TurtleObjects: fmt::Debug + Send + Sync + 'static {
    /// Those above `after`, in order; more are asked for as the stream is read.
    fn list_after(&self, after: u64) -> BoxStream<'static, Result<ListedTurtle>>;
    /// All of one, and its entity tag without quotes; empty where there is none.
    async fn get(&self, sequence: u64) -> Result<(String, Bytes)>;
    /// Creates one, unless there is one.
    async fn create(&self, sequence: u64, bytes: Bytes) -> Result<()>;
    /// Removes one.
    async fn remove(&self, sequence: u64) -> Result<()>;
}

#[async_trait]
impl TurtleObjects for Bucket {
    fn list_after(&self, after: u64) -> BoxStream<'static, Result<ListedTurtle>> {
        let options = ListOptions::default().start_after(name(after));
        let turtle = |entry: Result<ListEntry>| async move {
            match entry {
                Ok(entry) => {
                    let object = entry.into_object()?;
                    if record_in(&object.name).is_some() {
                        // To go on would be to begin a second history beside the first.
                        return Some(Err(Error::new("read", object.name, Fault::Incapable(RECORDED.to_owned()))));
                    }
                    let sequence = sequence(&object.name)?;
                    Some(Ok(ListedTurtle::new(object.name, sequence, object.size, object.created, &object.etag)))
                }
                Err(error) => Some(Err(error)),
            }
        };
        self.list(PREFIX, options).filter_map(turtle).boxed()
    }

    async fn get(&self, sequence: u64) -> Result<(String, Bytes)> {
        Bucket::get(self, &name(sequence)).await.map(|(info, bytes)| (bare(&info.etag), bytes))
    }

    async fn create(&self, sequence: u64, bytes: Bytes) -> Result<()> {
        self.put(&name(sequence), bytes).await.map(drop)
    }

    async fn remove(&self, sequence: u64) -> Result<()> {
        self.delete(&name(sequence)).await
    }
}

fn bare(etag: &str) -> String {
    etag.trim_matches('"').to_owned()
}

/// The name of the object with this number.
pub(super) fn name(sequence: u64) -> String {
    format!("{PREFIX}{sequence:0DIGITS$}{SUFFIX}")
}

/// The number in a name; none for names that are not ours.
fn sequence(name: &str) -> Option<u64> {
    let digits = name.strip_prefix(PREFIX)?.strip_suffix(SUFFIX)?;
    let all = digits.len() == DIGITS && digits.bytes().all(|byte| byte.is_ascii_digit());
    digits.parse().ok().filter(|sequence| all && *sequence > 0)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_have_twenty_digits_and_their_order_is_that_of_the_numbers() {
        assert_eq!(name(7), "_plastron/turtle/00000000000000000007.turtle");
        for number in [1, 9, 10, u64::MAX] {
            assert_eq!(sequence(&name(number)), Some(number));
        }
        assert!(name(9) < name(10) && name(10) < name(u64::MAX));
        for other in [
            name(0),
            "_plastron/turtle/7.turtle".to_owned(),
            "_plastron/turtle/+0000000000000000007.turtle".to_owned(),
            "_plastron/turtle/99999999999999999999.turtle".to_owned(),
            "_plastron/turtle/00000000000000000007-00000000000000000001.turtle".to_owned(),
            "_plastron/turtle/00000000000000000007.turtle.bak".to_owned(),
        ] {
            assert_eq!(sequence(&other), None, "{other}");
        }
    }
}
