//! One call, from its headers to its answer.

use std::sync::Arc;
use std::time::Duration;

use bytes::{Bytes, BytesMut};
use http::{HeaderValue, Method, Request, Response, StatusCode, Version, header};
use http_body_util::{BodyExt as _, Full};
use hyper::body::Incoming;
use tokio::sync::Semaphore;

use super::authorizer::Authorizer;
use super::headers::{CallHeaders, storage_url};
use super::metrics::Metrics;
use crate::allow_list::AllowList;
use crate::checkpoint_store::{CheckpointStore, Content, MAX_PATH_BYTES, Record, Write};
use crate::protocol as names;
use crate::refusal::{Reason, Refusal};
use crate::value::Epoch;

/// Times that a fall-through is fetched again because something was committed meanwhile.
const MAX_FETCHES: u32 = 8;

/// What every call shares.
#[derive(Debug)]
pub(super) struct Shared {
    pub(super) allowed: AllowList,
    pub(super) authorizer: Authorizer,
    pub(super) store: CheckpointStore,
    pub(super) metrics: Metrics,
    /// A place for each call that may run: on HTTP/1.1 a connection is one, on HTTP/2 it has many.
    pub(super) calls: Semaphore,
    pub(super) max_body_bytes: usize,
    pub(super) body_timeout: Duration,
}

type Refused = (Refusal, Epoch);
type Answered = Result<Response<Full<Bytes>>, Refused>;

fn plain(refusal: Refusal) -> Refused {
    (refusal, Epoch::NONE)
}

impl Shared {
    /// Answers a call, whatever it is.
    pub(super) async fn answer(self: Arc<Self>, request: Request<Incoming>) -> Response<Full<Bytes>> {
        let (method, version) = (request.method().clone(), request.version());
        let answered = match self.calls.try_acquire() {
            Ok(_place) => self.call(request).await,
            Err(_) => Err(plain(Refusal::new(Reason::Overloaded, "as many calls run as there may be; try again"))),
        };
        let response = answered.unwrap_or_else(|(refusal, promised)| {
            tracing::debug!(%method, reason = %refusal.reason(), "refused");
            refuse(&refusal, promised, version)
        });
        self.metrics.call(&method, response.status().as_u16());
        response
    }

    async fn call(&self, request: Request<Incoming>) -> Answered {
        let (head, body) = request.into_parts();
        match head.method {
            Method::HEAD => return Ok(respond(StatusCode::NO_CONTENT, Bytes::new())),
            Method::GET | Method::PUT | Method::POST | Method::DELETE => {}
            _ => {
                let message = "there are DELETE, GET, HEAD, POST and PUT";
                return Err(plain(Refusal::new(Reason::Method, message)));
            }
        }
        let url = storage_url(&head.headers).map_err(plain)?;
        self.allowed.check(&url).map_err(plain)?;
        let call = CallHeaders::read(url, &head.headers).map_err(plain)?;
        let path = head.uri.path_and_query().map_or("/", http::uri::PathAndQuery::as_str);
        if path.len() > MAX_PATH_BYTES {
            let message = format!("the path has {} bytes; it can have {MAX_PATH_BYTES} at the most", path.len());
            return Err(plain(Refusal::new(Reason::Header, message)));
        }
        let path = Bytes::copy_from_slice(path.as_bytes());
        let bytes = match head.method {
            Method::PUT => Some(self.body(body, &head.headers).await.map_err(plain)?),
            _ => None,
        };
        let key = call.url.key();
        match head.method {
            Method::GET => self.get(&call, &key).await,
            Method::POST => {
                self.authorizer.authorize(&call.url, &call.token, true).await.map_err(plain)?;
                let record = self.store.commit(&key, path).await?;
                tracing::debug!(url = %call.url, sequence = record.sequence, "committed");
                Ok(self.state(respond(StatusCode::OK, Bytes::new()), &record))
            }
            _ => {
                self.authorizer.authorize(&call.url, &call.token, true).await.map_err(plain)?;
                let write = Write { bytes, stamp: call.stamp, members: call.members };
                let record = self.store.stage(&key, path, write).await?;
                Ok(self.state(respond(StatusCode::NO_CONTENT, Bytes::new()), &record))
            }
        }
    }

