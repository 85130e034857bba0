//! The extension through its tables of functions, as WiredTiger calls it: with a connection that is made of tables too, in the layouts
//! of 11.3.1 and 12.0.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::panic,
    clippy::undocumented_unsafe_blocks,
    clippy::disallowed_methods,
    unreachable_pub,
    reason = "this is all test code; clippy.toml exempts only what stands in test functions"
)]

mod exports;
mod mock;
mod requests;
mod tables;
mod valgrind;
