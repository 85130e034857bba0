//! Removing temporary files that a killed process left behind.
//!
//! Only files that carry our suffix, and only those that nobody has written to for a day: an upload under way is written to. Runs in the
//! background after a bucket is opened for writing; what it cannot do, the next one will.

use std::sync::Arc;
use std::time::{Duration, UNIX_EPOCH};

use rustix::fd::AsFd;
use rustix::fs::{AtFlags, Dir, FileType, unlinkat};
use rustix::io::Errno;
use tokio::runtime::Handle;

use super::name::TEMPORARY;
use super::root::lookup;
use super::staging::SUFFIX;
use super::tree::Tree;

/// How long a temporary file may lie untouched.
pub(super) const STALE: Duration = Duration::from_secs(24 * 60 * 60);

impl Tree {
    /// Removes stale temporary files while others go on; nothing depends on it, so nobody waits for it.
    pub(super) fn sweep_in_background(self: &Arc<Self>) {
        let tree = Arc::clone(self);
        let sweep = move || {
            let directory = tree.root.show(TEMPORARY);
            match tree.sweep() {
                Ok(0) => {}
                Ok(count) => tracing::info!(count, directory = %directory.display(), "removed stale temporary files"),
                Err(errno) => {
                    tracing::warn!(%errno, directory = %directory.display(), "cannot look for stale temporary files");
                }
            }
        };
        if let Ok(runtime) = Handle::try_current() {
            drop(runtime.spawn_blocking(sweep));
        }
    }

    /// Removes stale temporary files; returns how many.
    ///
    /// # Errors
    /// What the operating system says to listing the directory; files that cannot be removed are left.
    pub(super) fn sweep(&self) -> Result<usize, Errno> {
        let directory = match self.root.open_directory(TEMPORARY) {
            Ok(directory) => directory,
            Err(Errno::NOENT) => return Ok(0),
            Err(errno) => return Err(errno),
        };
        let now = self.clock.wall();
        let mut removed = 0;
        for entry in Dir::read_from(&directory)? {
            let entry = entry?;
            if !entry.file_name().to_bytes().ends_with(SUFFIX.as_bytes()) {
                continue;
            }
            let Ok(stat) = lookup(directory.as_fd(), entry.file_name()) else { continue };
            let written = UNIX_EPOCH + Duration::from_secs(stat.st_mtime.try_into().unwrap_or_default());
            let is_stale = now.duration_since(written).is_ok_and(|age| age > STALE);
            if FileType::from_raw_mode(stat.st_mode).is_file()
                && is_stale
                && unlinkat(&directory, entry.file_name(), AtFlags::empty()).is_ok()
            {
                removed += 1;
            }
        }
        Ok(removed)
    }
}
