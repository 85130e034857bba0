//! The folder that installed servers live in.

use std::fs::{File, OpenOptions};
use std::path::{Path, PathBuf};

use plastron_config::ErrorKind;

use crate::error::{Context as _, Error, Result};

/// `$PLASTRON_CACHE/localstack`, or `$HOME/.cache/plastron/localstack`. It may be deleted at any time while no server runs.
#[derive(Debug, Clone)]
pub struct CacheFolder {
    path: PathBuf,
}

impl CacheFolder {
    /// The folder the environment names.
    ///
    /// # Errors
    /// `Invalid` when neither `PLASTRON_CACHE` nor `HOME` is set.
    pub fn from_environment() -> Result<Self> {
        let set = |name| std::env::var_os(name).filter(|value| !value.is_empty()).map(PathBuf::from);
        let root = set("PLASTRON_CACHE").or_else(|| set("HOME").map(|home| home.join(".cache").join("plastron")));
        let root = root.ok_or_else(|| {
            Error::new(ErrorKind::Invalid, "neither PLASTRON_CACHE nor HOME is set: where should servers be installed?")
        })?;
        let root = std::path::absolute(&root).context(|| format!("resolve {}", root.display()))?;
        Ok(Self { path: root.join("localstack") })
    }

    /// A folder of the caller's choice.
    pub fn at(path: impl Into<PathBuf>) -> Self {
        Self { path: path.into() }
    }

    /// Where it is.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// A path below it.
    pub(crate) fn join(&self, relative: &str) -> PathBuf {
        self.path.join(relative)
    }

    /// Creates the folder and takes a lock in it that other processes wait for; held until the file is dropped. Blocks.
    pub(crate) fn lock(&self, name: &str) -> Result<File> {
        std::fs::create_dir_all(&self.path).context(|| format!("create {}", self.path.display()))?;
        let path = self.join(&format!("{name}.lock"));
        let file = OpenOptions::new()
            .create(true)
            .truncate(false)
            .write(true)
            .open(&path)
            .context(|| format!("open {}", path.display()))?;
        file.lock().context(|| format!("lock {}", path.display()))?;
        Ok(file)
    }
}
