//! The file an object is written to before it has a name.
//!
//! Where the file system offers it (`O_TMPFILE`: ext4, XFS, Btrfs, tmpfs) that file has no name at all and vanishes with the
//! process; elsewhere it has one in `_plastron/tmp`, is removed when it is dropped, and swept a day later if the process was killed.
//! Either way it gets its name by a hard link, which fails if the name is taken and shows readers the whole object at once.

use std::fs::File;
use std::io::IoSlice;
use std::sync::Arc;
use std::time::{SystemTime, UNIX_EPOCH};

use bytes::Bytes;
use rustix::fd::AsFd;
use rustix::fs::{AtFlags, Mode, OFlags, Stat, Timespec, Timestamps, XattrFlags};
use rustix::io::Errno;

use super::directories::Directory;

/// The extended attribute that holds the object's user metadata `plastron`.
pub(super) const ATTRIBUTE: &str = "user.plastron";

/// The end of every temporary file's name, and what tells it from anything else in that directory.
pub(super) const SUFFIX: &str = ".part";

/// Buffers written by one call; the kernel takes 1,024 (`IOV_MAX`).
const BUFFERS_MAX: usize = 1024;

/// Where temporary files are made, found out when the bucket is opened.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Staging {
    /// Without a name, beside the object's place.
    Unnamed,
    /// With a name, in `_plastron/tmp`.
    Named,
}

/// A temporary file.
#[derive(Debug)]
pub(super) struct Staged {
    file: File,
    named: Option<(Arc<Directory>, String)>,
}

impl Staged {
    /// A file without a name on the file system of `directory`.
    ///
    /// # Errors
    /// `OPNOTSUPP`, `ISDIR` or `INVAL` where file systems or kernels do not have it; `NOENT` if `directory` is gone.
    #[cfg(target_os = "linux")]
    pub(super) fn unnamed(directory: &Directory) -> Result<Self, Errno> {
        let flags = OFlags::TMPFILE | OFlags::WRONLY | OFlags::CLOEXEC;
        let fd = rustix::fs::openat(directory, ".", flags, Mode::from_raw_mode(0o666))?;
        Ok(Self { file: fd.into(), named: None })
    }

    #[cfg(not(target_os = "linux"))]
    pub(super) fn unnamed(_directory: &Directory) -> Result<Self, Errno> {
        Err(Errno::OPNOTSUPP)
    }

    /// A new file in `temporary`, the directory `_plastron/tmp`; `random` makes its name unique.
    ///
    /// # Errors
    /// `NOENT` if `temporary` is gone.
    pub(super) fn named(temporary: Arc<Directory>, random: u128) -> Result<Self, Errno> {
        let name = format!("{random:032x}{SUFFIX}");
        let flags = OFlags::CREATE | OFlags::EXCL | OFlags::WRONLY | OFlags::CLOEXEC | OFlags::NOFOLLOW;
        let fd = rustix::fs::openat(&temporary, &name, flags, Mode::from_raw_mode(0o666))?;
        Ok(Self { file: fd.into(), named: Some((temporary, name)) })
    }

    /// Writes all of `buffers`, one after the other, from `offset` on. Several threads may do so at once.
    ///
    /// # Errors
    /// `NOSPC` and the like.
    pub(super) fn write(&self, buffers: &[Bytes], mut offset: u64) -> Result<(), Errno> {
        let mut slices: Vec<IoSlice<'_>> = buffers.iter().map(|buffer| IoSlice::new(buffer)).collect();
        let mut left = slices.as_mut_slice();
        // Empty buffers at the front would look like a write of nothing.
        IoSlice::advance_slices(&mut left, 0);
        while !left.is_empty() {
            let now = left.get(..BUFFERS_MAX).unwrap_or(left);
            let written = rustix::io::retry_on_intr(|| rustix::io::pwritev(&self.file, now, offset))?;
            if written == 0 {
                return Err(Errno::IO);
            }
            offset += written as u64;
            IoSlice::advance_slices(&mut left, written);
        }
        Ok(())
    }

    /// Has the system begin to write these bytes to the disk, without waiting for it. A hint: whatever becomes of it, [`Staged::seal`]
    /// waits for all that is not there yet, and tells what could not be written.
    #[cfg(target_os = "linux")]
    pub(super) fn start_writing_back(&self, offset: u64, length: u64) {
        // Linux begins to write pages that it is told will not be needed, and drops those that are written already: none of these.
        let length = std::num::NonZeroU64::new(length);
        let _ = rustix::fs::fadvise(&self.file, offset, length, rustix::fs::Advice::DontNeed);
    }

    #[cfg(not(target_os = "linux"))]
    pub(super) fn start_writing_back(&self, _offset: u64, _length: u64) {}

    /// Finishes the content: sets attribute and time of creation, and makes all of it durable. Returns what the file is now.
    ///
    /// The time is set rather than left to the kernel, whose clock for files ticks every few milliseconds: it is part of the etag,
    /// which has to differ when a name is removed and created again at once.
    ///
    /// # Errors
    /// What the operating system says.
    pub(super) fn seal(&self, attribute: Option<&str>, created: SystemTime) -> Result<Stat, Errno> {
        if let Some(value) = attribute {
            self.set_attribute(value)?;
        }
        let created = created.duration_since(UNIX_EPOCH).unwrap_or_default();
        let time = Timespec {
            tv_sec: created.as_secs().try_into().unwrap_or(i64::MAX),
            tv_nsec: created.subsec_nanos().into(),
        };
        rustix::fs::futimens(&self.file, &Timestamps { last_access: time, last_modification: time })?;
        rustix::io::retry_on_intr(|| rustix::fs::fsync(&self.file))?;
        rustix::fs::fstat(&self.file)
    }

    /// Sets the one extended attribute.
    ///
    /// # Errors
    /// `OPNOTSUPP` where the file system has none, `NOSPC` where it has too little room for them.
    pub(super) fn set_attribute(&self, value: &str) -> Result<(), Errno> {
        rustix::fs::fsetxattr(&self.file, ATTRIBUTE, value.as_bytes(), XattrFlags::empty())
    }

    /// Gives the file the name `entry` in `directory`, unless that is taken.
    ///
    /// # Errors
    /// `EXIST` if the name is taken, `NOENT` if `directory` (or the temporary file) is gone.
    pub(super) fn link(&self, directory: &Directory, entry: &str) -> Result<(), Errno> {
        match &self.named {
            Some((temporary, name)) => rustix::fs::linkat(temporary.as_fd(), name, directory, entry, AtFlags::empty()),
            None => {
                use std::os::fd::AsRawFd;
                let path = format!("/proc/self/fd/{}", self.file.as_raw_fd());
                rustix::fs::linkat(rustix::fs::CWD, path, directory, entry, AtFlags::SYMLINK_FOLLOW)
            }
        }
    }

    /// Whether the temporary file's own name is still there, if it has one.
    pub(super) fn is_there(&self) -> bool {
        self.named.as_ref().is_none_or(|(temporary, name)| super::root::lookup(temporary.as_fd(), name).is_ok())
    }
}

impl Drop for Staged {
    fn drop(&mut self) {
        if let Some((temporary, name)) = &self.named {
            // What cannot be removed now is swept a day later.
            let _ = rustix::fs::unlinkat(temporary, name, AtFlags::empty());
        }
    }
}
