//! What goes on in the background: the lease of who leads, and truncation below what all have applied.

use std::sync::Arc;
use std::sync::atomic::Ordering;

use plastron_ickpt::etcd::{EtcdError, EtcdPair, encode_etcd, etcd_number, etcd_range_end};
use serde_json::{Value, json};

use super::etcd_log::{Shared, failed};
use super::layout::{index_in, seal};
use crate::{Error, Result};

/// Entries that are removed in one transaction; etcd takes 128 operations.
const REMOVED_AT_ONCE: usize = 100;
/// Answers without entries.
const MAX_ANSWER_BYTES: usize = 1 << 20;
/// Tries against others who truncate.
const TRIES: usize = 5;

/// How far all are.
#[derive(Debug)]
pub(super) struct Progress {
    pub(super) replicas: Vec<(String, u64)>,
    /// When that was so.
    revision: u64,
}

impl Shared {
    /// Keeps the lease and the log short, for ever.
    pub(super) async fn keep(self: Arc<Self>) {
        let (mut lease, mut reported) = (None, 0);
        loop {
            lease = match self.lead(lease).await {
                Ok(lease) => lease,
                Err(error) => {
                    tracing::debug!(%error, "who leads is not known");
                    lease
                }
            };
            let applied = self.applied.load(Ordering::Relaxed);
            if applied.saturating_sub(reported) >= self.options.report_every {
                match self.report(applied).await {
                    Ok(()) => reported = applied,
                    Err(error) => tracing::warn!(%error, "the log could not be truncated, and will be later"),
                }
            }
            self.options.clock.sleep(self.options.lease / 3).await;
        }
    }

    async fn ask(&self, path: &str, body: &Value) -> Result<Value, EtcdError> {
        self.client.ask(path, body, MAX_ANSWER_BYTES).await
    }

    /// Keeps the lease, or takes it if nobody has it.
    async fn lead(&self, lease: Option<u64>) -> Result<Option<u64>, EtcdError> {
        // From before the request: etcd's own count begins later.
        let until = self.now_ms().saturating_add(u64::try_from(self.options.lease.as_millis()).unwrap_or(u64::MAX));
        if let Some(lease) = lease {
            let answer = self.ask("/v3/lease/keepalive", &json!({ "ID": lease.to_string() })).await?;
            if etcd_number(answer.get("result").unwrap_or(&Value::Null), "TTL")? > 0 {
                self.leads_until_ms.store(until, Ordering::Relaxed);
                return Ok(Some(lease));
            }
            self.leads_until_ms.store(0, Ordering::Relaxed);
        }
        let key = encode_etcd(self.layout.leader());
        let found = self.ask("/v3/kv/range", &json!({ "key": key, "keys_only": true })).await?;
        if !EtcdPair::read_all(&found)?.is_empty() {
            return Ok(None);
        }
        let seconds = self.options.lease.as_secs().max(1);
        let granted = self.ask("/v3/lease/grant", &json!({ "TTL": seconds.to_string() })).await?;
        let lease = etcd_number(&granted, "ID")?;
        let body = json!({
            "compare": [{ "key": key, "target": "CREATE", "result": "EQUAL", "create_revision": "0" }],
            "success": [{ "request_put": { "key": key, "value": encode_etcd(&self.options.replica), "lease": lease.to_string() } }],
        });
        let taken = self.ask("/v3/kv/txn", &body).await?;
        if taken.get("succeeded").and_then(Value::as_bool) == Some(true) {
            self.leads_until_ms.store(until, Ordering::Relaxed);
            return Ok(Some(lease));
        }
        // Somebody was faster. A lease that cannot be given back ends by itself.
        self.ask("/v3/lease/revoke", &json!({ "ID": lease.to_string() })).await?;
        Ok(None)
    }

