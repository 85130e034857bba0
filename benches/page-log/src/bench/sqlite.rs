//! SQLite through `rusqlite`, with a write-ahead log and `synchronous=FULL`: the fastest of its ways that lose nothing.

use std::path::Path;

use bytes::Bytes;
use rusqlite::{Connection, params};

use super::pairs::Work;
use super::workload::mib;
use crate::context::Stopwatch;
use crate::failure::Result;

/// Writes `pages` into a new database in `directory`, `commit` of them a transaction. Blocks.
pub(super) fn ingest(directory: &Path, pages: &[Bytes], commit: usize) -> Result<Work> {
    std::fs::create_dir_all(directory)?;
    let mut database = Connection::open(directory.join("pages.db"))?;
    database.pragma_update(None, "journal_mode", "wal")?;
    database.pragma_update(None, "synchronous", "full")?;
    database.execute("create table pages (id integer primary key, bytes blob not null)", [])?;
    let watch = Stopwatch::start();
    let mut number = 0_i64;
    for pages in pages.chunks(commit) {
        let transaction = database.transaction()?;
        {
            let mut insert = transaction.prepare("insert into pages values (?1, ?2)")?;
            for page in pages {
                insert.execute(params![number, &page[..]])?;
                number += 1;
            }
        }
        transaction.commit()?;
    }
    Ok(mib(pages, watch.elapsed()))
}
