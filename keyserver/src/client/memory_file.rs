//! A client's memory in a file, replaced whole.

use std::io::Write as _;
use std::path::{Path, PathBuf};

use crate::proto::{ClientMemory, Message, Realm};
use crate::{Error, Result};

/// The file. One process at a time uses it; of several, the last to write is remembered.
#[derive(Debug, Clone)]
pub struct MemoryFile(PathBuf);

impl MemoryFile {
    /// The file at `path`.
    pub fn new(path: &Path) -> Self {
        Self(path.to_owned())
    }

    fn failed(operation: &'static str) -> impl Fn(std::io::Error) -> Error {
        move |source| Error::Storage { operation, source: Box::new(source) }
    }

    /// What is in it; of a file that is not there, the memory of who knows nothing yet.
    ///
    /// # Errors
    /// `Corrupt`; `Invalid` if it is of another realm; `Storage`.
    pub fn load(&self, realm: &Realm) -> Result<ClientMemory> {
        let bytes = match std::fs::read(&self.0) {
            Ok(bytes) => bytes,
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Ok(ClientMemory::new(realm)),
            Err(error) => return Err(Self::failed("reading the client's memory")(error)),
        };
        let memory = ClientMemory::from_bytes(&bytes)?;
        if memory.realm != realm.id() {
            let why = "it is of another realm; name another file, or the right realm".to_owned();
            return Err(Error::Invalid { what: "client's memory", why });
        }
        Ok(memory)
    }

    /// Puts `memory` there, synced.
    ///
    /// # Errors
    /// `Storage`.
    pub fn save(&self, memory: &ClientMemory) -> Result<()> {
        let directory = self.0.parent().filter(|parent| !parent.as_os_str().is_empty()).unwrap_or(Path::new("."));
        let name = self.0.file_name().unwrap_or_default().to_string_lossy();
        let temporary = directory.join(format!(".{name}.{}", std::process::id()));
        let write = || {
            let mut file = std::fs::File::create(&temporary)?;
            file.write_all(&memory.to_bytes())?;
            file.sync_all()?;
            std::fs::rename(&temporary, &self.0)?;
            std::fs::File::open(directory)?.sync_all()
        };
        write().map_err(|error| {
            let _ = std::fs::remove_file(&temporary);
            Self::failed("writing the client's memory")(error)
        })
    }
}
