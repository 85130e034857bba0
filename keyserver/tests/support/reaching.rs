//! A replica over the network, by each way that there is.

use std::sync::Arc;
use std::time::Duration;

use plastron_keyserver::tls::ClientTls;
use plastron_keyserver::transport::{ReplicaAddress, Transport, open};
use plastron_sources::clock::SystemClock;

/// Long for a machine, however busy.
pub const DEADLINE: Duration = Duration::from_secs(60);

/// The replica at that address, with its scheme.
pub fn reach(address: &str, tls: Option<ClientTls>) -> Arc<dyn Transport> {
    open(&ReplicaAddress::parse(address).unwrap(), Arc::new(SystemClock), DEADLINE, tls).unwrap()
}
