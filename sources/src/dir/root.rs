//! The bucket's own directory, and the way from it to an object's file.
//!
//! Every path is resolved relative to the opened directory, so a bucket that is renamed or reached through a changing working
//! directory stays the same bucket. Below it no symbolic link is followed, ever: neither out of the bucket nor inside it.

use std::path::{Path, PathBuf};

use rustix::fd::{AsFd, BorrowedFd, OwnedFd};
use rustix::fs::{AtFlags, Mode, OFlags, Stat, fstat, openat, statat};
use rustix::io::Errno;

/// An opened bucket directory.
#[derive(Debug)]
pub(super) struct Root {
    fd: OwnedFd,
    path: PathBuf,
    /// Whether the kernel resolves paths without links by itself (`openat2`, Linux 5.6).
    resolves: bool,
}

impl Root {
    /// Opens the directory at `path`, which may itself be reached through links.
    ///
    /// # Errors
    /// What the operating system says.
    pub(super) fn open(path: &Path) -> Result<Self, Errno> {
        let fd = openat(rustix::fs::CWD, path, directory_flags() & !OFlags::NOFOLLOW, Mode::empty())?;
        let mut root = Self { fd, path: path.to_owned(), resolves: true };
        // Old kernels and some sandboxes refuse the call itself.
        root.resolves = root.resolve(".", directory_flags()).is_ok();
        Ok(root)
    }

    /// The same directory for one who must walk step by step.
    #[cfg(test)]
    pub(super) fn without_openat2(mut self) -> Self {
        self.resolves = false;
        self
    }

    /// Opens the file at `path` for reading, whatever kind of file it is; never blocks on a pipe.
    ///
    /// # Errors
    /// What the operating system says; `LOOP` where a link would have to be followed.
    pub(super) fn open_file(&self, path: &str) -> Result<OwnedFd, Errno> {
        self.walk(path, file_flags())
    }

    /// As [`Root::open_file`], but only if the kernel has the whole way in memory, on one file system; never waits for a disk.
    ///
    /// # Errors
    /// `AGAIN` if it has not; and whatever else, about which [`Root::open_file`] has to be asked.
    pub(super) fn open_file_now(&self, path: &str) -> Result<OwnedFd, Errno> {
        self.resolve_now(path, file_flags() & !OFlags::NOFOLLOW)
    }

    /// Opens the directory at `path`; the empty path is the bucket's own.
    ///
    /// # Errors
    /// What the operating system says; `LOOP` or `NOTDIR` where a link would have to be followed.
    pub(super) fn open_directory(&self, path: &str) -> Result<OwnedFd, Errno> {
        let path = if path.is_empty() { "." } else { path };
        self.walk(path, directory_flags())
    }

    fn walk(&self, path: &str, flags: OFlags) -> Result<OwnedFd, Errno> {
        if self.resolves {
            // Without this flag a link at the end is told from a file there.
            return self.resolve(path, flags & !OFlags::NOFOLLOW);
        }
        let (way, last) = path.rsplit_once('/').unwrap_or(("", path));
        let mut here: Option<OwnedFd> = None;
        for step in way.split('/').filter(|step| !step.is_empty()) {
            let from = here.as_ref().map_or(self.fd.as_fd(), OwnedFd::as_fd);
            here = Some(step_into(from, step, directory_flags())?);
        }
        step_into(here.as_ref().map_or(self.fd.as_fd(), OwnedFd::as_fd), last, flags)
    }

    #[cfg(target_os = "linux")]
    fn resolve(&self, path: &str, flags: OFlags) -> Result<OwnedFd, Errno> {
        use rustix::fs::{ResolveFlags, openat2};
        openat2(&self.fd, path, flags, Mode::empty(), ResolveFlags::BENEATH | ResolveFlags::NO_SYMLINKS)
    }

    #[cfg(target_os = "linux")]
    fn resolve_now(&self, path: &str, flags: OFlags) -> Result<OwnedFd, Errno> {
        use rustix::fs::{ResolveFlags, openat2};
        let how = ResolveFlags::BENEATH | ResolveFlags::NO_SYMLINKS | ResolveFlags::NO_XDEV | ResolveFlags::CACHED;
        openat2(&self.fd, path, flags, Mode::empty(), how)
    }

    #[cfg(not(target_os = "linux"))]
    fn resolve_now(&self, _path: &str, _flags: OFlags) -> Result<OwnedFd, Errno> {
        Err(Errno::NOSYS)
    }

    #[cfg(not(target_os = "linux"))]
    fn resolve(&self, _path: &str, _flags: OFlags) -> Result<OwnedFd, Errno> {
        Err(Errno::NOSYS)
    }

    /// Whether the directory has been removed since it was opened.
    pub(super) fn is_gone(&self) -> bool {
        fstat(&self.fd).is_ok_and(|stat| stat.st_nlink == 0)
    }

    /// The directory itself.
    pub(super) fn fd(&self) -> BorrowedFd<'_> {
        self.fd.as_fd()
    }

    /// `path`, which is relative to the bucket's directory, as messages show it.
    pub(super) fn show(&self, path: &str) -> PathBuf {
        if path.is_empty() { self.path.clone() } else { self.path.join(path) }
    }
}

/// How files are opened for reading.
pub(super) fn file_flags() -> OFlags {
    OFlags::RDONLY | OFlags::CLOEXEC | OFlags::NOFOLLOW | OFlags::NONBLOCK | OFlags::NOCTTY
}

/// How directories are opened.
pub(super) fn directory_flags() -> OFlags {
    OFlags::RDONLY | OFlags::DIRECTORY | OFlags::CLOEXEC | OFlags::NOFOLLOW
}

/// Opens one entry of a directory; a link in its place is `LOOP`, also where the system says `NOTDIR`.
pub(super) fn step_into(from: BorrowedFd<'_>, entry: &str, flags: OFlags) -> Result<OwnedFd, Errno> {
    match openat(from, entry, flags, Mode::empty()) {
        Err(Errno::NOTDIR) if is_link(from, entry) => Err(Errno::LOOP),
        opened => opened,
    }
}

fn is_link(from: BorrowedFd<'_>, entry: &str) -> bool {
    lookup(from, entry).is_ok_and(|stat| rustix::fs::FileType::from_raw_mode(stat.st_mode).is_symlink())
}

/// What stands at `entry`, links not followed.
pub(super) fn lookup(from: BorrowedFd<'_>, entry: impl rustix::path::Arg) -> Result<Stat, Errno> {
    statat(from, entry, AtFlags::SYMLINK_NOFOLLOW)
}
