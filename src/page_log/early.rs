//! A segment that is encoded, and where possible written, while it fills: whoever waits for it then waits for its end only.
//!
//! The writer's task hands over the open segment's records whenever a chunk of them has come ([`Early::feed`]). They are encoded and sealed
//! on blocking threads, in order, and what is done goes on to the object's temporary file, if the bucket has such a thing, while the next
//! chunk is encoded. When the segment is sealed the upload takes the [`Draft`] over and adds the rest.
//!
//! Invariants:
//! * What is in a draft are the segment's first records. An abandon may cut them off; no LSN is given twice, so the last of them tells.
//! * A draft is sealed under the KEK that was in force when it was begun; another KEK makes it void.
//! * Nothing relies on it: dropped at any time it leaves nothing, and the segment is encoded from its beginning, under another data key.
//! * There is one at a time, for the segment that is uploaded next, and its bytes are counted among those of uploads.

use std::sync::Arc;
use std::sync::atomic::Ordering;

use bytes::Bytes;
use futures::future::BoxFuture;
use tokio::sync::mpsc;
use tokio::task::{JoinHandle, spawn_blocking};

use super::PageLogFault;
use super::codec::{Compression, SegmentEncoder, SegmentIdentity};
use super::lsn::Lsn;
use super::memory_segment::MemorySegment;
use super::objects::LogObjectAhead;
use super::record::Record;
use super::shared::Shared;

/// Records that are handed over at once, however small they are: taking them is done under the log's lock.
const MOST_RECORDS: usize = 16 << 10;

/// Chunks that may wait to be written.
const WAITING_CHUNKS: usize = 64;

/// A segment of which a part is encoded.
pub(crate) struct Draft {
    pub(crate) encoder: SegmentEncoder,
    /// What writes it meanwhile.
    pub(crate) outlet: Option<Outlet>,
}

impl Draft {
    /// Begins a segment, with a fresh key. With `ahead` it is written as it is encoded, if the bucket can do that.
    ///
    /// # Errors
    /// What the key module says; [`PageLogFault::Options`].
    pub(crate) async fn begin(
        shared: &Shared,
        identity: SegmentIdentity,
        first_lsn: Lsn,
        ahead: bool,
    ) -> Result<Self, PageLogFault> {
        // Read before the key is made: a KEK that comes into force in between is not claimed for a key under the old one.
        let kek_lsn = Lsn::new(shared.kek_lsn.load(Ordering::Acquire));
        let cipher = shared.keys.new_cipher(identity.binding()).await?;
        let level = shared.options.compression;
        let compression = Compression::new(level)
            .map_err(|error| PageLogFault::Options(format!("page_log.compression_level {level:?}: {error}")))?;
        let key = cipher.map(|cipher| (cipher, kek_lsn));
        let encoder = SegmentEncoder::new(identity, first_lsn, key, compression);
        let outlet = match ahead {
            true => shared.objects.ahead(&identity.object_name()).await.map(Outlet::open),
            false => None,
        };
        Ok(Self { encoder, outlet })
    }

    /// Encodes more records, and has what is done written.
    ///
    /// # Errors
    /// What the cipher says.
    pub(crate) async fn add(self, records: Vec<Arc<Record>>) -> Result<Self, PageLogFault> {
        let Self { mut encoder, mut outlet } = self;
        let encoding = spawn_blocking(move || {
            records.iter().try_for_each(|record| encoder.push(record))?;
            Ok(encoder)
        });
        let encoder = encoding.await.unwrap_or(Err(PageLogFault::Closed { operation: "write" }))?;
        if let Some(outlet) = &mut outlet {
            outlet.send(&encoder).await;
        }
        Ok(Self { encoder, outlet })
    }
}

/// What writes pieces of an object before all of them are there.
pub(crate) struct Outlet {
    pieces: mpsc::Sender<Vec<Bytes>>,
    /// Pieces that were sent.
    sent: usize,
    writing: JoinHandle<Box<dyn LogObjectAhead>>,
}

impl Outlet {
    /// Writes in a task of its own, which ends with the outlet.
    fn open(mut ahead: Box<dyn LogObjectAhead>) -> Self {
        let (pieces, mut waiting) = mpsc::channel::<Vec<Bytes>>(WAITING_CHUNKS);
        let writing = tokio::spawn(async move {
            while let Some(pieces) = waiting.recv().await {
                ahead.write(pieces).await;
            }
            ahead
        });
        Self { pieces, sent: 0, writing }
    }

