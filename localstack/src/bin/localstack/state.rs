//! What a set that is up leaves on disk: a lock that its keeper holds as long as it lives, and where its servers are.
//!
//! The lock is the truth (the kernel releases it however the keeper ends); the file beside it is only read while it is held.

use std::collections::BTreeMap;
use std::fs::{File, OpenOptions, TryLockError};
use std::path::PathBuf;

use plastron_localstack::{CacheFolder, Endpoint, Error, Result, Server};
use serde::{Deserialize, Serialize};

/// The place of one set.
pub(crate) struct Place {
    folder: PathBuf,
    name: String,
}

/// What the keeper writes.
#[derive(Debug, Serialize, Deserialize)]
pub(crate) struct State {
    /// The keeper's process id.
    pub(crate) keeper: u32,
    /// The environment that leads to the servers.
    pub(crate) variables: BTreeMap<String, String>,
}

impl Place {
    pub(crate) fn new(name: &str) -> Result<Self> {
        if name.is_empty() || !name.chars().all(|c| c.is_ascii_alphanumeric() || c == '-') {
            return Err(Error::other(format!("{name:?} is no name of a set: letters, digits and - make one")));
        }
        let folder = CacheFolder::from_environment()?.path().join("up");
        std::fs::create_dir_all(&folder)
            .map_err(|error| Error::other(format!("cannot create {}: {error}", folder.display())))?;
        Ok(Self { folder, name: name.to_owned() })
    }

    /// The keeper's log.
    pub(crate) fn log(&self) -> PathBuf {
        self.path("log")
    }

    /// Takes the lock for as long as the file is open; `None` when a keeper has it.
    pub(crate) fn try_lock(&self) -> Result<Option<File>> {
        let path = self.path("lock");
        let failed = |error: std::io::Error| Error::other(format!("cannot lock {}: {error}", path.display()));
        let file = OpenOptions::new().create(true).truncate(false).write(true).open(&path).map_err(failed)?;
        match file.try_lock() {
            Ok(()) => Ok(Some(file)),
            Err(TryLockError::WouldBlock) => Ok(None),
            Err(TryLockError::Error(error)) => Err(failed(error)),
        }
    }

    /// What is up: `None` when nothing is.
    pub(crate) fn read(&self) -> Result<Option<State>> {
        if self.try_lock()?.is_some() {
            return Ok(None);
        }
        let path = self.path("json");
        let failed = |error: String| {
            Error::other(format!("servers are starting or stopping, or {} is broken: {error}", path.display()))
        };
        let text = std::fs::read_to_string(&path).map_err(|error| failed(error.to_string()))?;
        serde_json::from_str(&text).map(Some).map_err(|error| failed(error.to_string()))
    }

    /// Tells others what is up; called with the lock held.
    pub(crate) fn write(&self, state: &State) -> Result<()> {
        let path = self.path("json");
        let failed = |error: String| Error::other(format!("cannot write {}: {error}", path.display()));
        let text = serde_json::to_string_pretty(state).map_err(|error| failed(error.to_string()))?;
        // Whole or not at all, for whoever reads meanwhile.
        let new = self.path("new");
        std::fs::write(&new, text)
            .and_then(|()| std::fs::rename(&new, &path))
            .map_err(|error| failed(error.to_string()))
    }

    /// Nothing is up any more; called with the lock held.
    pub(crate) fn clear(&self) {
        let _ = std::fs::remove_file(self.path("json"));
    }

    fn path(&self, extension: &str) -> PathBuf {
        self.folder.join(format!("{}.{extension}", self.name))
    }
}

impl State {
    /// The servers.
    pub(crate) fn endpoints(&self) -> Vec<Endpoint> {
        let read = |server| Endpoint::from_variables(server, |name| self.variables.get(name).cloned()).ok().flatten();
        Server::ALL.into_iter().filter_map(read).collect()
    }
}
