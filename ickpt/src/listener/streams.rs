//! HTTP/2: many calls at a time on one connection.
//!
//! Invariants: a connection has no more than so many calls at a time; all of them are answered in the connection's own task, and end with it. One on which no call has
//! begun and none has run for as long as a peer can take for a request is told to end, and so is one that is old; after that it is closed when no call runs any more. So
//! answers that a peer does not take (its windows are shut) keep their memory for a bounded time, whatever else it sends. A peer that takes back calls
//! again and again, each of which costs it two frames and us what was begun, loses the connection. Headers are bounded as on HTTP/1.1, with all their continuations.

use std::convert::Infallible;
use std::error::Error;
use std::future::poll_fn;
use std::pin::Pin;
use std::sync::atomic::Ordering::{AcqRel, Relaxed, Release};
use std::sync::atomic::{AtomicBool, AtomicU64};
use std::sync::{Arc, Mutex, PoisonError};
use std::task::{Context, Poll};

use futures::StreamExt as _;
use futures::future::BoxFuture;
use futures::stream::FuturesUnordered;
use futures::task::{ArcWake, AtomicWaker, waker_ref};
use http::{Request, Response};
use http_body::Body;
use hyper::body::Incoming;
use hyper::rt::Executor;
use hyper::server::conn::http2::{Builder, Connection};
use hyper::service::{HttpService, service_fn};
use hyper_util::rt::{TokioIo, TokioTimer};
use tokio::io::{AsyncRead, AsyncWrite};

use super::awaited::Awaited;
use super::connections::{MAX_HEAD_BYTES, Peer, Serving, told};

/// Bytes of bodies that a peer may send before they are taken, on all calls of a connection. (On one it is the 65,535 bytes of RFC 9113, section 6.9.2.)
const CONNECTION_WINDOW_BYTES: u32 = 256 * 1024;
const STREAM_WINDOW_BYTES: u32 = 65_535;
/// Bytes of one frame; the least that RFC 9113 allows.
const MAX_FRAME_BYTES: u32 = 16_384;
/// Bytes of answers that wait for a peer's window, on one call.
const MAX_WAITING_BYTES: usize = 128 * 1024;
/// Calls on one connection that its peer may take back before they were answered: what a client whose deadlines pass does now and then, and an attacker all the time.
const MAX_TAKEN_BACK: u64 = 100;
/// Resets that are not yet seen by whoever serves (CVE-2023-44487).
const MAX_WAITING_RESETS: usize = 20;
/// Age of a connection, in the time that a peer can take for a request.
const MAX_AGE: u32 = 20;

/// Calls of one connection, counted.
#[derive(Debug, Default)]
struct Calls {
    begun: AtomicU64,
    answered: AtomicU64,
    taken_back: AtomicU64,
    /// Answers that have begun, and have no more to say yet.
    waiting: Arc<AtomicU64>,
}

impl Calls {
    fn are_running(&self) -> bool {
        self.begun.load(Relaxed) != self.answered.load(Relaxed) + self.taken_back.load(Relaxed)
            || self.waiting.load(Relaxed) > 0
    }
}

/// One call, which is counted as taken back if it is dropped before it was answered.
struct Call {
    calls: Arc<Calls>,
    is_answered: bool,
}

impl Call {
    fn begin(calls: &Arc<Calls>) -> Self {
        calls.begun.fetch_add(1, Relaxed);
        Self { calls: Arc::clone(calls), is_answered: false }
    }

    fn answered(mut self) {
        self.is_answered = true;
    }
}

impl Drop for Call {
    fn drop(&mut self) {
        let count = if self.is_answered { &self.calls.answered } else { &self.calls.taken_back };
        count.fetch_add(1, Relaxed);
    }
}

/// Where calls go that have come since they were looked for.
#[derive(Clone, Default)]
struct Arriving(Arc<Mutex<Vec<BoxFuture<'static, ()>>>>);

impl<F: Future<Output = ()> + Send + 'static> Executor<F> for Arriving {
    fn execute(&self, future: F) {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).push(Box::pin(future));
    }
}

/// Tells whether the connection itself was woken, and not only a call on it: most wake-ups are an answer of somebody whom a call has asked.
#[derive(Default)]
struct Woken {
    is_woken: AtomicBool,
    task: AtomicWaker,
}

impl ArcWake for Woken {
    fn wake_by_ref(this: &Arc<Self>) {
        this.is_woken.store(true, Release);
        this.task.wake();
    }
}

/// A connection and the calls on it.
struct Streams<C> {
    connection: Pin<Box<C>>,
    woken: Arc<Woken>,
    arriving: Arriving,
    running: FuturesUnordered<BoxFuture<'static, ()>>,
    calls: Arc<Calls>,
}

