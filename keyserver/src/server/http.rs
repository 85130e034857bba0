//! The routes.

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use axum::Router;
use axum::body::Bytes;
use axum::extract::{DefaultBodyLimit, Query, State};
use axum::http::StatusCode;
use axum::response::{IntoResponse, Response};
use axum::routing::{get, post};
use plastron_sources::clock::Clock;
use serde::Deserialize;
use tokio::sync::{Semaphore, watch};

use crate::machine::Directory;
use crate::proto::{HistoryPage, LogEntry, LookupRequest, Message, PolicyChange, StreamPosition, Update};
use crate::runner::{Runner, now_ms};
use crate::{Error, ErrorKind, Result};

/// How a replica is served.
#[derive(Debug, Clone)]
pub struct ServerOptions {
    /// Where it listens.
    pub address: SocketAddr,
    /// Whether an address that others reach is fine, although nothing is encrypted.
    pub plaintext: bool,
    /// The most requests at once, besides streams.
    pub most_requests: usize,
    /// The most verifiers at once.
    pub most_streams: usize,
    /// How long a request can take.
    pub deadline: Duration,
    /// Time.
    pub clock: Arc<dyn Clock>,
}

/// How long a stream waits for something new.
const STREAM_WAIT: Duration = Duration::from_secs(20);

/// A server, until it is dropped.
#[derive(Debug)]
pub struct Server {
    address: SocketAddr,
    stop: watch::Sender<bool>,
    task: tokio::task::JoinHandle<()>,
}

#[derive(Debug)]
struct Shared {
    runner: Arc<Runner>,
    options: ServerOptions,
    requests: Semaphore,
    streams: Semaphore,
}

