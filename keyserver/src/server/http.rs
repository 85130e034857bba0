//! The routes.

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use axum::Router;
use axum::body::Bytes;
use axum::extract::{ConnectInfo, Query, State};
use axum::http::StatusCode;
use axum::http::header::CONTENT_TYPE;
use axum::response::{IntoResponse, Response};
use axum::routing::{get, post};
use plastron_ickpt::listener::{self, Peer, Serving};
use plastron_sources::clock::Clock;
use serde::Deserialize;
use tokio::sync::{OwnedSemaphorePermit, Semaphore, watch};
use tokio_rustls::TlsAcceptor;

use super::entrance::Entrance;
use super::failed::Failed;
use super::hkp::armored_key;
use super::metrics::{Metrics, Route};
use super::options::ServerOptions;
use super::rate_limit::RateLimit;
use super::registering::{authorities, issuers, read_authorities, read_issuers, register, register_certified};
use crate::encoding::FRAME_BYTES;
use crate::machine::Directory;
use crate::proto::{HistoryPage, LogEntry, LookupRequest, Message, PolicyChange, StreamPage, StreamPosition, Update};
use crate::runner::{Runner, now_ms};
use crate::{Error, Result};

/// How long a stream waits for something new.
const STREAM_WAIT: Duration = Duration::from_secs(20);

/// The most calls at once on one connection, by HTTP/2. Each can have an answer of its own that waits to be taken.
const MOST_CALLS: u32 = 16;

/// A server, until it is dropped.
#[derive(Debug)]
pub struct Server {
    address: SocketAddr,
    stop: watch::Sender<bool>,
    task: tokio::task::JoinHandle<()>,
}

#[derive(Debug)]
pub(super) struct Shared {
    pub(super) runner: Arc<Runner>,
    pub(super) options: ServerOptions,
    pub(super) metrics: Metrics,
    /// Becomes true when the server is to stop.
    #[cfg(feature = "grpc")]
    pub(super) stopped: watch::Receiver<bool>,
    requests: Semaphore,
    streams: Arc<Semaphore>,
    rate: Option<RateLimit>,
}

/// Whose request it is.
pub(super) type Caller = ConnectInfo<Peer>;

impl Server {
    /// Serves `runner`.
    ///
    /// # Errors
    /// `Invalid` for an address that others reach, if that was not wanted; `Request` if the address cannot be had.
    pub async fn start(runner: Arc<Runner>, options: ServerOptions) -> Result<Self> {
        if !options.address.ip().is_loopback() && options.tls.is_none() && !options.plaintext {
            let why = format!(
                "{} can be reached by others, and nothing is encrypted; give it a certificate, serve loopback behind a proxy that encrypts, or say that it is wanted",
                options.address
            );
            return Err(Error::Invalid { what: "address", why });
        }
        let failed = |error: std::io::Error| Error::Request {
            operation: "listen",
            address: options.address.to_string(),
            why: error.to_string(),
        };
        let listener = tokio::net::TcpListener::bind(options.address).await.map_err(failed)?;
        let address = listener.local_addr().map_err(failed)?;
        let (stop, stopped) = watch::channel(false);
        let serving = Serving {
            tls: options.tls.as_ref().map(|tls| TlsAcceptor::from(Arc::clone(&tls.config))),
            max_connections: options.most_connections,
            max_streams: Some(MOST_CALLS),
            head_timeout: options.client_timeout,
            write_timeout: options.client_timeout,
            clock: Arc::clone(&options.clock),
            stop: stopped.clone(),
        };
        let (clock, client_timeout) = (Arc::clone(&options.clock), options.client_timeout);
        let shared = Shared {
            runner,
            requests: Semaphore::new(options.most_requests),
            streams: Arc::new(Semaphore::new(options.most_streams)),
            rate: options.most_per_second.map(RateLimit::new),
            metrics: Metrics::default(),
            #[cfg(feature = "grpc")]
            stopped,
            options,
        };
        let shared = Arc::new(shared);
        let routes = Router::new()
            .route("/v1/lookup", post(lookup))
            .route("/v1/update", post(update))
            .route("/v1/register", post(register))
            .route("/v1/register/certificate", post(register_certified))
            .route("/v1/issuers", post(issuers).get(read_issuers))
            .route("/v1/authorities", post(authorities).get(read_authorities))
            .route("/v1/ratify", post(ratify))
            .route("/v1/policy", post(policy))
            .route("/v1/stream", get(stream))
            .route("/v1/history", get(history))
            .route("/status", get(status))
            .route("/lb", get(rotation))
            .route("/metrics", get(metrics))
            .route("/pks/lookup", get(hkp))
            .with_state(Arc::clone(&shared));
        let entrance = Entrance::new(routes, LogEntry::MOST + FRAME_BYTES, client_timeout, clock);
        #[cfg(feature = "grpc")]
        let entrance = entrance.with_grpc(super::grpc::Grpc::new(shared));
        let answer = move |peer, request| entrance.clone().answer(peer, request);
        let task = tokio::spawn(listener::serve(listener, serving, answer));
        Ok(Self { address, stop, task })
    }

