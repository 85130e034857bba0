//! Connections: accepted up to a limit, each with deadlines for whatever its peer does, each ended when the server stops.
//!
//! Invariants: there are never more than that many; one that says nothing, says it slowly, or does not take its answer is closed, so that it keeps its place for a while
//! only; what is asked on one keeps no other waiting. Whoever answers sees to the deadline of a request's body and of its own work. The service
//! of this crate stands on it, and servers of crates above.

mod awaited;
mod connections;
mod flowing;
mod opening;
mod streams;

pub use connections::{Peer, Serving, serve};