    async fn send(&mut self, encoder: &SegmentEncoder) {
        let pieces = encoder.pieces_from(self.sent);
        let count = pieces.len();
        if count > 0 && self.pieces.send(pieces).await.is_ok() {
            self.sent += count;
        }
    }

    /// Waits until all that was sent is written. Returns the object and how many of its pieces it has; none if that went wrong.
    pub(crate) async fn close(self) -> Option<(Box<dyn LogObjectAhead>, usize)> {
        let Self { pieces, sent, writing } = self;
        drop(pieces);
        writing.await.ok().map(|ahead| (ahead, sent))
    }
}

/// The draft of the segment that is open.
pub(crate) struct Early {
    first: Lsn,
    /// Records that were handed over, and bytes of their payloads.
    taken: usize,
    bytes: u64,
    last: Lsn,
    kek_lsn: u64,
    work: Work,
}

enum Work {
    Idle(Box<Draft>),
    Busy(BoxFuture<'static, Result<Draft, PageLogFault>>),
    Failed,
}

impl Early {
    /// Begins with the first records of `segment`, which will have `identity`. None for a segment without records.
    pub(crate) fn begin(shared: &Arc<Shared>, identity: SegmentIdentity, segment: &MemorySegment) -> Option<Self> {
        let first = segment.first_lsn()?;
        let kek_lsn = shared.kek_lsn.load(Ordering::Acquire);
        let mut early = Self { first, taken: 0, bytes: 0, last: first, kek_lsn, work: Work::Failed };
        let records = early.take(segment);
        let shared = Arc::clone(shared);
        early.work =
            Work::Busy(Box::pin(async move { Draft::begin(&shared, identity, first, true).await?.add(records).await }));
        Some(early)
    }

    /// Whether what was handed over are the first records of `segment`, and the KEK is still in force.
    pub(crate) fn is_of(&self, segment: &MemorySegment, shared: &Shared) -> bool {
        let last = self.taken.checked_sub(1).and_then(|at| segment.records().get(at));
        segment.first_lsn() == Some(self.first)
            && last.is_some_and(|record| record.key.lsn == self.last)
            && self.kek_lsn == shared.kek_lsn.load(Ordering::Acquire)
    }

    /// Whether it takes records, and there are `chunk` bytes of them in `segment`, which it is of.
    pub(crate) fn wants(&self, segment: &MemorySegment, chunk: u64) -> bool {
        matches!(self.work, Work::Idle(_)) && segment.bytes().saturating_sub(self.bytes) >= chunk
    }

    /// Takes more records of `segment`, which it is of, if it is idle.
    pub(crate) fn feed(&mut self, segment: &MemorySegment) {
        match std::mem::replace(&mut self.work, Work::Failed) {
            Work::Idle(draft) => self.work = Work::Busy(Box::pin(draft.add(self.take(segment)))),
            other => self.work = other,
        }
    }

    fn take(&mut self, segment: &MemorySegment) -> Vec<Arc<Record>> {
        let records = segment.records().get(self.taken..).unwrap_or_default();
        let records = records.get(..MOST_RECORDS).unwrap_or(records).to_vec();
        self.taken += records.len();
        self.bytes += records.iter().map(|record| record.payload.len() as u64).sum::<u64>();
        self.last = records.last().map_or(self.last, |record| record.key.lsn);
        records
    }

    /// Whether it can't go on: the upload will say why.
    pub(crate) fn has_failed(&self) -> bool {
        matches!(self.work, Work::Failed)
    }

    /// The first LSN of its segment.
    pub(crate) fn first(&self) -> Lsn {
        self.first
    }

    /// Ends when what was handed over is encoded; never if nothing is being. May be dropped and called again.
    pub(crate) async fn encoded(&mut self) {
        let Work::Busy(encoding) = &mut self.work else { return std::future::pending().await };
        let done = encoding.await;
        self.work = done.map_or(Work::Failed, |draft| Work::Idle(Box::new(draft)));
    }

    /// The draft, and how many records are in it.
    pub(crate) async fn draft(self) -> Option<(Draft, usize)> {
        let draft = match self.work {
            Work::Idle(draft) => *draft,
            Work::Busy(encoding) => encoding.await.ok()?,
            Work::Failed => return None,
        };
        Some((draft, self.taken))
    }
}
