//! A client with a bounded number of connections.
//!
//! Nothing here has a deadline of its own: callers put one around [`send`](HttpClient::send), and dropping it closes the connection that it used. A request
//! on a connection that was idle, and that the other side has closed meanwhile, is sent once more on a new one if its method is idempotent.
//! For others the caller is told that nobody knows: the other side may have done it before it went away, and only who asked can tell what doing it twice means.
//!
//! A client that may share connections speaks HTTP/1.1 as long as few calls are made to one side at a time, which is the quickest for each, and HTTP/2 for those that
//! are more: then one write carries many of them, which is the cheapest for all. Nothing is asked before the other side has shown that it speaks HTTP/2; if it
//! does not, it is asked by HTTP/1.1.

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
use super::shared::SharedConnection;
use super::sharing::{Running, Sharing};
use super::tls::{HTTP_2, trouble};
use crate::address::may_be_store;
use crate::storage_url::{Origin, Scheme};

/// How long a connection is kept that nobody uses. Below what servers keep theirs open for.
const MAX_IDLE: Duration = Duration::from_secs(15);

/// Shared connections that a call is tried on.
const MAX_TRIES: u32 = 2;
/// Calls at a time from which on it pays to share connections (measured: `plastron-ickpt bench`).
const SHARE_AFTER: usize = 2;

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
    /// Calls at a time; so no more connections either.
    pub max_connections: usize,
    /// Which addresses may be connected to.
    pub rule: AddressRule,
    /// Who knows addresses.
    pub resolver: Arc<dyn Resolver>,
    /// The clock.
    pub clock: Arc<dyn Clock>,
    /// Whom to trust.
    pub tls: Arc<rustls::ClientConfig>,
    /// Calls to one side at a time that have connections of their own, by HTTP/1.1; further ones share some, by HTTP/2. None for no sharing. Stores
    /// are always spoken to by HTTP/1.1.
    pub share_after: Option<usize>,
}

impl HttpClientOptions {
    /// 128 connections to any address, by the machine's own resolver and clock.
    pub fn new(tls: Arc<rustls::ClientConfig>) -> Self {
        let (resolver, clock) = (Arc::new(SystemResolver), Arc::new(SystemClock));
        Self { max_connections: 128, rule: AddressRule::Any, resolver, clock, tls, share_after: None }
    }

    /// As [`new`](Self::new), to instances of the service: shares connections when there are more than a few calls at a time, of which there may be 1,024.
    pub fn to_instances(tls: Arc<rustls::ClientConfig>) -> Self {
        Self { max_connections: 1024, share_after: Some(SHARE_AFTER), ..Self::new(tls) }
    }
}

/// What became of a call that could be shared.
enum Shared {
    Answered(Answer),
    /// It is to be sent by HTTP/1.1.
    Alone(Option<Running>),
}

#[derive(Debug)]
struct Idle {
    connection: Connection,
    since: Duration,
}

/// The client. Cheap to clone.
#[derive(Debug, Clone)]
pub struct HttpClient(pub(super) Arc<Inner>);

#[derive(Debug)]
pub(super) struct Inner {
    options: HttpClientOptions,
    slots: Arc<Semaphore>,
    idle: Mutex<HashMap<Origin, VecDeque<Idle>>>,
    /// Empty if nothing is shared.
    sharing: Mutex<HashMap<Origin, Arc<Sharing>>>,
    /// What shared connections offer when TLS begins.
    tls_sharing: Arc<rustls::ClientConfig>,
}

impl HttpClient {
    /// A client without connections.
    pub fn new(options: HttpClientOptions) -> Self {
        let slots = Arc::new(Semaphore::new(options.max_connections.clamp(1, Semaphore::MAX_PERMITS)));
        let mut tls = (*options.tls).clone();
        tls.alpn_protocols = vec![HTTP_2.to_vec(), b"http/1.1".to_vec()];
        let (idle, sharing, tls_sharing) = (Mutex::default(), Mutex::default(), Arc::new(tls));
        Self(Arc::new(Inner { options, slots, idle, sharing, tls_sharing }))
    }

