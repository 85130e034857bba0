//! Requests, to one node after the other.

use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use bytes::Bytes;
use http::Request;
use http_body_util::Full;
use serde_json::Value;

use super::error::EtcdError;
use super::watch::EtcdWatch;
use crate::storage_url::Origin;
use crate::wire::{Answer, HttpClient, HttpClientOptions, WireError, client_config_with_identity};

/// The most bytes of a message that says why.
const MAX_MESSAGE_CHARS: usize = 300;

/// How etcd is found.
#[derive(Debug, Clone)]
#[non_exhaustive]
pub struct EtcdClientOptions {
    /// URLs of its nodes.
    pub endpoints: Vec<String>,
    /// Certificate authority of the nodes, PEM, besides those of the machine.
    pub certificate_authority: Option<PathBuf>,
    /// Certificate and key to show, PEM.
    pub identity: Option<(PathBuf, PathBuf)>,
    /// Deadline of one request.
    pub timeout: Duration,
}

impl EtcdClientOptions {
    /// For these nodes; ten seconds a request.
    pub fn new(endpoints: Vec<String>) -> Self {
        Self { endpoints, certificate_authority: None, identity: None, timeout: Duration::from_secs(10) }
    }
}

/// The client. Cheap to clone.
#[derive(Debug, Clone)]
pub struct EtcdClient {
    client: HttpClient,
    endpoints: Arc<[Origin]>,
    /// Who is asked first.
    first: Arc<AtomicUsize>,
    timeout: Duration,
}

impl EtcdClient {
    /// The client; nobody is asked yet.
    ///
    /// # Errors
    /// What is wrong with the options, for people.
    pub fn open(options: &EtcdClientOptions) -> Result<Self, String> {
        let mut endpoints = Vec::new();
        for text in &options.endpoints {
            endpoints.push(Origin::parse(text).map_err(|what| format!("the endpoint '{text}' can't be used: {what}"))?);
        }
        if endpoints.is_empty() {
            return Err("there must be an endpoint".to_owned());
        }
        let identity = options.identity.as_ref().map(|(certificate, key)| (certificate.as_path(), key.as_path()));
        let tls = client_config_with_identity(options.certificate_authority.as_deref(), identity)
            .map_err(|error| error.to_string())?;
        let client = HttpClient::new(HttpClientOptions::new(tls));
        Ok(Self { client, endpoints: endpoints.into(), first: Arc::default(), timeout: options.timeout })
    }

    /// The first endpoint, to name in errors.
    pub fn address(&self) -> String {
        self.endpoints.first().map(ToString::to_string).unwrap_or_default()
    }

    /// The nodes, the one that answered last in front.
    pub fn origins(&self) -> impl Iterator<Item = &Origin> {
        let first = self.first.load(Ordering::Relaxed) % self.endpoints.len();
        self.endpoints.iter().cycle().skip(first).take(self.endpoints.len())
    }

    /// Another node is asked first from now on.
    pub fn turn(&self) {
        self.first.fetch_add(1, Ordering::Relaxed);
    }

    /// Asks one node, and reads an answer of `most` bytes at the most.
    ///
    /// # Errors
    /// An [`EtcdError`].
    pub async fn post(&self, origin: &Origin, path: &str, body: &Value, most: usize) -> Result<Value, EtcdError> {
        let sent = tokio::time::timeout(self.timeout, self.client.send(origin, request(path, body)?, most)).await;
        let sent = sent.map_err(|_| EtcdError::Lost(format!("{origin} did not answer in time")))?;
        let Answer { status, body, .. } = sent.map_err(|error| failed(origin, error))?;
        judge(origin, status, &body)
    }

    /// Asks one node after the other, until one answers: for requests that may be repeated.
    ///
    /// # Errors
    /// What the first said that refused, or all that failed.
    pub async fn ask(&self, path: &str, body: &Value, most: usize) -> Result<Value, EtcdError> {
        let (mut all, mut lost) = (Vec::new(), false);
        for origin in self.origins() {
            match self.post(origin, path, body, most).await {
                Ok(answer) => return Ok(answer),
                Err(EtcdError::NotSent(what)) => all.push(what),
                Err(EtcdError::Lost(what)) => {
                    lost = true;
                    all.push(what);
                }
                Err(error) => return Err(error),
            }
            self.turn();
        }
        let what = all.join("; ");
        Err(if lost { EtcdError::Lost(what) } else { EtcdError::NotSent(what) })
    }

    /// Opens a watch, at the first node that lets it; `create` is etcd's `create_request`. No message of it is longer than `most` bytes.
    ///
    /// # Errors
    /// An [`EtcdError`].
    pub async fn watch(&self, create: &Value, most: usize) -> Result<EtcdWatch, EtcdError> {
        let body = serde_json::json!({ "create_request": create });
        let mut all = Vec::new();
        for origin in self.origins() {
            let opened = async {
                let stream = self.client.begin(origin, request("/v3/watch", &body)?).await;
                let stream = stream.map_err(|error| failed(origin, error))?;
                match stream.status() {
                    200 => Ok(EtcdWatch::new(stream, most)),
                    status => Err(EtcdError::Lost(format!("{origin} answered {status} to a watch"))),
                }
            };
            let opened = tokio::time::timeout(self.timeout, opened).await;
            match opened.unwrap_or_else(|_| Err(EtcdError::Lost(format!("{origin} did not answer in time")))) {
                Ok(watch) => return Ok(watch),
                Err(EtcdError::NotSent(what) | EtcdError::Lost(what)) => all.push(what),
                Err(error) => return Err(error),
            }
            self.turn();
        }
        Err(EtcdError::NotSent(all.join("; ")))
    }
}

fn request(path: &str, body: &Value) -> Result<Request<Full<Bytes>>, EtcdError> {
    let request = Request::post(path).header(http::header::CONTENT_TYPE, "application/json");
    request.body(Full::new(Bytes::from(body.to_string()))).map_err(|error| EtcdError::NotSent(error.to_string()))
}

fn failed(origin: &Origin, error: WireError) -> EtcdError {
    match error {
        WireError::Unreachable(what) => EtcdError::NotSent(format!("{origin}: {what}")),
        error => EtcdError::Lost(format!("{origin}: {error}")),
    }
}

fn judge(origin: &Origin, status: u16, body: &[u8]) -> Result<Value, EtcdError> {
    let value: Option<Value> = serde_json::from_slice(body).ok();
    let message = value.as_ref().and_then(|value| value.get("message")?.as_str());
    let message: String =
        message.unwrap_or_default().chars().filter(|c| !c.is_control()).take(MAX_MESSAGE_CHARS).collect();
    match (status, value) {
        (200, Some(value)) => Ok(value),
        (400 | 401 | 403 | 404, _) => Err(EtcdError::Refused(format!("{origin} answered {status} {message}"))),
        (status, _) => Err(EtcdError::Lost(format!("{origin} answered {status} {message}"))),
    }
}
