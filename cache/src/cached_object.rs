//! A handle to one object, through which it is read.

use std::fmt;
use std::ops::Range;
use std::sync::Arc;
use std::sync::atomic::Ordering;

use bytes::{Bytes, BytesMut};
use futures::{StreamExt, TryStreamExt, stream};
use plastron_sources::{Error, Fault};

use crate::budgets::LONGEST_FETCH_BYTES;
use crate::current_block::CurrentBlock;
use crate::destination::{Destination, Pieces, Slice};
use crate::disk::{Disk, Offer};
use crate::fetch::{Fetch, Priority};
use crate::known_objects::KnownObject;
use crate::object_id::ObjectId;
use crate::pieces::{Keep, Piece, Reading};
use crate::read_ahead::ReadAhead;
use crate::stats::Tier;
use crate::tiers::Tiers;

/// Stretches of a large read that are worked on at once, each up to 8 MiB.
const STRETCHES_AT_ONCE: usize = 4;

/// A handle to one object in a [`crate::Cache`].
///
/// It may be used by several threads at once, and there may be several handles to one object: they share blocks and requests.
/// What a handle has of its own is its read-ahead: whoever reads from front to back should have one handle for it. Dropping the
/// handle cancels what it was fetching ahead.
pub struct CachedObject {
    tiers: Arc<Tiers>,
    object: Arc<KnownObject>,
    ahead: ReadAhead,
    current: CurrentBlock,
}

impl fmt::Debug for CachedObject {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("CachedObject").field("id", &self.object.id).finish_non_exhaustive()
    }
}

impl CachedObject {
    pub(crate) fn new(tiers: Arc<Tiers>, object: Arc<KnownObject>) -> Self {
        let ahead = ReadAhead::new(tiers.budgets.window);
        Self { tiers, object, ahead, current: CurrentBlock::new() }
    }

    /// Which object it is.
    pub fn id(&self) -> &ObjectId {
        &self.object.id
    }

    /// Its size, bytes.
    pub fn size(&self) -> u64 {
        self.object.size()
    }

    /// Reads `to.len()` bytes at `offset` if all of them are in the cache: from memory, or else with `pread` on this thread. No
    /// asynchronous runtime is involved. Says from where the slowest of them came.
    ///
    /// `None` if anything is missing or the range is not within the object; `to` holds anything then, and [`CachedObject::read_into`]
    /// gets it or tells the error. An asynchronous task should call that right away: this may wait for a disk.
    pub fn try_read(&self, offset: u64, to: &mut [u8]) -> Option<Tier> {
        self.try_read_as(offset, to, Priority::Data)
    }

    /// [`CachedObject::try_read`] with a priority.
    pub fn try_read_as(&self, offset: u64, to: &mut [u8], priority: Priority) -> Option<Tier> {
        let len = to.len() as u64;
        self.try_take(offset, len, priority, &mut Slice(to))
    }

    /// [`CachedObject::try_read_as`] for a destination that is no `&mut [u8]`, such as memory of another language's, which may hold
    /// nothing yet: `take` gets the `len` bytes at `offset` piece by piece, in order. If it returns `None`, it may have got some of them.
    pub fn try_copy(&self, offset: u64, len: u64, priority: Priority, take: impl FnMut(&[u8])) -> Option<Tier> {
        self.try_take(offset, len, priority, &mut Pieces(take))
    }

    fn try_take(&self, offset: u64, len: u64, priority: Priority, to: &mut impl Destination) -> Option<Tier> {
        let range = offset..offset.checked_add(len).filter(|end| *end <= self.size())?;
        let blocks = self.tiers.geometry.blocks(&range);
        if blocks.end - blocks.start > 1 && !blocks.clone().all(|block| self.may_have(block)) {
            return None;
        }
        let (mut from_memory, mut from_disk) = (0, 0);
        let reading = self.reading(&range, priority);
        for piece in reading.pieces(&range) {
            if let Some(block) = reading.at_hand(piece.block) {
                to.put(block.get(piece.within)?)?;
                from_memory += 1;
            } else {
                self.take_from_disk(&piece, reading, to)?;
                from_disk += 1;
            }
        }
        self.tiers.stats.hit(Tier::Memory, from_memory);
        self.tiers.stats.hit(Tier::Disk, from_disk);
        if !range.is_empty() {
            self.ahead.advance(&self.tiers, &self.object, &range, None, || false);
        }
        Some(if from_disk > 0 { Tier::Disk } else { Tier::Memory })
    }

