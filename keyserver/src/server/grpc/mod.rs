//! gRPC, within the bounds that HTTP has: the same connections, rates, sizes, deadlines and certificates.

mod calls;
mod front;
mod timeout;
mod verifier_stream;

pub(super) use front::Grpc;
