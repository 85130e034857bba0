//! Files as pages and deltas, and the comparison of the two.

use bytes::Bytes;
use plastron::page_log::{Chain, Lsn, PageLog, PutArgs};

use super::manifest::Loaded;
use crate::failure::{Failure, Result};
use crate::same::LocalFile;
use crate::walk::Found;

/// Bytes of a page.
const PAGE_BYTES: usize = 16 << 10;
/// Every so-many-th page is written in two steps: an image whose end is missing, and a delta that brings it.
const DELTA_EVERY: u64 = 4;
/// Bytes of a delta's header: where in the page its bytes belong.
const DELTA_HEADER_BYTES: usize = 4;

/// What was put for some files.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(super) struct Put {
    pub(super) pages: u64,
    pub(super) deltas: u64,
    pub(super) bytes: u64,
}

/// What was found of some files.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(super) struct Compared {
    pub(super) pages: u64,
    pub(super) deltas: u64,
    pub(super) bytes: u64,
    pub(super) same: bool,
}

/// Puts a file into `table`, page by page; the first page is there even if the file is empty.
pub(super) async fn put_file(log: &PageLog, table: u64, file: &Found) -> Result<Put> {
    let mut local = LocalFile::open(file.path.clone()).await?;
    let handle = log.table(table);
    let mut put = Put::default();
    let failed = plastron::Error::from;
    for page in 0.. {
        let bytes = Bytes::from(local.next(PAGE_BYTES).await?);
        if bytes.is_empty() && page > 0 {
            break;
        }
        put.pages += 1;
        put.bytes += bytes.len() as u64;
        let short = bytes.len() < PAGE_BYTES;
        let tail = bytes.len() - bytes.len() / DELTA_EVERY as usize;
        if page % DELTA_EVERY == 0 && tail < bytes.len() {
            let base = handle.put(page, PutArgs::full(), bytes.slice(..tail)).await.map_err(failed)?;
            let offset = u32::try_from(tail).unwrap_or(u32::MAX).to_le_bytes();
            let delta = [&offset[..], bytes.get(tail..).unwrap_or_default()].concat();
            handle.put(page, PutArgs::delta(base, base), delta).await.map_err(failed)?;
            put.deltas += 1;
        } else {
            handle.put(page, PutArgs::full(), bytes).await.map_err(failed)?;
        }
        if short {
            break;
        }
    }
    Ok(put)
}

/// Reads a file's pages at the latest LSN of `log` and compares them with the file at `path`.
pub(super) async fn compare_file(log: &PageLog, loaded: &Loaded, path: std::path::PathBuf) -> Result<Compared> {
    let mut local = LocalFile::open(path).await?;
    let handle = log.table(loaded.table);
    let mut compared = Compared { same: true, ..Compared::default() };
    let pages = loaded.size / PAGE_BYTES as u64 + u64::from(!loaded.size.is_multiple_of(PAGE_BYTES as u64));
    for page in 0..pages.max(1) {
        let chain = handle.get(page, Lsn::MAX).await.map_err(plastron::Error::from)?;
        let image = image(&chain)?;
        compared.pages += 1;
        compared.deltas += chain.delta_count() as u64;
        compared.bytes += image.len() as u64;
        compared.same &= local.next(PAGE_BYTES).await? == image;
    }
    compared.same &= compared.bytes == loaded.size && local.next(1).await?.is_empty();
    Ok(compared)
}

/// The page with its deltas applied.
fn image(chain: &Chain) -> Result<Vec<u8>> {
    let mut records = chain.records.iter();
    let mut image = records.next().map(|full| full.bytes.to_vec()).unwrap_or_default();
    for delta in records {
        let Some((offset, bytes)) = delta.bytes.split_first_chunk::<DELTA_HEADER_BYTES>() else {
            return Err(Failure::other(format!("the delta at LSN {} has no header", delta.lsn)));
        };
        image.truncate(u32::from_le_bytes(*offset) as usize);
        image.extend_from_slice(bytes);
    }
    Ok(image)
}

#[cfg(test)]
mod tests {
    use plastron::Store;

    use super::*;

    #[tokio::test]
    async fn files_of_every_length_come_back() {
        let directory = tempfile::tempdir().unwrap();
        let store = Store::open("source=memory_store,bucket=b").await.unwrap();
        let leader = store.leader().await.unwrap();
        let log = leader.log();
        let lengths = [0, 1, 3, 4, 5, PAGE_BYTES - 1, PAGE_BYTES, PAGE_BYTES + 1, 9 * PAGE_BYTES + 7];
        for (table, length) in (1..).zip(lengths) {
            let path = directory.path().join(length.to_string());
            let bytes: Vec<u8> = (0..length).map(|at| (at * 31 / 7) as u8).collect();
            std::fs::write(&path, &bytes).unwrap();
            let file = Found { path: path.clone(), name: length.to_string(), size: length as u64 };
            let put = put_file(log, table, &file).await.unwrap();
            let loaded = Loaded { table, name: file.name, size: file.size };
            let compared = compare_file(log, &loaded, path.clone()).await.unwrap();
            let expected = Compared { pages: put.pages, deltas: put.deltas, bytes: length as u64, same: true };
            assert_eq!((compared, put.bytes), (expected, length as u64), "{length} bytes");
            let mut other = bytes.clone();
            other.push(1);
            std::fs::write(&path, other).unwrap();
            assert!(!compare_file(log, &loaded, path).await.unwrap().same, "{length} bytes and one more");
        }
    }
}
