//! Ingest into a local directory.

use std::path::Path;
use std::sync::Arc;

use bytes::Bytes;
use object_store::local::LocalFileSystem;
use plastron::page_log::PageLogOptions;
use plastron::{BucketOptions, Provider};

use super::meter::Meter;
use super::pairs::{Pairs, Work};
use super::row::{Goal, Row, Unit};
use super::slate::Slate;
use super::workload::{self, LARGE_PAGE, Written};
use super::{Amount, lmdb, sqlite};
use crate::failure::{Failure, Result};

/// A peer that blocks.
type Peer = fn(&Path, &[Bytes], usize) -> Result<Work>;

/// All rows.
pub(super) async fn rows(scratch: &Path, amount: Amount, meter: &Meter) -> Result<Vec<Row>> {
    let pages = workload::pages(amount.local, LARGE_PAGE, 1);
    let mut rows = Vec::new();
    let peers: [(&'static str, Peer, f64); 2] = [("SQLite", sqlite::ingest, 2.0), ("LMDB", lmdb::ingest, 1.0)];
    for (name, peer, goal) in peers {
        let title = format!("ingest 16 KiB, a commit each {}", amount.commit);
        meter.row(&format!("{title} ({name})"));
        let pairs = Pairs::run(
            amount.plan(),
            meter,
            async |pair| ours(scratch, &format!("{name}-{pair}"), &pages, amount.commit).await,
            async |pair| {
                let (directory, pages) = (scratch.join(format!("{name}-{pair}")), pages.clone());
                let work = {
                    let directory = directory.clone();
                    tokio::task::spawn_blocking(move || peer(&directory, &pages, amount.commit)).await??
                };
                tokio::fs::remove_dir_all(&directory).await?;
                Ok(work)
            },
        )
        .await?;
        rows.push(Row::compared(title, "dir", Unit::MibPerSecond, &pairs, name, Goal::Ratio(goal)));
    }
    for (title, commit) in [("ingest 16 KiB", amount.local), ("ingest 16 KiB, a commit each 1000", amount.commit)] {
        meter.row(&format!("{title} (SlateDB)"));
        let pairs = Pairs::run(
            amount.plan(),
            meter,
            async |pair| ours(scratch, &format!("for-slate-{commit}-{pair}"), &pages, commit).await,
            async |pair| {
                let directory = scratch.join(format!("slate-{commit}-{pair}"));
                tokio::fs::create_dir_all(&directory).await?;
                let slate = Slate::open("db", local_store(&directory)?).await?;
                let work = slate.ingest(&pages, commit).await?;
                slate.close().await?;
                tokio::fs::remove_dir_all(&directory).await?;
                Ok(work)
            },
        )
        .await?;
        rows.push(Row::compared(title.to_owned(), "dir", Unit::MibPerSecond, &pairs, "SlateDB", Goal::Ratio(3.0)));
    }
    Ok(rows)
}

async fn ours(scratch: &Path, name: &str, pages: &[Bytes], commit: usize) -> Result<Work> {
    let directory = scratch.join(format!("log-{name}"));
    let written = create(&directory, PageLogOptions::new()).await?;
    let work = written.ingest(pages, commit).await?;
    written.remove().await?;
    Ok(work)
}

/// A new log in a new directory.
pub(super) async fn create(directory: &Path, options: PageLogOptions) -> Result<Written> {
    tokio::fs::create_dir_all(directory).await?;
    let path = directory.to_str().ok_or_else(|| Failure::other("the scratch directory must be UTF-8"))?;
    let bucket = workload::bucket(&BucketOptions::new(Provider::Dir, path), "log").await?;
    Written::create(bucket, options).await
}

/// The directory as `object_store` has it, as durable as Plastron makes it.
pub(super) fn local_store(directory: &Path) -> Result<Arc<LocalFileSystem>> {
    Ok(Arc::new(LocalFileSystem::new_with_prefix(directory)?.with_fsync(true)))
}
