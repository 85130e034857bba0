//! A snapshot in a file, or wherever else bytes go: [portions](SnapshotPortion) one after the other, the last of them empty.

use std::io::{Read, Write};

use super::snapshot::export_snapshot;
use super::state::State;
use super::tables::open;
use crate::encoding::FRAME_BYTES;
use crate::kv::{KvRead, Pair};
use crate::proto::{Message as _, SnapshotPortion};
use crate::{Error, Result};

fn failed(operation: &'static str) -> impl Fn(std::io::Error) -> Error {
    move |source| Error::Storage { operation, source: Box::new(source) }
}

/// Writes all that `snapshot` holds; gives how many pairs that are. Memory for one portion is needed.
///
/// # Errors
/// `Storage`.
pub fn write_snapshot(snapshot: &dyn KvRead, out: &mut dyn Write) -> Result<u64> {
    let mut write =
        |portion: &SnapshotPortion| out.write_all(&portion.to_bounded_bytes()?).map_err(failed("writing the snapshot"));
    let (mut portion, mut bytes, mut count) = (SnapshotPortion::default(), 0, 0);
    let mut last: Option<bytes::Bytes> = None;
    loop {
        let pairs = export_snapshot(snapshot, last.as_deref())?;
        let Some((end, _)) = pairs.last() else { break };
        last = Some(end.clone());
        for (key, value) in pairs {
            bytes += key.len() + value.len() + 8;
            count += 1;
            portion.pairs.push((key, value));
            if bytes >= SnapshotPortion::FULL_BYTES || portion.pairs.len() == SnapshotPortion::MOST_PAIRS {
                write(&portion)?;
                (portion, bytes) = (SnapshotPortion::default(), 0);
            }
        }
    }
    if !portion.pairs.is_empty() {
        write(&portion)?;
    }
    write(&SnapshotPortion::default())?;
    Ok(count)
}

/// The newest ratified epoch that a snapshot says it has: whose head is to be asked for, to check it by. Nothing of it is checked yet.
///
/// # Errors
/// `Corrupt` if it has no state.
pub fn snapshot_epoch(pairs: &[Pair]) -> Result<u64> {
    let missing = || Error::Corrupt { what: "snapshot", offset: 0, check: "it has no state".to_owned() };
    let (key, sealed) = pairs.iter().find(|(key, _)| key[..] == [0]).ok_or_else(missing)?;
    Ok(State::from_bytes(&open(key, sealed)?)?.ratified)
}

/// Reads what [`write_snapshot`] wrote, to be checked by [`import_snapshot`](super::import_snapshot). All of it is in memory.
///
/// # Errors
/// `Storage`; `Corrupt`, also if its end is missing, or something follows it.
pub fn read_snapshot(input: &mut dyn Read) -> Result<Vec<Pair>> {
    let fault = |check: &str| Error::Corrupt { what: SnapshotPortion::WHAT, offset: 0, check: check.to_owned() };
    let mut all: Vec<Pair> = Vec::new();
    loop {
        let mut frame = vec![0; FRAME_BYTES - 4];
        input.read_exact(&mut frame).map_err(|_| fault("the file ends before the snapshot does"))?;
        let length = frame.last_chunk::<4>().map_or(0, |length| u32::from_be_bytes(*length)) as usize;
        if length > SnapshotPortion::MOST {
            return Err(fault("a portion is too long"));
        }
        let head = frame.len();
        frame.resize(head + length + 4, 0);
        let rest = frame.get_mut(head..).unwrap_or_default();
        input.read_exact(rest).map_err(|_| fault("the file ends before the snapshot does"))?;
        let portion = SnapshotPortion::from_bytes(&frame)?;
        if portion.pairs.is_empty() {
            break;
        }
        let follows = all.last().zip(portion.pairs.first()).is_none_or(|((last, _), (first, _))| last < first);
        if !follows {
            return Err(fault("portions are not in order"));
        }
        all.extend(portion.pairs);
    }
    let mut more = [0];
    match input.read(&mut more).map_err(failed("reading the snapshot"))? {
        0 => Ok(all),
        _ => Err(fault("something follows its end")),
    }
}