    async fn get(&self, call: &CallHeaders, key: &str) -> Answered {
        // To take over is to change something.
        let mut found = self.authorizer.authorize(&call.url, &call.token, call.fence.is_some()).await.map_err(plain)?;
        let mut known = None;
        for _ in 0..MAX_FETCHES {
            let record = self.store.look(key, call.fence, call.keep).await?;
            if let Content::Value(bytes) = &record.content {
                return Ok(self.state(respond(StatusCode::OK, bytes.clone()), &record));
            }
            // The store's bytes count if they were fetched after what is committed now was committed.
            if known == Some(record.sequence) {
                return Ok(self.state(respond(StatusCode::OK, found), &record));
            }
            known = Some(record.sequence);
            found = self.authorizer.authorize(&call.url, &call.token, false).await.map_err(plain)?;
        }
        let message = "what is committed changes faster than the store can be asked; try again";
        Err(plain(Refusal::new(Reason::Overloaded, message)))
    }

    /// Says what is committed, and who says so.
    fn state(&self, mut response: Response<Full<Bytes>>, record: &Record) -> Response<Full<Bytes>> {
        let source = if matches!(record.content, Content::Value(_)) { "committed" } else { "store" };
        let headers = response.headers_mut();
        headers.insert(names::SOURCE, HeaderValue::from_static(source));
        let mut set = |name, text: String| {
            if let Ok(value) = HeaderValue::try_from(text) {
                headers.insert(name, value);
            }
        };
        set(names::INSTANCE, self.store.identity().to_string());
        if record.promised != Epoch::NONE {
            set(names::PROMISED, record.promised.to_string());
        }
        if let Some(stamp) = record.stamp {
            set(names::VERSION, stamp.to_string());
        }
        if !record.members.is_empty() {
            set(names::MEMBERS, record.members.to_string());
        }
        response
    }

    /// The body of a PUT: not empty, not too long, not too slow.
    async fn body(&self, mut body: Incoming, headers: &http::HeaderMap) -> Result<Bytes, Refusal> {
        let limit = self.max_body_bytes;
        let too_large = || Refusal::new(Reason::BodyTooLarge, format!("the body can have {limit} bytes at the most"));
        let length = headers.get(header::CONTENT_LENGTH).and_then(|value| value.to_str().ok()?.parse::<u64>().ok());
        if length.is_some_and(|length| length > limit as u64) {
            return Err(too_large());
        }
        let read = async {
            let mut bytes = BytesMut::new();
            while let Some(frame) = body.frame().await {
                let frame = frame.map_err(|_| Refusal::new(Reason::Header, "the body broke off, or is no HTTP"))?;
                let Ok(data) = frame.into_data() else { continue };
                if bytes.len() + data.len() > limit {
                    return Err(too_large());
                }
                bytes.extend_from_slice(&data);
            }
            Ok(bytes.freeze())
        };
        let bytes = tokio::time::timeout(self.body_timeout, read).await;
        let bytes = bytes
            .unwrap_or_else(|_| Err(Refusal::new(Reason::TooSlow, "the body did not come within RequestTimeout")))?;
        if bytes.is_empty() {
            return Err(Refusal::new(Reason::BodyEmpty, "the body is empty; use DELETE to delete"));
        }
        Ok(bytes)
    }
}

fn respond(status: StatusCode, body: Bytes) -> Response<Full<Bytes>> {
    let mut response = Response::new(Full::new(body));
    *response.status_mut() = status;
    response
}

fn refuse(refusal: &Refusal, promised: Epoch, version: Version) -> Response<Full<Bytes>> {
    let reason = refusal.reason();
    let status = StatusCode::from_u16(reason.status()).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
    let mut response = respond(status, Bytes::from(format!("{}\n", refusal.message())));
    let headers = response.headers_mut();
    headers.insert(names::REASON, HeaderValue::from_static(reason.word()));
    headers.insert(header::CONTENT_TYPE, HeaderValue::from_static("text/plain; charset=utf-8"));
    match reason {
        Reason::Method => {
            headers.insert(header::ALLOW, HeaderValue::from_static("DELETE, GET, HEAD, POST, PUT"));
        }
        // What is left of the body is not waited for. (HTTP/2 ends the call alone, without a word.)
        Reason::BodyTooLarge | Reason::TooSlow if version <= Version::HTTP_11 => {
            headers.insert(header::CONNECTION, HeaderValue::from_static("close"));
        }
        Reason::Overloaded | Reason::StoreBusy => {
            headers.insert(header::RETRY_AFTER, HeaderValue::from_static("1"));
        }
        _ => {}
    }
    if promised != Epoch::NONE
        && let Ok(value) = HeaderValue::try_from(promised.to_string())
    {
        headers.insert(names::PROMISED, value);
    }
    response
}
