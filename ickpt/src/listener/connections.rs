//! Accepting, and serving what was accepted.

use std::error::Error;
use std::future::Future;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use http::{Request, Response};
use http_body::Body;
use hyper::body::Incoming;
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper_util::rt::{TokioIo, TokioTimer};
use plastron_sources::clock::Clock;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::{Semaphore, watch};
use tokio::task::JoinSet;
use tokio_rustls::TlsAcceptor;

use super::flowing::Flowing;
use super::opening::look;
use super::streams::http2;

/// Bytes of a call's headers.
pub(super) const MAX_HEAD_BYTES: usize = 32 * 1024;
/// Headers of a call.
const MAX_HEADERS: usize = 64;
/// How long calls may go on after the service is told to stop.
const LAST_CALLS: Duration = Duration::from_secs(10);
/// Wait after the machine refused a connection (it has no more files, say).
const ACCEPT_PAUSE: Duration = Duration::from_millis(50);

/// Who is at the other end.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Peer {
    /// Where it comes from.
    pub address: SocketAddr,
    /// Whether it has shown a certificate that the acceptor takes.
    pub certified: bool,
}

/// How connections are served.
#[derive(Clone)]
pub struct Serving {
    /// TLS; none to encrypt nothing.
    pub tls: Option<TlsAcceptor>,
    /// The most connections at once; who comes when all are taken waits in the machine's queue, which is bounded too.
    pub max_connections: usize,
    /// The most calls at once on one connection, by HTTP/2; none to speak HTTP/1.1 only. Whoever answers sees to how many there are on all of them.
    pub max_streams: Option<u32>,
    /// How long a peer can take for the handshake, and to begin a request and finish its headers. So idle connections end, too.
    pub head_timeout: Duration,
    /// How long a peer can take nothing of an answer that it is given.
    pub write_timeout: Duration,
    /// Time, for a pause after the machine refused a connection.
    pub clock: Arc<dyn Clock>,
    /// Becomes true, or is gone, when it is to stop.
    pub stop: watch::Receiver<bool>,
}

/// Serves until told to stop, and then until the last calls are answered, 10 seconds at the most.
pub async fn serve<F, A, B>(listener: TcpListener, serving: Serving, answer: A)
where
    A: Fn(Peer, Request<Incoming>) -> F + Clone + Send + Sync + 'static,
    F: Future<Output = Response<B>> + Send + 'static,
    B: Body<Data: Send, Error: Into<Box<dyn Error + Send + Sync>>> + Send + Unpin + 'static,
{
    let slots = Arc::new(Semaphore::new(serving.max_connections));
    let mut connections = JoinSet::new();
    let mut stop = serving.stop.clone();
    loop {
        let accept = async {
            let slot = Arc::clone(&slots).acquire_owned().await;
            (slot, listener.accept().await)
        };
        let (slot, stream) = tokio::select! {
            biased;
            () = told(&mut stop) => break,
            accepted = accept => accepted,
        };
        while connections.try_join_next().is_some() {}
        let (stream, address) = match stream {
            Ok(accepted) => accepted,
            Err(error) => {
                tracing::warn!(%error, "a connection can't be accepted");
                serving.clock.sleep(ACCEPT_PAUSE).await;
                continue;
            }
        };
        let (serving, answer) = (serving.clone(), answer.clone());
        connections.spawn(async move {
            let _slot = slot;
            connection(stream, address, serving, answer).await;
        });
    }
    drop(listener);
    let last = async { while connections.join_next().await.is_some() {} };
    if tokio::time::timeout(LAST_CALLS, last).await.is_err() {
        tracing::warn!("calls that were not finished are broken off");
        connections.shutdown().await;
    }
}

/// Waits until the server is told to stop.
pub(super) async fn told(stop: &mut watch::Receiver<bool>) {
    // An error means that nobody is left who could tell: that is the end too.
    let _ = stop.wait_for(|stop| *stop).await.is_ok();
}

async fn connection<F, A, B>(stream: TcpStream, address: SocketAddr, serving: Serving, answer: A)
where
    A: Fn(Peer, Request<Incoming>) -> F + Send + Sync + 'static,
    F: Future<Output = Response<B>> + Send + 'static,
    B: Body<Data: Send, Error: Into<Box<dyn Error + Send + Sync>>> + Send + Unpin + 'static,
{
    // Answers are complete when they are written: they wait for nothing. One that is gone already is noticed later.
    let _ = stream.set_nodelay(true);
    let mut peer = Peer { address, certified: false };
    // Beneath TLS, where it is seen what has really gone.
    let stream = Flowing::new(stream, serving.write_timeout, Arc::clone(&serving.clock));
    let Some(acceptor) = serving.tls.clone() else {
        return match serving.max_streams {
            None => http1(stream, peer, serving, answer).await,
            Some(max_streams) => match tokio::time::timeout(serving.head_timeout, look(stream)).await {
                Ok(Ok((true, stream))) => http2(stream, peer, serving, max_streams, answer).await,
                Ok(Ok((false, stream))) => http1(stream, peer, serving, answer).await,
                Ok(Err(error)) => tracing::debug!(%error, %address, "a connection ended before it began"),
                Err(_) => tracing::debug!(%address, "nothing was asked"),
            },
        };
    };
    match tokio::time::timeout(serving.head_timeout, acceptor.accept(stream)).await {
        Ok(Ok(stream)) => {
            let session = stream.get_ref().1;
            peer.certified = session.peer_certificates().is_some_and(|shown| !shown.is_empty());
            match serving.max_streams.filter(|_| session.alpn_protocol() == Some(b"h2")) {
                Some(max_streams) => http2(stream, peer, serving, max_streams, answer).await,
                None => http1(stream, peer, serving, answer).await,
            }
        }
        Ok(Err(error)) => tracing::debug!(%error, %address, "no TLS came about"),
        Err(_) => tracing::debug!(%address, "TLS took too long"),
    }
}

async fn http1<S, F, A, B>(stream: S, peer: Peer, serving: Serving, answer: A)
where
    S: AsyncRead + AsyncWrite + Unpin,
    A: Fn(Peer, Request<Incoming>) -> F,
    F: Future<Output = Response<B>>,
    B: Body<Error: Into<Box<dyn Error + Send + Sync>>> + 'static,
{
    let service = service_fn(move |request| {
        let answering = answer(peer, request);
        async move { Ok::<_, std::convert::Infallible>(answering.await) }
    });
    let mut builder = http1::Builder::new();
    builder.timer(TokioTimer::new()).header_read_timeout(serving.head_timeout);
    builder.max_buf_size(MAX_HEAD_BYTES).max_headers(MAX_HEADERS);
    let mut connection = std::pin::pin!(builder.serve_connection(TokioIo::new(stream), service));
    let mut stop = serving.stop;
    let ended = tokio::select! {
        biased;
        ended = connection.as_mut() => ended,
        () = told(&mut stop) => {
            connection.as_mut().graceful_shutdown();
            connection.await
        }
    };
    if let Err(error) = ended {
        tracing::debug!(%error, "a connection ended");
    }
}