    /// The whole block with number `block`, if it is in the cache, without copying it. For those who work on blocks themselves; see
    /// [`crate::Cache::block_size`].
    pub fn try_get_block(&self, block: u64, priority: Priority) -> Option<Bytes> {
        let start = self.tiers.geometry.start(block);
        let range = start..start.saturating_add(self.tiers.geometry.len(block, self.size()) as u64);
        let found = self.reading(&range, priority).at_hand(block);
        let (found, tier) = match found {
            Some(found) => (found, Tier::Memory),
            None => (self.disk_with(block)?.block(&self.object, block)?, Tier::Disk),
        };
        self.tiers.stats.hit(tier, 1);
        if tier == Tier::Disk {
            self.tiers.memory.insert(self.object.key(block), found.clone(), priority);
        }
        self.ahead.advance(&self.tiers, &self.object, &range, None, || false);
        Some(found)
    }

    /// The bytes of `range`, from the cache as far as they are there and from `fetch` otherwise. Within one block nothing is copied.
    ///
    /// Missing blocks next to each other are one request of up to 8 MiB; blocks that somebody else is fetching are waited for and
    /// not fetched again. Dropping the future leaves everything in order: a request that others wait for goes on, one that nobody
    /// waits for is cancelled.
    ///
    /// # Errors
    /// `Invalid` if the range is not within the object; else what `fetch` returns, as it is. A disk that fails is no error, it is a
    /// miss.
    pub async fn read(&self, fetch: &Arc<dyn Fetch>, range: Range<u64>, priority: Priority) -> Result<Bytes, Error> {
        self.check(&range)?;
        let mut stretches = std::pin::pin!(self.stretches(fetch, &range, priority));
        let mut first = stretches.try_next().await?.unwrap_or_default();
        let len = usize::try_from(range.end - range.start).unwrap_or(usize::MAX);
        if first.len() == 1 && first.first().is_some_and(|piece| piece.len() == len) {
            return Ok(first.pop().unwrap_or_default());
        }
        let mut all = BytesMut::with_capacity(len);
        first.iter().for_each(|piece| all.extend_from_slice(piece));
        drop(first);
        while let Some(pieces) = stretches.try_next().await? {
            pieces.iter().for_each(|piece| all.extend_from_slice(piece));
        }
        Ok(all.freeze())
    }

    /// [`CachedObject::read`] into a buffer of the caller's.
    ///
    /// # Errors
    /// As for `read`; `to` holds anything then.
    pub async fn read_into(
        &self,
        fetch: &Arc<dyn Fetch>,
        offset: u64,
        to: &mut [u8],
        priority: Priority,
    ) -> Result<(), Error> {
        let range = offset..offset.saturating_add(to.len() as u64);
        self.check(&range)?;
        let mut stretches = std::pin::pin!(self.stretches(fetch, &range, priority));
        let mut rest = to;
        while let Some(pieces) = stretches.try_next().await? {
            for piece in pieces {
                let (now, later) = rest.split_at_mut(piece.len().min(rest.len()));
                now.copy_from_slice(piece.get(..now.len()).unwrap_or_default());
                rest = later;
            }
        }
        Ok(())
    }

