//! What every call passes before it is one: its sender is admitted, and its one message read, bounded in size and time.
//!
//! Whatever is wrong with a call is answered by a status of the documented table; each call that has a count of its own is counted once.

use std::sync::Arc;
use std::time::Duration;

use axum::body::{Body, Bytes};
use axum::extract::ConnectInfo;
use axum::http::header::CONTENT_TYPE;
use axum::http::{HeaderMap, Request, StatusCode, Version};
use axum::response::{IntoResponse, Response};
use http_body_util::Full;
use hyper::body::Incoming;
use hyper::service::Service as _;
use hyper_util::service::TowerToHyperService;
use plastron_ickpt::listener::Peer;
use tonic::{Code, Status};

use super::super::entrance::Entrance;
use super::super::http::Shared;
use super::super::metrics::Route;
use super::calls::Calls;
use super::timeout::timeout;
use crate::Error;
use crate::grpc::keyserver_server::{KeyserverServer, SERVICE_NAME};
use crate::grpc::{status_of, too_large};

const CONTENT: &str = "application/grpc";
/// The most bytes of a request's message: more than any that is accepted.
const MOST_REQUEST_BYTES: usize = 256 << 10;
/// The most bytes of an answer's: more than any that is given.
const MOST_ANSWER_BYTES: usize = 9 << 20;
/// In front of a message: whether it is compressed, and its length.
const PREFIX_BYTES: usize = 5;

/// Who asks, and how long he can be kept waiting.
#[derive(Debug, Clone, Copy)]
pub(super) struct Asking {
    pub(super) peer: Peer,
    pub(super) deadline: Duration,
    /// How long he is going to wait, if he has said so.
    pub(super) said: Option<Duration>,
}

/// The entrance to the calls.
#[derive(Clone)]
pub(in super::super) struct Grpc {
    calls: TowerToHyperService<KeyserverServer<Calls>>,
    shared: Arc<Shared>,
}

impl std::fmt::Debug for Grpc {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Grpc").field("shared", &self.shared).finish_non_exhaustive()
    }
}

/// Whether the content is gRPC's, with Protocol Buffers within.
fn is_grpc(headers: &HeaderMap) -> bool {
    let content = headers.get(CONTENT_TYPE).and_then(|content| content.to_str().ok()).unwrap_or_default();
    let sort = content.strip_prefix(CONTENT).map(|rest| rest.split(';').next().unwrap_or_default().trim_end());
    matches!(sort, Some("" | "+proto"))
}

fn route(path: &str) -> Option<Route> {
    let (service, call) = path.strip_prefix('/')?.split_once('/')?;
    Some(match call {
        _ if service != SERVICE_NAME => return None,
        "Lookup" => Route::Lookup,
        "Update" => Route::Update,
        "Register" | "RegisterCertified" => Route::Register,
        "History" => Route::History,
        "PushRatification" => Route::Ratify,
        "VerifierStream" => Route::Stream,
        "ChangePolicy" => Route::Policy,
        "Issuers" | "ChangeIssuers" => Route::Issuers,
        "Authorities" | "ChangeAuthorities" => Route::Authorities,
        _ => return None,
    })
}

/// As which of HTTP's a status is counted.
fn counted(code: Code) -> StatusCode {
    match code {
        Code::Ok => StatusCode::OK,
        Code::Unavailable | Code::ResourceExhausted | Code::DeadlineExceeded => StatusCode::SERVICE_UNAVAILABLE,
        Code::Internal | Code::DataLoss | Code::Unknown => StatusCode::INTERNAL_SERVER_ERROR,
        _ => StatusCode::BAD_REQUEST,
    }
}

fn invalid(why: impl Into<String>) -> Status {
    status_of(&Error::Invalid { what: "message", why: why.into() })
}

