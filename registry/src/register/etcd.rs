//! The register that etcd keeps: one key, written by transactions on its modification revision.
//!
//! etcd is spoken to by the JSON form of its own gRPC interface, which every etcd from 3.4 on serves beside it (`/v3/kv/…`). Reads are linearizable, as is its
//! default.

use std::sync::Arc;

use async_trait::async_trait;
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use bytes::Bytes;
use plastron_ickpt::etcd::{EtcdClient, EtcdClientOptions, EtcdError};
use serde_json::{Value, json};

use super::swap_register::{RegisterFault, SwapRegister, Swapped};
use crate::error::{Error, Fault, Result};

/// Longest value; etcd's own limit of a request is 1.5 MiB.
const MAX_VALUE_BYTES: usize = 1 << 20;
/// Longest answer: a value in base64, and what is around it.
const MAX_ANSWER_BYTES: usize = 2 * MAX_VALUE_BYTES;
/// Longest key.
const MAX_KEY_BYTES: usize = 1024;

/// Which key of which etcd.
#[derive(Debug, Clone)]
#[non_exhaustive]
pub struct EtcdOptions {
    /// How etcd is found.
    pub client: EtcdClientOptions,
    /// The key of the volume.
    pub key: String,
}

impl EtcdOptions {
    /// For these nodes and this key; ten seconds a request.
    pub fn new(endpoints: Vec<String>, key: impl Into<String>) -> Self {
        Self { client: EtcdClientOptions::new(endpoints), key: key.into() }
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
        let client = EtcdClient::open(&options.client).map_err(invalid)?;
        Ok(Self { client, key: options.key.into() })
    }

    fn unavailable(&self, reason: String) -> plastron_sources::Error {
        let endpoint = "etcd".to_owned();
        plastron_sources::Error::new("ask", self.address(), plastron_sources::Fault::Unreachable { endpoint, reason })
    }

    fn unauthorized(&self, reason: String) -> Fault {
        Fault::Bucket(plastron_sources::Error::new(
            "ask",
            self.address(),
            plastron_sources::Fault::NoCredentials { reason },
        ))
    }

    /// What a request that was surely not done came to, or one that changes nothing.
    fn fault(&self, error: EtcdError) -> Fault {
        match error {
            EtcdError::Refused(what) => Fault::Invalid(what),
            EtcdError::Unauthorized(what) => self.unauthorized(what),
            error => Fault::Bucket(self.unavailable(error.to_string())),
        }
    }

    /// The value and its revision. Every node is asked until one answers.
    async fn range(&self) -> Result<Found, Fault> {
        let body = json!({ "key": STANDARD.encode(self.key.as_bytes()) });
        let answer = self.client.ask("/v3/kv/range", &body, MAX_ANSWER_BYTES).await;
        found(&answer.map_err(|error| self.fault(error))?)
    }

    /// Writes `new`, or removes the key, if the revision is `revision`; else gives what is there.
    async fn write(&self, revision: u64, new: Option<&Bytes>) -> Result<Option<Found>, RegisterFault> {
        let key = STANDARD.encode(self.key.as_bytes());
        let act = match new {
            Some(new) => json!({ "request_put": { "key": key, "value": STANDARD.encode(new) } }),
            None => json!({ "request_delete_range": { "key": key } }),
        };
        let body = json!({
            "compare": [{ "key": key, "target": "MOD", "result": "EQUAL", "mod_revision": revision.to_string() }],
            "success": [act],
            "failure": [{ "request_range": { "key": key } }],
        });
        // The same again on another node could find its own first try, and take it for somebody else's.
        let answer = match self.client.ask_once("/v3/kv/txn", &body, MAX_ANSWER_BYTES).await {
            Ok(answer) => answer,
            Err(EtcdError::Lost(what)) => return Err(RegisterFault::Unknown(self.unavailable(what))),
            Err(error) => return Err(RegisterFault::Failed(self.fault(error))),
        };
        if answer.get("succeeded").and_then(Value::as_bool) == Some(true) {
            return Ok(None);
        }
        let range = answer.pointer("/responses/0/response_range").cloned().unwrap_or(Value::Null);
        found(&range).map(Some).map_err(RegisterFault::Failed)
    }
}

/// What a range found.
fn found(answer: &Value) -> Result<Found, Fault> {
    let wrong = |what: &str| Fault::corrupt(0, format!("etcd's answer has no {what}"));
    if answer.get("header").is_none() {
        return Err(wrong("header"));
    }
    let Some(pair) = answer.pointer("/kvs/0") else { return Ok((None, 0)) };
    let revision =
        pair.get("mod_revision").and_then(|text| text.as_str()?.parse().ok()).ok_or_else(|| wrong("mod_revision"))?;
    let value = pair.get("value").and_then(Value::as_str).unwrap_or_default();
    let value = STANDARD.decode(value).map_err(|_| wrong("value in base64"))?;
    Ok((Some(value.into()), revision))
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
        match self.write(revision, Some(&new)).await? {
            None => Ok(Swapped::Done),
            Some((value, _)) if value.as_ref() == Some(&new) => Ok(Swapped::Done),
            Some((value, _)) => Ok(Swapped::Differs(value)),
        }
    }

    async fn clear(&self, expected: &Bytes) -> Result<Swapped, RegisterFault> {
        let (value, revision) = self.range().await.map_err(RegisterFault::Failed)?;
        if value.is_none() {
            return Ok(Swapped::Done);
        }
        if value.as_ref() != Some(expected) {
            return Ok(Swapped::Differs(value));
        }
        match self.write(revision, None).await? {
            None | Some((None, _)) => Ok(Swapped::Done),
            Some((value, _)) => Ok(Swapped::Differs(value)),
        }
    }
}
