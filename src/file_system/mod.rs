//! The write-once-read-many view of a bucket that an engine works with.
//!
//! A [`FileSystem`] stands on a bucket and, if there is one, on the local cache. It adds no state of its own to either: what it
//! promises about creating, visibility and reading is what the bucket promises (`docs/src/semantics.md`), and a file system without
//! a cache behaves like one with it, only slower.
//!
//! * A file is created by [`FileSystem::put`], [`FileSystem::put_file`] or a [`FileWriter`]; it is visible from the moment one of
//!   them has returned success, to everyone, and never before.
//! * A [`FileHandle`] learns size and etag once, when it is opened. It is shared freely between threads and tasks, and reads by
//!   range: asynchronously, or blocking on a plain thread. A block that the cache has in memory or on disk is copied on the
//!   calling thread, without a word to the runtime.
//! * Nothing changes a file in place. Calls that would are there, for engines whose interface has them, and always fail with
//!   `Unsupported`.

mod caching;
#[allow(clippy::module_inception, reason = "the folder is named after its main type")]
mod file_system;
mod handle;
mod spans;
pub(crate) mod waiting;
mod writer;

pub use file_system::FileSystem;
pub use handle::FileHandle;
pub use writer::FileWriter;
