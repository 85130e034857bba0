//! A loadable extension that lets WiredTiger keep its tiered tables in a cloud bucket.
//!
//! The shared library exports one symbol, `wiredtiger_extension_init`, and registers the storage sources `dir_store`, `s3_store`,
//! `azure_store` and `gcp_store`, so that today's configuration strings work unchanged:
//!
//! ```text
//! extensions=["/abs/libplastron_wiredtiger.so"=(config="(verbose=0)")],
//! tiered_storage=(name=s3_store,bucket="b;ap-southeast-2",bucket_prefix="pfx_",auth_token="AK;SK",cache_directory=cache)
//! ```
//!
//! It needs no header and no library of WiredTiger's: everything goes through tables of functions ([`abi`]), whose layouts in 11.3.1
//! and 12.0 are asserted at compile time and told apart at run time.
//!
//! # Invariants
//! * No panic and no unwinding crosses the boundary: every entry point catches and maps (`extension::Extension::enter`).
//! * Every pointer argument is checked for NULL, every pointer to one of our structures is looked up before it is followed, except in
//!   reads, sizes and locks of an open file, where WiredTiger's own contract (no use after close) has to do.
//! * Nothing is printed but through WiredTiger's message system.
//! * No `SIGPIPE` reaches the program when a server closes a connection (`sigpipe`).
//! * `ENOENT` means a missing object (or a missing local file in a flush), never a missing bucket.

#![deny(unsafe_op_in_unsafe_fn)]

pub mod abi;
mod bucket;
mod extension;
mod failure;
mod file_handle;
mod file_system;
mod init;
mod live;
mod load_options;
mod messages;
mod patience;
mod sigpipe;
mod storage_source;
mod strings;

pub use failure::{Failure, errno_of};
pub use init::wiredtiger_extension_init;
pub use load_options::LoadOptions;
