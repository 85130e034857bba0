//! A verifier: replays every change and every head, signs what is right, and keeps evidence of what is not.
//!
//! It has a database of its own, with the same tables as a replica's but no names and profiles. What it has taken in is on disk before it goes on, so that it
//! goes on anywhere after a crash; heads that it has found right and could not bring to a replica it brings again. It believes nobody: changes keep the
//! rules, heads chain, bear a quorum of replicas, and have the root that follows.

mod realm_verifier;
mod replay;

pub use realm_verifier::{Progress, Verifier, VerifierOptions};
