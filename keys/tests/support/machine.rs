//! A machine with a keyring file, and a key file that is the same on all machines.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use bytes::Bytes;
use plastron_keys::{KeyEnvironment, KeyManagement};

use super::{HandClock, changed, private, try_open};

pub(crate) const KEY: &str = "000102030405060708090a0b0c0d0e0f101112131415161718191a1b1c1d1e1f";

pub(crate) struct Machine {
    pub(crate) directory: tempfile::TempDir,
    pub(crate) clock: Arc<HandClock>,
    pub(crate) environment: KeyEnvironment,
}

impl Machine {
    pub(crate) fn new() -> Self {
        let directory = tempfile::tempdir().unwrap();
        private(&directory.path().join("master"), KEY);
        let clock = Arc::new(HandClock::default());
        let mut environment = KeyEnvironment::default();
        environment.clock = clock.clone();
        environment.variables = Arc::new(|name| match name {
            "KEY" => Some(KEY.into()),
            "PHRASE" => Some("correct horse battery staple".into()),
            "SHORT" => Some("1234567".into()),
            _ => None,
        });
        Self { directory, clock, environment }
    }

    pub(crate) fn path(&self, name: &str) -> PathBuf {
        self.directory.path().join(name)
    }

    pub(crate) fn keyring(&self) -> PathBuf {
        self.path("keyring")
    }

    /// The configuration with the master key named by `origin`.
    pub(crate) fn section(&self, settings: &str) -> String {
        format!("name=file,config=(path={},{settings})", self.keyring().display())
    }

    pub(crate) fn key_file(&self) -> String {
        format!("key_file={}", self.path("master").display())
    }

    pub(crate) fn open(&self) -> KeyManagement {
        self.open_with(&self.key_file()).unwrap()
    }

    pub(crate) fn open_with(&self, settings: &str) -> plastron_keys::Result<KeyManagement> {
        try_open(&self.section(settings), &self.environment)
    }

    /// What every file holds, to see that nothing was written.
    pub(crate) fn files(&self) -> BTreeMap<PathBuf, Vec<u8>> {
        let read = |path: &Path| (path.to_owned(), std::fs::read(path).unwrap());
        std::fs::read_dir(&self.directory).unwrap().map(|entry| read(&entry.unwrap().path())).collect()
    }
}

/// A checkpoint with a changed blob; gives the blob.
pub(crate) async fn checkpoint(keys: &KeyManagement, lsn: u64) -> Bytes {
    let pending = changed(keys).await;
    let blob = pending.blob().clone();
    keys.get_key_complete(pending, Ok(lsn)).await.unwrap();
    blob
}