    pub(super) async fn read_progress(&self) -> Result<Progress> {
        let all = self.layout.progress();
        let body = json!({ "key": encode_etcd(&all), "range_end": encode_etcd(etcd_range_end(all.as_bytes())) });
        let answer = self.ask("/v3/kv/range", &body).await.map_err(failed("reading"))?;
        let revision =
            etcd_number(answer.get("header").unwrap_or(&Value::Null), "revision").map_err(failed("reading"))?;
        let mut replicas = Vec::new();
        for pair in EtcdPair::read_all(&answer).map_err(failed("reading"))? {
            let name = String::from_utf8_lossy(pair.key.get(all.len()..).unwrap_or_default()).into_owned();
            replicas.push((name, index_in(&pair)?));
        }
        Ok(Progress { replicas, revision })
    }

    /// Says how far this replica is, and truncates what all have applied.
    async fn report(&self, applied: u64) -> Result<()> {
        let key = self.layout.applied(&self.options.replica);
        let value = seal(&key, &applied.to_be_bytes());
        let body = json!({ "key": encode_etcd(&key), "value": encode_etcd(value) });
        self.ask("/v3/kv/put", &body).await.map_err(failed("saying what is applied"))?;
        let progress = self.read_progress().await?;
        let at = |member: &String| progress.replicas.iter().find(|(name, _)| name == member).map_or(0, |(_, at)| *at);
        let members = self.options.members.iter().map(at);
        let lowest = progress.replicas.iter().map(|(_, at)| *at).chain(members).min().unwrap_or(0);
        if lowest == 0 {
            return Ok(());
        }
        self.truncate(lowest, Some(progress.revision)).await
    }

    /// Marks all up to `through` as truncated, then removes it; not if a replica has registered since revision `known`.
    pub(super) async fn truncate(&self, through: u64, known: Option<u64>) -> Result<()> {
        let key = self.layout.truncated();
        let name = encode_etcd(&key);
        let mut marked = false;
        for _ in 0..TRIES {
            let found = self.ask("/v3/kv/range", &json!({ "key": name })).await.map_err(failed("reading"))?;
            let pair = EtcdPair::read_all(&found).map_err(failed("reading"))?.into_iter().next();
            if pair.as_ref().map(index_in).transpose()?.unwrap_or(0) >= through {
                marked = true;
                break;
            }
            let revision = pair.map_or(0, |pair| pair.mod_revision);
            let mut compare =
                vec![json!({ "key": name, "target": "MOD", "result": "EQUAL", "mod_revision": revision.to_string() })];
            if let Some(known) = known {
                let all = self.layout.progress();
                compare.push(json!({
                    "key": encode_etcd(&all), "range_end": encode_etcd(etcd_range_end(all.as_bytes())),
                    "target": "CREATE", "result": "LESS", "create_revision": known.saturating_add(1).to_string(),
                }));
            }
            let value = encode_etcd(seal(&key, &through.to_be_bytes()));
            let body = json!({ "compare": compare, "success": [{ "request_put": { "key": name, "value": value } }] });
            let answer = self.ask("/v3/kv/txn", &body).await.map_err(failed("truncating"))?;
            if answer.get("succeeded").and_then(Value::as_bool) == Some(true) {
                marked = true;
                break;
            }
        }
        if !marked {
            let why = "others truncate it, or a replica has come; the next time will do".to_owned();
            return Err(Error::Log { operation: "truncating", why });
        }
        self.remove(through).await
    }

    async fn remove(&self, through: u64) -> Result<()> {
        let all = self.layout.entries();
        let old = json!({
            "key": encode_etcd(&all), "range_end": encode_etcd(etcd_range_end(all.as_bytes())),
            "max_create_revision": through.to_string(), "keys_only": true, "limit": REMOVED_AT_ONCE.to_string(),
        });
        loop {
            let found = self.ask("/v3/kv/range", &old).await.map_err(failed("truncating"))?;
            let pairs = EtcdPair::read_all(&found).map_err(failed("truncating"))?;
            if pairs.is_empty() {
                return Ok(());
            }
            let remove = |pair: &EtcdPair| json!({ "request_delete_range": { "key": encode_etcd(&pair.key) } });
            let body = json!({ "success": pairs.iter().map(remove).collect::<Vec<_>>() });
            self.ask("/v3/kv/txn", &body).await.map_err(failed("truncating"))?;
        }
    }
}
