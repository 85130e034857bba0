//! Objects that go in one request, and whose first bytes are written before the last are there.

use std::sync::Arc;

use bytes::Bytes;
use object_store::path::Path;

use super::large::sum_on;
use crate::blocking::blocking;
use crate::bucket::OpenBucket;
use crate::dir::{AheadFile, WritesAhead};
use crate::error::{Fault, Result};
use crate::object_info::ObjectInfo;
use crate::payload::Payload;
use crate::sums::{BLOCK_BYTES, SumsBuilder};

/// Creates one object of which more and more is there; made by [`crate::Bucket::put_ahead`].
///
/// All bytes stay in memory until the object is there: what was written early saves time and is relied on for nothing. Nothing is
/// visible before [`AheadWriter::finish`] has returned; a writer that is dropped leaves nothing.
#[derive(Debug)]
pub struct AheadWriter {
    bucket: Arc<OpenBucket>,
    name: String,
    key: Path,
    most: u64,
    /// All bytes so far.
    data: Payload,
    /// Their sums. None while a call is under way, and for good if that call was dropped.
    sums: Option<SumsBuilder>,
    begun: Begun,
}

/// What is written of an object.
#[derive(Debug)]
enum Begun {
    Not(WritesAhead),
    Partly(AheadFile),
    /// It can't be, or could not: the create writes all of it, and says what is wrong.
    Never,
}

impl AheadWriter {
    pub(crate) fn new(bucket: Arc<OpenBucket>, name: String, key: Path, most: u64) -> Self {
        let begun = bucket.source.ahead.clone().map_or(Begun::Never, Begun::Not);
        let sums = Some(SumsBuilder::new(BLOCK_BYTES));
        Self { bucket, name, key, most, data: Payload::default(), sums, begun }
    }

    /// Adds bytes at the end, and writes them where that is possible. That it was not is told by [`AheadWriter::finish`], which tries
    /// again.
    pub async fn write(&mut self, data: impl Into<Payload>) {
        let data = data.into();
        // After a call that was dropped nobody knows what is there.
        let begun = std::mem::replace(&mut self.begun, Begun::Never);
        let sums = self.sums.take();
        data.pieces().for_each(|piece| self.data.push(piece.clone()));
        let (Some(mut sums), key) = (sums, self.key.clone()) else { return };
        let writing = blocking(move || {
            let pieces: Vec<Bytes> = data.into_pieces().collect();
            pieces.iter().for_each(|piece| sums.update(piece));
            let ahead = match begun {
                Begun::Never => return (sums, Begun::Never),
                Begun::Not(tree) => tree.begin(&key),
                Begun::Partly(ahead) => Ok(ahead),
            };
            let written = ahead.and_then(|ahead| ahead.write(&pieces).map(|()| ahead));
            (sums, written.map_or(Begun::Never, Begun::Partly))
        });
        if let Ok((sums, begun)) = writing.await {
            (self.sums, self.begun) = (Some(sums), begun);
        }
    }

    /// Makes the object appear, if there is none of that name.
    ///
    /// # Errors
    /// As [`crate::Bucket::put`]. Dropping the future leaves the object whole or not there at all.
    pub async fn finish(mut self, rest: impl Into<Payload>) -> Result<ObjectInfo> {
        let (rest, name, bucket) = (rest.into(), std::mem::take(&mut self.name), Arc::clone(&self.bucket));
        Box::pin(self.create(&name, rest)).await.map_err(|fault| bucket.error("put", &name, fault))
    }

    async fn create(self, name: &str, rest: Payload) -> Result<ObjectInfo, Fault> {
        let Self { bucket, key, most, mut data, sums, begun, .. } = self;
        rest.pieces().for_each(|piece| data.push(piece.clone()));
        let Some(sums) = sums.filter(|_| data.len() <= most) else {
            return bucket.create(name, &key, data, most).await;
        };
        let sums = sum_on(sums, &rest).await?.finish();
        let ahead = if let Begun::Partly(ahead) = begun { Some(ahead) } else { None };
        bucket.create_small(name, &key, data, &sums, ahead).await
    }
}
