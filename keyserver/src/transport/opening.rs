//! From an address to the transport that reaches it.

use std::sync::Arc;
use std::time::Duration;

use plastron_sources::clock::Clock;

use super::{HttpTransport, Protocol, ReplicaAddress, Transport};
use crate::Result;
use crate::tls::ClientTls;

/// The replica at `address`, by what is spoken there. No call takes longer than `deadline`. An `https://` or `grpcs://` address is trusted and shown what `tls` says, and cannot be reached
/// without it.
///
/// # Errors
/// `Invalid` for a `grpc://` address where the crate was built without the feature `grpc`.
pub fn open(
    address: &ReplicaAddress,
    clock: Arc<dyn Clock>,
    deadline: Duration,
    tls: Option<ClientTls>,
) -> Result<Arc<dyn Transport>> {
    match address.protocol() {
        Protocol::Http => {
            let replica = HttpTransport::new(&address.to_string(), clock, deadline);
            Ok(match tls {
                Some(tls) => Arc::new(replica.with_tls(tls)),
                None => Arc::new(replica),
            })
        }
        #[cfg(feature = "grpc")]
        Protocol::Grpc => Ok(Arc::new(super::GrpcTransport::new(address, clock, deadline, tls)?)),
        #[cfg(not(feature = "grpc"))]
        Protocol::Grpc => Err(crate::Error::Invalid {
            what: "address of a replica",
            why: format!(
                "{address} is spoken to by gRPC, which this program was built without; use http:// or https://"
            ),
        }),
    }
}
