//! The example and test module: it keeps the whole contract, checks every state, and makes its keys of a seed, so that a run can be repeated
//! to the byte. **Whoever knows the seed has the keys**; it protects nothing.
//!
//! `key_expires` is that of WiredTiger's example key provider: `-1`, a key lasts for ever; `0`, every checkpoint gets a new one; else
//! the seconds that it lasts.

mod blob;
mod module;

pub(crate) use blob::MockBlob;
pub(crate) use module::MockFactory;
pub use module::MockModule;
