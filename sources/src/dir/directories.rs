//! Directories that are open for writing, each known to be durable itself.
//!
//! An object is durable only if every directory on its way is. So before the first entry is made in a directory its own entry
//! in the parent is synced, up to the bucket's directory, whoever made it; that knowledge is kept with the open descriptor, and **not**
//! with the path: once a directory is removed, entries can no longer be made through its descriptor (`ENOENT`), even if another of the
//! same name stands there, not yet durable. So an entry made through a descriptor from here lies in a directory whose whole
//! way is durable, however others make and remove directories meanwhile. (Nobody may *rename* directories inside a bucket.)
//!
//! That is why empty directories can be removed at any time: `rmdir` fails if there is an entry, and a creator that comes too late is
//! told so and starts again with a new directory.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use rustix::fd::{AsFd, BorrowedFd, OwnedFd};
use rustix::fs::{AtFlags, Mode, fsync, mkdirat, unlinkat};
use rustix::io::Errno;

use super::fault::fault;
use super::group_sync::GroupSync;
use super::root::{Root, directory_flags, step_into};
use crate::error::Fault;

/// Directories kept open at the most. A bucket in use has few that are written to; each costs one descriptor of usually 1,024.
const OPEN_MAX: usize = 64;

/// A directory open for making and removing entries.
#[derive(Debug)]
pub(super) struct Directory {
    fd: OwnedFd,
    path: String,
    group: GroupSync,
}

impl Directory {
    /// The directory at `path` without a word about its being durable: for temporary files.
    ///
    /// # Errors
    /// What the operating system says.
    pub(super) fn open(root: &Root, path: &str) -> Result<Self, Errno> {
        Ok(Self { fd: root.open_directory(path)?, path: path.to_owned(), group: GroupSync::default() })
    }

    /// Makes all entries made or removed so far durable.
    ///
    /// # Errors
    /// What `fsync` says; it says so for ever, until [`Directories::forget_all`].
    pub(super) fn sync(&self) -> Result<(), Errno> {
        self.group.sync(|| rustix::io::retry_on_intr(|| fsync(&self.fd)))
    }

    /// Whether it has been removed since it was opened.
    pub(super) fn is_gone(&self) -> bool {
        rustix::fs::fstat(&self.fd).is_ok_and(|stat| stat.st_nlink == 0)
    }

    /// Its path relative to the bucket's directory.
    pub(super) fn path(&self) -> &str {
        &self.path
    }
}

impl AsFd for Directory {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.fd.as_fd()
    }
}

/// Why a directory could not be had.
#[derive(Debug)]
pub(super) enum Missing {
    /// It, or one above it, is not there; after [`Directories::make`]: was removed at that very moment, so try again.
    Gone,
    /// A file stands in its place or in that of one above it.
    Taken,
    /// Anything else.
    Fault(Fault),
}

/// All open directories of one bucket.
#[derive(Debug)]
pub(super) struct Directories {
    root: Arc<Root>,
    open: Mutex<Open>,
}

#[derive(Debug, Default)]
struct Open {
    by_path: HashMap<String, (Arc<Directory>, u64)>,
    uses: u64,
}

impl Directories {
    pub(super) fn new(root: Arc<Root>) -> Self {
        Self { root, open: Mutex::default() }
    }

    /// The directory at `path`, made if it is not there, with its whole way.
    ///
    /// # Errors
    /// [`Missing`].
    pub(super) fn make(&self, path: &str) -> Result<Arc<Directory>, Missing> {
        self.get(path, true)
    }

    /// The directory at `path` if it is there. It may be one that is gone in the meantime: an entry that is not found in it has to be
    /// looked for again after [`Directories::forget_all`].
    ///
    /// # Errors
    /// [`Missing`].
    pub(super) fn find(&self, path: &str) -> Result<Arc<Directory>, Missing> {
        self.get(path, false)
    }

    fn get(&self, path: &str, make: bool) -> Result<Arc<Directory>, Missing> {
        if let Some(directory) = self.known(path) {
            return Ok(directory);
        }
        if path.is_empty() {
            let root = Directory::open(&self.root, path).map_err(|errno| self.other("opening", path, errno))?;
            return Ok(self.remember(root));
        }
        let (way, entry) = path.rsplit_once('/').unwrap_or(("", path));
        let parent = self.get(way, make)?;
        if make {
            match mkdirat(&parent, entry, Mode::from_raw_mode(0o777)) {
                Ok(()) | Err(Errno::EXIST) => {}
                Err(Errno::NOENT) => {
                    self.forget_all();
                    return Err(Missing::Gone);
                }
                Err(errno) => return Err(self.other("creating the directory", path, errno)),
            }
        }
        let fd = match step_into(parent.as_fd(), entry, directory_flags()) {
            Ok(fd) => fd,
            Err(Errno::NOENT) => {
                self.forget_all();
                return Err(Missing::Gone);
            }
            Err(Errno::NOTDIR) => return Err(Missing::Taken),
            Err(errno) => return Err(self.other("opening", path, errno)),
        };
        // Whoever made the entry may not have come to this yet.
        if let Err(errno) = parent.sync() {
            self.forget_all();
            return Err(self.other("syncing", way, errno));
        }
        Ok(self.remember(Directory { fd, path: path.to_owned(), group: GroupSync::default() }))
    }

    /// Removes the directory at `path` and those above it as long as they are empty. They are invisible, so failure is no error.
    pub(super) fn prune(&self, path: &str) {
        let mut path = path;
        while !path.is_empty() {
            let (way, entry) = path.rsplit_once('/').unwrap_or(("", path));
            let Ok(parent) = self.find(way) else { return };
            if unlinkat(&parent, entry, AtFlags::REMOVEDIR).is_err() {
                return;
            }
            self.lock().by_path.remove(path);
            path = way;
        }
    }

    /// Opens every directory anew when it is next asked for: one of them is gone, or failed to sync.
    pub(super) fn forget_all(&self) {
        self.lock().by_path.clear();
    }

    fn known(&self, path: &str) -> Option<Arc<Directory>> {
        let mut open = self.lock();
        open.uses += 1;
        let now = open.uses;
        let (directory, used) = open.by_path.get_mut(path)?;
        *used = now;
        Some(Arc::clone(directory))
    }

    /// Keeps `directory` unless another thread was quicker; all who write to one directory are to share one [`GroupSync`].
    fn remember(&self, directory: Directory) -> Arc<Directory> {
        let mut open = self.lock();
        open.uses += 1;
        let now = open.uses;
        if open.by_path.len() >= OPEN_MAX {
            let oldest = open.by_path.iter().min_by_key(|(_, (_, used))| *used).map(|(path, _)| path.clone());
            oldest.and_then(|path| open.by_path.remove(&path));
        }
        let (kept, used) = open.by_path.entry(directory.path.clone()).or_insert_with(|| (Arc::new(directory), now));
        *used = now;
        Arc::clone(kept)
    }

    fn other(&self, action: &str, path: &str, errno: Errno) -> Missing {
        Missing::Fault(fault(action, &self.root.show(path), errno))
    }

    fn lock(&self) -> MutexGuard<'_, Open> {
        self.open.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
