//! LMDB through `heed`: what a local page store costs that maps its file into memory. Synchronous, which is its default.

use std::path::Path;

use bytes::Bytes;
use heed::byteorder::BigEndian;
use heed::types::U64;
use heed::{CommitOrAbort, EnvOpenOptions};

use super::pairs::Work;
use super::workload::mib;
use crate::context::Stopwatch;
use crate::failure::Result;

/// Address space for the file.
const MAP_BYTES: usize = 8 << 30;

/// Writes `pages` into a new database in `directory`, `commit` of them a transaction. Blocks.
pub(super) fn ingest(directory: &Path, pages: &[Bytes], commit: usize) -> Result<Work> {
    std::fs::create_dir_all(directory)?;
    // SAFETY: nobody else has this new file.
    let env = unsafe { EnvOpenOptions::new().map_size(MAP_BYTES).open(directory)? };
    let table = env
        .create_databases_and_commit(env.write_txn()?, |opener, transaction| {
            let table = opener.create_database::<U64<BigEndian>, heed::types::Bytes>(transaction, None);
            table.map(CommitOrAbort::<_, ()>::Commit)
        })?
        .unwrap_commit();
    let watch = Stopwatch::start();
    let mut number = 0;
    for pages in pages.chunks(commit) {
        let mut transaction = env.write_txn()?;
        for page in pages {
            table.put(&mut transaction, &number, page)?;
            number += 1;
        }
        transaction.commit()?;
    }
    Ok(mib(pages, watch.elapsed()))
}
