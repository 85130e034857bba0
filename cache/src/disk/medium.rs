//! The few things the cache asks of a file system, behind a trait so that tests can make them fail.

use std::fmt;
use std::fs::{self, File, OpenOptions};
use std::io::{self, IoSlice, IoSliceMut, Write};
use std::os::unix::fs::OpenOptionsExt;
use std::path::Path;

use rustix::fs::OFlags;

/// Space on the file system of the cache directory, bytes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Space {
    /// What an ordinary process may still use.
    pub(crate) available: u64,
    /// The whole file system.
    pub(crate) total: u64,
}

/// A file system.
pub(crate) trait Medium: fmt::Debug + Send + Sync + 'static {
    /// Writes `parts` one after the other to `temporary`, a new file, and renames it to `path`. After an error nothing is left.
    fn write(&self, temporary: &Path, path: &Path, parts: [&[u8]; 2]) -> io::Result<()>;

    /// Opens a block's file for reading.
    fn open(&self, path: &Path) -> io::Result<File>;

    /// Reads at `offset`, as `preadv` does: possibly less than asked for, 0 at the end.
    fn read(&self, file: &File, parts: &mut [IoSliceMut<'_>], offset: u64) -> io::Result<usize>;

    /// Removes a file; false if there was none.
    fn remove(&self, path: &Path) -> io::Result<bool>;

    /// How much space there is.
    fn space(&self, directory: &Path) -> io::Result<Space>;
}

/// The real one.
#[derive(Debug)]
pub(crate) struct FileSystem;

impl Medium for FileSystem {
    fn write(&self, temporary: &Path, path: &Path, parts: [&[u8]; 2]) -> io::Result<()> {
        let mut file = OpenOptions::new().write(true).create_new(true).mode(0o600).open(temporary)?;
        let [mut first, mut second] = parts;
        let written = (|| {
            while !first.is_empty() || !second.is_empty() {
                let count = file.write_vectored(&[IoSlice::new(first), IoSlice::new(second)])?;
                if count == 0 {
                    return Err(io::ErrorKind::WriteZero.into());
                }
                let of_second = count.saturating_sub(first.len());
                first = first.get(count..).unwrap_or_default();
                second = second.get(of_second..).unwrap_or_default();
            }
            fs::rename(temporary, path)
        })();
        drop(file);
        if written.is_err() {
            // Whatever went wrong, this can only help; if it fails too, whoever clears away after this process removes it.
            let _ = fs::remove_file(temporary);
        }
        written
    }

    fn open(&self, path: &Path) -> io::Result<File> {
        OpenOptions::new().read(true).custom_flags(OFlags::NOFOLLOW.bits() as i32).open(path)
    }

    fn read(&self, file: &File, parts: &mut [IoSliceMut<'_>], offset: u64) -> io::Result<usize> {
        loop {
            match rustix::io::preadv(file, parts, offset) {
                Err(rustix::io::Errno::INTR) => {}
                other => return Ok(other?),
            }
        }
    }

    fn remove(&self, path: &Path) -> io::Result<bool> {
        match fs::remove_file(path) {
            Ok(()) => Ok(true),
            Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(false),
            Err(error) => Err(error),
        }
    }

    fn space(&self, directory: &Path) -> io::Result<Space> {
        let stat = rustix::fs::statvfs(directory)?;
        let bytes = |blocks: u64| blocks.saturating_mul(stat.f_frsize);
        Ok(Space { available: bytes(stat.f_bavail), total: bytes(stat.f_blocks) })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_file_appears_whole_and_private_or_not_at_all() {
        use std::os::unix::fs::PermissionsExt;
        let home = tempfile::tempdir().unwrap();
        let (temporary, path) = (home.path().join("t"), home.path().join("f"));
        FileSystem.write(&temporary, &path, [b"head", &[7; 100_000]]).unwrap();
        let content = fs::read(&path).unwrap();
        assert!(content.starts_with(b"head") && content[4..] == [7; 100_000]);
        assert_eq!(fs::metadata(&path).unwrap().permissions().mode() & 0o777, 0o600);

        let nowhere = home.path().join("missing/f");
        assert!(FileSystem.write(&temporary, &nowhere, [b"a", b"b"]).is_err());
        assert!(!temporary.exists());
        assert!(FileSystem.remove(&path).unwrap());
        assert!(!FileSystem.remove(&path).unwrap());

        std::os::unix::fs::symlink("/etc/passwd", &path).unwrap();
        assert!(FileSystem.open(&path).is_err(), "links are not followed");
        let space = FileSystem.space(home.path()).unwrap();
        assert!(0 < space.available && space.available <= space.total);
    }
}
