//! An index run, opened: its directory, segments and filters in memory, its blocks read when they are needed.

use std::fmt;
use std::ops::Range;
use std::sync::Arc;

use bytes::Bytes;
use plastron_cache::Priority;

use super::PageLogFault;
use super::block_pool::BlockPool;
use super::codec::{IndexBlock, PageFilter, RunRef, RunTail, SegmentRef};
use super::durable::Located;
use super::lsn::Lsn;
use super::objects::{LogObjects, ObjectPlace};
use super::record::Key;

/// An index run that is open.
#[derive(Clone)]
pub(crate) struct Run {
    reference: RunRef,
    inner: Arc<Inner>,
}

struct Inner {
    place: ObjectPlace,
    tail: RunTail,
    /// None where the memory does not suffice: then every look-up reads a block.
    filter: Option<PageFilter>,
}

impl fmt::Debug for Run {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Run").field(&self.reference).finish()
    }
}

/// The object of a run.
pub(crate) fn run_place(reference: &RunRef) -> ObjectPlace {
    ObjectPlace { name: reference.object_name(), size: reference.size, priority: Priority::Index }
}

impl Run {
    /// Opens a run by reading its tail: one request, or as many as it has parts.
    ///
    /// # Errors
    /// `Corrupt` for a tail that is not the one that was written; those of the bucket.
    pub(crate) async fn open(
        reference: RunRef,
        objects: &dyn LogObjects,
        filter_room: &mut u64,
    ) -> Result<Self, PageLogFault> {
        let place = run_place(&reference);
        let bytes = objects.read(&place, reference.tail_offset..reference.size).await?;
        Self::from_bytes(reference, &bytes, filter_room)
    }

    /// As [`Run::open`], but always from the bucket.
    ///
    /// # Errors
    /// As [`Run::open`].
    pub(crate) async fn open_afresh(
        reference: RunRef,
        objects: &dyn LogObjects,
        filter_room: &mut u64,
    ) -> Result<Self, PageLogFault> {
        let bytes = objects.read_afresh(&run_place(&reference), reference.tail_offset..reference.size).await?;
        Self::from_bytes(reference, &bytes, filter_room)
    }

    fn from_bytes(reference: RunRef, bytes: &Bytes, filter_room: &mut u64) -> Result<Self, PageLogFault> {
        let damaged = |damage| PageLogFault::damaged(reference.object_name(), damage);
        let tail = RunTail::decode(bytes, reference.tail_offset, reference.database).map_err(damaged)?;
        Self::from_tail(reference, tail, filter_room)
    }

    /// A run whose tail is known.
    ///
    /// # Errors
    /// `Corrupt` for one that is not that of `reference`.
    pub(crate) fn from_tail(reference: RunRef, mut tail: RunTail, filter_room: &mut u64) -> Result<Self, PageLogFault> {
        let place = run_place(&reference);
        let same = (tail.first_lsn, tail.last_lsn, tail.entries)
            == (reference.first_lsn, reference.last_lsn, reference.entries);
        if !same {
            return Err(PageLogFault::Corrupt {
                object: place.name,
                start: reference.tail_offset,
                end: reference.size,
                check: "its footer is not that of the run which the state of the log names".to_owned(),
            });
        }
        let size = tail.filter_size() as u64;
        let filter = match size <= *filter_room {
            true => Some(tail.filter().map_err(|damage| PageLogFault::damaged(place.name.as_str(), damage))?),
            false => None,
        };
        *filter_room -= filter.as_ref().map_or(0, |filter| filter.size() as u64).min(*filter_room);
        tail.forget_filter();
        Ok(Self { reference, inner: Arc::new(Inner { place, tail, filter }) })
    }

    /// With everything above `lsn` hidden.
    pub(crate) fn limited(&self, lsn: Lsn) -> Self {
        let mut reference = self.reference.clone();
        reference.limit = reference.limit.min(lsn);
        Self { reference, inner: Arc::clone(&self.inner) }
    }

