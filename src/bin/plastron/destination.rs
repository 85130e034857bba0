//! Where `get` writes: a local file that appears whole or not at all, and never outside the directory that was named.
//!
//! Object names come from the bucket, so from whoever can write there: a name such as `../../.ssh/authorized_keys` must not
//! choose a path. Names are split at `/`; a component that is empty, `.`, `..` or that holds a separator, a NUL or a drive
//! prefix is refused, and so is one that is a symbolic link on disk, through which a harmless name would lead elsewhere.

use std::fs;
use std::io::Write;
use std::path::{Component, Path, PathBuf};

use plastron::ErrorKind;
use tempfile::NamedTempFile;

use crate::failure::{Failure, Result};
use crate::quantity::printable;

/// The path of object `name` below `directory`; checks the name only, touches nothing.
pub(crate) fn path_below(directory: &Path, name: &str) -> Result<PathBuf> {
    let mut path = directory.to_owned();
    for component in name.split('/') {
        let mut parts = Path::new(component).components();
        let plain = matches!((parts.next(), parts.next()), (Some(Component::Normal(part)), None) if part == component);
        if !plain || component.contains(['\0', '\\']) {
            let name = printable(name);
            let message =
                format!("object {name} can't be written below {}: its name is no relative path", directory.display());
            return Err(Failure::usage(message));
        }
        path.push(component);
    }
    Ok(path)
}

/// Makes the directories between `directory` (which must exist) and `path` below it, and refuses to go through a link. Blocking.
pub(crate) fn make_parents(directory: &Path, path: &Path) -> Result<()> {
    let below = path
        .parent()
        .unwrap_or(path)
        .strip_prefix(directory)
        .map_err(|_| Failure::usage(format!("{} is not below {}", path.display(), directory.display())))?;
    let mut current = directory.to_owned();
    for component in below.components() {
        current.push(component);
        match fs::create_dir(&current) {
            Ok(()) => continue,
            Err(error) if error.kind() == std::io::ErrorKind::AlreadyExists => {}
            Err(error) => return Err(Failure::local("make directory", &current, &error)),
        }
        let metadata = fs::symlink_metadata(&current).map_err(|error| Failure::local("read", &current, &error))?;
        if !metadata.is_dir() {
            let what = if metadata.is_symlink() { "a symbolic link" } else { "a file" };
            let message =
                format!("{} is {what} where a directory is needed; nothing was written there", current.display());
            return Err(Failure::usage(message));
        }
    }
    Ok(())
}

/// A file on its way: bytes go to a temporary name beside the destination until [`Arrival::finish`] gives it its own.
/// Dropped before that, it leaves nothing. It is not synced to disk: a killed command leaves no partial file, a power cut may.
#[derive(Debug)]
pub(crate) struct Arrival {
    file: NamedTempFile,
    destination: PathBuf,
    overwrite: bool,
}

impl Arrival {
    /// Starts writing `destination`, whose directory exists. Blocking.
    ///
    /// # Errors
    /// `already_exists` if it is there and `overwrite` is off; asked again, atomically, at the end.
    pub(crate) fn start(destination: &Path, overwrite: bool) -> Result<Self> {
        if let Ok(metadata) = fs::symlink_metadata(destination) {
            if metadata.is_dir() {
                return Err(Failure::of_kind(
                    ErrorKind::AlreadyExists,
                    format!("{} is a directory", destination.display()),
                ));
            }
            if !overwrite {
                return Err(exists(destination));
            }
        }
        let parent = match destination.parent() {
            Some(parent) if !parent.as_os_str().is_empty() => parent,
            _ => Path::new("."),
        };
        let mut builder = tempfile::Builder::new();
        builder.prefix(".plastron-").suffix(".part");
        #[cfg(unix)]
        {
            // As any other new file: what the umask allows, not the 0600 of temporary files.
            use std::os::unix::fs::PermissionsExt;
            builder.permissions(fs::Permissions::from_mode(0o666));
        }
        let file = builder.tempfile_in(parent).map_err(|error| Failure::local("write to directory", parent, &error))?;
        Ok(Self { file, destination: destination.to_owned(), overwrite })
    }

