//! Who uses a cache directory: each cache that is open on it, in this process or another.
//!
//! A user has a directory of its own with a locked file in it. The kernel releases the lock when the process ends, however it
//! ends; so a lock that can be had belongs to nobody, and its directory, with whatever was being written there, is removed. Coming,
//! going and clearing away happen under one more lock, the *door*, so that nobody is cleared away between creating a directory
//! and locking it. (`flock` works between the processes of one machine; a cache directory belongs on a local file system.)

use std::fs::{self, DirBuilder, File};
use std::io;
use std::os::unix::fs::DirBuilderExt;
use std::path::{Path, PathBuf};
use std::time::Duration;

use plastron_sources::clock::Entropy;

use super::layout::Layout;

/// The name of the locked file.
const LOCK: &str = "lock";

/// How often the door is tried. It is held for a few system calls, unless its holder is stopped in the middle.
const PATIENCE: u32 = 500;

/// How long between two tries.
const KNOCK_EVERY: Duration = Duration::from_millis(2);

/// The presence of one cache in its directory.
#[derive(Debug)]
pub(crate) struct User {
    directory: PathBuf,
    _lock: File,
}

impl User {
    /// Enters, and clears away those who died.
    pub(crate) fn enter(layout: &Layout, entropy: &dyn Entropy) -> io::Result<Self> {
        let door = open_lock(&layout.door())?;
        if knock(&door)? {
            clear_away(layout)?;
        }
        let directory = layout.users().join(format!("{:016x}", entropy.next_u64()));
        DirBuilder::new().mode(0o700).create(&directory)?;
        let lock = open_lock(&directory.join(LOCK))?;
        lock.lock()?;
        Ok(Self { directory, _lock: lock })
    }

    /// The temporary file with `number`.
    pub(crate) fn temporary(&self, number: u64) -> PathBuf {
        self.directory.join(format!("{number}.tmp"))
    }

    /// Clears away those who died, and says whether anybody else is here. If somebody is at the door, that is an answer too.
    pub(crate) fn has_company(&self, layout: &Layout) -> io::Result<bool> {
        let door = open_lock(&layout.door())?;
        match door.try_lock() {
            Ok(()) => Ok(clear_away(layout)? > 1),
            Err(fs::TryLockError::WouldBlock) => Ok(true),
            Err(fs::TryLockError::Error(error)) => Err(error),
        }
    }

    /// Whether somebody removed the directory from under us.
    pub(crate) fn is_evicted(&self) -> bool {
        !self.directory.join(LOCK).exists()
    }
}

impl Drop for User {
    fn drop(&mut self) {
        // If it fails, the next to come clears it away.
        let _ = fs::remove_dir_all(&self.directory);
    }
}

/// Waits a while for the door; false if somebody stands in it who does not move.
fn knock(door: &File) -> io::Result<bool> {
    for _ in 0..PATIENCE {
        match door.try_lock() {
            Ok(()) => return Ok(true),
            Err(fs::TryLockError::WouldBlock) => std::thread::park_timeout(KNOCK_EVERY),
            Err(fs::TryLockError::Error(error)) => return Err(error),
        }
    }
    Ok(false)
}

fn open_lock(path: &Path) -> io::Result<File> {
    File::options().create(true).truncate(false).write(true).open(path)
}

/// Removes the directories of users that are gone, and returns how many are left. To be called with the door locked.
fn clear_away(layout: &Layout) -> io::Result<usize> {
    let mut alive = 0;
    for user in fs::read_dir(layout.users())? {
        let user = user?;
        let ours =
            user.file_name().to_str().is_some_and(|name| name.len() == 16 && u64::from_str_radix(name, 16).is_ok());
        if !ours {
            continue;
        }
        let dead = match open_lock(&user.path().join(LOCK)) {
            Ok(lock) => lock.try_lock().is_ok(),
            // It left just now, or never got as far as its lock.
            Err(error) => error.kind() == io::ErrorKind::NotFound,
        };
        if dead {
            let _ = fs::remove_dir_all(user.path());
        } else {
            alive += 1;
        }
    }
    Ok(alive)
}

#[cfg(test)]
mod tests {
    use super::*;
    use plastron_sources::clock::SystemEntropy;

    #[test]
    fn users_see_each_other_and_the_dead_are_cleared_away() {
        let home = tempfile::tempdir().unwrap();
        let layout = Layout::create(home.path()).unwrap();
        let entropy = SystemEntropy::default();
        let first = User::enter(&layout, &entropy).unwrap();
        assert!(!first.has_company(&layout).unwrap());
        let second = User::enter(&layout, &entropy).unwrap();
        assert!(first.has_company(&layout).unwrap() && second.has_company(&layout).unwrap());
        drop(second);
        assert!(!first.has_company(&layout).unwrap());

        let dead = layout.users().join("00000000deadbeef");
        fs::create_dir(&dead).unwrap();
        fs::write(dead.join(LOCK), "").unwrap();
        fs::write(dead.join("7.tmp"), "half a block").unwrap();
        let stranger = layout.users().join("notes");
        fs::create_dir(&stranger).unwrap();
        assert!(!first.has_company(&layout).unwrap());
        assert!(!dead.exists() && stranger.exists() && !first.is_evicted());
        fs::remove_dir_all(layout.users()).unwrap();
        assert!(first.is_evicted());
    }
}