    /// Sends `request`, whose URI is a path and whose `Host` is set here, and reads an answer with a body of `limit` bytes at the most.
    ///
    /// # Errors
    /// A [`WireError`].
    pub async fn send(&self, origin: &Origin, request: Request<Bytes>, limit: usize) -> Result<Answer, WireError> {
        let slot = self.0.slots.acquire().await;
        let _slot = slot.map_err(|error| WireError::Unreachable(error.to_string()))?;
        let _running = match self.share(origin, &request, limit).await? {
            Shared::Answered(answer) => return Ok(answer),
            Shared::Alone(running) => running,
        };
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
        let mut connection = Connection::new(self.connect(origin, &self.0.options.tls).await?.0);
        let answer = connection.exchange(origin, &request, limit).await?;
        self.keep(origin, connection);
        Ok(answer)
    }

    /// Sends `request` by HTTP/2, if it should be and the other side speaks it.
    async fn share(&self, origin: &Origin, request: &Request<Bytes>, limit: usize) -> Result<Shared, WireError> {
        let options = &self.0.options;
        let after = match options.share_after {
            Some(after) if options.rule == AddressRule::Any => after,
            _ => return Ok(Shared::Alone(None)),
        };
        let sharing = self.sharing(origin);
        let (running, count) = sharing.begin();
        if count <= after {
            return Ok(Shared::Alone(Some(running)));
        }
        let open = || async {
            let (stream, is_second) = self.connect(origin, &self.0.tls_sharing).await?;
            if !is_second && origin.scheme == Scheme::Https {
                return Ok(None);
            }
            SharedConnection::open(stream, origin, &options.clock).await
        };
        let mut tries = 0;
        loop {
            let Some(place) = sharing.place(&options.clock, MAX_IDLE, open).await? else {
                return Ok(Shared::Alone(Some(running)));
            };
            tries += 1;
            match place.exchange(request, limit).await {
                Ok(answer) => return Ok(Shared::Answered(answer)),
                // The connection had ended, and nothing was sent.
                Err(Failure::Closed(_)) if tries < MAX_TRIES => {}
                Err(Failure::Wire(WireError::Broken(_))) if tries < MAX_TRIES && request.method().is_idempotent() => {}
                Err(failure) => return Err(failure.into()),
            }
        }
    }

    fn sharing(&self, origin: &Origin) -> Arc<Sharing> {
        let mut all = self.0.sharing.lock().unwrap_or_else(PoisonError::into_inner);
        match all.get(origin) {
            Some(sharing) => Arc::clone(sharing),
            None => Arc::clone(all.entry(origin.clone()).or_insert_with(|| Arc::new(Sharing::new()))),
        }
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
        super::stream::HttpStream::begin(self.connect(origin, &self.0.options.tls).await?.0, origin, request, slot)
            .await
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

    /// A connection, and whether it was agreed to speak HTTP/2 on it.
    async fn connect(
        &self,
        origin: &Origin,
        tls: &Arc<rustls::ClientConfig>,
    ) -> Result<(Box<dyn Duplex>, bool), WireError> {
        let stream = self.stream(origin).await?;
        if origin.scheme == Scheme::Http {
            return Ok((Box::new(stream), false));
        }
        let unreachable = |error: &dyn std::fmt::Display| WireError::Unreachable(error.to_string());
        let name = ServerName::try_from(origin.host.clone()).map_err(|error| unreachable(&error))?;
        let connecting = TlsConnector::from(Arc::clone(tls)).connect(name, stream).await;
        let stream = connecting.map_err(|error| unreachable(&trouble(&error)))?;
        let is_second = stream.get_ref().1.alpn_protocol() == Some(HTTP_2);
        Ok((Box::new(stream), is_second))
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
