//! The file system as an engine sees it, on a bucket in memory and in a directory, without a cache, with one in memory, and with
//! one on disk.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::panic,
    reason = "this is all test code; clippy.toml exempts only what stands in test functions"
)]

mod blocking;
mod creating;
mod reading;
mod setting;
mod store;
mod threads;
