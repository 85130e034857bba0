//! What comes back.

use std::net::IpAddr;

use bytes::Bytes;
use http::{HeaderMap, Version};

/// An answer, whole.
#[derive(Debug, Clone)]
pub struct Answer {
    /// What was spoken: HTTP/1.1, or HTTP/2.
    pub version: Version,
    /// HTTP status.
    pub status: u16,
    /// Headers.
    pub headers: HeaderMap,
    /// The body; empty where it was not to be read.
    pub body: Bytes,
}

/// Why there is no answer.
#[derive(Debug, Clone, thiserror::Error)]
#[non_exhaustive]
pub enum WireError {
    /// The name leads to an address that a store can't have.
    #[error("its name leads to {0}, which can't be a store's address")]
    Forbidden(IpAddr),
    /// No connection.
    #[error("it can't be reached: {0}")]
    Unreachable(String),
    /// The connection ended, or what came is no HTTP.
    #[error("the connection failed: {0}")]
    Broken(String),
    /// The body is longer than allowed.
    #[error("its answer is longer than {0} bytes")]
    TooLarge(usize),
}
