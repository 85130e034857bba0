//! What the demo stores.

use std::path::{Path, PathBuf};

use crate::failure::{Failure, Result};
use crate::walk::{Walk, walk};

/// What of a checkout is no source: history and build products.
const LEFT_OUT: [&str; 2] = [".git", "target"];

/// A directory and the files in it.
#[derive(Debug)]
pub(crate) struct Input {
    /// The directory.
    pub(crate) directory: PathBuf,
    /// What is in it.
    pub(crate) walk: Walk,
    /// Whether it is a checkout, of which history and build products are left out.
    pub(crate) checkout: bool,
}

impl Input {
    /// The directory that was given, whole or as the `checkout` that it is, or the checkout around the current directory. Blocking.
    pub(crate) fn find(given: Option<PathBuf>, checkout: bool) -> Result<Self> {
        let (directory, checkout) = match given {
            Some(directory) => (directory, checkout),
            None => {
                let here = std::env::current_dir().map_err(|error| Failure::local("find", Path::new("."), &error))?;
                let found = around(&here).ok_or_else(|| {
                    Failure::usage(
                        "this is no checkout (no parent has .git or Cargo.toml): say what to store with --input DIR",
                    )
                })?;
                (found.to_owned(), true)
            }
        };
        let walk = walk(&directory, if checkout { &LEFT_OUT } else { &[] })?;
        if walk.files.is_empty() {
            return Err(Failure::usage(format!("there is no file to store in {}", directory.display())));
        }
        Ok(Self { directory, walk, checkout })
    }
}

/// The outermost directory of a workspace or repository: `.git` wins over a nearer `Cargo.toml`, which may be a member's.
fn around(here: &Path) -> Option<&Path> {
    let with = |name: &str| here.ancestors().find(|directory| directory.join(name).exists());
    with(".git").or_else(|| with("Cargo.toml"))
}

#[cfg(test)]
mod tests {
    use std::fs;

    use super::*;

    #[test]
    fn a_checkout_is_found_from_within() {
        let root = tempfile::tempdir().unwrap();
        fs::create_dir_all(root.path().join("member/src")).unwrap();
        fs::write(root.path().join("member/Cargo.toml"), "").unwrap();
        let here = root.path().join("member/src");
        assert_eq!(around(&here), Some(root.path().join("member").as_path()));
        fs::create_dir(root.path().join(".git")).unwrap();
        assert_eq!(around(&here), Some(root.path()));
    }

    #[test]
    fn an_empty_directory_is_refused() {
        let root = tempfile::tempdir().unwrap();
        let failure = Input::find(Some(root.path().to_owned()), false).unwrap_err();
        assert_eq!(failure.kind(), "invalid");
    }
}
