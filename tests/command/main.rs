//! The `plastron` command as scripts see it: the real binary, its streams and its exit codes, on directories and in memory.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::panic,
    reason = "this is all test code; clippy.toml exempts only what stands in test functions"
)]

#[cfg(feature = "keyserver")]
mod audit;
mod bench;
mod codes;
mod database;
mod demo;
mod files;
mod help;
mod interrupt;
mod json;
mod ranges;
mod run;
mod safety;
mod secrets;
mod server;
