//! One verified GET.

use std::ops::Range;
use std::sync::Arc;

use bytes::{Bytes, BytesMut};
use object_store::path::Path;
use object_store::{GetOptions, GetRange};

use crate::blocking::{MAX_SUMMED_HERE, blocking};
use crate::bucket::OpenBucket;
use crate::error::Fault;
use crate::fault_of::fault_of;
use crate::stats::Event;
use crate::sums::{BlockSums, Mismatch};

/// Bytes that are copied at a time where there are no blocks.
const UNVERIFIED_STEP_BYTES: usize = 1 << 20;

/// Reads pieces of one object and verifies them.
#[derive(Debug, Clone)]
pub(super) struct PieceReader {
    pub(super) bucket: Arc<OpenBucket>,
    pub(super) name: Arc<str>,
    pub(super) key: Path,
    pub(super) size: u64,
    /// Etag at open; empty where the provider has none.
    pub(super) etag: Arc<str>,
    /// None for an object that carries no checksums.
    pub(super) sums: Option<BlockSums>,
}

impl PieceReader {
    /// Bytes of one piece of a large read: a part, cut to whole blocks.
    pub(super) fn piece_size(&self) -> u64 {
        let part = self.bucket.options.part_size.max(1);
        match &self.sums {
            Some(sums) => (part / u64::from(sums.block())).max(1) * u64::from(sums.block()),
            None => part,
        }
    }

    /// `range` widened to what can be verified.
    pub(super) fn align(&self, range: Range<u64>) -> Range<u64> {
        match &self.sums {
            Some(sums) => sums.align(range),
            None => range,
        }
    }

    /// The bytes of `piece`, which is aligned and not empty, verified.
    pub(super) async fn read(&self, piece: Range<u64>) -> Result<Bytes, Fault> {
        let bytes = self.get(piece.clone()).await?;
        self.verified(piece.start, bytes).await
    }

    /// `bytes` once they are verified; they were read from `start` on, and begin and end where blocks do.
    pub(super) async fn verified(&self, start: u64, bytes: Bytes) -> Result<Bytes, Fault> {
        let Some(sums) = &self.sums else {
            self.bucket.stats.count(Event::UnverifiedRead);
            return Ok(bytes);
        };
        let failed = verify(sums, start, &bytes).await?;
        match (failed.first(), failed.last()) {
            (Some(first), Some(last)) => self.heal(sums, start, bytes, first, last).await,
            _ => Ok(bytes),
        }
    }

    /// Fetches `piece`, as [`PieceReader::read`] does, and adds its bytes of `wanted` to `target`, which has room for them. They are
    /// copied block by block as they are verified, while the processor has them at hand.
    pub(super) async fn read_into(
        &self,
        piece: Range<u64>,
        wanted: Range<u64>,
        mut target: BytesMut,
    ) -> Result<BytesMut, Fault> {
        let bytes = self.get(piece.clone()).await?;
        if self.sums.is_none() {
            self.bucket.stats.count(Event::UnverifiedRead);
        }
        let (copied, start, part) = (bytes.clone(), piece.start, wanted.clone());
        let verify = self.sums.clone();
        let (target, failed) = blocking(move || {
            let step = verify.as_ref().map_or(UNVERIFIED_STEP_BYTES, |sums| sums.block() as usize);
            let (mut at, mut failed) = (start, Vec::new());
            for block in copied.chunks(step) {
                if let Some(sums) = &verify {
                    failed.extend(sums.mismatches(at, block));
                }
                target.extend_from_slice(within(block, at, &part));
                at += block.len() as u64;
            }
            (target, failed)
        })
        .await?;
        match (&self.sums, failed.first(), failed.last()) {
            (Some(sums), Some(first), Some(last)) => {
                let healed = self.heal(sums, piece.start, bytes, first, last).await?;
                let mut target = target;
                target.clear();
                target.extend_from_slice(within(&healed, piece.start, &wanted));
                Ok(target)
            }
            _ => Ok(target),
        }
    }

