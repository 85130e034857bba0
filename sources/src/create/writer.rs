//! Objects whose bytes come one after the other.

use std::sync::Arc;

use object_store::path::Path;

use super::large::{created, sum_on};
use super::settle::contended;
use super::{Finished, Upload};
use crate::bucket::OpenBucket;
use crate::creation_id::CreationId;
use crate::error::{Fault, Result};
use crate::object_info::ObjectInfo;
use crate::payload::Payload;
use crate::sums::{BLOCK_BYTES, Creation, SumsBuilder};

/// Creates one object from bytes that come one after the other; made by [`crate::Bucket::writer`].
///
/// Nothing is visible, nor is the name taken, before [`ObjectWriter::finish`] has returned. A writer that is dropped or aborted
/// leaves nothing: what it had uploaded is removed in the background.
#[derive(Debug)]
pub struct ObjectWriter {
    bucket: Arc<OpenBucket>,
    name: String,
    key: Path,
    id: CreationId,
    /// None while a call is under way, and for good if that call failed or was dropped.
    sums: Option<SumsBuilder>,
    buffer: Payload,
    upload: Option<Upload>,
}

impl ObjectWriter {
    pub(crate) fn new(bucket: Arc<OpenBucket>, name: String, key: Path) -> Self {
        let id = CreationId::random(bucket.options.entropy.as_ref());
        let sums = Some(SumsBuilder::new(BLOCK_BYTES));
        Self { bucket, name, key, id, sums, buffer: Payload::default(), upload: None }
    }

    /// The object's name.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// Bytes written so far.
    pub fn written(&self) -> u64 {
        self.sums.as_ref().map_or(0, SumsBuilder::size)
    }

    /// Adds bytes at the end. Waits while `part_concurrency` parts are in flight.
    ///
    /// After an error, and when its future was dropped, the writer can only be aborted.
    ///
    /// # Errors
    /// `AlreadyExists` if the name was seen to be taken; `Unsupported` past 10,000 parts; `Invalid` if the bucket is gone;
    /// `Unauthorized`, `Unavailable`.
    pub async fn write(&mut self, data: impl Into<Payload>) -> Result<()> {
        let data = data.into();
        Box::pin(self.write_payload(data)).await.map_err(|fault| self.bucket.error("put", &self.name, fault))
    }

    async fn write_payload(&mut self, data: Payload) -> Result<(), Fault> {
        let sums = self.sums.take().ok_or_else(interrupted)?;
        let sums = sum_on(sums, &data).await?;
        data.into_pieces().for_each(|piece| self.buffer.push(piece));
        let part = self.bucket.options.part_size;
        while self.buffer.len() > part {
            let upload = match &mut self.upload {
                Some(upload) => upload,
                None => {
                    self.bucket.refuse_early(&self.key).await?;
                    let creation = Creation::streamed(self.id, None, BLOCK_BYTES);
                    self.upload.insert(Upload::begin(&self.bucket, &self.key, creation).await?)
                }
            };
            upload.part(self.buffer.take_front(usize::try_from(part).unwrap_or(usize::MAX))).await?;
        }
        self.sums = Some(sums);
        Ok(())
    }

    /// Makes the object appear, if there is none of that name.
    ///
    /// # Errors
    /// As [`crate::Bucket::put`]. Dropping the future leaves the object whole or not there at all.
    pub async fn finish(mut self) -> Result<ObjectInfo> {
        let name = std::mem::take(&mut self.name);
        let bucket = Arc::clone(&self.bucket);
        Box::pin(self.finish_upload(&name)).await.map_err(|fault| bucket.error("put", &name, fault))
    }

    async fn finish_upload(self, name: &str) -> Result<ObjectInfo, Fault> {
        let sums = self.sums.ok_or_else(interrupted)?.finish();
        let Some(mut upload) = self.upload else {
            return self.bucket.create_small(name, &self.key, self.buffer, &sums, None).await;
        };
        upload.part(self.buffer).await?;
        let creation = Creation::streamed(self.id, None, BLOCK_BYTES);
        match upload.finish(name, &sums).await? {
            Finished::Created(found) => Ok(created(name, &creation, &sums, found)),
            Finished::Taken => Err(Fault::ObjectExists),
            // The bytes are gone, so only the caller can try again.
            Finished::Vanished => Err(contended()),
        }
    }

    /// Gives the object up and waits until what was uploaded of it is removed.
    pub async fn abort(mut self) {
        if let Some(mut upload) = self.upload.take() {
            upload.abort().await;
        }
    }
}

fn interrupted() -> Fault {
    Fault::Unsupported("an earlier write of this object failed or was interrupted; begin it anew".to_owned())
}
