//! The life of a transaction, without input or output.
//!
//! * One operation is staged for a URL; a later one replaces it; a GET that is authorized discards it, unless the reader asks to keep it.
//! * A promise of a higher epoch discards it too, and is durable before it is answered.
//! * A POST commits what is staged under its path, if that is not too old at that very moment.
//! * The last POST may be repeated until something newer is staged or committed.

use std::time::Duration;

use aws_lc_rs::digest::{Context, SHA256};
use bytes::Bytes;

use super::record::{Content, LastCommit, Operation, Record};
use crate::refusal::{Reason, Refusal};
use crate::value::{Epoch, Held, Members, Stamp, admit};

/// What is to be written.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Write {
    /// The value; none for a deletion.
    pub bytes: Option<Bytes>,
    /// Its version.
    pub stamp: Option<Stamp>,
    /// Who keeps it.
    pub members: Members,
}

impl Write {
    fn held(&self) -> Held<'_> {
        Held { stamp: self.stamp, bytes: self.bytes.as_deref() }
    }

    fn operation(&self) -> Operation {
        if self.bytes.is_some() { Operation::Put } else { Operation::Delete }
    }

    /// SHA-256 of all of it.
    fn digest(&self) -> [u8; 32] {
        let mut context = Context::new(&SHA256);
        context.update(&[u8::from(self.bytes.is_some()), u8::from(self.stamp.is_some())]);
        if let Some(Stamp { epoch, count }) = self.stamp {
            context.update(&epoch.0.to_le_bytes());
            context.update(&count.to_le_bytes());
        }
        context.update(&(self.members.ids().len() as u64).to_le_bytes());
        for id in self.members.ids() {
            context.update(&id.0.to_le_bytes());
        }
        context.update(self.bytes.as_deref().unwrap_or_default());
        let mut digest = [0; 32];
        digest.copy_from_slice(context.finish().as_ref());
        digest
    }
}

/// A staged operation.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Staged {
    /// The transaction's path, byte for byte.
    pub path: Bytes,
    /// What it will do.
    pub write: Write,
    /// When it was staged, on the monotonic clock.
    pub at: Duration,
}

/// What is staged for a URL.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub enum Slot {
    /// Nothing.
    #[default]
    Empty,
    /// This.
    Live(Staged),
    /// Nothing any more: why, and under which path.
    Ended {
        /// The path.
        path: Bytes,
        /// [`Reason::Expired`] or [`Reason::Discarded`].
        reason: Reason,
    },
}

impl Slot {
    /// Ends what is staged.
    pub fn end(&mut self, reason: Reason) {
        if let Self::Live(staged) = self {
            *self = Self::Ended { path: std::mem::take(&mut staged.path), reason };
        }
    }
}

/// A GET: gives the record to be written, if any. With `fence` it promises to take nothing of a lower epoch; with `keep` it lets what
/// is staged alone.
///
/// # Errors
/// [`Reason::Fenced`]: a higher epoch was promised.
pub fn look(record: &Record, slot: &mut Slot, fence: Option<Epoch>, keep: bool) -> Result<Option<Record>, Refusal> {
    let Some(epoch) = fence else {
        if !keep {
            slot.end(Reason::Discarded);
        }
        return Ok(None);
    };
    if epoch < record.promised {
        return Err(Refusal::new(
            Reason::Fenced,
            "a higher epoch was promised already; take over with one above X-Ickpt-Promised",
        ));
    }
    slot.end(Reason::Discarded);
    Ok((epoch > record.promised).then(|| Record { promised: epoch, ..record.clone() }))
}

/// A PUT or DELETE.
///
/// # Errors
/// As [`admit`]; what was staged before is then left as it was.
pub fn stage(record: &Record, slot: &mut Slot, staged: Staged) -> Result<(), Refusal> {
    admit(record.promised, record.held(), staged.write.held())?;
    *slot = Slot::Live(staged);
    Ok(())
}

/// A POST: gives the record to be written; none if it repeats what is committed. Nothing is staged any more afterwards.
///
/// # Errors
/// 410 and its reasons; as [`admit`].
pub fn commit(
    record: &Record,
    slot: &mut Slot,
    path: &[u8],
    now: Duration,
    timeout: Duration,
) -> Result<Option<Record>, Refusal> {
    let gone =
        |reason: Reason, what: &str| Err(Refusal::new(reason, format!("{what}; stage it again with PUT or DELETE")));
    if matches!(slot, Slot::Live(staged) if now.saturating_sub(staged.at) > timeout) {
        slot.end(Reason::Expired);
    }
    match slot {
        Slot::Empty if record.last.as_ref().is_some_and(|last| last.path == path) => return Ok(None),
        Slot::Live(staged) if staged.path == path => {}
        Slot::Live(_) => return gone(Reason::OtherPath, "something is staged under another path"),
        Slot::Ended { path: ended, reason } if ended == path => {
            let what = match reason {
                Reason::Expired => "what was staged under this path has expired",
                _ => "what was staged under this path was discarded",
            };
            return gone(*reason, what);
        }
        _ => return gone(Reason::NothingStaged, "nothing is staged under this path"),
    }
    let Slot::Live(Staged { path, write, .. }) = std::mem::take(slot) else {
        return gone(Reason::NothingStaged, "nothing is staged under this path");
    };
    admit(record.promised, record.held(), write.held())?;
    let last = LastCommit { path, operation: write.operation(), digest: write.digest() };
    if record.last.as_ref() == Some(&last) {
        return Ok(None);
    }
    let epoch = write.stamp.map_or(Epoch::NONE, |stamp| stamp.epoch);
    Ok(Some(Record {
        promised: record.promised.max(epoch),
        sequence: record.sequence.saturating_add(1),
        content: write.bytes.map_or(Content::Deleted, Content::Value),
        stamp: write.stamp,
        members: write.members,
        last: Some(last),
    }))
}