    /// Fetches the blocks from `first` to `last`, which failed, once more.
    async fn heal(
        &self,
        sums: &BlockSums,
        start: u64,
        bytes: Bytes,
        first: &Mismatch,
        last: &Mismatch,
    ) -> Result<Bytes, Fault> {
        self.bucket.stats.count(Event::CorruptRead);
        let again = first.range.start..last.range.end;
        tracing::warn!(
            bucket = %self.bucket.source.address, object = %self.name, start = again.start, end = again.end,
            "checksum mismatch; reading once more"
        );
        let fresh = self.get(again.clone()).await?;
        if let Some(still) = sums.mismatches(again.start, &fresh).first() {
            return Err(Fault::Corrupt {
                what: self.name.to_string(),
                start: still.range.start,
                end: still.range.end,
                check: format!(
                    "CRC32C of the block: {:08x} when it was written, {:08x} now, read twice",
                    still.expected, still.found
                ),
            });
        }
        let mut healed = BytesMut::from(bytes);
        let offset = |at: u64| usize::try_from(at.saturating_sub(start)).unwrap_or(usize::MAX);
        if let Some(target) = healed.get_mut(offset(again.start)..offset(again.end)) {
            target.copy_from_slice(&fresh);
        }
        Ok(healed.freeze())
    }

    /// One GET of exactly `range`.
    async fn get(&self, range: Range<u64>) -> Result<Bytes, Fault> {
        let options = GetOptions {
            range: Some(GetRange::Bounded(range.clone())),
            if_match: Some(self.etag.to_string()).filter(|etag| !etag.is_empty()),
            ..GetOptions::default()
        };
        let got = match self.bucket.source.store.get_opts(&self.key, options).await {
            Ok(got) => got,
            Err(error) => return Err(self.explain(fault_of(&error)).await),
        };
        self.bucket.answered();
        // A store that ignores If-Match is found out here.
        let etag = got.meta.e_tag.as_deref().unwrap_or_default();
        if !self.etag.is_empty() && !etag.is_empty() && etag != &*self.etag {
            return Err(Fault::Replaced { expected: self.etag.to_string(), found: etag.to_owned() });
        }
        if got.meta.size != self.size {
            return Err(Fault::Corrupt {
                what: self.name.to_string(),
                start: range.start,
                end: range.end,
                check: format!("the object had {} bytes when it was opened, and has {} now", self.size, got.meta.size),
            });
        }
        let bytes = match got.bytes().await {
            Ok(bytes) => bytes,
            Err(error) => return Err(self.explain(fault_of(&error)).await),
        };
        let length = range.end - range.start;
        if bytes.len() as u64 != length {
            return Err(Fault::Corrupt {
                what: self.name.to_string(),
                start: range.start,
                end: range.end,
                check: format!("the store sent {} bytes instead of {length}", bytes.len()),
            });
        }
        Ok(bytes)
    }

    /// "Not found" may mean the bucket, and a failed condition should say what is there now.
    async fn explain(&self, fault: Fault) -> Fault {
        match fault {
            Fault::NoSuchObject => self.bucket.missing().await,
            Fault::Replaced { .. } => match self.bucket.look(&self.key).await {
                Ok(Some(found)) => Fault::Replaced {
                    expected: self.etag.to_string(),
                    found: found.meta.e_tag.unwrap_or_else(|| "unknown".to_owned()),
                },
                Ok(None) => self.bucket.missing().await,
                Err(_) => Fault::Replaced { expected: self.etag.to_string(), found: "unknown".to_owned() },
            },
            fault => fault,
        }
    }
}

/// What `wanted` has of `bytes`, which begin at `start`.
fn within<'b>(bytes: &'b [u8], start: u64, wanted: &Range<u64>) -> &'b [u8] {
    let offset = |at: u64| usize::try_from(at.saturating_sub(start)).unwrap_or(usize::MAX).min(bytes.len());
    bytes.get(offset(wanted.start)..offset(wanted.end)).unwrap_or_default()
}

/// The blocks of `bytes` that fail, found away from the async threads if it is much.
async fn verify(sums: &BlockSums, start: u64, bytes: &Bytes) -> Result<Vec<Mismatch>, Fault> {
    if bytes.len() as u64 <= MAX_SUMMED_HERE {
        return Ok(sums.mismatches(start, bytes));
    }
    let (sums, bytes) = (sums.clone(), bytes.clone());
    blocking(move || sums.mismatches(start, &bytes)).await
}
