//! The service as it starts, runs and stops.

use std::net::SocketAddr;
use std::sync::Arc;

use bytes::Bytes;
use http::{Method, Request, Response, StatusCode};
use http_body_util::Full;
use hyper::body::Incoming;
use plastron_sources::clock::{Clock, SystemClock};
use tokio::net::TcpListener;
use tokio::sync::{Semaphore, watch};
use tokio::task::JoinHandle;
use tokio_rustls::TlsAcceptor;

use super::authorizer::Authorizer;
use super::handler::Shared;
use super::metrics::Metrics;
use crate::checkpoint_store::{CheckpointStore, Database, EngineOptions};
use crate::conf::Settings;
use crate::error::{Error, Fault, Result};
use crate::listener::{Peer, Serving, serve};
use crate::value::InstanceId;
use crate::wire::{AddressRule, HttpClient, HttpClientOptions, Resolver, SystemResolver, client_config, server_config};

/// Calls at a time on one connection by HTTP/2. All of them together are no more than `MaxConnections`, as with HTTP/1.1.
const MAX_STREAMS: u32 = 128;
/// Connections to `/metrics` and `/stop`.
const MAX_SIDE_CONNECTIONS: usize = 16;

/// How to start the service.
#[derive(Debug, Clone)]
#[non_exhaustive]
pub struct Service {
    /// What it is told.
    pub settings: Settings,
    /// Who knows addresses.
    pub resolver: Arc<dyn Resolver>,
    /// The clock.
    pub clock: Arc<dyn Clock>,
}

impl Service {
    /// With the machine's own resolver and clock.
    pub fn new(settings: Settings) -> Self {
        Self { settings, resolver: Arc::new(SystemResolver), clock: Arc::new(SystemClock) }
    }

    /// Opens the database, listens, serves.
    ///
    /// # Errors
    /// What is wrong with the files, the database, or the addresses to listen at.
    pub async fn start(self) -> Result<Running> {
        let Self { settings, resolver, clock } = self;
        if settings.allowed_storage_origins.is_empty() {
            tracing::warn!("AllowedStorageOrigins is not set, so every store is refused");
        }
        let acceptor = settings.tls.as_ref().map(server_config).transpose()?.map(TlsAcceptor::from);
        let tls = client_config(settings.tls.as_ref().map(|files| files.authority.as_path()))?;
        let client = HttpClient::new(HttpClientOptions {
            max_connections: settings.swift_connection_pool_size,
            rule: AddressRule::Stores,
            resolver,
            clock: Arc::clone(&clock),
            tls,
            share_after: None,
        });
        let listener = listen(&settings.ip_addr, settings.port).await?;
        let side = match settings.metrics_port {
            Some(port) => Some(listen("127.0.0.1", port).await?),
            None => None,
        };
        let (path, cache) = (settings.data_base_path.clone(), settings.data_base_cache_bytes);
        let opening = tokio::task::spawn_blocking(move || Database::open(&path, cache)).await;
        let database =
            opening.map_err(|error| Error::new("open", "database", Fault::Unavailable(error.to_string())))??;
        let mut options = EngineOptions::new(Arc::clone(&clock));
        options.transaction_timeout = settings.transaction_timeout;
        options.max_staged_entries = settings.max_staged_entries;
        options.max_waiting = settings.max_connections.max(1);
        let (store, engine) = CheckpointStore::start(database, options)?;
        let identity = store.identity();
        let shared = Arc::new(Shared {
            allowed: settings.allowed_storage_origins.clone(),
            authorizer: Authorizer::new(client, Arc::clone(&clock), &settings),
            store,
            metrics: Metrics::default(),
            calls: Semaphore::new(settings.max_connections.clamp(1, Semaphore::MAX_PERMITS)),
            max_body_bytes: settings.max_body_bytes,
            body_timeout: settings.request_timeout,
        });
        let (stop, stopped) = watch::channel(false);
        let stop = Arc::new(stop);
        let address = local_address(&listener)?;
        let metrics_address = side.as_ref().map(local_address).transpose()?;
        let serving = Serving {
            tls: acceptor,
            max_connections: settings.max_connections,
            max_streams: Some(MAX_STREAMS),
            head_timeout: settings.request_timeout,
            write_timeout: settings.request_timeout,
            clock,
            stop: stopped,
        };
        let mut tasks = Vec::new();
        if let Some(side) = side {
            let (shared, stop) = (Arc::clone(&shared), Arc::clone(&stop));
            let serving =
                Serving { tls: None, max_connections: MAX_SIDE_CONNECTIONS, max_streams: None, ..serving.clone() };
            let answer = move |_: Peer, request| std::future::ready(aside(&shared, &stop, &request));
            tasks.push(tokio::spawn(serve(side, serving, answer)));
        }
        let answer = move |_: Peer, request| Arc::clone(&shared).answer(request);
        tasks.push(tokio::spawn(serve(listener, serving, answer)));
        tracing::info!(%address, instance = %identity, "serves");
        Ok(Running { address, metrics_address, identity, stop, tasks, engine })
    }
}

