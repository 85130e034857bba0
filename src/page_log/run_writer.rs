//! Writes an index run, block by block, in bounded memory.

use plastron_sources::failpoint::{Failpoint, reach};

use super::PageLogFault;
use super::codec::{
    BlockPlace, IndexBlockBuilder, IndexEntry, PageFilterBuilder, RUN_HEADER_BYTES, RunHeader, RunRef, RunTail,
    RunTailParts, SegmentRef,
};
use super::log_object::LogObject;
use super::lsn::Lsn;
use super::objects::{LogObjectWriter, LogObjects};
use super::record::Key;

/// Bytes that are handed to the bucket together.
const WRITE_BYTES: usize = 1 << 20;

/// Writes an index run. Dropped, it leaves nothing.
pub(crate) struct RunWriter {
    writer: Box<dyn LogObjectWriter>,
    header: RunHeader,
    block_size: usize,
    waiting: Vec<u8>,
    /// Bytes handed over so far.
    written: u64,
    block: IndexBlockBuilder,
    first_of_block: Option<Key>,
    directory: Vec<BlockPlace>,
    filter: PageFilterBuilder,
    entries: u64,
}

impl RunWriter {
    /// Begins a run.
    ///
    /// # Errors
    /// Those of the bucket.
    pub(crate) async fn begin(
        header: RunHeader,
        block_size: u64,
        objects: &dyn LogObjects,
    ) -> Result<Self, PageLogFault> {
        reach(Failpoint::RunBefore);
        let writer = objects.begin(&Self::name(&header)).await?;
        let waiting = header.encode();
        debug_assert_eq!(waiting.len(), RUN_HEADER_BYTES);
        Ok(Self {
            writer,
            header,
            block_size: usize::try_from(block_size).unwrap_or(usize::MAX),
            waiting,
            written: 0,
            block: IndexBlockBuilder::default(),
            first_of_block: None,
            directory: Vec::new(),
            filter: PageFilterBuilder::default(),
            entries: 0,
        })
    }

    fn name(header: &RunHeader) -> String {
        LogObject::Run { epoch: header.epoch, number: header.number }.object_name()
    }

    /// Adds an entry, which is above all others; its segment is counted as in the table that is given at the end.
    ///
    /// # Errors
    /// Those of the bucket.
    pub(crate) async fn push(&mut self, entry: &IndexEntry) -> Result<(), PageLogFault> {
        self.first_of_block.get_or_insert(entry.key);
        self.block.push(entry);
        self.filter.push(&entry.key);
        self.entries += 1;
        if self.block.size() >= self.block_size {
            self.close_block().await?;
        }
        Ok(())
    }

    async fn close_block(&mut self) -> Result<(), PageLogFault> {
        let Some(first) = self.first_of_block.take() else { return Ok(()) };
        let block = self.block.finish();
        self.directory.push(BlockPlace { first, offset: self.offset(), length: block.len() as u32 });
        self.waiting.extend_from_slice(&block);
        if self.waiting.len() >= WRITE_BYTES {
            self.hand_over().await?;
        }
        Ok(())
    }

    fn offset(&self) -> u64 {
        self.written + self.waiting.len() as u64
    }

    async fn hand_over(&mut self) -> Result<(), PageLogFault> {
        let waiting = std::mem::take(&mut self.waiting);
        self.written += waiting.len() as u64;
        Ok(self.writer.write(waiting.into()).await?)
    }

    /// Writes the tail and makes the object appear.
    ///
    /// # Errors
    /// Those of the bucket.
    pub(crate) async fn finish(
        mut self,
        segments: &[SegmentRef],
        first_lsn: Lsn,
        last_lsn: Lsn,
    ) -> Result<(RunRef, RunTail), PageLogFault> {
        self.close_block().await?;
        let tail_offset = self.offset();
        let filter = std::mem::take(&mut self.filter).finish();
        let (directory, entries) = (&self.directory, self.entries);
        let parts = RunTailParts { segments, directory, filter: &filter, first_lsn, last_lsn, entries };
        let tail = bytes::Bytes::from(parts.encode(tail_offset));
        let name = Self::name(&self.header);
        let decoded = RunTail::decode(&tail, tail_offset, self.header.database)
            .map_err(|damage| PageLogFault::damaged(name, damage))?;
        self.waiting.extend_from_slice(&tail);
        let size = self.offset();
        self.hand_over().await?;
        reach(Failpoint::RunUnfinished);
        self.writer.finish().await?;
        reach(Failpoint::RunAfter);
        let RunHeader { database, epoch, number } = self.header;
        let limit = Lsn::MAX;
        let reference = RunRef { database, epoch, number, first_lsn, last_lsn, limit, size, tail_offset, entries };
        Ok((reference, decoded))
    }
}
