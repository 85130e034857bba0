//! A whole object, with one request if it is small.
//!
//! Opening asks for an object's size and checksums before the first byte is read. Whoever wants all of it need not wait for that: the
//! answer to a GET carries the same metadata as that to a HEAD. So the first part is asked for without knowing what there is; what
//! comes is verified by what came with it, and only what is longer than a part takes more requests.

use std::sync::Arc;

use bytes::{Bytes, BytesMut};
use object_store::path::Path;

use super::Object;
use super::object::length;
use crate::bucket::OpenBucket;
use crate::error::Fault;
use crate::sums::BLOCK_BYTES;

impl OpenBucket {
    /// Opens the object at `key` and reads all of it.
    pub(crate) async fn whole(self: &Arc<Self>, name: &str, key: Path) -> Result<(Object, Bytes), Fault> {
        let block = u64::from(BLOCK_BYTES);
        let part = 0..(self.options.part_size / block).max(1) * block;
        let got = match self.ask(&key, &part).await {
            Ok(got) => got,
            Err(fault) => return self.empty(name, key, fault).await,
        };
        let (object, first) = self.open_with(name, key, &part, got).await?;
        let whole = object.complete(first).await?;
        Ok((object, whole))
    }

    /// An object that has no first part since it is empty; stores refuse to send that, each with words of its own.
    async fn empty(self: &Arc<Self>, name: &str, key: Path, refusal: Fault) -> Result<(Object, Bytes), Fault> {
        if !matches!(refusal, Fault::Range { .. } | Fault::Provider { .. }) {
            return Err(self.explain(refusal).await);
        }
        match self.look(&key).await? {
            Some(found) if found.meta.size == 0 => {
                Ok((Object::new(Arc::clone(self), name, key, &found)?, Bytes::new()))
            }
            Some(_) => Err(refusal),
            None => Err(self.missing().await),
        }
    }
}

impl Object {
    /// All bytes; `first` are those that came first.
    async fn complete(&self, first: Bytes) -> Result<Bytes, Fault> {
        let reader = self.reader().await?;
        let came = first.len() as u64;
        if came == self.size() {
            return reader.verified(0, first).await;
        }
        // An object may have larger blocks than Plastron makes today; one that is not there whole is read again.
        let block = reader.sums.as_ref().map_or(1, |sums| u64::from(sums.block()));
        let usable = came / block * block;
        let mut whole = BytesMut::with_capacity(length(&(0..self.size()))?);
        if usable > 0 {
            let first = first.slice(..length(&(0..usable))?);
            whole.extend_from_slice(&reader.verified(0, first).await?);
        }
        whole.extend_from_slice(&self.read_range(usable..self.size()).await?);
        Ok(whole.freeze())
    }
}
