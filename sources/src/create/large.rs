//! Objects in memory that go in parts.

use std::sync::Arc;

use futures::stream::{self, StreamExt, TryStreamExt};
use object_store::path::Path;

use super::settle::{MAX_VANISHED, contended};
use super::upload::MAX_PARTS;
use super::{Finished, Upload, small};
use crate::blocking::{MAX_SUMMED_HERE, blocking};
use crate::bucket::{Found, OpenBucket};
use crate::creation_id::CreationId;
use crate::error::Fault;
use crate::object_info::ObjectInfo;
use crate::payload::Payload;
use crate::sums::{BLOCK_BYTES, BlockSums, Creation, MAX_INLINE_BLOCKS, SumsBuilder};

/// Bytes that one thread sums at a time when several do: about a millisecond, and whole blocks.
const STRETCH_BYTES: usize = 8 << 20;

/// Threads that sum one object at once.
const STRETCHES_AT_ONCE: usize = 4;

impl OpenBucket {
    /// Creates the object `name` at `key` from more than `part_size` bytes.
    pub(super) async fn create_large(
        self: &Arc<Self>,
        name: &str,
        key: &Path,
        data: Payload,
    ) -> Result<ObjectInfo, Fault> {
        let size = data.len();
        let part = self.upload_part_size(size);
        let sums = async { if sums_fit_inline(size) { sum_all(&data).await.map(Some) } else { Ok(None) } };
        let ((), sums) = tokio::try_join!(self.refuse_early(key), sums)?;
        for attempt in 0..=MAX_VANISHED {
            let id = CreationId::random(self.options.entropy.as_ref());
            let creation = match &sums {
                Some(sums) => Creation::of(id, sums),
                None => Creation::streamed(id, Some(size), BLOCK_BYTES),
            };
            let mut upload = Upload::begin(self, key, creation.clone()).await?;
            let mut builder = sums.is_none().then(|| SumsBuilder::new(BLOCK_BYTES));
            let mut rest = data.clone();
            while !rest.is_empty() {
                let next = rest.take_front(part);
                if let Some(open) = builder.take() {
                    builder = Some(sum_on(open, &next).await?);
                }
                upload.part(next).await?;
            }
            let summed = builder.map(SumsBuilder::finish);
            let Some(sums) = summed.as_ref().or(sums.as_ref()) else { return Err(contended()) };
            match upload.finish(name, sums).await? {
                Finished::Created(found) => return Ok(created(name, &creation, sums, found)),
                Finished::Taken => return Err(Fault::ObjectExists),
                Finished::Vanished => self.pause(attempt).await,
            }
        }
        Err(contended())
    }

    /// Looks whether the name is taken before an upload that would take long to find out. The store still decides at the end.
    pub(super) async fn refuse_early(&self, key: &Path) -> Result<(), Fault> {
        match self.look(key).await? {
            Some(_) => Err(Fault::ObjectExists),
            None => Ok(()),
        }
    }

    /// Bytes in a part of an object of `size` bytes: `part_size`, or what it takes to stay within [`MAX_PARTS`].
    pub(super) fn upload_part_size(&self, size: u64) -> usize {
        let block = u64::from(BLOCK_BYTES);
        let least = size.div_ceil(MAX_PARTS).div_ceil(block) * block;
        usize::try_from(self.options.part_size.max(least)).unwrap_or(usize::MAX)
    }
}

/// Whether the sums of an object of `size` bytes fit its metadata.
pub(super) fn sums_fit_inline(size: u64) -> bool {
    size <= MAX_INLINE_BLOCKS * u64::from(BLOCK_BYTES)
}

/// The answer for an object that was found after its upload.
pub(super) fn created(name: &str, creation: &Creation, sums: &BlockSums, found: Found) -> ObjectInfo {
    let etag = found.meta.e_tag.unwrap_or_default();
    small::info(name, creation, sums, etag, found.meta.last_modified.into())
}

/// The sums of `data`; nothing is sent before they are there, so several threads share what is long.
pub(super) async fn sum_all(data: &Payload) -> Result<BlockSums, Fault> {
    let mut rest = data.clone();
    let stretches = std::iter::from_fn(|| Some(rest.take_front(STRETCH_BYTES)).filter(|stretch| !stretch.is_empty()));
    let sums = stretches
        .map(|stretch| async move { sum_on(SumsBuilder::new(BLOCK_BYTES), &stretch).await.map(SumsBuilder::finish) });
    let sums: Vec<BlockSums> = stream::iter(sums).buffered(STRETCHES_AT_ONCE).try_collect().await?;
    Ok(BlockSums::join(BLOCK_BYTES, &sums))
}

/// Adds `data` to `builder`, away from the async threads if it is much.
pub(super) async fn sum_on(mut builder: SumsBuilder, data: &Payload) -> Result<SumsBuilder, Fault> {
    if data.len() <= MAX_SUMMED_HERE {
        data.pieces().for_each(|piece| builder.update(piece));
        return Ok(builder);
    }
    let data = data.clone();
    blocking(move || {
        data.pieces().for_each(|piece| builder.update(piece));
        builder
    })
    .await
}
