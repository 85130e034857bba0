//! A small private file that several processes share: read with its permissions checked, replaced as a whole and durably, under a lock.
//!
//! The keyring of the module `file` is one, and so is what modules of the crates above keep for their node.

use std::fs::{File, OpenOptions, TryLockError};
use std::io::{ErrorKind, Read, Write};
use std::os::unix::fs::{MetadataExt, OpenOptionsExt};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use crate::environment::KeyClock;
use crate::error::Fault;

/// How long another process may hold the lock; it does so for as long as it takes to write a small file.
const LOCK_PATIENCE: Duration = Duration::from_secs(10);
const LOCK_PAUSE: Duration = Duration::from_millis(20);

/// Permission bits of everybody but the owner.
const OTHERS: u32 = 0o077;

/// Where the file is.
#[derive(Debug, Clone)]
pub struct ReplacedFile {
    what: &'static str,
    path: PathBuf,
    clock: Arc<dyn KeyClock>,
}

/// Leave to replace the file. The lock ends with it.
#[derive(Debug)]
pub struct LockedFile<'a> {
    file: &'a ReplacedFile,
    _lock: File,
}

impl ReplacedFile {
    /// The file at `path`; `what` it is stands in errors, such as "the keyring".
    pub fn new(what: &'static str, path: PathBuf, clock: Arc<dyn KeyClock>) -> Self {
        Self { what, path, clock }
    }

    /// Where it is.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// Waits for the lock that everybody takes who replaces the file: `<path>.lock`.
    ///
    /// # Errors
    /// [`Fault::Io`]; [`Fault::Locked`] if somebody has had it for ten seconds.
    pub fn lock(&self) -> Result<LockedFile<'_>, Fault> {
        let path = self.beside(".lock");
        let context = || format!("locking {} by {}", self.what, path.display());
        let open = OpenOptions::new().create(true).truncate(false).write(true).mode(0o600).open(&path);
        let lock = open.map_err(|error| Fault::io(context(), error))?;
        let mut waited = Duration::ZERO;
        loop {
            match lock.try_lock() {
                Ok(()) => return Ok(LockedFile { file: self, _lock: lock }),
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

    /// The path with `suffix` behind it.
    fn beside(&self, suffix: &str) -> PathBuf {
        let mut path = self.path.clone().into_os_string();
        path.push(suffix);
        path.into()
    }

    fn directory(&self) -> &Path {
        match self.path.parent() {
            Some(parent) if !parent.as_os_str().is_empty() => parent,
            _ => Path::new("."),
        }
    }
}

impl LockedFile<'_> {
    /// Puts `bytes` in place of what is there. After an error, and after a crash at any point, the file is either the old one or the new one;
    /// once this returns it is the new one, through a power failure too.
    ///
    /// # Errors
    /// [`Fault::Io`].
    pub fn replace(&self, bytes: &[u8]) -> Result<(), Fault> {
        // Whoever left a temporary file behind is gone: there is one lock, and it is ours.
        let temporary = self.file.beside(".tmp");
        let what = self.file.what;
        let context = |doing: &str, path: &Path| format!("{doing} {}", path.display());
        match std::fs::remove_file(&temporary) {
            Err(error) if error.kind() != ErrorKind::NotFound => {
                return Err(Fault::io(context("removing the left-over", &temporary), error));
            }
            _ => {}
        }
        let written = write_new(&temporary, bytes)
            .map_err(|error| Fault::io(context(&format!("writing {what} to"), &temporary), error))
            .and_then(|()| {
                std::fs::rename(&temporary, &self.file.path)
                    .map_err(|error| Fault::io(context(&format!("replacing {what}"), &self.file.path), error))
            });
        if let Err(fault) = written {
            // It was not there before, and the error to report is the first one.
            let _ = std::fs::remove_file(&temporary);
            return Err(fault);
        }
        let directory = self.file.directory();
        File::open(directory)
            .and_then(|directory| directory.sync_all())
            .map_err(|error| Fault::io(context("syncing the directory", directory), error))
    }
}

fn write_new(path: &Path, bytes: &[u8]) -> std::io::Result<()> {
    let mut file = OpenOptions::new().create_new(true).write(true).mode(0o600).open(path)?;
    file.write_all(bytes)?;
    file.sync_all()
}

/// The bytes, `most` at the most, of a regular file that nobody but its owner can read or write; `None` if there is no such file.
///
/// # Errors
/// [`Fault::OpenToOthers`]; [`Fault::Config`] if it is larger, or no regular file; [`Fault::Io`].
pub fn read_private(path: &Path, most: u64) -> Result<Option<Vec<u8>>, Fault> {
    let context = || format!("reading {}", path.display());
    let file = match File::open(path) {
        Ok(file) => file,
        Err(error) if error.kind() == ErrorKind::NotFound => return Ok(None),
        Err(error) => return Err(Fault::io(context(), error)),
    };
    let metadata = file.metadata().map_err(|error| Fault::io(context(), error))?;
    if !metadata.is_file() {
        return Err(Fault::Config(format!("{} is no regular file", path.display())));
    }
    if metadata.mode() & OTHERS != 0 {
        return Err(Fault::OpenToOthers { path: path.display().to_string(), mode: metadata.mode() & 0o777 });
    }
    if metadata.len() > most {
        let size = metadata.len();
        return Err(Fault::Config(format!("{} has {size} bytes, and at most {most} are read", path.display())));
    }
    // Not more than there was: where there is a key in it, a larger buffer would leave a copy behind.
    let mut bytes = vec![0; usize::try_from(metadata.len()).unwrap_or(0)];
    (&file).read_exact(&mut bytes).map_err(|error| Fault::io(context(), error))?;
    Ok(Some(bytes))
}
