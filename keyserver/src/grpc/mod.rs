//! The interface by gRPC: its messages, and what they are here.
//!
//! `keyserver/proto/keyserver.proto` says what is sent, and is for programs in any language; the code that follows from it is checked in, and a test compares the two. What is hashed
//! or signed keeps its one encoding, as bytes within.
//!
//! Invariant: whatever is accepted from a message here is accepted by the decoder of the framed form, too, so that nothing can come into the log by one interface that could
//! not by the other.
//!
//! The server is in [`server`](crate::server), the client is [`GrpcTransport`](crate::transport::GrpcTransport).

mod answers;
mod codes;
mod pieces;
mod requests;

pub(crate) use codes::{KIND, error_of, status_of, too_large};
pub(crate) use pieces::{asked, body_of};

/// All of it.
#[allow(clippy::all, clippy::indexing_slicing, missing_docs, rustdoc::all, unreachable_pub, reason = "generated")]
mod generated {
    include!("generated.rs");
}

pub use generated::*;

impl std::fmt::Debug for RegisterRequest {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("RegisterRequest").field("update", &self.update).field("token", &"[secret]").finish()
    }
}
