//! The journal's two files as they take entries, in turns.

use super::entry::{BLOCK_BYTES, EntryWriter, Generation};
use super::file::JournalFile;
use super::header::Header;
use super::state::JournalState;
use crate::error::{Error, Fault, Result};
use crate::value::InstanceId;

/// The journal as it is appended to.
#[derive(Debug)]
pub(in super::super) struct Journal {
    files: [JournalFile; 2],
    file_bytes: u32,
    generation: Generation,
    /// Which file takes entries, and where the next one begins.
    number: usize,
    offset: u64,
    last: u64,
    entry: EntryWriter,
    /// Whether a write or a sync failed. What is on disk is then not known, and syncing again would not tell.
    failed: bool,
}

impl Journal {
    /// Begins both files, for entries after `state.contained`.
    ///
    /// # Errors
    /// Those of the disk.
    pub(in super::super) fn begin(
        files: [JournalFile; 2],
        file_bytes: u32,
        identity: InstanceId,
        state: JournalState,
        are_filled: bool,
    ) -> Result<Self> {
        for (number, file) in (0..).zip(&files) {
            file.begin(&Header { identity, generation: state.generation, number, file_bytes }, are_filled)?;
        }
        let entry = EntryWriter::new((file_bytes as usize).saturating_sub(BLOCK_BYTES));
        let (last, offset) = (state.contained, BLOCK_BYTES as u64);
        Ok(Self { files, file_bytes, generation: state.generation, number: 0, offset, last, entry, failed: false })
    }

    /// What the next entry will be.
    pub(in super::super) fn entry(&mut self) -> &mut EntryWriter {
        &mut self.entry
    }

    /// The sequence of the last entry.
    pub(in super::super) fn last(&self) -> u64 {
        self.last
    }

    /// Whether the entry has room in this turn's file.
    pub(in super::super) fn has_room(&self) -> bool {
        self.offset + self.entry.len() as u64 <= u64::from(self.file_bytes)
    }

    /// Appends the entry. When it returns, it is on disk.
    ///
    /// # Errors
    /// Those of the disk; then nothing more can be appended.
    pub(in super::super) fn append(&mut self) -> Result<()> {
        let fault = |what: &str| Err(Error::new("append", "the journal", Fault::Unavailable(what.to_owned())));
        if self.failed {
            return fault("an earlier write failed, so what is on disk is not known; start the instance again");
        }
        let Some(file) = self.files.get(self.number).filter(|_| self.has_room()) else {
            return fault("there is no room for the entry in this file");
        };
        let bytes = self.entry.finish(self.generation, self.last + 1);
        let written = file.write(self.offset, bytes);
        self.failed = written.is_err();
        self.offset += bytes.len() as u64;
        self.last += 1;
        self.entry.clear();
        written
    }

    /// The other file takes entries from now on. All that is in it must be in the database.
    pub(in super::super) fn turn(&mut self) {
        self.number = 1 - self.number;
        self.offset = BLOCK_BYTES as u64;
    }
}
