//! Real WiredTiger 11.3.1 on the extension, on every back end: what `tests/python/scenarios.py` does, driven from here.
//!
//! `tests/setup` builds WiredTiger from PyPI the first time. The servers are those of `localstack run`.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::panic,
    clippy::print_stdout,
    clippy::disallowed_methods,
    reason = "this is all test code; clippy.toml exempts only what stands in test functions"
)]

mod backend;
mod crash;
mod examples;
mod faults;
mod python;
mod refusals;
mod scenarios;
mod settings;
