//! What lies where in the cache directory.
//!
//! ```text
//! <directory>/plastron-cache-v1/
//!     blocks/<first 2 digits>/<digest, 32 hex digits>.<block shift, 2 digits>.<block, hex>     one file per block
//!     users/<16 hex digits>/lock                  held by a process (or cache) that is alive
//!     users/<16 hex digits>/<number>.tmp          its files while they are being written
//!     lock                                        held while somebody enters or the dead are cleared away
//! ```
//!
//! The configured directory may hold other things: nothing outside `plastron-cache-v1` is ever looked at, and nothing inside whose
//! name is not exactly of this form is touched. Directories are created with mode 0700, files with 0600: they hold what the
//! bucket's credentials protect.

use std::fs::{self, DirBuilder};
use std::io;
use std::os::unix::fs::{DirBuilderExt, PermissionsExt};
use std::path::{Path, PathBuf};

/// The one name in the configured directory that is ours; a change of layout gets another.
const ROOT: &str = "plastron-cache-v1";

/// The name of a block's file.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(crate) struct BlockName {
    /// See [`crate::ObjectId`].
    pub(crate) digest: u128,
    /// The base-2 logarithm of the block size, so that blocks of another size can be told apart without opening them.
    pub(crate) shift: u8,
    /// The block's place in the object.
    pub(crate) block: u64,
}

impl BlockName {
    /// The name, without directory.
    fn text(&self) -> String {
        format!("{:032x}.{:02}.{:x}", self.digest, self.shift, self.block)
    }

    /// The name that `text` is, if it is one exactly.
    pub(crate) fn parse(text: &str) -> Option<Self> {
        let mut parts = text.split('.');
        let name = Self {
            digest: u128::from_str_radix(parts.next()?, 16).ok()?,
            shift: parts.next()?.parse().ok()?,
            block: u64::from_str_radix(parts.next()?, 16).ok()?,
        };
        ((12..=24).contains(&name.shift) && name.text() == text).then_some(name)
    }
}

/// The paths of one cache directory.
#[derive(Debug, Clone)]
pub(crate) struct Layout {
    root: PathBuf,
}

impl Layout {
    /// Creates what is missing of `directory`, and of our part of it.
    pub(crate) fn create(directory: &Path) -> io::Result<Self> {
        let layout = Self { root: directory.join(ROOT) };
        layout.restore()?;
        Ok(layout)
    }

    /// Creates what is missing, or what somebody removed. Directories of blocks are made when they are needed: all 256 would
    /// cost a new cache more time than anything else.
    pub(crate) fn restore(&self) -> io::Result<()> {
        create_private(&self.root)?;
        let others = fs::metadata(&self.root)?.permissions().mode() & 0o077;
        if others != 0 {
            fs::set_permissions(&self.root, fs::Permissions::from_mode(0o700))?;
        }
        create_private(&self.users())?;
        create_private(&self.blocks())
    }

    /// Creates the directory of the blocks of the object with `digest`.
    pub(crate) fn create_fan(&self, digest: u128) -> io::Result<()> {
        match DirBuilder::new().mode(0o700).create(self.fan(Self::fan_of(digest))) {
            Err(error) if error.kind() != io::ErrorKind::AlreadyExists => Err(error),
            _ => Ok(()),
        }
    }

    /// Where everything of ours is.
    pub(crate) fn root(&self) -> &Path {
        &self.root
    }

    /// The lock under which users come and go.
    pub(crate) fn door(&self) -> PathBuf {
        self.root.join("lock")
    }

    /// The directory of those who use the cache.
    pub(crate) fn users(&self) -> PathBuf {
        self.root.join("users")
    }

    /// The directory of directories of blocks.
    fn blocks(&self) -> PathBuf {
        self.root.join("blocks")
    }

    /// One of the directories of blocks.
    pub(crate) fn fan(&self, fan: u8) -> PathBuf {
        self.blocks().join(format!("{fan:02x}"))
    }

    /// The directories of blocks that exist.
    pub(crate) fn fans(&self) -> io::Result<Vec<u8>> {
        let mut fans = Vec::new();
        for entry in fs::read_dir(self.blocks())? {
            let name = entry?.file_name();
            let fan = name.to_str().and_then(|text| u8::from_str_radix(text, 16).ok());
            fans.extend(fan.filter(|fan| name.to_str() == Some(&format!("{fan:02x}"))));
        }
        Ok(fans)
    }

    /// The directory of the blocks of the object with `digest`.
    pub(crate) fn fan_of(digest: u128) -> u8 {
        (digest >> 120) as u8
    }

    /// Where a block's file is, or would be.
    pub(crate) fn path(&self, name: &BlockName) -> PathBuf {
        let mut path = self.fan(Self::fan_of(name.digest));
        path.push(name.text());
        path
    }
}

fn create_private(path: &Path) -> io::Result<()> {
    DirBuilder::new().recursive(true).mode(0o700).create(path)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn names_read_back(digest: u128, shift in 12u8..=24, block: u64) {
            let name = BlockName { digest, shift, block };
            prop_assert_eq!(BlockName::parse(&name.text()), Some(name));
        }

        #[test]
        fn other_names_are_not_ours(text in "[0-9a-fA-F.+ -]{0,60}") {
            if let Some(name) = BlockName::parse(&text) {
                prop_assert_eq!(name.text(), text);
            }
        }
    }

    #[test]
    fn near_misses() {
        let good = "000102030405060708090a0b0c0d0e0f.18.1f";
        assert!(BlockName::parse(good).is_some());
        for bad in [
            "",
            ".",
            "notes.txt",
            "000102030405060708090A0B0C0D0E0F.18.1f",
            "000102030405060708090a0b0c0d0e0f.18.01f",
            "000102030405060708090a0b0c0d0e0f.18.+1",
            "000102030405060708090a0b0c0d0e0f.25.1f",
            "000102030405060708090a0b0c0d0e0f.18.1f.tmp",
            "0102030405060708090a0b0c0d0e0f.18.1f",
            "000102030405060708090a0b0c0d0e0f.18",
        ] {
            assert_eq!(BlockName::parse(bad), None, "{bad}");
        }
    }

    #[test]
    fn directories_are_private_and_others_are_left_alone() {
        let home = tempfile::tempdir().unwrap();
        let directory = home.path().join("a/cache");
        let layout = Layout::create(&directory).unwrap();
        layout.create_fan(7 << 120).unwrap();
        layout.create_fan(7 << 120).unwrap();
        fs::create_dir(layout.blocks().join("7")).unwrap();
        assert_eq!(layout.fans().unwrap(), [7]);
        for path in [&directory, layout.root(), &layout.users(), &layout.blocks(), &layout.fan(7)] {
            assert_eq!(fs::metadata(path).unwrap().permissions().mode() & 0o777, 0o700, "{}", path.display());
        }
        let shared = home.path().join("shared");
        fs::create_dir(&shared).unwrap();
        fs::set_permissions(&shared, fs::Permissions::from_mode(0o755)).unwrap();
        Layout::create(&shared).unwrap();
        assert_eq!(fs::metadata(&shared).unwrap().permissions().mode() & 0o777, 0o755);
        fs::remove_dir_all(layout.root()).unwrap();
        layout.restore().unwrap();
        assert!(layout.users().is_dir() && layout.fans().unwrap().is_empty());
    }
}
