//! Connections: accepted up to a limit, each with a deadline for its headers, each ended when the service stops.

use std::future::Future;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use http::{Request, Response};
use http_body_util::Full;
use hyper::body::Incoming;
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper_util::rt::TokioIo;
use plastron_sources::clock::Clock;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::{Semaphore, watch};
use tokio::task::JoinSet;
use tokio_rustls::TlsAcceptor;

use super::patience::Patience;

/// Bytes of a call's headers.
const MAX_HEAD_BYTES: usize = 32 * 1024;
/// Headers of a call.
const MAX_HEADERS: usize = 64;
/// How long calls may go on after the service is told to stop.
const LAST_CALLS: Duration = Duration::from_secs(10);
/// Wait after the machine refused a connection (it has no more files, say).
const ACCEPT_PAUSE: Duration = Duration::from_millis(50);

/// How connections are served.
#[derive(Clone)]
pub(super) struct Serving {
    pub(super) tls: Option<TlsAcceptor>,
    pub(super) max_connections: usize,
    pub(super) head_timeout: Duration,
    pub(super) clock: Arc<dyn Clock>,
    pub(super) stop: watch::Receiver<bool>,
}

/// Serves until told to stop, and then until the last calls are answered.
pub(super) async fn serve<F, A>(listener: TcpListener, serving: Serving, answer: A)
where
    A: Fn(Request<Incoming>) -> F + Clone + Send + Sync + 'static,
    F: Future<Output = Response<Full<Bytes>>> + Send + 'static,
{
    let slots = Arc::new(Semaphore::new(serving.max_connections));
    let mut connections = JoinSet::new();
    let mut stop = serving.stop.clone();
    loop {
        // Whoever comes when all are taken waits in the machine's queue, which is bounded too.
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
        let stream = match stream {
            Ok((stream, _)) => stream,
            Err(error) => {
                tracing::warn!(%error, "a connection can't be accepted");
                serving.clock.sleep(ACCEPT_PAUSE).await;
                continue;
            }
        };
        let (serving, answer) = (serving.clone(), answer.clone());
        connections.spawn(async move {
            let _slot = slot;
            connection(stream, serving, answer).await;
        });
    }
    drop(listener);
    let last = async { while connections.join_next().await.is_some() {} };
    if tokio::time::timeout(LAST_CALLS, last).await.is_err() {
        tracing::warn!("calls that were not finished are broken off");
        connections.shutdown().await;
    }
}

/// Waits until the service is told to stop.
async fn told(stop: &mut watch::Receiver<bool>) {
    // An error means that nobody is left who could tell: that is the end too.
    let _ = stop.wait_for(|stop| *stop).await.is_ok();
}

async fn connection<F, A>(stream: TcpStream, serving: Serving, answer: A)
where
    A: Fn(Request<Incoming>) -> F + Send + Sync + 'static,
    F: Future<Output = Response<Full<Bytes>>> + Send + 'static,
{
    // Answers are small and complete.
    let _ = stream.set_nodelay(true);
    let Some(acceptor) = serving.tls.clone() else { return http(stream, serving, answer).await };
    match tokio::time::timeout(serving.head_timeout, acceptor.accept(stream)).await {
        Ok(Ok(stream)) => http(stream, serving, answer).await,
        Ok(Err(error)) => tracing::debug!(%error, "no TLS came about"),
        Err(_) => tracing::debug!("TLS took too long"),
    }
}

async fn http<S, F, A>(stream: S, serving: Serving, answer: A)
where
    S: AsyncRead + AsyncWrite + Unpin,
    A: Fn(Request<Incoming>) -> F,
    F: Future<Output = Response<Full<Bytes>>>,
{
    let patience = Arc::new(Patience::new(Arc::clone(&serving.clock), serving.head_timeout));
    let calls = Arc::clone(&patience);
    let service = service_fn(move |request| {
        calls.called();
        let (answering, calls) = (answer(request), Arc::clone(&calls));
        async move {
            let answer = answering.await;
            calls.answered();
            Ok::<_, std::convert::Infallible>(answer)
        }
    });
    let mut builder = http1::Builder::new();
    // `Patience` sees to the time.
    builder.header_read_timeout(None).max_buf_size(MAX_HEAD_BYTES).max_headers(MAX_HEADERS);
    let mut connection = std::pin::pin!(builder.serve_connection(TokioIo::new(stream), service));
    let mut stop = serving.stop;
    let ended = tokio::select! {
        biased;
        ended = connection.as_mut() => ended,
        () = patience.lost() => {
            tracing::debug!("no call came in time");
            return;
        }
        () = told(&mut stop) => {
            connection.as_mut().graceful_shutdown();
            tokio::select! {
                biased;
                ended = connection.as_mut() => ended,
                () = patience.lost() => return,
            }
        }
    };
    if let Err(error) = ended {
        tracing::debug!(%error, "a connection ended");
    }
}
