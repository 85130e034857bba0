//! One opened bucket.
//!
//! [`Bucket`] is the public handle; [`OpenBucket`] is what all handles of one opening share: the source, its names, its counters,
//! the proof that the store honours conditional creates, and the clean-up of abandoned uploads. The operations themselves live
//! beside this folder: `create/`, `read/`, `list/`, `probe/`.

mod delete;
mod handle;
mod open_bucket;
mod opening;

pub use handle::Bucket;
pub(crate) use open_bucket::{Found, OpenBucket};
pub(crate) use opening::{open_source, prove_bucket};
