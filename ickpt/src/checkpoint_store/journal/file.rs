//! One of the journal's two files, on whatever it is stored.

use std::fs::OpenOptions;
use std::path::Path;
use std::sync::Arc;

use redb::StorageBackend;
use redb::backends::FileBackend;

use super::entry::BLOCK_BYTES;
use super::header::Header;
use super::replay::REMEDY;
use crate::error::{Error, Fault, Result};

/// Bytes of zeros that are written at a time.
const ZEROS_BYTES: u64 = 1 << 20;

/// One file.
#[derive(Debug)]
pub(in super::super) struct JournalFile {
    storage: Box<dyn StorageBackend>,
    place: Arc<str>,
}

impl JournalFile {
    /// The file at `path`, made empty if it is missing. Its name is there after a power cut once its folder was synced.
    pub(in super::super) fn open(path: &Path) -> Result<Self> {
        let place = path.display().to_string();
        let file = OpenOptions::new().read(true).write(true).create(true).truncate(false).open(path);
        let file = file.map_err(|error| Error::new("open", place.clone(), Fault::Io(error)))?;
        let storage = FileBackend::new(file);
        let storage = storage.map_err(|error| Error::new("open", place.clone(), Fault::Database(error.to_string())))?;
        Ok(Self::on(storage, &place))
    }

    pub(in super::super) fn on(storage: impl StorageBackend, place: &str) -> Self {
        Self { storage: Box::new(storage), place: place.into() }
    }

    pub(in super::super) fn refuse(&self, fault: Fault) -> Error {
        Error::new("open", self.place.to_string(), fault)
    }

    fn io(&self, operation: &'static str) -> impl FnOnce(std::io::Error) -> Error {
        let place = self.place.to_string();
        move |error| Error::new(operation, place, Fault::Io(error))
    }

    /// All that is in it; `limit` bytes at the most.
    pub(in super::super) fn image(&self, limit: u64) -> Result<Vec<u8>> {
        let length = self.storage.len().map_err(self.io("read"))?;
        if length > limit {
            let check = format!("it has {length} bytes, and no journal has more than {limit}: {REMEDY}");
            return Err(self.refuse(Fault::corrupt(0, check)));
        }
        let mut image = vec![0; length as usize];
        self.storage.read(0, &mut image).map_err(self.io("read"))?;
        Ok(image)
    }

    /// The file as `header` says, without entries of its generation, synced. Zeros are written to all of it unless it `is_filled`: then every block has its place on the disk,
    /// and no sync after this one has anything to write but data.
    pub(in super::super) fn begin(&self, header: &Header, is_filled: bool) -> Result<()> {
        let file_bytes = u64::from(header.file_bytes);
        if !is_filled || self.storage.len().map_err(self.io("read"))? != file_bytes {
            self.storage.set_len(0).map_err(self.io("make"))?;
            self.storage.set_len(file_bytes).map_err(self.io("make"))?;
            let zeros = vec![0; ZEROS_BYTES.min(file_bytes) as usize];
            for offset in (0..file_bytes).step_by(ZEROS_BYTES as usize) {
                let length = ZEROS_BYTES.min(file_bytes - offset) as usize;
                self.storage.write(offset, zeros.get(..length).unwrap_or_default()).map_err(self.io("make"))?;
            }
        }
        self.write(0, &header.encode())
    }

    /// Writes whole blocks and syncs.
    pub(super) fn write(&self, offset: u64, bytes: &[u8]) -> Result<()> {
        debug_assert!(offset.is_multiple_of(BLOCK_BYTES as u64) && bytes.len().is_multiple_of(BLOCK_BYTES));
        self.storage.write(offset, bytes).map_err(self.io("write"))?;
        self.storage.sync_data().map_err(self.io("sync"))
    }
}
