//! A client with a bounded number of connections.
//!
//! Nothing here has a deadline of its own: callers put one around [`send`](HttpClient::send), and dropping it closes the connection that it used. A request
//! on a connection that was idle, and that the other side has closed meanwhile, is sent once more on a new one if its method is idempotent.
//! For others the caller is told that nobody knows: the other side may have done it before it went away, and only who asked can tell what doing it twice means.

use std::collections::{HashMap, VecDeque};
use std::net::{IpAddr, SocketAddr};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use bytes::Bytes;
use http::Request;
use plastron_sources::clock::{Clock, SystemClock};
use rustls_pki_types::ServerName;
use tokio::net::TcpStream;
use tokio::sync::Semaphore;
use tokio_rustls::TlsConnector;

use super::answer::{Answer, WireError};
use super::connection::{Connection, Duplex, Failure};
use super::resolver::{Resolver, SystemResolver};
use super::tls::trouble;
use crate::address::may_be_store;
use crate::storage_url::{Origin, Scheme};

/// How long a connection is kept that nobody uses. Below what servers keep theirs open for.
const MAX_IDLE: Duration = Duration::from_secs(15);

/// Which addresses may be connected to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum AddressRule {
    /// Those that a store can have.
    Stores,
    /// Any: the caller's own configuration names them.
    Any,
}

/// How a client is made.
#[derive(Debug, Clone)]
#[non_exhaustive]
pub struct HttpClientOptions {
    /// Connections at a time.
    pub max_connections: usize,
    /// Which addresses may be connected to.
    pub rule: AddressRule,
    /// Who knows addresses.
    pub resolver: Arc<dyn Resolver>,
    /// The clock.
    pub clock: Arc<dyn Clock>,
    /// Whom to trust.
    pub tls: Arc<rustls::ClientConfig>,
}

impl HttpClientOptions {
    /// 128 connections to any address, by the machine's own resolver and clock.
    pub fn new(tls: Arc<rustls::ClientConfig>) -> Self {
        let (resolver, clock) = (Arc::new(SystemResolver), Arc::new(SystemClock));
        Self { max_connections: 128, rule: AddressRule::Any, resolver, clock, tls }
    }
}

#[derive(Debug)]
struct Idle {
    connection: Connection,
    since: Duration,
}

/// The client. Cheap to clone.
#[derive(Debug, Clone)]
pub struct HttpClient(Arc<Inner>);

#[derive(Debug)]
struct Inner {
    options: HttpClientOptions,
    slots: Arc<Semaphore>,
    idle: Mutex<HashMap<Origin, VecDeque<Idle>>>,
}

impl HttpClient {
    /// A client without connections.
    pub fn new(options: HttpClientOptions) -> Self {
        let slots = Arc::new(Semaphore::new(options.max_connections.clamp(1, Semaphore::MAX_PERMITS)));
        Self(Arc::new(Inner { options, slots, idle: Mutex::default() }))
    }

    /// Sends `request`, whose URI is a path and whose `Host` is set here, and reads an answer with a body of `limit` bytes at the most.
    ///
    /// # Errors
    /// A [`WireError`].
    pub async fn send(&self, origin: &Origin, request: Request<Bytes>, limit: usize) -> Result<Answer, WireError> {
        let slot = self.0.slots.acquire().await;
        let _slot = slot.map_err(|error| WireError::Unreachable(error.to_string()))?;
        if let Some(mut connection) = self.take_idle(origin) {
            match connection.exchange(origin, &request, limit).await {
                // It was closed meanwhile, as connections are that nobody uses.
                Err(Failure::Closed(_)) if request.method().is_idempotent() => {}
                Err(failure) => return Err(failure.into()),
                Ok(answer) => {
                    self.keep(origin, connection);
                    return Ok(answer);
                }
            }
        }
        let mut connection = Connection::new(self.connect(origin).await?);
        let answer = connection.exchange(origin, &request, limit).await?;
        self.keep(origin, connection);
        Ok(answer)
    }

