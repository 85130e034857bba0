//! Opening a directory as a bucket, and proving that its file system can carry one.
//!
//! A relative path is taken from the current directory, once; `~` is not expanded, shells do that. A directory that does not exist is
//! created if its parent exists and the bucket is opened for writing. A bucket opened for reading is not touched at all.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use object_store::list::PaginatedListStore;
use rustix::fs::{AtFlags, CWD, Mode, fsync, mkdirat, openat, unlinkat};
use rustix::io::Errno;

use super::blocking::elsewhere;
use super::directories::Directory;
use super::fault::fault;
use super::name::TEMPORARY;
use super::root::{Root, directory_flags, lookup};
use super::staging::{ATTRIBUTE, SUFFIX, Staged, Staging};
use super::store::DirStore;
use super::tree::Tree;
use crate::clock::Entropy;
use crate::error::Fault;
use crate::options::BucketOptions;
use crate::source::{LargeCreate, Provider, Source};
use crate::stats::Stats;

/// The attribute that is tried out, bytes: more than any object's checksums take (`docs/src/formats/checksums.md`).
const ATTRIBUTE_PROBE: usize = 2048;

/// The least and the most that is read in one go whatever `part_size` says, bytes.
const READ_MIN: u64 = 1 << 20;
const READ_MAX: u64 = 64 << 20;

/// Opens the directory `options.bucket`.
///
/// # Errors
/// [`Fault::NoSuchBucket`], [`Fault::Config`], [`Fault::Incapable`], or what the file system says.
pub(crate) async fn open(options: &BucketOptions, stats: Arc<Stats>) -> Result<Source, Fault> {
    let (readonly, part_size) = (options.readonly, options.part_size.clamp(READ_MIN, READ_MAX));
    let (bucket, clock, entropy) = (options.bucket.clone(), Arc::clone(&options.clock), Arc::clone(&options.entropy));
    let opening = elsewhere(move || {
        let path = absolute(&bucket)?;
        let (root, staging) = prepare(&path, readonly, entropy.as_ref())?;
        Ok((path, Arc::new(Tree::new(root, staging, clock, entropy))))
    });
    let opened: Result<_, Fault> =
        opening.await.map_err(|stopped| Fault::io("opening the bucket", std::io::Error::other(stopped)))?;
    let (path, tree) = opened?;
    if !readonly {
        tree.sweep_in_background();
    }
    let store = Arc::new(DirStore::new(tree, readonly, part_size, stats));
    let (ahead, pages): (_, Arc<dyn PaginatedListStore>) = (store.ahead(), store.clone());
    let address = format!("file://{}", path.display());
    let quirks = Arc::default();
    Ok(Source {
        provider: Provider::Dir,
        store,
        pages: Some(pages),
        quirks,
        address,
        large_create: LargeCreate::Native,
        ahead: Some(ahead),
    })
}

fn absolute(bucket: &str) -> Result<PathBuf, Fault> {
    if bucket.is_empty() {
        return Err(Fault::Config(
            "bucket= names no directory; give its path, such as bucket=\"/data/bucket\"".to_owned(),
        ));
    }
    if bucket.contains('\0') {
        return Err(Fault::Config("the directory's path holds a NUL character".to_owned()));
    }
    std::path::absolute(bucket).map_err(|source| Fault::io("finding the current directory", source))
}

/// Opens the directory and finds out how files are staged in it.
pub(super) fn prepare(path: &Path, readonly: bool, entropy: &dyn Entropy) -> Result<(Root, Staging), Fault> {
    let root = match Root::open(path) {
        Err(Errno::NOENT) if readonly => return Err(Fault::NoSuchBucket),
        Err(Errno::NOENT) => create(path)?,
        Err(Errno::NOTDIR) => {
            return Err(Fault::Config(format!(
                "{} is not a directory, or something on the way to it is not",
                path.display()
            )));
        }
        root => root.map_err(|errno| fault("opening", path, errno))?,
    };
    let staging = if readonly { Staging::Unnamed } else { prove(&root, entropy)? };
    Ok((root, staging))
}

