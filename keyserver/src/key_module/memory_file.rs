//! A node's memory in a file: read, changed and replaced whole, under a lock, so that all processes of a node have one.

use std::fs::{File, OpenOptions, TryLockError};
use std::io::{ErrorKind, Write as _};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use plastron_keys::{Fault, KeyClock};

use super::fault::fault;
use super::wrap_memory::WrapMemory;
use crate::proto::{Message as _, Realm};
use crate::{Error, Result};

/// How long another process may hold the lock; it does so for as long as it takes to write a small file.
const LOCK_PATIENCE: Duration = Duration::from_secs(10);
const LOCK_PAUSE: Duration = Duration::from_millis(20);

/// The file `wraps` in the directory of a node's memory.
#[derive(Debug, Clone)]
pub struct WrapMemoryFile {
    directory: PathBuf,
    realm: Realm,
    cluster: String,
    clock: Arc<dyn KeyClock>,
}

impl WrapMemoryFile {
    /// The memory in `directory`, which is made if it is not there.
    pub fn new(directory: &Path, realm: &Realm, cluster: &str, clock: Arc<dyn KeyClock>) -> Self {
        Self { directory: directory.to_owned(), realm: realm.clone(), cluster: cluster.to_owned(), clock }
    }

    fn path(&self, name: &str) -> PathBuf {
        self.directory.join(name)
    }

    pub(super) fn make_directory(&self) -> Result<(), Fault> {
        let context = || format!("making the directory of the node's memory {}", self.directory.display());
        std::fs::create_dir_all(&self.directory).map_err(|error| Fault::io(context(), error))
    }

    fn lock(&self) -> Result<File, Fault> {
        let path = self.path("lock");
        let context = || format!("locking the node's memory by {}", path.display());
        self.make_directory()?;
        let open = OpenOptions::new().create(true).truncate(false).write(true).open(&path);
        let lock = open.map_err(|error| Fault::io(context(), error))?;
        let mut waited = Duration::ZERO;
        loop {
            match lock.try_lock() {
                Ok(()) => return Ok(lock),
                Err(TryLockError::Error(error)) => return Err(Fault::io(context(), error)),
                Err(TryLockError::WouldBlock) if waited >= LOCK_PATIENCE => {
                    let waited_ms = u64::try_from(waited.as_millis()).unwrap_or(u64::MAX);
                    return Err(Fault::Locked { path: path.display().to_string(), waited_ms });
                }
                Err(TryLockError::WouldBlock) => {
                    self.clock.pause(LOCK_PAUSE);
                    waited += LOCK_PAUSE;
                }
            }
        }
    }

    /// What is in it.
    ///
    /// # Errors
    /// [`Fault::Io`], [`Fault::Corrupt`]; [`Fault::Config`] for a memory of another realm or cluster.
    pub fn load(&self) -> Result<WrapMemory, Fault> {
        let path = self.path("wraps");
        let bytes = match std::fs::read(&path) {
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
        let _lock = self.lock()?;
        let before = self.load()?;
        let mut memory = before.clone();
        let result = change(&mut memory).map_err(fault)?;
        if memory != before {
            self.replace(&memory)?;
        }
        Ok((result, memory))
    }

    fn replace(&self, memory: &WrapMemory) -> Result<(), Fault> {
        let bytes = memory.to_bounded_bytes().map_err(fault)?;
        // Whoever left one behind is gone: there is one lock, and it is ours.
        let (temporary, path) = (self.path("wraps.tmp"), self.path("wraps"));
        let write = || {
            let mut file = File::create(&temporary)?;
            file.write_all(&bytes)?;
            file.sync_all()?;
            std::fs::rename(&temporary, &path)?;
            File::open(&self.directory)?.sync_all()
        };
        write().map_err(|error| Fault::io(format!("writing the node's memory {}", path.display()), error))
    }
}

/// An error of the memory's own.
pub(super) fn exhausted() -> Error {
    Error::Invalid { what: "generation", why: "there is none above 2^64 - 1".to_owned() }
}
