//! Creating an object: stage, make durable, link, make the name durable.
//!
//! 1. The bytes go to a temporary file ([`Staged`]), which is then synced together with its attribute.
//! 2. A hard link gives it its name. The file system decides, atomically, who of several creators is first.
//! 3. The directory is synced, together with all who wait for the same directory; every directory above is durable already
//!    ([`Directories`](super::directories::Directories)).
//!
//! Only then is success returned; and `ObjectExists` only after a sync of the directory as well, so that whoever acts on it acts on a
//! durable object. A crash before 2 leaves nothing visible, one between 2 and 3 the whole object or nothing.
//!
//! A directory that is empty is no obstacle to an object of its name: it is removed. Directories may vanish at any time by the hand of
//! others who remove objects; then the step is repeated, a bounded number of times.

use std::sync::Arc;
use std::time::SystemTime;

use bytes::Bytes;
use object_store::path::Path;
use rustix::fd::AsFd;
use rustix::fs::{AtFlags, FileType, Stat, unlinkat};
use rustix::io::Errno;

use super::ahead::AheadFile;
use super::directories::{Directory, Missing};
use super::fault::{conflict, fault};
use super::name::{Location, TEMPORARY, locate};
use super::root::{directory_flags, lookup, step_into};
use super::staging::{Staged, Staging};
use super::tree::Tree;
use crate::error::Fault;

/// Repetitions of a step because directories vanish. Each of them takes somebody who removes the last object of a directory
/// at that very moment; a thousand in a row means that something else is wrong.
const ATTEMPTS_MAX: u32 = 1000;

/// The deepest nest of empty directories that is cleared away for an object.
const CLEAR_DEPTH_MAX: u32 = 64;

impl Tree {
    /// Creates the object `name` of `buffers`, one after the other. What is in `ahead`, which are the first of these bytes, is not
    /// written again.
    ///
    /// # Errors
    /// [`Fault::ObjectExists`], [`Fault::Name`], and what the file system says.
    pub(super) fn create(
        &self,
        name: &Path,
        buffers: &[Bytes],
        attribute: Option<&str>,
        ahead: Option<&AheadFile>,
    ) -> Result<Stat, Fault> {
        let location = locate(name)?;
        let directory = self.directory_for(name, &location)?;
        // Spares the loser of a race the work; who wins is decided by the link alone.
        if let Ok(stat) = lookup(directory.as_fd(), &location.entry)
            && !FileType::from_raw_mode(stat.st_mode).is_dir()
        {
            return Err(self.exists(&directory));
        }
        let own;
        let (staged, written) = match ahead.and_then(|ahead| ahead.of(self, name)) {
            Some(begun) => begun,
            None => {
                own = self.stage(name, &location)?;
                (&own, 0)
            }
        };
        let rest = behind(buffers, written);
        staged.write(&rest, written).map_err(|errno| self.failed("writing", &location, errno))?;
        self.publish(name, &location, staged, attribute, self.clock.wall())
    }

    /// A temporary file for the object at `location`.
    ///
    /// # Errors
    /// What the file system says.
    pub(super) fn stage(&self, name: &Path, location: &Location) -> Result<Staged, Fault> {
        for _ in 0..ATTEMPTS_MAX {
            let temporary = match self.staging {
                Staging::Unnamed => self.directory_for(name, location)?,
                Staging::Named => {
                    let own = Location { directory: TEMPORARY.to_owned(), entry: String::new() };
                    self.directory_for(name, &own)?
                }
            };
            let staged = match self.staging {
                Staging::Unnamed => Staged::unnamed(&temporary),
                Staging::Named => {
                    let random = u128::from(self.entropy.next_u64()) << 64 | u128::from(self.entropy.next_u64());
                    Staged::named(Arc::clone(&temporary), random)
                }
            };
            match staged {
                Ok(staged) => return Ok(staged),
                Err(Errno::EXIST) => {}
                // Each file system has its own word for a directory that was removed; ext4's is `PERM`.
                Err(_) if temporary.is_gone() => self.directories.forget_all(),
                Err(errno) => return Err(self.failed("creating a temporary file for", location, errno)),
            }
        }
        Err(self.restless(location))
    }

