//! Over HTTP/1.1, with framed messages as bodies. The protocol is in `docs/src/formats/keyserver.md`.
//!
//! Answers prove themselves, so that the transport need not be trusted; without TLS it shows names and profiles to whoever is in between.

use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use bytes::Bytes;
use http_body_util::{BodyExt as _, Full, Limited};
use hyper::{Method, Request, StatusCode};
use hyper_util::rt::TokioIo;
use plastron_sources::clock::Clock;

use super::Transport;
use super::dial::Dial;
use crate::encoding::FRAME_BYTES;
use crate::proto::{
    Authorities, AuthoritiesChange, CertifiedRegistration, HistoryPage, Issuers, IssuersChange, LogEntry, LookupAnswer,
    LookupRequest, Message, PolicyChange, Registration, StreamPage, StreamPosition, Update,
};
use crate::tls::ClientTls;
use crate::{Error, ErrorKind, Result};

/// A replica at an address.
#[derive(Debug, Clone)]
pub struct HttpTransport {
    dial: Dial,
    clock: Arc<dyn Clock>,
    deadline: Duration,
}

impl HttpTransport {
    /// The replica at `address` (`host:port`, with or without `http://`, or `https://host:port`, which needs [`with_tls`](Self::with_tls)). No call takes
    /// longer than `deadline`.
    pub fn new(address: &str, clock: Arc<dyn Clock>, deadline: Duration) -> Self {
        let secure = address.starts_with("https://");
        let address = address.trim_start_matches("https://").trim_start_matches("http://");
        Self { dial: Dial::new(address.trim_end_matches('/'), secure.then_some("https")), clock, deadline }
    }

    /// Speaks TLS to an `https://` address, trusting and showing what `tls` says.
    #[must_use]
    pub fn with_tls(self, tls: ClientTls) -> Self {
        Self { dial: self.dial.with_tls(tls), ..self }
    }

    fn failed(&self, operation: &'static str, why: impl ToString) -> Error {
        self.dial.failed(operation, why)
    }

    async fn call(
        &self,
        operation: &'static str,
        method: Method,
        path: &str,
        body: Vec<u8>,
        most: usize,
    ) -> Result<Bytes> {
        tokio::select! {
            result = self.exchange(operation, method, path, body, most) => result,
            () = self.clock.sleep(self.deadline) => {
                Err(self.failed(operation, format!("no answer within {} s", self.deadline.as_secs())))
            }
        }
    }

    async fn exchange(
        &self,
        operation: &'static str,
        method: Method,
        path: &str,
        body: Vec<u8>,
        most: usize,
    ) -> Result<Bytes> {
        let stream = self.dial.connect(operation).await?;
        let connected = hyper::client::conn::http1::handshake(TokioIo::new(stream)).await;
        let (mut sender, connection) = connected.map_err(|error| self.failed(operation, error))?;
        let request = Request::builder()
            .method(method)
            .uri(path)
            .header("host", &self.dial.address)
            .body(Full::new(Bytes::from(body)))
            .map_err(|error| self.failed(operation, error))?;
        let exchange = async {
            let response = sender.send_request(request).await.map_err(|error| self.failed(operation, error))?;
            let status = response.status();
            let body = Limited::new(response.into_body(), most).collect().await;
            let body = body.map_err(|error| self.failed(operation, error))?.to_bytes();
            if status.is_success() {
                return Ok(body);
            }
            let text: String = String::from_utf8_lossy(&body).chars().filter(|c| !c.is_control()).take(500).collect();
            Err(Error::Remote { kind: kind_of(status), address: self.dial.address.clone(), message: text })
        };
        // The connection's task ends with this call, whichever way that ends.
        tokio::pin!(connection);
        tokio::select! {
            result = exchange => result,
            ended = &mut connection => Err(self.failed(operation, match ended {
                Ok(()) => "the connection was closed".to_owned(),
                Err(error) => error.to_string(),
            })),
        }
    }

