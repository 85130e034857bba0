//! Secrets are planted wherever a user can put one, everything that can go wrong is made to, and whatever was said is searched.
//!
//! `library.rs` opens stores in this process, with every log line of every library captured; `command.rs` runs the binary, where
//! secrets can be in the environment and in files too. The other end is `server.rs`, which answers with everything it was sent.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::panic,
    reason = "a test says what it expects by failing"
)]

mod command;
mod library;
mod planted;
mod server;
