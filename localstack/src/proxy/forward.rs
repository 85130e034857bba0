//! One request through the proxy.

use std::convert::Infallible;
use std::sync::{Arc, Mutex, PoisonError};

use bytes::Bytes;
use http::{HeaderMap, HeaderName, HeaderValue, Request, Response, StatusCode, header};
use http_body_util::combinators::UnsyncBoxBody;
use http_body_util::{BodyExt as _, Full};
use hyper::body::{Body as _, Incoming};
use plastron_sources::clock::{Clock as _, SystemClock};
use tokio::sync::Mutex as AsyncMutex;

use super::body::{Broken, FaultyBody, Way};
use super::downstream::ResetSwitch;
use super::ledger::Ledger;
use super::plan::{End, Judge, Plan};
use super::rule::Point;
use super::upstream::{Upstream, UpstreamError};

pub(super) type Outgoing = UnsyncBoxBody<Bytes, Broken>;

/// What all connections of a proxy share.
#[derive(Debug)]
pub(super) struct Shared {
    pub(super) judge: Mutex<Judge>,
    pub(super) ledger: Arc<Ledger>,
}

/// The client gets no answer: its connection ends here.
#[derive(Debug, thiserror::Error)]
#[error("the connection is cut")]
pub(super) struct Cut;

/// One client connection.
#[derive(Debug)]
pub(super) struct Passage {
    pub(super) shared: Arc<Shared>,
    pub(super) upstream: AsyncMutex<Upstream>,
    pub(super) reset: ResetSwitch,
}

impl Passage {
    /// Passes one request on, or does to it what its plan says.
    pub(super) async fn forward(&self, request: Request<Incoming>) -> Result<Response<Outgoing>, Cut> {
        let (mut parts, body) = request.into_parts();
        let mut plan = self.shared.judge.lock().unwrap_or_else(PoisonError::into_inner).plan(&parts);
        let stripped = strip(&mut parts.headers, &plan.strip_request);
        if stripped {
            plan.struck.push("strip_request_headers");
        }
        self.shared.ledger.request(&parts, &plan.struck);
        if !plan.delay.is_zero() {
            SystemClock.sleep(plan.delay).await;
        }
        match &plan.end {
            Some(End::Hang) => std::future::pending().await,
            Some(End::Reset { point: Point::Before }) => return Err(self.reset()),
            Some(End::Status { code, retry_after_s, point: Point::Before }) => {
                self.drain(body).await;
                return Ok(status(*code, *retry_after_s));
            }
            Some(End::Refusal { status, code }) => {
                self.drain(body).await;
                return Ok(refusal(*status, code));
            }
            _ => {}
        }
        let length = body.size_hint().exact();
        let cuts_request = plan.request.truncate.is_some_and(|at| length.is_none_or(|length| at < length));
        let body = FaultyBody::new(body, Way::Up, plan.request.clone(), false, Arc::clone(&self.shared.ledger));
        let mut upstream = self.upstream.lock().await;
        let response = match upstream.send(Request::from_parts(parts, body)).await {
            Ok(response) => response,
            Err(error) => {
                upstream.close();
                return match error {
                    _ if cuts_request => Err(self.reset()),
                    UpstreamError::Connect(_) | UpstreamError::Closed => Ok(bad_gateway(&error)),
                    // As the server did it: an end without an answer.
                    UpstreamError::Http(_) => Err(Cut),
                };
            }
        };
        if cuts_request {
            // A server may answer what it got only a part of (Node says 400 to it); that is not for the client.
            upstream.close();
            return Err(self.reset());
        }
        match plan.end {
            Some(End::Reset { .. }) => {
                self.drain(response.into_body()).await;
                Err(self.reset())
            }
            Some(End::LostAcknowledgement) => {
                self.drain(response.into_body()).await;
                Err(Cut)
            }
            Some(End::Status { code, retry_after_s, .. }) => {
                self.drain(response.into_body()).await;
                Ok(status(code, retry_after_s))
            }
            _ => Ok(self.answer(response, plan)),
        }
    }

    /// The server's response, with what the plan does to its headers and body.
    fn answer(&self, response: Response<Incoming>, plan: Plan) -> Response<Outgoing> {
        let (mut parts, body) = response.into_parts();
        if strip(&mut parts.headers, &plan.strip_response) {
            self.shared.ledger.fault("strip_response_headers");
        }
        let ledger = Arc::clone(&self.shared.ledger);
        let body = FaultyBody::new(body, Way::Down, plan.response, plan.silent, ledger);
        if let Some(length) = body.pretended_length() {
            self.shared.ledger.fault("truncate_response");
            if parts.headers.contains_key(header::CONTENT_LENGTH) {
                parts.headers.insert(header::CONTENT_LENGTH, length.into());
            }
        }
        Response::from_parts(parts, body.boxed_unsync())
    }

    fn reset(&self) -> Cut {
        self.reset.arm();
        Cut
    }

    /// Reads a body to its end, so that its sender is not stopped half way.
    async fn drain(&self, mut body: Incoming) {
        while let Some(Ok(_)) = body.frame().await {}
    }
}

/// Removes headers; says whether any was there.
fn strip(headers: &mut HeaderMap, names: &[String]) -> bool {
    let mut found = false;
    for name in names {
        if let Ok(name) = name.parse::<HeaderName>() {
            found |= headers.remove(name).is_some();
        }
    }
    found
}

/// An error with the word that S3 has for its status.
fn status(code: u16, retry_after_s: Option<u64>) -> Response<Outgoing> {
    let word = match code {
        429 => "TooManyRequests",
        500 => "InternalError",
        503 => "SlowDown",
        _ => "FaultProxy",
    };
    let mut response = refusal(code, word);
    if let Some(seconds) = retry_after_s {
        response.headers_mut().insert(header::RETRY_AFTER, seconds.into());
    }
    response
}

/// An error as S3 and GCS word it in the body, and Azure in a header.
fn refusal(status: u16, code: &str) -> Response<Outgoing> {
    let status = StatusCode::from_u16(status).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
    let text = format!(
        "<?xml version='1.0' encoding='UTF-8'?><Error><Code>{code}</Code><Message>the fault proxy says so</Message></Error>"
    );
    let mut response = whole(status, text);
    if let Ok(code) = HeaderValue::from_str(code) {
        response.headers_mut().insert("x-ms-error-code", code);
    }
    response
}

/// The proxy's own trouble, told apart from every fault.
fn bad_gateway(error: &UpstreamError) -> Response<Outgoing> {
    whole(StatusCode::BAD_GATEWAY, format!("<Error><Code>FaultProxyUpstream</Code><Message>{error}</Message></Error>"))
}

fn whole(status: StatusCode, text: String) -> Response<Outgoing> {
    let body = Full::from(text).map_err(|never: Infallible| match never {});
    let mut response = Response::new(body.boxed_unsync());
    *response.status_mut() = status;
    response.headers_mut().insert(header::CONTENT_TYPE, HeaderValue::from_static("application/xml"));
    response
}