impl Server {
    /// Serves `runner`.
    ///
    /// # Errors
    /// `Invalid` for an address that others reach, if that was not wanted; `Request` if the address cannot be had.
    pub async fn start(runner: Arc<Runner>, options: ServerOptions) -> Result<Self> {
        if !options.address.ip().is_loopback() && !options.plaintext {
            let why = format!(
                "{} can be reached by others, and nothing is encrypted; serve loopback, behind a proxy that encrypts, or say that it is wanted",
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
        let shared = Shared {
            runner,
            requests: Semaphore::new(options.most_requests),
            streams: Semaphore::new(options.most_streams),
            options,
        };
        let routes = Router::new()
            .route("/v1/lookup", post(lookup))
            .route("/v1/update", post(update))
            .route("/v1/ratify", post(ratify))
            .route("/v1/policy", post(policy))
            .route("/v1/stream", get(stream))
            .route("/v1/history", get(history))
            .route("/status", get(status))
            .route("/lb", get(rotation))
            .layer(DefaultBodyLimit::max(LogEntry::MOST + 64))
            .with_state(Arc::new(shared));
        let (stop, mut stopped) = watch::channel(false);
        let task = tokio::spawn(async move {
            let serve = axum::serve(listener, routes).with_graceful_shutdown(async move {
                // Either way it is to stop.
                let _ = stopped.wait_for(|stop| *stop).await;
            });
            if let Err(error) = serve.await {
                tracing::error!(%error, "the server has stopped");
            }
        });
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

struct Failed(Error);

impl From<Error> for Failed {
    fn from(error: Error) -> Self {
        Self(error)
    }
}

impl IntoResponse for Failed {
    fn into_response(self) -> Response {
        let status = match self.0.kind() {
            ErrorKind::Invalid | ErrorKind::Unsupported => StatusCode::BAD_REQUEST,
            ErrorKind::Unauthorized => StatusCode::FORBIDDEN,
            ErrorKind::NotFound => StatusCode::NOT_FOUND,
            ErrorKind::Conflict | ErrorKind::AlreadyExists | ErrorKind::Fenced => StatusCode::CONFLICT,
            ErrorKind::Unavailable => StatusCode::SERVICE_UNAVAILABLE,
            _ => StatusCode::INTERNAL_SERVER_ERROR,
        };
        (status, self.0.to_string()).into_response()
    }
}

type Answer<T> = Result<T, Failed>;

impl Shared {
    /// Runs a request within the bounds.
    async fn bounded<T>(&self, work: impl Future<Output = Result<T>>) -> Answer<T> {
        let most = self.options.most_requests;
        let _permit = self.requests.try_acquire().map_err(|_| Error::Overloaded { what: "requests", most })?;
        let seconds = self.options.deadline.as_secs();
        let done = tokio::select! {
            done = work => done,
            () = self.options.clock.sleep(self.options.deadline) => Err(Error::Timeout { what: "the request", seconds }),
        };
        Ok(done?)
    }

    /// Reads from the directory, on a thread that may block.
    async fn read<T: Send + 'static>(&self, work: impl FnOnce(&Directory) -> Result<T> + Send + 'static) -> Result<T> {
        let directory = self.runner.directory().clone();
        tokio::task::spawn_blocking(move || work(&directory)).await.unwrap_or(Err(Error::Stopped("the runtime")))
    }
}

/// Bytes from outside that are no message are the asker's mistake, and no damage here.
fn asked<M: Message>(body: &[u8]) -> Result<M> {
    M::from_bytes(body).map_err(|error| match error {
        Error::Corrupt { .. } => Error::Invalid { what: M::WHAT, why: error.to_string() },
        other => other,
    })
}

async fn lookup(State(shared): State<Arc<Shared>>, body: Bytes) -> Answer<Vec<u8>> {
    let work = async {
        let request: LookupRequest = asked(&body)?;
        shared.read(move |directory| directory.lookup(&request)?.to_bounded_bytes()).await
    };
    shared.bounded(work).await
}

async fn update(State(shared): State<Arc<Shared>>, body: Bytes) -> Answer<String> {
    let work = async {
        let update: Update = asked(&body)?;
        shared.runner.update(update, shared.options.deadline).await
    };
    Ok(shared.bounded(work).await?.to_string())
}

async fn ratify(State(shared): State<Arc<Shared>>, body: Bytes) -> Answer<()> {
    let work = async {
        match asked(&body)? {
            LogEntry::HeadSignature { epoch, key, signature } => {
                shared.runner.ratify(epoch, key, signature, shared.options.deadline).await
            }
            _ => Err(Error::Invalid { what: "ratification", why: "it is another log entry".to_owned() }),
        }
    };
    shared.bounded(work).await
}

async fn policy(State(shared): State<Arc<Shared>>, body: Bytes) -> Answer<()> {
    let work = async {
        let change: PolicyChange = asked(&body)?;
        shared.runner.change_policy(change, shared.options.deadline).await
    };
    shared.bounded(work).await
}

#[derive(Deserialize)]
struct StreamQuery {
    epoch: u64,
    change: u64,
}

async fn stream(State(shared): State<Arc<Shared>>, Query(query): Query<StreamQuery>) -> Answer<Vec<u8>> {
    let most = shared.options.most_streams;
    let _permit = shared.streams.try_acquire().map_err(|_| Error::Overloaded { what: "streams", most })?;
    let from = StreamPosition { epoch: query.epoch, change: query.change };
    let mut state = shared.runner.state();
    let patience = shared.options.clock.sleep(STREAM_WAIT);
    tokio::pin!(patience);
    loop {
        let page = shared.read(move |directory| directory.stream(from)).await?;
        if !page.items.is_empty() {
            return Ok(page.to_bounded_bytes()?);
        }
        tokio::select! {
            changed = state.changed() => changed.map_err(|_| Error::Stopped("the replica"))?,
            () = &mut patience => return Ok(page.to_bounded_bytes()?),
        }
    }
}

#[derive(Deserialize)]
struct HistoryQuery {
    name: String,
    from: u64,
}

async fn history(State(shared): State<Arc<Shared>>, Query(query): Query<HistoryQuery>) -> Answer<Vec<u8>> {
    let read = move |directory: &Directory| {
        let items = directory.history(&query.name, query.from, HistoryPage::MOST_ITEMS)?;
        HistoryPage { items }.to_bounded_bytes()
    };
    shared.bounded(shared.read(read)).await
}

async fn status(State(shared): State<Arc<Shared>>) -> Answer<axum::Json<serde_json::Value>> {
    let failure = shared.runner.failure();
    let (state, record) = shared.bounded(shared.read(Directory::status)).await?;
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

async fn rotation(State(shared): State<Arc<Shared>>) -> (StatusCode, &'static str) {
    let (ratified, issued_ms) = {
        let state = shared.runner.state();
        let state = state.borrow();
        (state.ratified, state.issued_ms)
    };
    let age_ms = now_ms(&*shared.options.clock).saturating_sub(issued_ms);
    let fresh = ratified > 0 && age_ms <= shared.runner.lifetime_ms();
    if fresh && shared.runner.failure().is_none() {
        (StatusCode::OK, "in rotation\n")
    } else {
        (StatusCode::SERVICE_UNAVAILABLE, "out of rotation\n")
    }
}
