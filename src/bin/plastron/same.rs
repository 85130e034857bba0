//! Whether an object and a local file hold the same bytes, without moving them where that can be told from checksums.

use std::fs::File;
use std::io::Read;
use std::path::{Path, PathBuf};

use plastron::{Checksums, FileSystem, ObjectInfo};

use crate::failure::{Failure, Result};

/// Bytes compared at once.
const PIECE: usize = 1 << 20;

/// Compares object `info` with the file at `path`: by size and CRC32C where the object carries one, else byte by byte.
pub(crate) async fn same(files: &FileSystem, info: &ObjectInfo, path: &Path) -> Result<bool> {
    let metadata = tokio::fs::metadata(path).await.map_err(|error| Failure::local("read", path, &error))?;
    if metadata.len() != info.size {
        return Ok(false);
    }
    if let Checksums::Blocks { crc32c: Some(expected), .. } = info.checksums {
        let path = path.to_owned();
        return tokio::task::spawn_blocking(move || crc32c_of_file(&path)).await?.map(|found| found == expected);
    }
    compare(files, info, path).await
}

/// CRC32C of a whole local file. Blocking.
fn crc32c_of_file(path: &Path) -> Result<u32> {
    let fail = |error| Failure::local("read", path, &error);
    let mut file = File::open(path).map_err(fail)?;
    let mut buffer = vec![0; PIECE];
    let mut crc = 0;
    loop {
        let read = file.read(&mut buffer).map_err(fail)?;
        match buffer.get(..read) {
            Some(bytes) if read > 0 => crc = crc32c::crc32c_append(crc, bytes),
            _ => return Ok(crc),
        }
    }
}

async fn compare(files: &FileSystem, info: &ObjectInfo, path: &Path) -> Result<bool> {
    let object = files.open_file(&info.name).await?;
    let mut reader = LocalFile::open(path.to_owned()).await?;
    let mut start = 0;
    while start < info.size {
        let end = info.size.min(start + PIECE as u64);
        let theirs = object.read(start..end).await?;
        let ours = reader.next((end - start) as usize).await?;
        if ours != theirs {
            return Ok(false);
        }
        start = end;
    }
    Ok(true)
}

/// A local file read from start to end without blocking the runtime.
#[derive(Debug)]
pub(crate) struct LocalFile {
    path: PathBuf,
    file: Option<File>,
}

impl LocalFile {
    /// Opens `path`.
    pub(crate) async fn open(path: PathBuf) -> Result<Self> {
        let name = path.clone();
        let file = tokio::task::spawn_blocking(move || {
            File::open(&name).map_err(|error| Failure::local("read", &name, &error))
        });
        Ok(Self { path, file: Some(file.await??) })
    }

    /// The next `length` bytes, fewer at the end of the file.
    pub(crate) async fn next(&mut self, length: usize) -> Result<Vec<u8>> {
        let Some(file) = self.file.take() else { return Ok(Vec::new()) };
        let (file, bytes) = tokio::task::spawn_blocking(move || {
            let mut bytes = Vec::with_capacity(length);
            let read = (&file).take(length as u64).read_to_end(&mut bytes);
            (file, read.map(|_| bytes))
        })
        .await?;
        self.file = Some(file);
        bytes.map_err(|error| Failure::local("read", &self.path, &error))
    }
}