/// `/metrics`, and `POST /stop`.
fn aside(shared: &Shared, stop: &watch::Sender<bool>, request: &Request<Incoming>) -> Response<Full<Bytes>> {
    let (status, text) = match (request.method(), request.uri().path()) {
        (&Method::GET, "/metrics") => {
            let (commits, transactions, staged) = shared.store.counts();
            let page = shared.metrics.page(&[
                ("ickpt_commits_total", "counter", "Records that were written.", commits),
                ("ickpt_transactions_total", "counter", "Batches in which they were written.", transactions),
                ("ickpt_staged", "gauge", "Operations that wait for their POST.", staged),
                ("ickpt_store_requests_total", "counter", "Requests to stores.", shared.authorizer.requests()),
            ]);
            (StatusCode::OK, page)
        }
        (&Method::POST, "/stop") => {
            stop.send_replace(true);
            (StatusCode::ACCEPTED, "stops\n".to_owned())
        }
        _ => (StatusCode::NOT_FOUND, "there are GET /metrics and POST /stop\n".to_owned()),
    };
    let mut response = Response::new(Full::new(Bytes::from(text)));
    *response.status_mut() = status;
    response
}

async fn listen(host: &str, port: u16) -> Result<TcpListener> {
    let io = |error| Error::new("listen at", format!("{host}:{port}"), Fault::Io(error));
    TcpListener::bind((host, port)).await.map_err(io)
}

fn local_address(listener: &TcpListener) -> Result<SocketAddr> {
    listener.local_addr().map_err(|error| Error::new("listen", "socket", Fault::Io(error)))
}

/// Tells a service to stop.
#[derive(Debug, Clone)]
pub struct Stopper(Arc<watch::Sender<bool>>);

impl Stopper {
    /// No new connections; the calls that run are answered.
    pub fn stop(&self) {
        self.0.send_replace(true);
    }
}

/// A service that runs.
#[derive(Debug)]
pub struct Running {
    address: SocketAddr,
    metrics_address: Option<SocketAddr>,
    identity: InstanceId,
    stop: Arc<watch::Sender<bool>>,
    tasks: Vec<JoinHandle<()>>,
    engine: std::thread::JoinHandle<()>,
}

impl Running {
    /// Where it listens.
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// Where `/metrics` is.
    pub fn metrics_address(&self) -> Option<SocketAddr> {
        self.metrics_address
    }

    /// The identity of its database.
    pub fn identity(&self) -> InstanceId {
        self.identity
    }

    /// What tells it to stop when it was moved away.
    pub fn stopper(&self) -> Stopper {
        Stopper(Arc::clone(&self.stop))
    }

    /// Tells it to stop: no new connections, the calls that run are answered.
    pub fn stop(&self) {
        self.stop.send_replace(true);
    }

    /// Waits until it has stopped and its database is closed.
    pub async fn stopped(self) {
        for task in self.tasks {
            if let Err(error) = task.await {
                tracing::error!(%error, "a listener ended");
            }
        }
        let engine = self.engine;
        if let Ok(Err(_)) = tokio::task::spawn_blocking(move || engine.join()).await {
            tracing::error!("the engine ended");
        }
    }
}