    /// Makes `staged`, whose content is complete, the object `name`.
    ///
    /// # Errors
    /// As [`Tree::create`].
    pub(super) fn publish(
        &self,
        name: &Path,
        location: &Location,
        staged: &Staged,
        attribute: Option<&str>,
        created: SystemTime,
    ) -> Result<Stat, Fault> {
        let stat = staged.seal(attribute, created).map_err(|errno| self.failed("writing", location, errno))?;
        for _ in 0..ATTEMPTS_MAX {
            let directory = self.directory_for(name, location)?;
            match staged.link(&directory, &location.entry) {
                Ok(()) => {
                    self.sync(&directory)?;
                    return Ok(stat);
                }
                Err(Errno::EXIST) => match lookup(directory.as_fd(), &location.entry) {
                    Ok(found) if FileType::from_raw_mode(found.st_mode).is_dir() => {
                        if !clear(&directory, &location.entry, 0) {
                            return Err(conflict(name.as_ref()));
                        }
                    }
                    // Removed a moment ago: the name is free again.
                    Err(Errno::NOENT) => {}
                    _ => return Err(self.exists(&directory)),
                },
                Err(Errno::NOENT) if staged.is_there() => self.directories.forget_all(),
                Err(errno) => return Err(self.failed("creating", location, errno)),
            }
        }
        Err(self.restless(location))
    }

    fn directory_for(&self, name: &Path, location: &Location) -> Result<Arc<Directory>, Fault> {
        for _ in 0..ATTEMPTS_MAX {
            match self.directories.make(&location.directory) {
                Ok(directory) => return Ok(directory),
                Err(Missing::Gone) if self.root.is_gone() => return Err(Fault::NoSuchBucket),
                Err(Missing::Gone) => {}
                Err(Missing::Taken) => return Err(conflict(name.as_ref())),
                Err(Missing::Fault(fault)) => return Err(fault),
            }
        }
        Err(self.restless(location))
    }

    /// The fault of who comes second; what it reports is made durable first.
    fn exists(&self, directory: &Directory) -> Fault {
        self.sync(directory).err().unwrap_or(Fault::ObjectExists)
    }

    /// Makes the entries of `directory` durable.
    pub(super) fn sync(&self, directory: &Directory) -> Result<(), Fault> {
        directory.sync().map_err(|errno| {
            self.directories.forget_all();
            fault("syncing the directory", &self.root.show(directory.path()), errno)
        })
    }

    pub(super) fn failed(&self, action: &str, location: &Location, errno: Errno) -> Fault {
        fault(action, &self.root.show(&location.path()), errno)
    }

    fn restless(&self, location: &Location) -> Fault {
        if self.root.is_gone() {
            return Fault::NoSuchBucket;
        }
        let context =
            format!("creating {} (its directory keeps vanishing)", self.root.show(&location.path()).display());
        Fault::io(context, Errno::AGAIN.into())
    }
}

/// `buffers` without their first `skip` bytes.
fn behind(buffers: &[Bytes], mut skip: u64) -> Vec<Bytes> {
    let rest = buffers.iter().map(|buffer| {
        let now = usize::try_from(skip).unwrap_or(usize::MAX).min(buffer.len());
        skip -= now as u64;
        buffer.slice(now..)
    });
    rest.filter(|buffer| !buffer.is_empty()).collect()
}

/// Removes the directory `entry` if there is nothing but directories in it; `false` if there is, or it is not certain.
fn clear(parent: &impl AsFd, entry: &str, depth: u32) -> bool {
    if depth >= CLEAR_DEPTH_MAX {
        return false;
    }
    match unlinkat(parent, entry, AtFlags::REMOVEDIR) {
        Ok(()) | Err(Errno::NOENT) => return true,
        Err(Errno::NOTEMPTY | Errno::EXIST) => {}
        // No directory any more: it will be seen as what it is now.
        Err(Errno::NOTDIR) => return true,
        Err(_) => return false,
    }
    let Ok(fd) = step_into(parent.as_fd(), entry, directory_flags()) else { return false };
    let Ok(entries) = rustix::fs::Dir::read_from(&fd) else { return false };
    for inner in entries {
        let Ok(inner) = inner else { return false };
        let Ok(inner_name) = inner.file_name().to_str() else { return false };
        if inner_name == "." || inner_name == ".." {
            continue;
        }
        let is_directory =
            lookup(fd.as_fd(), inner_name).is_ok_and(|stat| FileType::from_raw_mode(stat.st_mode).is_dir());
        if !is_directory || !clear(&fd, inner_name, depth + 1) {
            return false;
        }
    }
    !matches!(unlinkat(parent, entry, AtFlags::REMOVEDIR), Err(errno) if errno != Errno::NOENT)
}
