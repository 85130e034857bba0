//! SlateDB, with its defaults: an LSM tree on `object_store` that has no encryption of its own.

use std::sync::Arc;

use bytes::Bytes;
use object_store::ObjectStore;
use slatedb::config::{FlushOptions, FlushType};
use slatedb::{Db, WriteBatch};

use super::pairs::Work;
use super::workload::{ReadPages, mib};
use crate::context::Stopwatch;
use crate::failure::{Failure, Result};

/// Pages to a batch: what one by one costs it need not pay.
const BATCH: usize = 64;

/// A database.
pub(super) struct Slate(Db);

impl Slate {
    /// Opens the database at `path` of `store`.
    pub(super) async fn open(path: &str, store: Arc<dyn ObjectStore>) -> Result<Self> {
        Ok(Self(Box::pin(Db::open(path, store)).await?))
    }

    /// Puts `pages`, and waits for all to be durable after every `commit` of them, and at the end.
    pub(super) async fn put(&self, pages: &[Bytes], commit: usize) -> Result<()> {
        let mut number = 0_u64;
        for pages in pages.chunks(commit.max(1)) {
            for pages in pages.chunks(BATCH) {
                let mut batch = WriteBatch::new();
                for page in pages {
                    batch.put_bytes(Bytes::copy_from_slice(&number.to_be_bytes()), Bytes::copy_from_slice(page));
                    number += 1;
                }
                self.0.write(batch).await?;
            }
            self.0.flush().await?;
        }
        Ok(())
    }

    /// [`Slate::put`] as work, MiB.
    pub(super) async fn ingest(&self, pages: &[Bytes], commit: usize) -> Result<Work> {
        let watch = Stopwatch::start();
        self.put(pages, commit).await?;
        Ok(mib(pages, watch.elapsed()))
    }

    /// Has everything in tables, so that opening it again finds nothing in memory.
    pub(super) async fn close_with_tables(self) -> Result<()> {
        self.0.flush_with_options(FlushOptions { flush_type: FlushType::MemTable }).await?;
        self.close().await
    }

    /// Ends it.
    pub(super) async fn close(self) -> Result<()> {
        Ok(self.0.close().await?)
    }
}

impl ReadPages for Slate {
    async fn read(&self, page: usize) -> Result<Bytes> {
        let found = self.0.get((page as u64).to_be_bytes()).await?;
        found.ok_or_else(|| Failure::other(format!("SlateDB has no page {page}")))
    }
}
