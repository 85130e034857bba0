//! A node's memory in a file: read, changed and replaced whole, under a lock, so that all processes of a node have one.

use std::io::ErrorKind;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use plastron_keys::{Fault, KeyClock, ReplacedFile};

use super::fault::fault;
use super::wrap_memory::WrapMemory;
use crate::proto::{Message as _, Realm};
use crate::{Error, Result};

/// The file `wraps` in the directory of a node's memory.
#[derive(Debug, Clone)]
pub struct WrapMemoryFile {
    directory: PathBuf,
    file: ReplacedFile,
    realm: Realm,
    cluster: String,
}

impl WrapMemoryFile {
    /// The memory in `directory`, which is made if it is not there.
    pub fn new(directory: &Path, realm: &Realm, cluster: &str, clock: Arc<dyn KeyClock>) -> Self {
        let file = ReplacedFile::new("the node's memory", directory.join("wraps"), clock);
        Self { directory: directory.to_owned(), file, realm: realm.clone(), cluster: cluster.to_owned() }
    }

    pub(super) fn make_directory(&self) -> Result<(), Fault> {
        let context = || format!("making the directory of the node's memory {}", self.directory.display());
        std::fs::create_dir_all(&self.directory).map_err(|error| Fault::io(context(), error))
    }

    /// What is in it.
    ///
    /// # Errors
    /// [`Fault::Io`], [`Fault::Corrupt`]; [`Fault::Config`] for a memory of another realm or cluster.
    pub fn load(&self) -> Result<WrapMemory, Fault> {
        let path = self.file.path();
        let bytes = match std::fs::read(path) {
            Ok(bytes) => bytes,
            Err(error) if error.kind() == ErrorKind::NotFound => {
                return Ok(WrapMemory::new(&self.realm, &self.cluster));
            }
            Err(error) => return Err(Fault::io(format!("reading {}", path.display()), error)),
        };
        let memory = WrapMemory::from_bytes(&bytes).map_err(fault)?;
        if memory.realm != self.realm.id() || memory.cluster != self.cluster {
            return Err(Fault::Config(format!(
                "{} is the memory of another realm or cluster; name another directory in config=(memory=…)",
                path.display()
            )));
        }
        Ok(memory)
    }

    /// Changes it, durably, before anything comes of the change.
    ///
    /// # Errors
    /// As [`load`](Self::load), [`Fault::Locked`], and what `change` says: nothing has changed then.
    pub fn change<T>(&self, change: impl FnOnce(&mut WrapMemory) -> Result<T>) -> Result<(T, WrapMemory), Fault> {
        self.make_directory()?;
        let locked = self.file.lock()?;
        let before = self.load()?;
        let mut memory = before.clone();
        let result = change(&mut memory).map_err(fault)?;
        if memory != before {
            locked.replace(&memory.to_bounded_bytes().map_err(fault)?)?;
        }
        Ok((result, memory))
    }
}

/// An error of the memory's own.
pub(super) fn exhausted() -> Error {
    Error::Invalid { what: "generation", why: "there is none above 2^64 - 1".to_owned() }
}
