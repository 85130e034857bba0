//! Starting, steering and stopping.

use std::collections::BTreeMap;
use std::net::{Ipv4Addr, SocketAddr};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use http::Uri;
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper_util::rt::TokioIo;
use plastron_config::ErrorKind;
use tokio::net::{TcpListener, TcpStream, lookup_host};
use tokio::sync::Mutex as AsyncMutex;
use tokio::task::JoinSet;

use super::downstream::{Downstream, ResetSwitch};
use super::forward::{Passage, Shared};
use super::ledger::{Ledger, Record, Requests};
use super::plan::Judge;
use super::rule::{Rule, Rules};
use super::upstream::Upstream;
use crate::background::{self, BackgroundTask};
use crate::error::{Context as _, Error, Result};

/// Connections passed on at once; more wait to be accepted.
const MAX_CONNECTIONS: usize = 4096;

/// Describes a [`FaultProxy`] to be.
#[derive(Debug)]
pub struct FaultProxyBuilder {
    upstream: String,
    port: u16,
    rules: Rules,
}

impl FaultProxyBuilder {
    /// Adds a rule after those that are there.
    #[must_use]
    pub fn rule(mut self, rule: Rule) -> Self {
        self.rules.rules.push(rule);
        self
    }

    /// Replaces all rules and the seed.
    #[must_use]
    pub fn rules(mut self, rules: Rules) -> Self {
        self.rules = rules;
        self
    }

    /// Decides, with the order of requests, which are struck. Default 0.
    #[must_use]
    pub fn seed(mut self, seed: u64) -> Self {
        self.rules.seed = seed;
        self
    }

    /// The loopback port to listen on. Default: one that is free.
    #[must_use]
    pub fn port(mut self, port: u16) -> Self {
        self.port = port;
        self
    }

    /// Starts the proxy on threads of its own.
    ///
    /// # Errors
    /// `Invalid` when the upstream is no `http://` URL, `Unavailable` when its host has no address or no port can be bound.
    pub async fn start(self) -> Result<FaultProxy> {
        background::run(self.start_here()).await
    }

    async fn start_here(self) -> Result<FaultProxy> {
        let upstream = address_of(&self.upstream).await?;
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, self.port));
        let listener = listener.await.context(|| format!("bind port {} for the fault proxy", self.port))?;
        let address = listener.local_addr().context(|| "read the fault proxy's port".into())?;
        let shared =
            Arc::new(Shared { judge: Mutex::new(Judge::new(self.rules)), ledger: Arc::new(Ledger::default()) });
        let task = BackgroundTask::spawn(accept(listener, upstream, Arc::clone(&shared)))?;
        Ok(FaultProxy { address, shared, task })
    }
}

/// A proxy before one server that breaks traffic as its rules say; dropping it stops it.
///
/// # Example
/// ```no_run
/// # async fn example() -> plastron_localstack::Result<()> {
/// use plastron_localstack::{Fault, FaultProxy, Match, Point, Rule, Server, endpoint};
///
/// let s3 = endpoint(Server::SeaweedFs).await?;
/// let proxy = FaultProxy::before(&s3.url)
///     .seed(7)
///     .rule(Rule::new(Fault::Latency { fixed_ms: 30, jitter_ms: 0 }))
///     .rule(Rule::new(Fault::Reset { point: Point::After }).when(Match::method("PUT")).probability(0.1))
///     .start()
///     .await?;
/// let store = s3.store_string_at(&proxy.url(), "pages", "db1/");
/// // … use the store, then:
/// assert_eq!(proxy.requests().count("GET", "/pages/db1/"), 1);
/// # Ok(())
/// # }
/// ```
#[derive(Debug)]
pub struct FaultProxy {
    address: SocketAddr,
    shared: Arc<Shared>,
    task: BackgroundTask,
}

impl FaultProxy {
    /// Begins to describe a proxy before `upstream`, an `http://` URL of which only host and port count.
    pub fn before(upstream: impl Into<String>) -> FaultProxyBuilder {
        FaultProxyBuilder { upstream: upstream.into(), port: 0, rules: Rules::default() }
    }

    /// Its base URL, without a trailing slash; what stood in the upstream's path is the caller's to add
    /// ([`Endpoint::url_at`](crate::Endpoint::url_at)).
    pub fn url(&self) -> String {
        format!("http://{}", self.address)
    }

    /// Puts other rules in force; their counts begin anew. Requests on their way keep their plans.
    pub fn set_rules(&self, rules: Rules) {
        *self.judge() = Judge::new(rules);
    }

    /// Adds a rule after those in force.
    pub fn add_rule(&self, rule: Rule) {
        self.judge().add(rule);
    }

    /// Takes all rules back: everything passes.
    pub fn clear_rules(&self) {
        self.set_rules(Rules::default());
    }

    /// How often what was asked, faults or not.
    pub fn requests(&self) -> Requests {
        self.shared.ledger.requests()
    }

    /// The latest 10,000 requests, oldest first.
    pub fn records(&self) -> Vec<Record> {
        self.shared.ledger.records()
    }

    /// How often which fault happened, by [`Fault::name`](super::Fault::name). A fault of a body counts when the body reaches it.
    pub fn faults(&self) -> BTreeMap<&'static str, u64> {
        self.shared.ledger.faults()
    }

    /// Bytes of bodies that passed: to the server, and from it.
    pub fn body_bytes(&self) -> (u64, u64) {
        self.shared.ledger.body_bytes()
    }

    /// Sets all counters to zero and forgets all records.
    pub fn clear_counters(&self) {
        self.shared.ledger.clear();
    }

    /// Stops accepting and ends all connections.
    pub async fn stop(self) {
        self.task.stop().await;
    }

    fn judge(&self) -> MutexGuard<'_, Judge> {
        self.shared.judge.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

async fn address_of(url: &str) -> Result<SocketAddr> {
    let invalid = || Error::new(ErrorKind::Invalid, format!("{url:?} is no http:// URL with a host"));
    let uri: Uri = url.parse().map_err(|_| invalid())?;
    let host = uri.host().filter(|_| uri.scheme_str() == Some("http")).ok_or_else(invalid)?;
    let mut addresses =
        lookup_host((host, uri.port_u16().unwrap_or(80))).await.context(|| format!("look {host} up"))?;
    addresses.next().ok_or_else(|| Error::unavailable(format!("{host} has no address")))
}

async fn accept(listener: TcpListener, upstream: SocketAddr, shared: Arc<Shared>) {
    let mut connections = JoinSet::new();
    loop {
        while connections.len() >= MAX_CONNECTIONS {
            connections.join_next().await;
        }
        tokio::select! {
            accepted = listener.accept() => {
                if let Ok((stream, _)) = accepted {
                    connections.spawn(connection(stream, upstream, Arc::clone(&shared)));
                }
            }
            _ = connections.join_next(), if !connections.is_empty() => {}
        }
    }
}

async fn connection(stream: TcpStream, upstream: SocketAddr, shared: Arc<Shared>) {
    let _ = stream.set_nodelay(true);
    let reset = ResetSwitch::default();
    let upstream = AsyncMutex::new(Upstream::new(upstream));
    let passage = Arc::new(Passage { shared, upstream, reset: reset.clone() });
    let service = service_fn(move |request| {
        let passage = Arc::clone(&passage);
        async move { passage.forward(request).await }
    });
    // A connection that is cut ends here with an error, which is the point.
    let _ = http1::Builder::new().serve_connection(TokioIo::new(Downstream::new(stream, reset)), service).await;
}
