//! Having taken over: the epoch, and what was found.

use crate::checkpoint_store::Content;
use crate::value::{Epoch, Members, Stamp};

/// An epoch that a majority promised, and what is known under it.
#[derive(Debug, Clone)]
pub(super) struct Ballot {
    /// The epoch.
    pub(super) epoch: Epoch,
    /// Values written under it.
    pub(super) count: u64,
    /// The value that counts, as far as is known.
    pub(super) content: Content,
    /// Its stamp; none if nothing was ever written.
    pub(super) stamp: Option<Stamp>,
    /// Who keeps it.
    pub(super) members: Members,
}
