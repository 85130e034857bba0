//! Requests, to one node after the other.

use std::fmt;
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use serde_json::Value;

use super::error::EtcdError;
use super::node::{EtcdNode, EtcdUser};
use super::watch::EtcdWatch;
use crate::storage_url::Origin;
use crate::wire::{HttpClient, HttpClientOptions, client_config_with_identity};

/// How etcd is found.
#[derive(Clone)]
#[non_exhaustive]
pub struct EtcdClientOptions {
    /// URLs of its nodes.
    pub endpoints: Vec<String>,
    /// Who asks; none where etcd has no users, or goes by certificates.
    pub user: Option<EtcdUser>,
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
        Self { endpoints, user: None, certificate_authority: None, identity: None, timeout: Duration::from_secs(10) }
    }
}

/// URLs, in which some write passwords, are not shown.
impl fmt::Debug for EtcdClientOptions {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("EtcdClientOptions")
            .field("endpoints", &self.endpoints.len())
            .field("user", &self.user)
            .finish_non_exhaustive()
    }
}

/// The client. Cheap to clone.
#[derive(Debug, Clone)]
pub struct EtcdClient {
    nodes: Arc<[EtcdNode]>,
    /// Who is asked first.
    first: Arc<AtomicUsize>,
}

impl EtcdClient {
    /// The client; nobody is asked yet.
    ///
    /// # Errors
    /// What is wrong with the options, for people.
    pub fn open(options: &EtcdClientOptions) -> Result<Self, String> {
        let identity = options.identity.as_ref().map(|(certificate, key)| (certificate.as_path(), key.as_path()));
        let tls = client_config_with_identity(options.certificate_authority.as_deref(), identity)
            .map_err(|error| error.to_string())?;
        let client = HttpClient::new(HttpClientOptions::new(tls));
        let user = options.user.clone().map(Arc::new);
        let mut nodes = Vec::new();
        for text in &options.endpoints {
            // The text is not said again: there may be a password in it.
            let origin =
                Origin::parse(text).map_err(|what| format!("endpoint {} can't be used: {what}", nodes.len() + 1))?;
            nodes.push(EtcdNode::new(origin, client.clone(), user.clone(), options.timeout));
        }
        if nodes.is_empty() {
            return Err("there must be an endpoint".to_owned());
        }
        Ok(Self { nodes: nodes.into(), first: Arc::default() })
    }

    /// The first endpoint, to name in errors.
    pub fn address(&self) -> String {
        self.nodes.first().map(|node| node.origin().to_string()).unwrap_or_default()
    }

    /// The nodes, the one that answered last in front.
    fn in_turn(&self) -> impl Iterator<Item = &EtcdNode> {
        let first = self.first.load(Ordering::Relaxed) % self.nodes.len();
        self.nodes.iter().cycle().skip(first).take(self.nodes.len())
    }

    /// Another node is asked first from now on.
    pub fn turn(&self) {
        self.first.fetch_add(1, Ordering::Relaxed);
    }

    /// Asks one node after the other, until one answers: for requests that may be repeated.
    ///
    /// # Errors
    /// What the first said that refused, or all that failed.
    pub async fn ask(&self, path: &str, body: &Value, most: usize) -> Result<Value, EtcdError> {
        let (mut all, mut lost) = (Vec::new(), false);
        for node in self.in_turn() {
            match node.ask(path, body, most).await {
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

    /// The same for requests that must not be done twice: no other node is asked once one may have heard it.
    ///
    /// # Errors
    /// `Lost` if nobody knows whether it was done; what the first said that refused; `NotSent`, what all said.
    pub async fn ask_once(&self, path: &str, body: &Value, most: usize) -> Result<Value, EtcdError> {
        let mut all = Vec::new();
        for node in self.in_turn() {
            match node.ask(path, body, most).await {
                Err(EtcdError::NotSent(what)) => all.push(what),
                answer => return answer,
            }
            self.turn();
        }
        Err(EtcdError::NotSent(all.join("; ")))
    }

    /// Opens a watch, at the first node that lets it; `create` is etcd's `create_request`. No message of it is longer than `most` bytes.
    ///
    /// # Errors
    /// An [`EtcdError`].
    pub async fn watch(&self, create: &Value, most: usize) -> Result<EtcdWatch, EtcdError> {
        let body = serde_json::json!({ "create_request": create });
        let mut all = Vec::new();
        for node in self.in_turn() {
            match node.begin("/v3/watch", &body).await {
                Ok(stream) => return Ok(EtcdWatch::new(stream, most)),
                Err(EtcdError::NotSent(what) | EtcdError::Lost(what)) => all.push(what),
                Err(error) => return Err(error),
            }
            self.turn();
        }
        Err(EtcdError::NotSent(all.join("; ")))
    }
}