    /// Puts `data`, which is the object's content at `offset`, into the cache, as a file is that has just been uploaded. Only whole
    /// blocks are taken, the object's last one included; returns how many bytes that were. Waits while the disk's queue is full,
    /// as long as the disk makes progress.
    ///
    /// What is put in here is believed: it must be the very bytes that the bucket would return.
    pub async fn insert(&self, offset: u64, data: &[u8], priority: Priority) -> u64 {
        let geometry = self.tiers.geometry;
        let end = offset.saturating_add(data.len() as u64).min(self.size());
        let (mut taken, number) = (0, self.object.number());
        for block in geometry.blocks(&(offset..end)) {
            let bytes = geometry.bytes(&(block..block + 1), self.size());
            if bytes.start < offset || bytes.end > end {
                continue;
            }
            let at = (bytes.start - offset) as usize;
            let Some(content) = data.get(at..at + (bytes.end - bytes.start) as usize) else { continue };
            let block_data = self.tiers.buffers.copy(content);
            taken += content.len() as u64;
            self.tiers.memory.insert(self.object.key(block), block_data.clone(), priority);
            if let Some(disk) = &self.tiers.disk {
                disk.room(block_data.len() as u64).await;
                let object = Arc::clone(&self.object);
                disk.offer(Offer { object, number, block, data: block_data, scan: false, priority });
            }
        }
        taken
    }

    fn reading(&self, range: &Range<u64>, priority: Priority) -> Reading<'_> {
        let scan = self.ahead.is_sequential(range);
        Reading { tiers: &self.tiers, object: &self.object, priority, scan, current: &self.current }
    }

    fn check(&self, range: &Range<u64>) -> Result<(), Error> {
        if range.start <= range.end && range.end <= self.size() {
            return Ok(());
        }
        let fault = Fault::Range { start: range.start, end: range.end, size: self.size() };
        Err(Error::new("get", self.object.id.name(), fault))
    }

    /// `range` in stretches of 8 MiB, several of them at once, in order.
    fn stretches<'a>(
        &'a self,
        fetch: &'a Arc<dyn Fetch>,
        range: &Range<u64>,
        priority: Priority,
    ) -> impl stream::Stream<Item = Result<Vec<Bytes>, Error>> + 'a {
        if !range.is_empty() {
            let missing = || !self.tiers.geometry.blocks(range).all(|block| self.may_have(block));
            self.ahead.advance(&self.tiers, &self.object, range, Some(fetch), missing);
        }
        let step = LONGEST_FETCH_BYTES.max(self.tiers.geometry.granule_bytes());
        let (start, end) = (range.start, range.end);
        let first = start / step;
        let stretches = if range.is_empty() { 0..0 } else { first..end.div_ceil(step) };
        let reading = self.reading(range, priority);
        stream::iter(stretches)
            .map(move |stretch| {
                let part = (stretch * step).max(start)..((stretch + 1).saturating_mul(step)).min(end);
                async move { reading.read(fetch, &part).await }
            })
            .buffered(STRETCHES_AT_ONCE)
    }

    fn may_have(&self, block: u64) -> bool {
        self.current.holds(block)
            || self.tiers.memory.contains(&self.object.key(block))
            || self.tiers.in_flight(&self.object, block)
            || self.disk_with(block).is_some()
    }

    /// The disk part, if it may have the block.
    fn disk_with(&self, block: u64) -> Option<&Disk> {
        self.tiers.disk.as_ref().filter(|disk| disk.may_have(&self.object, block))
    }

    fn take_from_disk(&self, piece: &Piece, reading: Reading<'_>, to: &mut impl Destination) -> Option<()> {
        let disk = self.disk_with(piece.block)?;
        let generation = self.tiers.generation.load(Ordering::Acquire);
        let keep = reading.keep(piece);
        if matches!(keep, Keep::Part) {
            let read = |to: &mut [u8]| disk.part(&self.object, piece.block, &piece.within, to);
            return to.fill(&self.tiers.buffers, piece.within.len(), read);
        }
        let block = disk.block(&self.object, piece.block)?;
        to.put(block.get(piece.within.clone())?)?;
        reading.settle(piece.block, generation, block, keep);
        Some(())
    }
}

impl Drop for CachedObject {
    fn drop(&mut self) {
        self.ahead.close(&self.tiers);
    }
}