/// Checks that there is one message, as it is promised in front of it.
fn check(body: &[u8]) -> Result<(), Status> {
    let Some(([flag, length @ ..], message)) = body.split_first_chunk::<PREFIX_BYTES>() else {
        return Err(invalid("there is none"));
    };
    let length = u32::from_be_bytes(*length) as usize;
    match flag {
        0 if length > MOST_REQUEST_BYTES => {
            Err(too_large(format!("a message has {MOST_REQUEST_BYTES} bytes at the most, and not {length}")))
        }
        0 if length == message.len() => Ok(()),
        0 => Err(invalid(format!("{length} bytes are to follow, and {} do", message.len()))),
        1 => Err(status_of(&Error::Unsupported { what: "compression of a message", version: 1, known: 0 })),
        _ => Err(invalid("its first byte is neither 0 nor 1")),
    }
}

impl Grpc {
    pub(in super::super) fn new(shared: Arc<Shared>) -> Self {
        let calls = KeyserverServer::new(Calls::new(Arc::clone(&shared)));
        let calls = calls.max_decoding_message_size(MOST_REQUEST_BYTES).max_encoding_message_size(MOST_ANSWER_BYTES);
        Self { calls: TowerToHyperService::new(calls), shared }
    }

    /// Whether a request is for this entrance, and not for the routes.
    pub(in super::super) fn is_meant<B>(request: &Request<B>) -> bool {
        let service = request.uri().path().split('/').nth(1).unwrap_or_default();
        service == SERVICE_NAME || is_grpc(request.headers())
    }

    /// The answer to a request of `peer`.
    pub(in super::super) async fn answer(
        &self,
        entrance: &Entrance,
        peer: Peer,
        request: Request<Incoming>,
    ) -> Response {
        if request.version() != Version::HTTP_2 {
            return (StatusCode::HTTP_VERSION_NOT_SUPPORTED, "gRPC needs HTTP/2\n").into_response();
        }
        if !is_grpc(request.headers()) {
            return (StatusCode::UNSUPPORTED_MEDIA_TYPE, "gRPC is application/grpc\n").into_response();
        }
        let route = route(request.uri().path());
        let answer = match self.ask(entrance, peer, request).await {
            Ok(answer) => answer,
            Err(status) => status.into_http(),
        };
        if let Some(route) = route {
            // Headers have a status where there is nothing else.
            let code = Status::from_header_map(answer.headers()).map_or(Code::Ok, |status| status.code());
            self.shared.metrics.count(route, counted(code));
        }
        answer
    }

    async fn ask(&self, entrance: &Entrance, peer: Peer, request: Request<Incoming>) -> Result<Response, Status> {
        self.shared.admit(ConnectInfo(peer)).map_err(|error| status_of(&error))?;
        let (mut parts, body) = request.into_parts();
        let most = self.shared.options.deadline;
        let said = match parts.headers.get("grpc-timeout") {
            None => None,
            Some(text) => {
                let said = text.to_str().ok().and_then(timeout);
                Some(said.ok_or_else(|| invalid("its grpc-timeout is up to 8 digits and a unit, H, M, S, m, u or n"))?)
            }
        };
        let body = match entrance.read(body, PREFIX_BYTES + MOST_REQUEST_BYTES).await {
            Ok(body) => body,
            Err((StatusCode::PAYLOAD_TOO_LARGE, why)) => return Err(too_large(why)),
            Err((StatusCode::REQUEST_TIMEOUT, _)) => {
                let seconds = self.shared.options.client_timeout.as_secs();
                return Err(status_of(&Error::Timeout { what: "the message", seconds }));
            }
            Err((_, why)) => return Err(invalid(why)),
        };
        check(&body)?;
        parts.extensions.insert(Asking { peer, deadline: said.map_or(most, |said| said.min(most)), said });
        let answer = self.calls.call(Request::from_parts(parts, Full::<Bytes>::new(body))).await;
        let answer = answer.unwrap_or_else(|never: std::convert::Infallible| match never {});
        match Status::from_header_map(answer.headers()) {
            // Whatever is refused here says its kind; so this is what was made of the message before, and could not be.
            Some(status) if !status.metadata().contains_key(crate::grpc::KIND) => Err(match status.code() {
                Code::Unimplemented => status_of(&Error::Unsupported { what: "call", version: 1, known: 0 }),
                _ => invalid(status.message()),
            }),
            _ => Ok(answer.map(Body::new)),
        }
    }
}
