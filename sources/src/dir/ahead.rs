//! Bytes that are written before their object is created, so that a create which somebody waits for has little left to write.
//!
//! They go to the temporary file that the create then gives its name ([`create`](super::create)), and on to the disk at once: what
//! the create's `fsync` has to wait for is what came last. Nothing is promised before that `fsync`, which tells of every write that
//! failed, whoever started it. A file that no create takes vanishes as every temporary file does.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use bytes::Bytes;
use object_store::path::Path;

use super::blocking::drop_elsewhere;
use super::name::{Location, locate};
use super::staging::Staged;
use super::tree::Tree;
use crate::error::Fault;

/// Where bytes can be written ahead of their object.
#[derive(Debug, Clone)]
pub(crate) struct WritesAhead(Arc<Tree>);

/// The beginning of one object. Clones are the same.
#[derive(Debug, Clone)]
pub(crate) struct AheadFile(Arc<Inner>);

#[derive(Debug)]
struct Inner {
    tree: Arc<Tree>,
    name: Path,
    location: Location,
    /// Until it is dropped.
    staged: Option<Staged>,
    /// Bytes in it, without gaps.
    written: AtomicU64,
}

impl Drop for Inner {
    fn drop(&mut self) {
        // Closing a large file without a name frees its blocks, which can take long.
        if let Some(staged) = self.staged.take() {
            drop_elsewhere(staged);
        }
    }
}

impl WritesAhead {
    pub(super) fn new(tree: Arc<Tree>) -> Self {
        Self(tree)
    }

    /// Begins an object at `name`; blocks.
    ///
    /// # Errors
    /// As those of a create.
    pub(crate) fn begin(&self, name: &Path) -> Result<AheadFile, Fault> {
        let (tree, location) = (Arc::clone(&self.0), locate(name)?);
        let staged = Some(tree.stage(name, &location)?);
        Ok(AheadFile(Arc::new(Inner { tree, name: name.clone(), location, staged, written: AtomicU64::new(0) })))
    }
}

impl AheadFile {
    /// Writes `pieces` behind what is there; blocks. One call at a time.
    ///
    /// # Errors
    /// What the file system says; then what is there is as before.
    pub(crate) fn write(&self, pieces: &[Bytes]) -> Result<(), Fault> {
        let Inner { tree, location, staged: Some(staged), written, .. } = &*self.0 else { return Ok(()) };
        let offset = written.load(Ordering::Acquire);
        let length: u64 = pieces.iter().map(|piece| piece.len() as u64).sum();
        staged.write(pieces, offset).map_err(|errno| tree.failed("writing", location, errno))?;
        staged.start_writing_back(offset, length);
        written.store(offset + length, Ordering::Release);
        Ok(())
    }

    /// The file, and how many bytes are in it, if it is one for `name` in `tree`.
    pub(super) fn of(&self, tree: &Tree, name: &Path) -> Option<(&Staged, u64)> {
        let Inner { tree: own, name: its, staged, written, .. } = &*self.0;
        let same = std::ptr::eq(Arc::as_ptr(own), tree) && its == name;
        staged.as_ref().filter(|_| same).map(|staged| (staged, written.load(Ordering::Acquire)))
    }
}
