//! What `put DIR` and `demo` store: the regular files below a directory, in one order on every machine.
//!
//! Nothing is skipped silently: symbolic links (never followed, so that a walk cannot leave the directory or go in circles),
//! special files, empty directories and names that are not UTF-8 are all listed with the reason.

use std::ffi::OsStr;
use std::fs;
use std::path::{Path, PathBuf};

use crate::failure::{Failure, Result};

const NOT_TEXT: &str = "its name is not UTF-8";

/// A file to store.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Found {
    /// Where it is.
    pub(crate) path: PathBuf,
    /// Its path relative to the walked directory, components joined by `/`.
    pub(crate) name: String,
    /// Bytes, when it was found.
    pub(crate) size: u64,
}

/// Something that is not stored.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Skipped {
    /// What.
    pub(crate) path: PathBuf,
    /// Why.
    pub(crate) reason: &'static str,
}

impl Skipped {
    /// Whether leaving it out loses nothing that an object could hold; a file that can't be named is not harmless.
    pub(crate) fn is_harmless(&self) -> bool {
        self.reason != NOT_TEXT
    }
}

/// Everything below a directory.
#[derive(Debug, Default, PartialEq, Eq)]
pub(crate) struct Walk {
    /// Files by name, bytewise.
    pub(crate) files: Vec<Found>,
    /// What is left out, by path.
    pub(crate) skipped: Vec<Skipped>,
}

impl Walk {
    /// Bytes of all files.
    pub(crate) fn bytes(&self) -> u64 {
        self.files.iter().map(|file| file.size).sum()
    }
}

/// Walks `root`, which must be a directory, without what is called one of `leave_out` (listed as skipped). Blocking.
pub(crate) fn walk(root: &Path, leave_out: &[&str]) -> Result<Walk> {
    let mut walk = Walk::default();
    let mut pending = vec![(root.to_owned(), String::new())];
    while let Some((directory, prefix)) = pending.pop() {
        let entries = fs::read_dir(&directory).map_err(|error| Failure::local("list", &directory, &error))?;
        let mut empty = true;
        for entry in entries {
            let entry = entry.map_err(|error| Failure::local("list", &directory, &error))?;
            empty = false;
            visit(&mut walk, &mut pending, &prefix, entry.path(), &entry.file_name(), leave_out)?;
        }
        if empty {
            walk.skipped.push(Skipped { path: directory, reason: "empty directory" });
        }
    }
    walk.files.sort_by(|a, b| a.name.as_bytes().cmp(b.name.as_bytes()));
    walk.skipped.sort_by(|a, b| a.path.cmp(&b.path));
    Ok(walk)
}

fn visit(
    walk: &mut Walk,
    pending: &mut Vec<(PathBuf, String)>,
    prefix: &str,
    path: PathBuf,
    file_name: &OsStr,
    leave_out: &[&str],
) -> Result<()> {
    let skip = |reason| Skipped { path: path.clone(), reason };
    let Some(component) = file_name.to_str() else {
        walk.skipped.push(skip(NOT_TEXT));
        return Ok(());
    };
    // Of the entry itself, not of what a link points to.
    let metadata = fs::symlink_metadata(&path).map_err(|error| Failure::local("read", &path, &error))?;
    if leave_out.contains(&component) {
        walk.skipped.push(skip("left out"));
    } else if metadata.is_dir() {
        pending.push((path, format!("{prefix}{component}/")));
    } else if metadata.is_file() {
        walk.files.push(Found { path, name: format!("{prefix}{component}"), size: metadata.len() });
    } else if metadata.is_symlink() {
        walk.skipped.push(skip("symbolic link"));
    } else {
        walk.skipped.push(skip("not a regular file"));
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn names(walk: &Walk) -> Vec<&str> {
        walk.files.iter().map(|file| file.name.as_str()).collect()
    }

    #[test]
    fn files_come_by_name_and_everything_else_is_reported() {
        let root = tempfile::tempdir().unwrap();
        let at = |name: &str| root.path().join(name);
        fs::create_dir_all(at("a/deep")).unwrap();
        fs::create_dir_all(at("target/debug")).unwrap();
        fs::create_dir_all(at("hollow")).unwrap();
        for (name, text) in [("a/deep/z", "1"), ("a.txt", "22"), ("a/b", ""), ("Z", "4444"), ("target/debug/x", "no")] {
            fs::write(at(name), text).unwrap();
        }
        std::os::unix::fs::symlink("/", at("link")).unwrap();
        std::os::unix::fs::symlink("nowhere", at("a/broken")).unwrap();
        let walked = walk(root.path(), &["target"]).unwrap();
        // Bytewise: capital letters first, '.' before '/'.
        assert_eq!(names(&walked), ["Z", "a.txt", "a/b", "a/deep/z"]);
        assert_eq!(walked.bytes(), 7);
        let skipped: Vec<_> = walked
            .skipped
            .iter()
            .map(|skip| (skip.path.strip_prefix(root.path()).unwrap().to_str().unwrap(), skip.reason))
            .collect();
        assert_eq!(
            skipped,
            [
                ("a/broken", "symbolic link"),
                ("hollow", "empty directory"),
                ("link", "symbolic link"),
                ("target", "left out"),
            ]
        );
        assert_eq!(walk(root.path(), &["target"]).unwrap(), walked, "the same again");
    }

    #[test]
    fn names_that_are_no_text_are_reported() {
        use std::os::unix::ffi::OsStrExt;
        let root = tempfile::tempdir().unwrap();
        fs::write(root.path().join(OsStr::from_bytes(b"bad\xff")), "x").unwrap();
        let walked = walk(root.path(), &[]).unwrap();
        assert!(walked.files.is_empty());
        let skipped = walked.skipped.first().unwrap();
        assert_eq!(skipped.reason, "its name is not UTF-8");
        assert!(!skipped.is_harmless());
    }

    #[test]
    fn a_missing_directory_is_not_found() {
        let failure = walk(Path::new("/nonexistent/directory"), &[]).unwrap_err();
        assert_eq!(failure.kind(), "not_found");
    }
}
