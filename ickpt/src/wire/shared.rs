//! One connection by HTTP/2, shared by the calls of a process to one other side.
//!
//! A call that is dropped in the middle (its deadline passed, mostly) tells the other side so, and the connection gets no more calls: it may be dead, and each call
//! that waits on it would find that out for itself.

use std::fmt;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, AtomicUsize, Ordering::Relaxed};
use std::time::Duration;

use bytes::{Bytes, BytesMut};
use h2::RecvStream;
use h2::client::{Builder, SendRequest};
use http::uri::{Authority, PathAndQuery, Scheme};
use http::{Request, Uri};
use plastron_sources::clock::Clock;

use super::answer::{Answer, WireError};
use super::connection::{Duplex, Failure};
use super::first_frame::FirstFrame;
use crate::storage_url::Origin;

/// Bytes of an answer's headers, with all their continuations.
const MAX_HEAD_BYTES: u32 = 32 * 1024;
/// Bytes of answers that the other side may send before they are taken: of one, and of all.
const STREAM_WINDOW_BYTES: u32 = 128 * 1024;
const CONNECTION_WINDOW_BYTES: u32 = 1024 * 1024;
/// Bytes of one frame; the least that RFC 9113 allows.
const MAX_FRAME_BYTES: u32 = 16_384;
/// How long the other side can take to say that it speaks HTTP/2. Who has not, by then, is asked by HTTP/1.1.
const PATIENCE: Duration = Duration::from_secs(2);

/// A connection. It is closed when the last call has ended and nobody keeps it any more.
pub(super) struct SharedConnection {
    sender: SendRequest<Bytes>,
    scheme: Scheme,
    authority: Authority,
    calls: AtomicUsize,
    /// When the last call ended, in microseconds of the monotonic clock.
    used: AtomicU64,
    is_retired: AtomicBool,
}

impl fmt::Debug for SharedConnection {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("SharedConnection").field("calls", &self.calls).finish_non_exhaustive()
    }
}

fn broken(what: impl fmt::Display) -> Failure {
    Failure::Wire(WireError::Broken(what.to_string()))
}

impl SharedConnection {
    /// Greets the other side on `stream`, and waits for its own greeting. None if it speaks something else.
    pub(super) async fn open(
        stream: Box<dyn Duplex>,
        origin: &Origin,
        clock: &Arc<dyn Clock>,
    ) -> Result<Option<Self>, WireError> {
        let unreachable = |what: String| WireError::Unreachable(what);
        let scheme = match origin.scheme {
            crate::storage_url::Scheme::Http => Scheme::HTTP,
            crate::storage_url::Scheme::Https => Scheme::HTTPS,
        };
        let authority = Authority::try_from(origin.authority()).map_err(|error| unreachable(error.to_string()))?;
        let (read, write) = tokio::io::split(stream);
        let (read, told) = FirstFrame::new(read);
        let stream = tokio::io::join(read, write);
        let mut builder = Builder::new();
        builder.enable_push(false).max_header_list_size(MAX_HEAD_BYTES).max_frame_size(MAX_FRAME_BYTES);
        // How many calls it takes at a time stands in its greeting; what is asked before that was read waits.
        builder.initial_max_send_streams(0);
        builder.initial_window_size(STREAM_WINDOW_BYTES).initial_connection_window_size(CONNECTION_WINDOW_BYTES);
        let greeting = async {
            let (sender, connection) = builder.handshake(stream).await.ok()?;
            // It ends when the last sender is dropped.
            tokio::spawn(async move {
                if let Err(error) = connection.await {
                    tracing::debug!(%error, "a connection ended");
                }
            });
            told.await.ok()?.then_some(sender)
        };
        let sender = tokio::select! {
            sender = greeting => sender,
            () = clock.sleep(PATIENCE) => None,
        };
        let (calls, used, is_retired) = (AtomicUsize::new(0), AtomicU64::new(0), AtomicBool::new(false));
        Ok(sender.map(|sender| Self { sender, scheme, authority, calls, used, is_retired }))
    }

