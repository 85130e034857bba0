//! Databases over each registry, from store strings: leaders and takeovers, followers, history, clones, garbage; and what is refused.
//!
//! `ickpt` is three instances in this process with a stand-in for their store; etcd is a real one.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::panic,
    reason = "a test says what it expects by failing"
)]

mod databases;
mod etcd_tls;
mod etcd_users;
mod ground;
mod mixed_up;
mod one_etcd;