    /// Sends `request` on a connection of its own, and gives the answer to be read as it comes.
    ///
    /// # Errors
    /// A [`WireError`].
    #[cfg(feature = "etcd")]
    pub async fn begin(
        &self,
        origin: &Origin,
        request: Request<Bytes>,
    ) -> Result<super::stream::HttpStream, WireError> {
        let slot = Arc::clone(&self.0.slots).acquire_owned().await;
        let slot = slot.map_err(|error| WireError::Unreachable(error.to_string()))?;
        super::stream::HttpStream::begin(self.connect(origin).await?, origin, request, slot).await
    }

    fn take_idle(&self, origin: &Origin) -> Option<Connection> {
        let now = self.0.options.clock.monotonic();
        let mut idle = self.0.idle.lock().unwrap_or_else(PoisonError::into_inner);
        let all = idle.get_mut(origin)?;
        // The one that was used last is the likeliest to be open still; the oldest are in front.
        while let Some(Idle { mut connection, since }) = all.pop_back() {
            if now.saturating_sub(since) < MAX_IDLE && connection.is_ready() {
                return Some(connection);
            }
        }
        idle.remove(origin);
        None
    }

    /// Keeps a connection for the next one, if it is fit for it.
    fn keep(&self, origin: &Origin, connection: Connection) {
        if !connection.is_clean() {
            return;
        }
        let since = self.0.options.clock.monotonic();
        let mut idle = self.0.idle.lock().unwrap_or_else(PoisonError::into_inner);
        let all = match idle.get_mut(origin) {
            Some(all) => all,
            None => idle.entry(origin.clone()).or_default(),
        };
        // Those that nobody needs any more go one after the other, as others come back.
        while all.pop_front_if(|oldest| since.saturating_sub(oldest.since) >= MAX_IDLE).is_some() {}
        if all.len() < self.0.options.max_connections {
            all.push_back(Idle { connection, since });
        }
    }

    async fn connect(&self, origin: &Origin) -> Result<Box<dyn Duplex>, WireError> {
        let stream = self.stream(origin).await?;
        if origin.scheme == Scheme::Http {
            return Ok(Box::new(stream));
        }
        let unreachable = |error: &dyn std::fmt::Display| WireError::Unreachable(error.to_string());
        let name = ServerName::try_from(origin.host.clone()).map_err(|error| unreachable(&error))?;
        let connector = TlsConnector::from(Arc::clone(&self.0.options.tls));
        Ok(Box::new(connector.connect(name, stream).await.map_err(|error| unreachable(&trouble(&error)))?))
    }

    /// Connects to the first address that answers, of those that were checked.
    async fn stream(&self, origin: &Origin) -> Result<TcpStream, WireError> {
        let options = &self.0.options;
        let addresses = match origin.host.parse::<IpAddr>() {
            Ok(address) => vec![address],
            Err(_) => {
                let found = options.resolver.resolve(&origin.host).await;
                found.map_err(|error| WireError::Unreachable(format!("its name can't be resolved: {error}")))?
            }
        };
        if options.rule == AddressRule::Stores {
            // One that is forbidden spoils the others: whoever mixes them is up to something.
            if let Some(bad) = addresses.iter().find(|address| !may_be_store(**address, origin.named_by())) {
                return Err(WireError::Forbidden(*bad));
            }
        }
        let mut last = WireError::Unreachable("its name has no address".to_owned());
        for address in addresses {
            match TcpStream::connect(SocketAddr::new(address, origin.port)).await {
                Ok(stream) => {
                    // Small requests wait for nothing.
                    stream.set_nodelay(true).map_err(|error| WireError::Unreachable(error.to_string()))?;
                    return Ok(stream);
                }
                Err(error) => last = WireError::Unreachable(error.to_string()),
            }
        }
        Err(last)
    }
}

#[cfg(test)]
#[path = "client_test.rs"]
mod test;
