//! The journal that stands before the database: batches are appended to it and synced once, and moved to the database many at a time.
//!
//! Two files of one length, filled in turns: while one takes entries, what is in the other moves to the database, and then the other may be written over from its
//! beginning. They are filled with zeros and synced when they are made, and never change their length, so a sync has nothing to write but the entry.
//!
//! Invariants:
//! * An entry is one batch under one hash. It begins at a block of its own, so that nothing that was synced is written again, and it is written only after all before it
//!   were synced. So whatever is behind an entry that can't be read shows that it was synced once: then it is damaged, else it is the end.
//! * Sequences rise by one from entry to entry, across both files. Those up to what the database says that it contains are ended; the others are found without a gap, or
//!   the journal is refused.
//! * The entry that the database contains last, or the next one, is always there: a file is written over only after the other one has newer entries. An older copy of the
//!   journal is told by it.
//! * The generation is drawn anew whenever the journal is begun, and known to nobody outside. So bytes that a caller sends as a value, wherever they come to lie, are no entry.
//!
//! The byte tables are in `docs/src/formats/ickpt-journal.md`.

mod entry;
#[cfg(feature = "service")]
mod file;
#[cfg(test)]
mod format_test;
mod header;
mod replay;
#[cfg(feature = "service")]
mod state;
#[cfg(feature = "service")]
mod turns;

pub(crate) use entry::{BLOCK_BYTES, EntryWriter, Frame, Generation};
#[cfg(feature = "service")]
pub(super) use file::JournalFile;
pub(crate) use header::Header;
pub(crate) use replay::replay;
#[cfg(feature = "service")]
pub(super) use replay::{Place, REMEDY};
#[cfg(feature = "service")]
pub(super) use state::JournalState;
#[cfg(feature = "service")]
pub(super) use turns::Journal;