    /// Where it listens.
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// Takes no more requests, and waits for those there are as long as `patience` lasts.
    pub async fn stop(mut self, clock: &dyn Clock, patience: Duration) {
        self.stop.send_replace(true);
        tokio::select! {
            _ = &mut self.task => {}
            () = clock.sleep(patience) => {}
        }
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        self.task.abort();
    }
}

pub(super) type Answer<T> = Result<T, Failed>;

impl Shared {
    /// Runs a request within the bounds, and counts it.
    pub(super) async fn bounded<T>(
        &self,
        route: Route,
        from: Caller,
        work: impl Future<Output = Result<T>>,
    ) -> Answer<T> {
        let answer = self.within_bounds(from, work).await;
        self.metrics.count(route, answer.as_ref().map_or_else(Failed::status, |_| StatusCode::OK));
        answer
    }

    /// Whether that address has asked for too much.
    pub(super) fn admit(&self, ConnectInfo(from): Caller) -> Result<()> {
        let most = self.options.most_per_second.unwrap_or(u32::MAX) as usize;
        let limited = self.rate.as_ref();
        match limited.is_none_or(|rate| rate.allows(from.address.ip(), self.options.clock.monotonic())) {
            true => Ok(()),
            false => Err(Error::Overloaded { what: "requests a second from one address", most }),
        }
    }

    /// Whether whoever asks may ask for that: with an authority for clients, only those that it knows.
    pub(super) fn certified(&self, ConnectInfo(from): Caller, what: &'static str) -> Result<()> {
        let wanted = self.options.tls.as_ref().is_some_and(|tls| tls.mutual);
        if wanted && !from.certified { Err(Error::Certificate { what }) } else { Ok(()) }
    }

    async fn within_bounds<T>(&self, from: Caller, work: impl Future<Output = Result<T>>) -> Answer<T> {
        self.admit(from)?;
        Ok(self.permitted(self.options.deadline, work).await?)
    }

    /// Runs a request that was admitted, if there are not too many.
    pub(super) async fn permitted<T>(&self, deadline: Duration, work: impl Future<Output = Result<T>>) -> Result<T> {
        let most = self.options.most_requests;
        let _permit = self.requests.try_acquire().map_err(|_| Error::Overloaded { what: "requests", most })?;
        tokio::select! {
            done = work => done,
            () = self.options.clock.sleep(deadline) => {
                Err(Error::Timeout { what: "the request", seconds: deadline.as_secs() })
            }
        }
    }

    /// Reads from the directory, on a thread that may block.
    pub(super) async fn read<T: Send + 'static>(
        &self,
        work: impl FnOnce(&Directory) -> Result<T> + Send + 'static,
    ) -> Result<T> {
        let directory = self.runner.directory().clone();
        tokio::task::spawn_blocking(move || work(&directory)).await.unwrap_or(Err(Error::Stopped("the runtime")))
    }
}

/// Bytes from outside that are no message are the asker's mistake, and no damage here.
pub(super) fn asked<M: Message>(body: &[u8]) -> Result<M> {
    M::from_bytes(body).map_err(|error| match error {
        Error::Corrupt { .. } => Error::Invalid { what: M::WHAT, why: error.to_string() },
        other => other,
    })
}

async fn lookup(State(shared): State<Arc<Shared>>, from: Caller, body: Bytes) -> Answer<Vec<u8>> {
    let work = async {
        let request: LookupRequest = asked(&body)?;
        shared.read(move |directory| directory.lookup(&request)?.to_bounded_bytes()).await
    };
    shared.bounded(Route::Lookup, from, work).await
}

async fn update(State(shared): State<Arc<Shared>>, from: Caller, body: Bytes) -> Answer<String> {
    let work = async {
        let update: Update = asked(&body)?;
        shared.runner.update(update, shared.options.deadline).await
    };
    Ok(shared.bounded(Route::Update, from, work).await?.to_string())
}

async fn ratify(State(shared): State<Arc<Shared>>, from: Caller, body: Bytes) -> Answer<()> {
    let work = async {
        shared.certified(from, "a ratification")?;
        match asked(&body)? {
            LogEntry::HeadSignature { epoch, key, signature } => {
                shared.runner.ratify(epoch, key, signature, shared.options.deadline).await
            }
            _ => Err(Error::Invalid { what: "ratification", why: "it is another log entry".to_owned() }),
        }
    };
    shared.bounded(Route::Ratify, from, work).await
}

async fn policy(State(shared): State<Arc<Shared>>, from: Caller, body: Bytes) -> Answer<()> {
    let work = async {
        shared.certified(from, "a change of the realm policy")?;
        let change: PolicyChange = asked(&body)?;
        shared.runner.change_policy(change, shared.options.deadline).await
    };
    shared.bounded(Route::Policy, from, work).await
}

