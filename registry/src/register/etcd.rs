//! The register that etcd keeps: one key, written by transactions on its modification revision.
//!
//! etcd is spoken to by the JSON form of its own gRPC interface, which every etcd from 3.4 on serves beside it (`/v3/kv/…`). Reads are linearizable, as is its
//! default.

use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use bytes::Bytes;
use plastron_ickpt::etcd::{EtcdClient, EtcdClientOptions, EtcdError, EtcdPair, encode_etcd};
use serde_json::{Value, json};

use super::swap_register::{RegisterFault, SwapRegister, Swapped};
use crate::error::{Error, Fault, Result};

/// Longest value; etcd's own limit of a request is 1.5 MiB.
const MAX_VALUE_BYTES: usize = 1 << 20;
/// Longest answer: a value in base64, and what is around it.
const MAX_ANSWER_BYTES: usize = 2 * MAX_VALUE_BYTES;
/// Longest key.
const MAX_KEY_BYTES: usize = 1024;

/// How etcd is found.
#[derive(Debug, Clone)]
#[non_exhaustive]
pub struct EtcdOptions {
    /// URLs of its nodes.
    pub endpoints: Vec<String>,
    /// The key of the volume.
    pub key: String,
    /// Certificate authority of the nodes, PEM, besides those of the machine.
    pub certificate_authority: Option<std::path::PathBuf>,
    /// Certificate and key to show, PEM.
    pub identity: Option<(std::path::PathBuf, std::path::PathBuf)>,
    /// Deadline of one request.
    pub timeout: Duration,
}

impl EtcdOptions {
    /// For these nodes and this key; ten seconds a request.
    pub fn new(endpoints: Vec<String>, key: impl Into<String>) -> Self {
        Self {
            endpoints,
            key: key.into(),
            certificate_authority: None,
            identity: None,
            timeout: Duration::from_secs(10),
        }
    }
}

/// One key of etcd as a register. Cheap to clone.
#[derive(Debug, Clone)]
pub struct EtcdRegister {
    client: EtcdClient,
    key: Arc<str>,
}

/// A value and the revision that wrote it; 0 for none.
type Found = (Option<Bytes>, u64);

impl EtcdRegister {
    /// The key of `options`; nobody is asked yet.
    ///
    /// # Errors
    /// `Invalid` for URLs, a key or files that can't be used.
    pub fn open(options: EtcdOptions) -> Result<Self> {
        let invalid = |what: String| Error::new("open", "registry etcd", Fault::Invalid(what));
        if options.key.is_empty() || options.key.len() > MAX_KEY_BYTES {
            return Err(invalid(format!("there must be a key of 1 to {MAX_KEY_BYTES} bytes")));
        }
        let mut found = EtcdClientOptions::new(options.endpoints);
        found.certificate_authority = options.certificate_authority;
        found.identity = options.identity;
        found.timeout = options.timeout;
        let client = EtcdClient::open(&found).map_err(invalid)?;
        Ok(Self { client, key: options.key.into() })
    }

    fn unavailable(&self, reason: String) -> plastron_sources::Error {
        let endpoint = self.address();
        plastron_sources::Error::new("ask", self.address(), plastron_sources::Fault::Unreachable { endpoint, reason })
    }

    /// The value and its revision. Every node is asked until one answers.
    async fn range(&self) -> Result<Found, Fault> {
        let body = json!({ "key": encode_etcd(self.key.as_bytes()) });
        match self.client.ask("/v3/kv/range", &body, MAX_ANSWER_BYTES).await {
            Ok(answer) => found(&answer),
            Err(EtcdError::Refused(what)) => Err(Fault::Invalid(what)),
            Err(error) => Err(Fault::Bucket(self.unavailable(error.to_string()))),
        }
    }

    /// Writes `new` if the revision is `revision`; else gives what is there.
    async fn write(&self, revision: u64, new: &Bytes) -> Result<Option<Found>, RegisterFault> {
        let key = encode_etcd(self.key.as_bytes());
        let body = json!({
            "compare": [{ "key": key, "target": "MOD", "result": "EQUAL", "mod_revision": revision.to_string() }],
            "success": [{ "request_put": { "key": key, "value": encode_etcd(new) } }],
            "failure": [{ "request_range": { "key": key } }],
        });
        let mut all = Vec::new();
        for origin in self.client.origins() {
            match self.client.post(origin, "/v3/kv/txn", &body, MAX_ANSWER_BYTES).await {
                Ok(answer) if answer.get("succeeded").and_then(Value::as_bool) == Some(true) => return Ok(None),
                Ok(answer) => {
                    let range = answer.pointer("/responses/0/response_range").cloned().unwrap_or(Value::Null);
                    return found(&range).map(Some).map_err(RegisterFault::Failed);
                }
                Err(EtcdError::Refused(what)) => return Err(RegisterFault::Failed(Fault::Invalid(what))),
                Err(EtcdError::NotSent(what)) => all.push(what),
                // The same again on another node could find its own first try, and take it for somebody else's.
                Err(error) => return Err(RegisterFault::Unknown(self.unavailable(error.to_string()))),
            }
            self.client.turn();
        }
        Err(RegisterFault::Failed(Fault::Bucket(self.unavailable(all.join("; ")))))
    }
}

/// What a range found.
fn found(answer: &Value) -> Result<Found, Fault> {
    let pairs = EtcdPair::read_all(answer).map_err(|error| Fault::corrupt(0, error.to_string()))?;
    Ok(pairs.into_iter().next().map_or((None, 0), |pair| (Some(pair.value), pair.mod_revision)))
}

#[async_trait]
impl SwapRegister for EtcdRegister {
    fn address(&self) -> String {
        format!("etcd {} {}", self.client.address(), self.key)
    }

    fn max_value_bytes(&self) -> usize {
        MAX_VALUE_BYTES
    }

    async fn read(&self) -> Result<Option<Bytes>, Fault> {
        self.range().await.map(|(value, _)| value)
    }

    async fn swap(&self, expected: Option<&Bytes>, new: Bytes) -> Result<Swapped, RegisterFault> {
        let (value, revision) = self.range().await.map_err(RegisterFault::Failed)?;
        if value.as_ref() == Some(&new) {
            return Ok(Swapped::Done);
        }
        if value.as_ref() != expected {
            return Ok(Swapped::Differs(value));
        }
        match self.write(revision, &new).await? {
            None => Ok(Swapped::Done),
            Some((value, _)) if value.as_ref() == Some(&new) => Ok(Swapped::Done),
            Some((value, _)) => Ok(Swapped::Differs(value)),
        }
    }
}
