//! The peer of `transfers`: `object_store` and nothing around it, used as a careful program would use it.
//!
//! It opens the same bucket with the same keys, cuts large objects into the same parts, and has as many of them in flight. A small
//! object is one conditional PUT, as with Plastron, and one GET. Whatever makes the server work it asks for as well: files are synced,
//! and uploads to S3 carry their SHA-256. What it leaves out is what Plastron adds: checksums of its own, verified when they are
//! read, a create-only large object, proof that what arrived is what was sent.

use std::sync::Arc;

use bytes::{Bytes, BytesMut};
use futures::{StreamExt, TryStreamExt, stream};
use object_store::memory::InMemory;
use object_store::path::Path;
use object_store::{ObjectStore, ObjectStoreExt, PutMode, PutOptions};
use plastron::{BucketOptions, Provider};
use tokio::task::JoinSet;

use crate::failure::{Failure, Result};

mod clouds;
mod directory;

/// A bucket through `object_store` alone. Cheap to clone.
#[derive(Debug, Clone)]
pub(super) struct Bare {
    store: Arc<dyn ObjectStore>,
    prefix: String,
    part: usize,
    concurrency: usize,
}

impl Bare {
    /// Opens what `options` name. A bucket in memory is another one, of the same kind.
    pub(super) async fn open(options: &BucketOptions) -> Result<Self> {
        let store = match options.provider {
            Provider::Memory => Arc::new(InMemory::new()),
            Provider::Dir => directory::open(options).await?,
            _ => clouds::open(options)?,
        };
        let part = usize::try_from(options.part_size).unwrap_or(usize::MAX);
        Ok(Self { store, prefix: options.prefix.clone(), part, concurrency: options.part_concurrency })
    }

    /// Stores an object: whole, and only if the name is free, if it is no more than a part; else in parts.
    pub(super) async fn put(&self, name: &str, data: Bytes) -> Result<()> {
        let path = self.path(name)?;
        if data.len() <= self.part {
            let options = PutOptions { mode: PutMode::Create, ..PutOptions::default() };
            return self
                .store
                .put_opts(&path, data.into(), options)
                .await
                .map(drop)
                .map_err(|error| failed("put", &error));
        }
        self.put_parts(&path, data).await.map_err(|error| failed("put", &error))
    }

    async fn put_parts(&self, path: &Path, mut data: Bytes) -> object_store::Result<()> {
        let mut upload = self.store.put_multipart(path).await?;
        let mut parts = JoinSet::new();
        while !data.is_empty() {
            if parts.len() >= self.concurrency
                && let Some(ended) = parts.join_next().await
            {
                ended??;
            }
            let part = data.split_to(self.part.min(data.len()));
            parts.spawn(upload.put_part(part.into()));
        }
        while let Some(ended) = parts.join_next().await {
            ended??;
        }
        upload.complete().await.map(drop)
    }

    /// Reads an object with one request.
    pub(super) async fn get(&self, name: &str) -> Result<Bytes> {
        let path = self.path(name)?;
        let got = async { self.store.get(&path).await?.bytes().await };
        got.await.map_err(|error| failed("get", &error))
    }

    /// Asks for an object's size, then reads it with one request.
    pub(super) async fn head_and_get(&self, name: &str) -> Result<Bytes> {
        let path = self.path(name)?;
        let got = async {
            let size = self.store.head(&path).await?.size;
            self.store.get_range(&path, 0..size).await
        };
        got.await.map_err(|error| failed("get", &error))
    }

    /// Asks for an object's size, then reads it in parts, several at once, and puts them together.
    pub(super) async fn get_parts(&self, name: &str) -> Result<Bytes> {
        let path = self.path(name)?;
        let got = async {
            let size = self.store.head(&path).await?.size;
            let part = self.part as u64;
            let mut whole = BytesMut::with_capacity(usize::try_from(size).unwrap_or(usize::MAX));
            let starts = (0..size).step_by(self.part);
            let reads = starts.map(|start| self.store.get_range(&path, start..size.min(start.saturating_add(part))));
            let mut reads = stream::iter(reads).buffered(self.concurrency);
            while let Some(bytes) = reads.try_next().await? {
                whole.extend_from_slice(&bytes);
            }
            Ok(whole.freeze())
        };
        got.await.map_err(|error| failed("get", &error))
    }

    /// Removes an object.
    pub(super) async fn delete(&self, name: &str) -> Result<()> {
        self.store.delete(&self.path(name)?).await.map_err(|error| failed("delete", &error))
    }

    fn path(&self, name: &str) -> Result<Path> {
        Path::parse(format!("{}{name}", self.prefix)).map_err(|error| Failure::usage(format!("bucket_prefix: {error}")))
    }
}

/// Says what kind of error it was. Its text may hold addresses with signatures in them, which Plastron's own errors don't.
fn failed(operation: &str, error: &object_store::Error) -> Failure {
    let kind = match error {
        object_store::Error::NotFound { .. } => "not found",
        object_store::Error::AlreadyExists { .. } => "there is one of that name",
        object_store::Error::PermissionDenied { .. } | object_store::Error::Unauthenticated { .. } => "not allowed",
        object_store::Error::NotSupported { .. } | object_store::Error::NotImplemented { .. } => "not supported",
        _ => "it failed",
    };
    Failure::other(format!("{operation} with the bare client, which Plastron is compared with: {kind}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    async fn round_trip(options: &BucketOptions) {
        let bare = Bare::open(options).await.unwrap();
        for length in [0, 1, 300_000] {
            let data = super::super::content::bytes(length, length);
            let name = format!("a/{length}");
            bare.put(&name, data.clone()).await.unwrap();
            assert_eq!(bare.get(&name).await.unwrap(), data);
            assert_eq!(bare.get_parts(&name).await.unwrap(), data);
            if length > 0 {
                assert_eq!(bare.head_and_get(&name).await.unwrap(), data);
            }
            bare.delete(&name).await.unwrap();
            assert!(bare.get(&name).await.unwrap_err().message().ends_with("not found"));
        }
    }

    #[tokio::test]
    async fn what_is_put_is_got() {
        let mut options = BucketOptions::new(Provider::Memory, "b");
        options.part_size = 100_000;
        options.prefix = "p/".to_owned();
        round_trip(&options).await;
        let directory = tempfile::tempdir().unwrap();
        options.provider = Provider::Dir;
        options.bucket = directory.path().to_str().unwrap().to_owned();
        round_trip(&options).await;
    }
}
