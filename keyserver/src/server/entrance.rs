//! What every request passes before its route: its body is read, bounded in size and time.

use std::convert::Infallible;
use std::sync::Arc;
use std::time::Duration;

use axum::Router;
use axum::body::{Body, Bytes};
use axum::extract::ConnectInfo;
use axum::http::header::CONNECTION;
use axum::http::{HeaderValue, Request, StatusCode};
use axum::response::{IntoResponse, Response};
use http_body_util::{BodyExt as _, LengthLimitError, Limited};
use hyper::body::Incoming;
use hyper::service::Service as _;
use hyper_util::service::TowerToHyperService;
use plastron_ickpt::listener::Peer;
use plastron_sources::clock::Clock;

/// The entrance to the routes.
#[derive(Debug, Clone)]
pub(super) struct Entrance {
    routes: TowerToHyperService<Router>,
    most_bytes: usize,
    patience: Duration,
    clock: Arc<dyn Clock>,
    #[cfg(feature = "grpc")]
    grpc: Option<super::grpc::Grpc>,
}

impl Entrance {
    /// To `routes`, with bodies of at most `most_bytes`, which come within `patience`.
    pub(super) fn new(routes: Router, most_bytes: usize, patience: Duration, clock: Arc<dyn Clock>) -> Self {
        Self {
            routes: TowerToHyperService::new(routes),
            most_bytes,
            patience,
            clock,
            #[cfg(feature = "grpc")]
            grpc: None,
        }
    }

    /// And to gRPC.
    #[cfg(feature = "grpc")]
    pub(super) fn with_grpc(self, grpc: super::grpc::Grpc) -> Self {
        Self { grpc: Some(grpc), ..self }
    }

    /// The answer to a request of `peer`.
    pub(super) async fn answer(self, peer: Peer, request: Request<Incoming>) -> Response {
        #[cfg(feature = "grpc")]
        if let Some(grpc) = self.grpc.as_ref().filter(|_| super::grpc::Grpc::is_meant(&request)) {
            return grpc.answer(&self, peer, request).await;
        }
        let (mut parts, body) = request.into_parts();
        let body = match self.read(body, self.most_bytes).await {
            Ok(body) => body,
            Err((status, why)) => {
                // What follows on the connection cannot be told from the rest of the body.
                let close = [(CONNECTION, HeaderValue::from_static("close"))];
                return (status, close, why).into_response();
            }
        };
        parts.extensions.insert(ConnectInfo(peer));
        let answer: Result<Response, Infallible> = self.routes.call(Request::from_parts(parts, Body::from(body))).await;
        answer.unwrap_or_else(|never| match never {})
    }

    /// The body, or with which status and why there is none.
    pub(super) async fn read(&self, body: Incoming, most_bytes: usize) -> Result<Bytes, (StatusCode, String)> {
        let read = tokio::select! {
            read = Limited::new(body, most_bytes).collect() => read,
            () = self.clock.sleep(self.patience) => {
                let why = format!("the body did not come within {} s", self.patience.as_secs_f64());
                return Err((StatusCode::REQUEST_TIMEOUT, why));
            }
        };
        read.map(|body| body.to_bytes()).map_err(|error| match error.downcast_ref::<LengthLimitError>() {
            Some(_) => (StatusCode::PAYLOAD_TOO_LARGE, format!("a body has {most_bytes} bytes at the most")),
            None => (StatusCode::BAD_REQUEST, "the body broke off, or is no HTTP".to_owned()),
        })
    }
}
