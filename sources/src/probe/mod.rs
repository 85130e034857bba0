//! What a store must be able to do, tried out.
//!
//! [`prove_creates`] is the short version that every bucket goes through before its first write: does the store refuse to create
//! an object that exists, in one request and in parts? All guarantees stand on that, and there are stores that ignore the
//! condition without a word. [`ProbeReport`] is the long version for people (`plastron probe`).
//!
//! Both write under `_plastron/probe/<random>` and remove what they made.

mod checks;
mod report;
mod row;

pub(crate) use checks::prove_creates;
pub use report::ProbeReport;
pub use row::{ProbeCheck, ProbeOutcome, ProbeRow};

#[cfg(test)]
mod probe_test;
