//! One connection by HTTP/2 to a replica, that calls share.
//!
//! It is opened when the first call needs it, and again when it has ended: replicas end those that are idle or old. A call that the replica says it has not begun is made once more, on a new
//! connection; one that may have been begun is not. No lock is held while anything is waited for.

use std::error::Error as _;
use std::sync::{Mutex, PoisonError};
use std::task::{Context, Poll};

use axum::http::uri::{Authority, Parts, PathAndQuery, Scheme};
use axum::http::{Request, Response, Uri};
use hyper::body::Incoming;
use hyper::client::conn::http2::{Builder, SendRequest};
use hyper_util::rt::{TokioExecutor, TokioIo};
use tonic::Status;
use tonic::body::Body;
use tonic::codegen::Service;

use super::dial::Dial;
use crate::{Error, Result};

/// Bytes of answers that a replica may send before they are taken: of one, and of all.
const STREAM_WINDOW_BYTES: u32 = 1 << 20;
const CONNECTION_WINDOW_BYTES: u32 = 4 << 20;
/// Bytes of an answer's headers.
const MAX_HEAD_BYTES: u32 = 32 * 1024;
/// Calls that a replica has forgotten, and that are not yet forgotten here.
const MAX_RESETS: usize = 64;

/// A way to a replica.
#[derive(Debug)]
pub(super) struct Channel {
    dial: Dial,
    scheme: Scheme,
    authority: Authority,
    open: Mutex<Option<SendRequest<Body>>>,
}

/// A connection, to make one call on.
#[derive(Clone)]
pub(super) struct Line {
    sender: SendRequest<Body>,
    scheme: Scheme,
    authority: Authority,
    /// Whether others have used it before.
    pub(super) is_used: bool,
}

impl Channel {
    /// By `dial`, with TLS or without.
    ///
    /// # Errors
    /// `Invalid` for an address that is none.
    pub(super) fn new(dial: Dial, is_secure: bool) -> Result<Self> {
        let authority = Authority::try_from(&*dial.address);
        let authority = authority.map_err(|error| Error::Invalid {
            what: "address of a replica",
            why: format!("{}: {error}", dial.address),
        })?;
        let scheme = if is_secure { Scheme::HTTPS } else { Scheme::HTTP };
        Ok(Self { dial, scheme, authority, open: Mutex::new(None) })
    }

    pub(super) fn address(&self) -> &str {
        &self.dial.address
    }

    fn line(&self, sender: SendRequest<Body>, is_used: bool) -> Line {
        Line { sender, scheme: self.scheme.clone(), authority: self.authority.clone(), is_used }
    }

    /// The connection there is, or a new one.
    pub(super) async fn get(&self, operation: &'static str) -> Result<Line> {
        let open = self.open.lock().unwrap_or_else(PoisonError::into_inner).clone();
        match open.filter(|sender| !sender.is_closed()) {
            Some(sender) => Ok(self.line(sender, true)),
            None => self.renew(operation).await,
        }
    }

    /// A new connection, which those who come now share.
    pub(super) async fn renew(&self, operation: &'static str) -> Result<Line> {
        let wire = self.dial.connect(operation).await?;
        if !wire.may_be_http_2() {
            return Err(self.dial.failed(operation, "it speaks TLS, and no HTTP/2, which gRPC needs"));
        }
        let mut builder = Builder::new(TokioExecutor::new());
        builder.initial_stream_window_size(STREAM_WINDOW_BYTES);
        builder.initial_connection_window_size(CONNECTION_WINDOW_BYTES);
        builder.max_header_list_size(MAX_HEAD_BYTES).max_concurrent_reset_streams(MAX_RESETS);
        let opened = builder.handshake(TokioIo::new(wire)).await;
        let (sender, connection) = opened.map_err(|error| self.dial.failed(operation, error))?;
        // It ends when nobody can send on it any more, and nothing is awaited.
        tokio::spawn(async move {
            if let Err(error) = connection.await {
                tracing::debug!(%error, "a connection ended");
            }
        });
        *self.open.lock().unwrap_or_else(PoisonError::into_inner) = Some(sender.clone());
        Ok(self.line(sender, false))
    }

    /// Has the next call open another connection: on this one somebody has waited in vain.
    pub(super) fn forget(&self) {
        *self.open.lock().unwrap_or_else(PoisonError::into_inner) = None;
    }
}

/// Whether the replica has certainly not begun the call that came to this: it was never sent, or the replica says so by ending the connection before it, or by refusing it.
pub(super) fn is_unbegun(status: &Status) -> bool {
    let mut why = status.source();
    while let Some(error) = why {
        if error.downcast_ref::<hyper::Error>().is_some_and(hyper::Error::is_canceled) {
            return true;
        }
        if let Some(error) = error.downcast_ref::<h2::Error>().filter(|error| error.is_remote()) {
            let reason = error.reason();
            return (error.is_go_away() && reason == Some(h2::Reason::NO_ERROR))
                || (error.is_reset() && reason == Some(h2::Reason::REFUSED_STREAM));
        }
        why = error.source();
    }
    false
}

impl Service<Request<Body>> for Line {
    type Response = Response<Incoming>;
    type Error = hyper::Error;
    type Future = std::pin::Pin<Box<dyn Future<Output = Result<Self::Response, Self::Error>> + Send>>;

    fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<Result<(), Self::Error>> {
        // What is wrong is said by the call.
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, mut request: Request<Body>) -> Self::Future {
        let path = request.uri().path_and_query().cloned().unwrap_or_else(|| PathAndQuery::from_static("/"));
        let mut parts = Parts::default();
        (parts.scheme, parts.authority) = (Some(self.scheme.clone()), Some(self.authority.clone()));
        parts.path_and_query = Some(path);
        // All three parts are there and right, so that they make one.
        if let Ok(uri) = Uri::from_parts(parts) {
            *request.uri_mut() = uri;
        }
        Box::pin(self.sender.send_request(request))
    }
}