/// Creates the bucket's directory in one that exists, durably.
fn create(path: &Path) -> Result<Root, Fault> {
    let failed = |errno| fault("creating the directory", path, errno);
    let Some(parent) = path.parent() else { return Err(Fault::NoSuchBucket) };
    let parent = match openat(CWD, parent, directory_flags() & !rustix::fs::OFlags::NOFOLLOW, Mode::empty()) {
        Err(Errno::NOENT) if path.components().any(|component| component.as_os_str() == "~") => {
            return Err(Fault::Config(format!(
                "{} does not exist; ~ is not expanded here: write the home directory out",
                path.display()
            )));
        }
        Err(Errno::NOENT | Errno::NOTDIR) => return Err(Fault::NoSuchBucket),
        parent => parent.map_err(failed)?,
    };
    match mkdirat(CWD, path, Mode::from_raw_mode(0o777)) {
        Ok(()) | Err(Errno::EXIST) => {}
        Err(errno) => return Err(failed(errno)),
    }
    fsync(&parent).map_err(failed)?;
    Root::open(path).map_err(|errno| fault("opening", path, errno))
}

/// Proves that files can be created with an attribute and be linked, and finds out whether they need a name before.
fn prove(root: &Root, entropy: &dyn Entropy) -> Result<Staging, Fault> {
    let temporary = make_temporary(root)?;
    let shown = root.show(TEMPORARY);
    let base = lookup(root.fd(), "_plastron").map_err(|errno| fault("looking for", &shown, errno))?;
    if lookup(root.fd(), "_PLASTRON").is_ok_and(|other| other.st_ino == base.st_ino) {
        return Err(Fault::Incapable(format!(
            "{} is on a file system that takes upper and lower case for the same, so that different objects would share a file; \
             put the bucket on one that does not",
            root.show("").display()
        )));
    }
    let random = || u128::from(entropy.next_u64()) << 64 | u128::from(entropy.next_u64());
    let entry = format!("{:032x}{SUFFIX}", random());
    let unnamed = Staged::unnamed(&temporary).and_then(|staged| {
        staged.set_attribute(&"0".repeat(ATTRIBUTE_PROBE))?;
        staged.link(&temporary, &entry)
    });
    if unnamed.is_ok() {
        unlinkat(&temporary, &entry, AtFlags::empty()).map_err(|errno| fault("removing a file in", &shown, errno))?;
        return Ok(Staging::Unnamed);
    }
    let temporary = Arc::new(temporary);
    let staged = Staged::named(Arc::clone(&temporary), random())
        .map_err(|errno| fault("creating a temporary file in", &shown, errno))?;
    staged.set_attribute(&"0".repeat(ATTRIBUTE_PROBE)).map_err(|errno| match errno {
        Errno::OPNOTSUPP | Errno::PERM | Errno::NOSPC | Errno::TOOBIG | Errno::RANGE => Fault::Incapable(format!(
            "the file system of {} does not keep extended attributes of {ATTRIBUTE_PROBE} bytes ({ATTRIBUTE}: {errno}), and checksums \
             are kept there; use ext4, XFS, Btrfs, ZFS or tmpfs (Linux 6.6 or later), mounted with user_xattr where that is an option, \
             or open the bucket with readonly=true",
            root.show("").display()
        )),
        errno => fault("setting an extended attribute in", &shown, errno),
    })?;
    staged.link(&temporary, &entry).map_err(|errno| match errno {
        Errno::OPNOTSUPP | Errno::PERM | Errno::NOSYS | Errno::MLINK => Fault::Incapable(format!(
            "the file system of {} has no hard links ({errno}), by which objects get their names; use ext4, XFS, Btrfs, ZFS or tmpfs, \
             or open the bucket with readonly=true",
            root.show("").display()
        )),
        errno => fault("linking a file in", &shown, errno),
    })?;
    unlinkat(&temporary, &entry, AtFlags::empty()).map_err(|errno| fault("removing a file in", &shown, errno))?;
    Ok(Staging::Named)
}

/// The directory of temporary files, made if it is not there. It need not be durable.
fn make_temporary(root: &Root) -> Result<Directory, Fault> {
    let failed = |errno| fault("creating the directory", &root.show(TEMPORARY), errno);
    let mut opened = Directory::open(root, TEMPORARY);
    if let Err(Errno::NOENT) = opened {
        for path in ["_plastron", TEMPORARY] {
            match mkdirat(root.fd(), path, Mode::from_raw_mode(0o777)) {
                Ok(()) | Err(Errno::EXIST) => {}
                Err(errno) => return Err(failed(errno)),
            }
        }
        opened = Directory::open(root, TEMPORARY);
    }
    opened.map_err(failed)
}
