//! One opened directory bucket, as blocking operations.
//!
//! Creation is in `create`, reading in `read`, removal in `remove`, listing in `list`; the `object_store` face on top of all is
//! [`super::store::DirStore`], which calls everything here on blocking threads.

use std::sync::Arc;

use super::directories::Directories;
use super::immediate::Immediate;
use super::root::Root;
use super::staging::Staging;
use crate::buffers::Buffers;
use crate::clock::{Clock, Entropy};

/// An opened bucket.
#[derive(Debug)]
pub(super) struct Tree {
    pub(super) root: Arc<Root>,
    pub(super) directories: Directories,
    pub(super) staging: Staging,
    pub(super) immediate: Immediate,
    pub(super) buffers: Arc<Buffers>,
    pub(super) clock: Arc<dyn Clock>,
    pub(super) entropy: Arc<dyn Entropy>,
}

impl Tree {
    /// The bucket in `root`, whose file system offers `staging`.
    pub(super) fn new(root: Root, staging: Staging, clock: Arc<dyn Clock>, entropy: Arc<dyn Entropy>) -> Self {
        let root = Arc::new(root);
        let (directories, immediate) = (Directories::new(Arc::clone(&root)), Immediate::new(&root));
        Self { root, directories, staging, immediate, buffers: Arc::default(), clock, entropy }
    }
}
