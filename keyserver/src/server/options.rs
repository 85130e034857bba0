//! How a replica is served.

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use plastron_sources::clock::Clock;

use crate::tls::ServerTls;

/// How a replica is served.
#[derive(Debug, Clone)]
#[non_exhaustive]
pub struct ServerOptions {
    /// Where it listens.
    pub address: SocketAddr,
    /// Whether an address that others reach is fine, although nothing is encrypted; it is not unless that is said.
    pub plaintext: bool,
    /// The most connections at once, idle ones and those in their handshake too. Who comes when all are taken waits until one is closed.
    pub most_connections: usize,
    /// The most requests at once, besides streams.
    pub most_requests: usize,
    /// The most verifiers at once.
    pub most_streams: usize,
    /// The most requests a second from one address; none for no limit.
    pub most_per_second: Option<u32>,
    /// How long a request can take.
    pub deadline: Duration,
    /// How long whoever is connected can take for each of these: the handshake; to begin a request and finish its headers; its body; and without taking anything
    /// of an answer. Then the connection is closed.
    pub client_timeout: Duration,
    /// TLS; none to encrypt nothing.
    pub tls: Option<ServerTls>,
    /// Time.
    pub clock: Arc<dyn Clock>,
}

impl ServerOptions {
    /// Below what a process may have in open files by default, which is 1,024 on most systems.
    pub const MOST_CONNECTIONS: usize = 512;
    /// [`client_timeout`](Self::client_timeout), if nothing else is said.
    pub const CLIENT_TIMEOUT: Duration = Duration::from_secs(10);

    /// At that address: 512 connections, 1,024 requests, 64 verifiers, 30 seconds for a request, 10 for a client, nothing encrypted.
    pub fn new(address: SocketAddr, clock: Arc<dyn Clock>) -> Self {
        Self {
            address,
            plaintext: false,
            most_connections: Self::MOST_CONNECTIONS,
            most_requests: 1024,
            most_streams: 64,
            most_per_second: None,
            deadline: Duration::from_secs(30),
            client_timeout: Self::CLIENT_TIMEOUT,
            tls: None,
            clock,
        }
    }
}
