//! Removing an object: unlink, make that durable, remove directories that became empty.

use object_store::path::Path;
use rustix::fs::{AtFlags, unlinkat};
use rustix::io::Errno;

use super::directories::Missing;
use super::name::locate;
use super::tree::Tree;
use crate::error::Fault;

/// Repetitions because the directory was removed and made again at that very moment.
const ATTEMPTS_MAX: u32 = 1000;

impl Tree {
    /// Removes the object `name`. What has it open may go on reading.
    ///
    /// # Errors
    /// [`Fault::NoSuchObject`], [`Fault::Name`], and what the file system says.
    pub(super) fn remove(&self, name: &Path) -> Result<(), Fault> {
        let location = locate(name)?;
        for _ in 0..ATTEMPTS_MAX {
            let removed = match self.directories.find(&location.directory) {
                Ok(directory) => unlinkat(&directory, &location.entry, AtFlags::empty()).map(|()| directory),
                Err(Missing::Gone) => Err(Errno::NOENT),
                Err(Missing::Taken) => return Err(Fault::NoSuchObject),
                Err(Missing::Fault(fault)) => return Err(fault),
            };
            match removed {
                Ok(directory) => {
                    self.sync(&directory)?;
                    self.directories.prune(&location.directory);
                    return Ok(());
                }
                // Either it is not there, or the directory was one that is gone: the bucket itself knows.
                Err(Errno::NOENT) => match self.root.open_file(&location.path()) {
                    Err(Errno::NOENT | Errno::NOTDIR) if self.root.is_gone() => return Err(Fault::NoSuchBucket),
                    Err(Errno::NOENT | Errno::NOTDIR) => return Err(Fault::NoSuchObject),
                    _ => self.directories.forget_all(),
                },
                // A directory of that name, in Linux's words and in POSIX's.
                Err(Errno::ISDIR) => return Err(Fault::NoSuchObject),
                Err(Errno::PERM) if self.is_directory(&location.path()) => return Err(Fault::NoSuchObject),
                Err(errno) => return Err(self.failed("removing", &location, errno)),
            }
        }
        Err(self.failed("removing", &location, Errno::AGAIN))
    }

    fn is_directory(&self, path: &str) -> bool {
        self.root.open_directory(path).is_ok()
    }
}