impl<C: Future<Output = hyper::Result<()>>> Streams<C> {
    /// Goes on with all that can; ready at the connection's end, with what it was.
    fn poll(&mut self, cx: &mut Context<'_>) -> Poll<String> {
        self.woken.task.register(cx.waker());
        // What is answered wakes the connection.
        while let Poll::Ready(Some(())) = self.running.poll_next_unpin(cx) {}
        if self.woken.is_woken.swap(false, AcqRel) {
            let waker = waker_ref(&self.woken);
            if let Poll::Ready(ended) = self.connection.as_mut().poll(&mut Context::from_waker(&waker)) {
                return Poll::Ready(ended.map_or_else(|error| error.to_string(), |()| "closed".to_owned()));
            }
            self.running.extend(self.arriving.0.lock().unwrap_or_else(PoisonError::into_inner).drain(..));
            while let Poll::Ready(Some(())) = self.running.poll_next_unpin(cx) {}
        }
        if self.calls.taken_back.load(Relaxed) > MAX_TAKEN_BACK {
            return Poll::Ready("its peer took back too many calls".to_owned());
        }
        Poll::Pending
    }

    /// Has the connection looked at again.
    fn wake(&self) {
        ArcWake::wake_by_ref(&self.woken);
    }
}

fn end<I, S, B>(connection: Pin<&mut Connection<I, S, Arriving>>)
where
    I: hyper::rt::Read + hyper::rt::Write + Unpin,
    S: HttpService<Incoming, ResBody = B, Error = Infallible, Future: Send + 'static>,
    B: Body<Data: Send, Error: Into<Box<dyn Error + Send + Sync>>> + Send + 'static,
{
    connection.graceful_shutdown();
}

/// Serves a connection whose peer speaks HTTP/2, with `max_streams` calls at a time.
pub(super) async fn http2<S, F, A, B>(stream: S, peer: Peer, serving: Serving, max_streams: u32, answer: A)
where
    S: AsyncRead + AsyncWrite + Unpin,
    A: Fn(Peer, Request<Incoming>) -> F,
    F: Future<Output = Response<B>> + Send + 'static,
    B: Body<Data: Send, Error: Into<Box<dyn Error + Send + Sync>>> + Send + Unpin + 'static,
{
    let calls = Arc::new(Calls::default());
    let counted = Arc::clone(&calls);
    let service = service_fn(move |request| {
        let (call, answering, waiting) = (Call::begin(&counted), answer(peer, request), Arc::clone(&counted.waiting));
        async move {
            let answer = answering.await;
            call.answered();
            Ok::<_, Infallible>(answer.map(|body| Awaited::new(body, waiting)))
        }
    });
    let arriving = Arriving::default();
    let mut builder = Builder::new(arriving.clone());
    builder.max_concurrent_streams(max_streams).max_header_list_size(MAX_HEAD_BYTES as u32);
    builder.max_frame_size(MAX_FRAME_BYTES).max_send_buf_size(MAX_WAITING_BYTES);
    builder.initial_stream_window_size(STREAM_WINDOW_BYTES).initial_connection_window_size(CONNECTION_WINDOW_BYTES);
    builder.max_pending_accept_reset_streams(MAX_WAITING_RESETS);
    builder.timer(TokioTimer::new()).keep_alive_interval(serving.head_timeout).keep_alive_timeout(serving.head_timeout);
    let connection = Box::pin(builder.serve_connection(TokioIo::new(stream), service));
    let (running, woken) = (FuturesUnordered::new(), Arc::new(Woken::default()));
    let mut streams = Streams { connection, woken, arriving, running, calls };
    streams.wake();
    let (mut stop, mut is_told) = (serving.stop, false);
    let (mut begun, mut age, mut has_run) = (0, 0, false);
    let why = loop {
        tokio::select! {
            biased;
            why = poll_fn(|cx| streams.poll(cx)) => break why,
            () = told(&mut stop), if !is_told => {
                is_told = true;
                end(streams.connection.as_mut());
                streams.wake();
            }
            () = serving.clock.sleep(serving.head_timeout) => {
                age += 1;
                // A call that ended since the last look leaves as much time as one that began.
                let runs = streams.calls.are_running();
                let is_idle = !runs && !has_run && streams.calls.begun.load(Relaxed) == begun;
                (begun, has_run) = (streams.calls.begun.load(Relaxed), runs);
                if is_idle && is_told {
                    break "its peer took too long to end".to_owned();
                }
                if is_idle || age > MAX_AGE {
                    is_told = true;
                    end(streams.connection.as_mut());
                    streams.wake();
                }
            }
        }
    };
    tracing::debug!(why, "a connection ended");
}