    /// The same run as `reference` knows it, which differs in its limit at the most.
    pub(crate) fn named(&self, reference: RunRef) -> Self {
        Self { reference, inner: Arc::clone(&self.inner) }
    }

    pub(crate) fn reference(&self) -> &RunRef {
        &self.reference
    }

    /// The segments that it speaks of.
    pub(crate) fn segments(&self) -> &[SegmentRef] {
        &self.inner.tail.segments
    }

    /// Bytes that its filters take in memory.
    pub(crate) fn filter_size(&self) -> u64 {
        self.inner.filter.as_ref().map_or(0, |filter| filter.size() as u64)
    }

    /// False if it has nothing of the page for sure.
    pub(crate) fn may_have(&self, table: u64, page: u64) -> bool {
        self.inner.filter.as_ref().is_none_or(|filter| filter.may_have(table, page))
    }

    /// Blocks in it.
    pub(crate) fn blocks(&self) -> usize {
        self.inner.tail.directory.len()
    }

    /// The block in which the last entry that is not above `key` is, if there is any.
    pub(crate) fn block_of(&self, key: &Key) -> Option<usize> {
        self.inner.tail.directory.partition_point(|place| place.first <= *key).checked_sub(1)
    }

    /// A block, read and checked.
    ///
    /// # Errors
    /// `Corrupt`; those of the bucket.
    pub(crate) async fn block(&self, number: usize, objects: &dyn LogObjects) -> Result<IndexBlock, PageLogFault> {
        let range = self.range_of(number)?;
        let bytes = objects.read(&self.inner.place, range.clone()).await?;
        self.decode_block(bytes, range.start)
    }

    /// As [`Run::block`], but always from the bucket.
    ///
    /// # Errors
    /// As [`Run::block`].
    pub(crate) async fn block_afresh(
        &self,
        number: usize,
        objects: &dyn LogObjects,
    ) -> Result<IndexBlock, PageLogFault> {
        let range = self.range_of(number)?;
        let bytes = objects.read_afresh(&self.inner.place, range.clone()).await?;
        self.decode_block(bytes, range.start)
    }

    fn range_of(&self, number: usize) -> Result<Range<u64>, PageLogFault> {
        let missing = || PageLogFault::Options(format!("{} has no block {number}", self.inner.place.name));
        let place = self.inner.tail.directory.get(number).ok_or_else(missing)?;
        Ok(place.offset..place.offset + u64::from(place.length))
    }

    fn decode_block(&self, bytes: Bytes, at: u64) -> Result<IndexBlock, PageLogFault> {
        IndexBlock::decode(bytes, at).map_err(|damage| PageLogFault::damaged(self.inner.place.name.as_str(), damage))
    }

    /// The page's newest record that is not above `key`: takes one block at most.
    ///
    /// # Errors
    /// `Corrupt`; those of the bucket.
    pub(crate) async fn floor(
        &self,
        key: &Key,
        pool: &BlockPool,
        objects: &dyn LogObjects,
    ) -> Result<Option<Located>, PageLogFault> {
        let key = Key { lsn: key.lsn.min(self.reference.limit), ..*key };
        let Some(number) = self.block_of(&key) else { return Ok(None) };
        let block = pool.get(self, number, objects).await?;
        let name = self.inner.place.name.as_str();
        let found = block.floor(&key).map_err(|damage| PageLogFault::damaged(name, damage))?;
        let Some(entry) = found.filter(|entry| entry.key.same_page(&key)) else { return Ok(None) };
        let segment = self.inner.tail.segments.get(entry.segment as usize).cloned();
        let segment = segment.ok_or_else(|| PageLogFault::Corrupt {
            object: name.to_owned(),
            start: 0,
            end: self.reference.size,
            check: format!("an entry of segment {} where there are {}", entry.segment, self.segments().len()),
        })?;
        Ok(Some(Located { segment, entry }))
    }
}