    /// Appends. Blocking.
    pub(crate) fn write(&mut self, bytes: &[u8]) -> Result<()> {
        self.file.write_all(bytes).map_err(|error| Failure::local("write", &self.destination, &error))
    }

    /// Gives the file its name. Blocking.
    pub(crate) fn finish(self) -> Result<()> {
        let Self { file, destination, overwrite } = self;
        let result = if overwrite { file.persist(&destination) } else { file.persist_noclobber(&destination) };
        match result {
            Ok(_) => Ok(()),
            Err(error) if error.error.kind() == std::io::ErrorKind::AlreadyExists => Err(exists(&destination)),
            Err(error) => Err(Failure::local("rename to", &destination, &error.error)),
        }
    }
}

fn exists(destination: &Path) -> Failure {
    let message = format!("{} exists; use --force to overwrite it", destination.display());
    Failure::of_kind(ErrorKind::AlreadyExists, message)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_name_leaves_the_directory() {
        let base = Path::new("/base");
        for name in [
            "",
            "/",
            "/etc/passwd",
            "..",
            "../x",
            "a/../../x",
            "a/..",
            ".",
            "./a",
            "a/./b",
            "a//b",
            "a/",
            "a\0b",
            "a\\..\\b",
            "//",
        ] {
            let failure = path_below(base, name).expect_err(name);
            assert_eq!(failure.kind(), "invalid", "{name:?}");
        }
        for name in ["a", "a/b", "...", "..a", "a..", ".hidden/x", " ", "a b/%2e%2e/c", "名", "~", "-rf"] {
            let path = path_below(base, name).expect(name);
            assert!(path.starts_with(base) && path != base, "{name:?} → {path:?}");
        }
    }

    proptest::proptest! {
        #[test]
        fn any_name_stays_below_or_is_refused(name in "[./\\\\a\0 ~é-]{0,12}") {
            if let Ok(path) = path_below(Path::new("/base"), &name) {
                let below = path.strip_prefix("/base").unwrap();
                assert!(below.components().all(|part| matches!(part, Component::Normal(_))));
                assert_eq!(below.to_str().unwrap(), name);
            }
        }
    }

    #[test]
    fn links_on_disk_are_not_followed() {
        let root = tempfile::tempdir().unwrap();
        let outside = tempfile::tempdir().unwrap();
        std::os::unix::fs::symlink(outside.path(), root.path().join("way")).unwrap();
        let path = path_below(root.path(), "way/out").unwrap();
        let failure = make_parents(root.path(), &path).unwrap_err();
        assert!(failure.message().contains("symbolic link"), "{failure:?}");
        let path = path_below(root.path(), "x/y/z").unwrap();
        make_parents(root.path(), &path).unwrap();
        assert!(root.path().join("x/y").is_dir());
        fs::write(root.path().join("x/y/z"), "").unwrap();
        let path = path_below(root.path(), "x/y/z/w").unwrap();
        assert!(make_parents(root.path(), &path).unwrap_err().message().contains("is a file"));
    }

    #[test]
    fn files_appear_whole_and_replace_only_when_told() {
        let root = tempfile::tempdir().unwrap();
        let path = root.path().join("file");
        let mut arrival = Arrival::start(&path, false).unwrap();
        arrival.write(b"first").unwrap();
        assert!(!path.exists(), "not before the end");
        drop(arrival);
        assert_eq!(fs::read_dir(root.path()).unwrap().count(), 0, "dropped without a trace");

        let mut arrival = Arrival::start(&path, false).unwrap();
        arrival.write(b"mine").unwrap();
        fs::write(&path, "theirs").unwrap();
        assert_eq!(arrival.finish().unwrap_err().kind(), "already_exists", "also if it came in between");
        assert_eq!(fs::read(&path).unwrap(), b"theirs");
        assert_eq!(Arrival::start(&path, false).unwrap_err().kind(), "already_exists");

        let mut arrival = Arrival::start(&path, true).unwrap();
        arrival.write(b"forced").unwrap();
        arrival.finish().unwrap();
        assert_eq!(fs::read(&path).unwrap(), b"forced");
        assert_eq!(fs::read_dir(root.path()).unwrap().count(), 1);
    }
}
