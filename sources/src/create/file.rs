//! Objects made from local files.

use std::fs::File;
use std::os::unix::fs::{FileExt, MetadataExt};
use std::path::PathBuf;
use std::sync::Arc;

use bytes::{Bytes, BytesMut};
use object_store::path::Path;

use super::large::{created, sum_all, sum_on, sums_fit_inline};
use super::settle::{MAX_VANISHED, contended};
use super::{Finished, Upload};
use crate::blocking::blocking;
use crate::bucket::OpenBucket;
use crate::creation_id::CreationId;
use crate::error::Fault;
use crate::object_info::ObjectInfo;
use crate::sums::{BLOCK_BYTES, BlockSums, Creation, SumsBuilder};

/// Bytes read at once while only sums are taken.
const SUM_STRIDE_BYTES: usize = 1 << 20;

impl OpenBucket {
    /// Creates the object `name` at `key` from the file at `path`.
    ///
    /// Where the sums go into the metadata they must be known before the first part, so the file is read twice; a larger file is
    /// read once, and its sums go to the side. Either way a file that changes meanwhile is refused: between the passes by its sums, during
    /// one by its size and times.
    pub(crate) async fn create_from_file(
        self: &Arc<Self>,
        name: &str,
        key: &Path,
        path: PathBuf,
    ) -> Result<ObjectInfo, Fault> {
        let file = SourceFile::open(path).await?;
        if file.size <= self.options.part_size {
            let length = usize::try_from(file.size).unwrap_or(usize::MAX);
            let data = file.read(0, length).await?.into();
            file.check_unchanged().await?;
            let sums = sum_all(&data).await?;
            return self.create_small(name, key, data, &sums, None).await;
        }
        self.refuse_early(key).await?;
        let known = if sums_fit_inline(file.size) { Some(file.sums().await?) } else { None };
        for attempt in 0..=MAX_VANISHED {
            let id = CreationId::random(self.options.entropy.as_ref());
            let creation = match &known {
                Some(sums) => Creation::of(id, sums),
                None => Creation::streamed(id, Some(file.size), BLOCK_BYTES),
            };
            let mut upload = Upload::begin(self, key, creation.clone()).await?;
            let sent = match self.send(&file, &mut upload).await {
                Ok(sums) if known.as_ref().is_none_or(|known| *known == sums) => sums,
                Ok(_) => {
                    upload.abort().await;
                    return Err(file.changed());
                }
                Err(fault) => {
                    upload.abort().await;
                    return Err(fault);
                }
            };
            match upload.finish(name, &sent).await? {
                Finished::Created(found) => return Ok(created(name, &creation, &sent, found)),
                Finished::Taken => return Err(Fault::ObjectExists),
                Finished::Vanished => self.pause(attempt).await,
            }
        }
        Err(contended())
    }

    /// Sends the file in parts and returns the sums of what was sent.
    async fn send(&self, file: &SourceFile, upload: &mut Upload) -> Result<BlockSums, Fault> {
        let part = self.upload_part_size(file.size);
        let mut builder = SumsBuilder::new(BLOCK_BYTES);
        while builder.size() < file.size {
            let left = usize::try_from(file.size - builder.size()).unwrap_or(usize::MAX);
            let data = file.read(builder.size(), left.min(part)).await?.into();
            builder = sum_on(builder, &data).await?;
            upload.part(data).await?;
        }
        file.check_unchanged().await?;
        Ok(builder.finish())
    }
}

/// A local file as it was when it was opened.
#[derive(Debug)]
struct SourceFile {
    file: Arc<File>,
    path: PathBuf,
    size: u64,
    stamp: Stamp,
}

/// What changes when a file is written to.
type Stamp = (u64, i64, i64, i64, i64);

fn stamp(file: &File) -> std::io::Result<Stamp> {
    let meta = file.metadata()?;
    Ok((meta.len(), meta.mtime(), meta.mtime_nsec(), meta.ctime(), meta.ctime_nsec()))
}

impl SourceFile {
    async fn open(path: PathBuf) -> Result<Self, Fault> {
        blocking(move || {
            let context = || format!("reading {}", path.display());
            let file = File::open(&path).map_err(|error| Fault::io(context(), error))?;
            let meta = file.metadata().map_err(|error| Fault::io(context(), error))?;
            if !meta.is_file() {
                return Err(Fault::Config(format!("{} is not a regular file", path.display())));
            }
            let stamp = stamp(&file).map_err(|error| Fault::io(context(), error))?;
            Ok(Self { file: Arc::new(file), path, size: stamp.0, stamp })
        })
        .await?
    }

    /// Exactly `length` bytes from `offset`.
    async fn read(&self, offset: u64, length: usize) -> Result<Bytes, Fault> {
        let file = Arc::clone(&self.file);
        let read = blocking(move || {
            let mut bytes = BytesMut::zeroed(length);
            file.read_exact_at(&mut bytes, offset).map(|()| bytes.freeze())
        })
        .await?;
        read.map_err(|error| self.failed(error))
    }

    /// The sums of the whole file.
    async fn sums(&self) -> Result<BlockSums, Fault> {
        let (file, size) = (Arc::clone(&self.file), self.size);
        let summed = blocking(move || {
            let mut builder = SumsBuilder::new(BLOCK_BYTES);
            let mut stride = vec![0; SUM_STRIDE_BYTES];
            while builder.size() < size {
                let left = usize::try_from(size - builder.size()).unwrap_or(usize::MAX);
                let now = stride.split_at_mut(left.min(SUM_STRIDE_BYTES)).0;
                file.read_exact_at(now, builder.size())?;
                builder.update(now);
            }
            Ok(builder.finish())
        })
        .await?;
        summed.map_err(|error| self.failed(error))
    }

    async fn check_unchanged(&self) -> Result<(), Fault> {
        let file = Arc::clone(&self.file);
        match blocking(move || stamp(&file)).await? {
            Ok(now) if now == self.stamp => Ok(()),
            Ok(_) => Err(self.changed()),
            Err(error) => Err(self.failed(error)),
        }
    }

    fn failed(&self, error: std::io::Error) -> Fault {
        match error.kind() {
            // It had more bytes when it was opened.
            std::io::ErrorKind::UnexpectedEof => self.changed(),
            _ => Fault::io(format!("reading {}", self.path.display()), error),
        }
    }

    fn changed(&self) -> Fault {
        Fault::FileChanged { path: self.path.display().to_string() }
    }
}