#[derive(Deserialize)]
struct StreamQuery {
    epoch: u64,
    change: u64,
}

async fn stream(State(shared): State<Arc<Shared>>, from: Caller, Query(query): Query<StreamQuery>) -> Answer<Vec<u8>> {
    let answer = follow(&shared, from, StreamPosition { epoch: query.epoch, change: query.change }).await;
    shared.metrics.count(Route::Stream, answer.as_ref().map_or_else(Failed::status, |_| StatusCode::OK));
    answer
}

async fn follow(shared: &Shared, peer: Caller, from: StreamPosition) -> Answer<Vec<u8>> {
    shared.admit(peer)?;
    shared.certified(peer, "the verifiers' stream")?;
    let _place = shared.place()?;
    Ok(shared.page(from).await?.to_bounded_bytes()?)
}

impl Shared {
    /// A place among the verifiers.
    pub(super) fn place(&self) -> Result<OwnedSemaphorePermit> {
        let most = self.options.most_streams;
        Arc::clone(&self.streams).try_acquire_owned().map_err(|_| Error::Overloaded { what: "streams", most })
    }

    /// What follows that position; nothing if nothing does for a while.
    pub(super) async fn page(&self, from: StreamPosition) -> Result<StreamPage> {
        let mut state = self.runner.state();
        let mut patience = self.options.clock.sleep(STREAM_WAIT);
        loop {
            let page = self.read(move |directory| directory.stream(from)).await?;
            if !page.items.is_empty() {
                return Ok(page);
            }
            tokio::select! {
                changed = state.changed() => changed.map_err(|_| Error::Stopped("the replica"))?,
                () = &mut patience => return Ok(page),
            }
        }
    }
}

#[derive(Deserialize)]
struct HistoryQuery {
    name: String,
    from: u64,
}

async fn history(
    State(shared): State<Arc<Shared>>,
    from: Caller,
    Query(query): Query<HistoryQuery>,
) -> Answer<Vec<u8>> {
    let read = move |directory: &Directory| {
        let items = directory.history(&query.name, query.from, HistoryPage::MOST_ITEMS)?;
        HistoryPage { items }.to_bounded_bytes()
    };
    shared.bounded(Route::History, from, shared.read(read)).await
}

async fn status(State(shared): State<Arc<Shared>>, from: Caller) -> Answer<axum::Json<serde_json::Value>> {
    let failure = shared.runner.failure();
    let (state, record) = shared.within_bounds(from, shared.read(Directory::status)).await?;
    let signatures = record.as_ref().map_or(0, |record| record.signed.signatures.len());
    Ok(axum::Json(serde_json::json!({
        "realm": shared.runner.realm().to_string(),
        "applied": state.applied,
        "epoch": state.ratified,
        "awaiting": state.delimited != state.ratified,
        "pending": state.pending,
        "issued_ms": state.issued_ms,
        "head": record.map(|record| record.signed.head.digest().to_string()),
        "signatures": signatures,
        "policy_generation": state.policy.generation,
        "failure": failure,
    })))
}

#[derive(Deserialize)]
struct HkpQuery {
    op: String,
    search: String,
}

async fn hkp(State(shared): State<Arc<Shared>>, from: Caller, Query(query): Query<HkpQuery>) -> Response {
    if query.op != "get" {
        return (StatusCode::NOT_IMPLEMENTED, "only op=get is served\n").into_response();
    }
    let work = shared.read(move |directory| armored_key(directory, &query.search));
    match shared.bounded(Route::Hkp, from, work).await {
        Ok(key) => ([(CONTENT_TYPE, "application/pgp-keys")], key).into_response(),
        Err(failed) => failed.into_response(),
    }
}

impl Shared {
    /// The state, the age of the newest head in milliseconds, and whether the replica should be asked.
    pub(super) fn rotation(&self) -> (crate::machine::State, u64, bool) {
        let state = self.runner.state().borrow().clone();
        let age_ms = now_ms(&*self.options.clock).saturating_sub(state.issued_ms);
        let fresh = state.ratified > 0 && age_ms <= self.runner.lifetime_ms();
        (state, age_ms, fresh && self.runner.failure().is_none())
    }
}

async fn metrics(State(shared): State<Arc<Shared>>) -> impl IntoResponse {
    let (state, age_ms, in_rotation) = shared.rotation();
    ([(CONTENT_TYPE, "text/plain; version=0.0.4")], shared.metrics.text(&state, age_ms, in_rotation))
}

async fn rotation(State(shared): State<Arc<Shared>>) -> (StatusCode, &'static str) {
    match shared.rotation() {
        (_, _, true) => (StatusCode::OK, "in rotation\n"),
        _ => (StatusCode::SERVICE_UNAVAILABLE, "out of rotation\n"),
    }
}
