//! The service: `plastron-ickpt serve`.
//!
//! A call passes these gates, one after the other: method, headers, allow list, token, body; the caller's own token must let it read the object in the
//! store, and write it where something is to change; then the engine decides. Nothing is held while a store is asked but the connection.

mod authorizer;
mod handler;
mod headers;
mod listener;
mod metrics;
mod patience;
mod running;
mod token;

pub use running::{Running, Service, Stopper};
pub use token::Token;