    async fn epoch(&self, operation: &'static str, path: &str, body: Vec<u8>) -> Result<u64> {
        let answer = self.call(operation, Method::POST, path, body, SHORT).await?;
        let epoch = std::str::from_utf8(&answer).ok().and_then(|text| text.trim().parse().ok());
        epoch.ok_or_else(|| self.failed(operation, "the answer is no epoch"))
    }

    async fn message<M: Message>(
        &self,
        operation: &'static str,
        method: Method,
        path: &str,
        body: Vec<u8>,
    ) -> Result<M> {
        M::from_bytes(&self.call(operation, method, path, body, M::MOST + FRAME_BYTES).await?)
    }
}

/// The kind that a replica's status stands for.
fn kind_of(status: StatusCode) -> ErrorKind {
    match status {
        StatusCode::BAD_REQUEST | StatusCode::PAYLOAD_TOO_LARGE => ErrorKind::Invalid,
        StatusCode::FORBIDDEN => ErrorKind::Unauthorized,
        StatusCode::NOT_FOUND => ErrorKind::NotFound,
        StatusCode::CONFLICT => ErrorKind::Conflict,
        _ => ErrorKind::Unavailable,
    }
}

/// What an error's text can have in bytes, and an acknowledgement.
const SHORT: usize = 4096;

#[async_trait]
impl Transport for HttpTransport {
    async fn lookup(&self, request: &LookupRequest) -> Result<LookupAnswer> {
        self.message("lookup", Method::POST, "/v1/lookup", request.to_bounded_bytes()?).await
    }

    async fn update(&self, update: &Update) -> Result<u64> {
        self.epoch("update", "/v1/update", update.to_bounded_bytes()?).await
    }

    async fn register(&self, registration: &Registration) -> Result<u64> {
        self.epoch("register", "/v1/register", registration.to_bounded_bytes()?).await
    }

    async fn register_certified(&self, registration: &CertifiedRegistration) -> Result<u64> {
        self.epoch("register", "/v1/register/certificate", registration.to_bounded_bytes()?).await
    }

    async fn ratify(&self, signature: &LogEntry) -> Result<()> {
        let body = signature.to_bounded_bytes()?;
        self.call("ratify", Method::POST, "/v1/ratify", body, SHORT).await.map(drop)
    }

    async fn change_policy(&self, change: &PolicyChange) -> Result<()> {
        self.call("policy", Method::POST, "/v1/policy", change.to_bounded_bytes()?, SHORT).await.map(drop)
    }

    async fn stream(&self, from: StreamPosition) -> Result<StreamPage> {
        let path = format!("/v1/stream?epoch={}&change={}", from.epoch, from.change);
        self.message("stream", Method::GET, &path, Vec::new()).await
    }

    async fn history(&self, name: &str, from: u64) -> Result<HistoryPage> {
        crate::proto::check_name(name)?;
        // A name is printable ASCII; all of it is escaped, which any reader undoes.
        let escaped: String = name.bytes().map(|byte| format!("%{byte:02X}")).collect();
        let path = format!("/v1/history?name={escaped}&from={from}");
        self.message("history", Method::GET, &path, Vec::new()).await
    }
    async fn issuers(&self) -> Result<Issuers> {
        self.message("issuers", Method::GET, "/v1/issuers", Vec::new()).await
    }

    async fn change_issuers(&self, change: &IssuersChange) -> Result<u64> {
        self.epoch("issuers", "/v1/issuers", change.to_bounded_bytes()?).await
    }

    async fn authorities(&self) -> Result<Authorities> {
        self.message("authorities", Method::GET, "/v1/authorities", Vec::new()).await
    }

    async fn change_authorities(&self, change: &AuthoritiesChange) -> Result<u64> {
        self.epoch("authorities", "/v1/authorities", change.to_bounded_bytes()?).await
    }

    async fn status(&self) -> Result<String> {
        let answer = self.call("status", Method::GET, "/status", Vec::new(), SHORT).await?;
        String::from_utf8(answer.to_vec()).map_err(|error| self.failed("status", error))
    }
}