    /// Calls that run.
    pub(super) fn calls(&self) -> usize {
        self.calls.load(Relaxed)
    }

    /// Whether it gets no more calls.
    pub(super) fn is_retired(&self) -> bool {
        self.is_retired.load(Relaxed)
    }

    /// How long nobody has used it.
    pub(super) fn idle(&self, clock: &dyn Clock) -> Duration {
        if self.calls() > 0 {
            return Duration::ZERO;
        }
        clock.monotonic().saturating_sub(Duration::from_micros(self.used.load(Relaxed)))
    }

    /// Sends a request, and reads an answer with a body of `limit` bytes at the most. [`Failure::Closed`] if nothing of the request was sent.
    async fn exchange(&self, request: &Request<Bytes>, limit: usize) -> Result<Answer, Failure> {
        let path = request.uri().path_and_query().cloned().unwrap_or_else(|| PathAndQuery::from_static("/"));
        let uri = Uri::builder().scheme(self.scheme.clone()).authority(self.authority.clone()).path_and_query(path);
        let mut head = Request::new(());
        *head.method_mut() = request.method().clone();
        *head.uri_mut() = uri.build().map_err(broken)?;
        *head.headers_mut() = request.headers().clone();
        let body = request.body();
        let closed = |error: h2::Error| Failure::Closed(error.to_string());
        let mut sender = self.sender.clone().ready().await.map_err(closed)?;
        let (answer, mut stream) = sender.send_request(head, body.is_empty()).map_err(closed)?;
        if !body.is_empty() {
            // What does not fit the other side's window waits, and is as long as the request.
            stream.send_data(body.clone(), true).map_err(broken)?;
        }
        let (head, body) = answer.await.map_err(broken)?.into_parts();
        let body = read(body, limit).await?;
        Ok(Answer { version: head.version, status: head.status.as_u16(), headers: head.headers, body })
    }
}

async fn read(mut body: RecvStream, limit: usize) -> Result<Bytes, Failure> {
    let mut all = BytesMut::new();
    let mut first = Bytes::new();
    while let Some(data) = body.data().await {
        let data = data.map_err(broken)?;
        if all.len() + first.len() + data.len() > limit {
            return Err(Failure::Wire(WireError::TooLarge(limit)));
        }
        body.flow_control().release_capacity(data.len()).map_err(broken)?;
        // Most bodies are one frame, which needs no copy.
        if first.is_empty() && all.is_empty() {
            first = data;
        } else {
            all.extend_from_slice(&std::mem::take(&mut first));
            all.extend_from_slice(&data);
        }
    }
    Ok(if all.is_empty() { first } else { all.freeze() })
}

/// A place on a connection, for one call.
#[derive(Debug)]
pub(super) struct Place {
    connection: Arc<SharedConnection>,
    clock: Arc<dyn Clock>,
    /// Whether it is not known, or known to be bad, how the connection fares.
    is_doubtful: bool,
}

impl Place {
    pub(super) fn take(connection: &Arc<SharedConnection>, clock: &Arc<dyn Clock>) -> Self {
        connection.calls.fetch_add(1, Relaxed);
        Self { connection: Arc::clone(connection), clock: Arc::clone(clock), is_doubtful: true }
    }

    /// Sends a request, and reads an answer with a body of `limit` bytes at the most.
    pub(super) async fn exchange(mut self, request: &Request<Bytes>, limit: usize) -> Result<Answer, Failure> {
        let answer = self.connection.exchange(request, limit).await;
        self.is_doubtful = !matches!(answer, Ok(_) | Err(Failure::Wire(WireError::TooLarge(_))));
        answer
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        if self.is_doubtful {
            self.connection.is_retired.store(true, Relaxed);
        }
        let now = u64::try_from(self.clock.monotonic().as_micros()).unwrap_or(u64::MAX);
        self.connection.used.store(now, Relaxed);
        self.connection.calls.fetch_sub(1, Relaxed);
    }
}
