//! What is committed, from some index on: a watch, or ranged reads where there is nothing to watch any more.

use std::collections::VecDeque;

use plastron_ickpt::etcd::{EtcdError, EtcdEvent, EtcdPair, EtcdWatch, encode_etcd, etcd_number, etcd_range_end};
use serde_json::{Value, json};

use super::etcd_log::{Shared, failed};
use super::layout::{index_in, seal, unseal};
use crate::log::Committed;
use crate::{Error, Result};

/// Entries of one ranged read, at the most.
const MOST_ENTRIES: usize = 64;
/// The longest answer with that many entries, in base64.
const MAX_RANGE_BYTES: usize = 32 << 20;
/// The longest message of a watch. etcd parts those that are longer than its largest request, 1.5 MiB.
const MAX_EVENT_BYTES: usize = 8 << 20;
const MAX_SMALL_BYTES: usize = 64 << 10;

/// A watch that stands behind an index.
#[derive(Debug)]
pub(super) struct Feed {
    /// Everything up to here was given.
    pub(super) position: u64,
    watch: EtcdWatch,
    ready: VecDeque<Committed>,
}

/// What came of opening a feed, or of waiting for it.
pub(super) enum Fed {
    /// These follow. The feed is spent.
    Entries(Vec<Committed>),
    /// Something may be ready.
    Feed(Feed),
}

/// What a ranged read found.
struct Page {
    entries: Vec<Committed>,
    revision: u64,
}

impl Feed {
    /// The first entries that are ready, `most` at the most.
    pub(super) fn take(&mut self, most: usize) -> Vec<Committed> {
        let entries: Vec<Committed> = self.ready.drain(..most.min(self.ready.len())).collect();
        if let Some(last) = entries.last() {
            self.position = last.index;
        }
        entries
    }

    /// Takes in an event; false if an entry is damaged on the way.
    fn accept(&mut self, event: EtcdEvent) -> bool {
        for pair in event.put {
            // Somebody else's doing: entries are created, and never written again.
            let last = self.ready.back().map_or(self.position, |entry| entry.index);
            if pair.create_revision != pair.mod_revision || pair.create_revision <= last {
                continue;
            }
            let Some(entry) = unseal(&pair) else { return false };
            self.ready.push_back(Committed { index: pair.create_revision, entry });
        }
        true
    }
}

impl Shared {
    /// Makes sure that nothing behind `after` is truncated from now on, and begins to watch.
    pub(super) async fn open_feed(&self, after: u64) -> Result<Feed> {
        self.register(after).await?;
        let truncated = self.layout.truncated();
        let body = json!({ "key": encode_etcd(&truncated) });
        let answer = self.client.ask("/v3/kv/range", &body, MAX_SMALL_BYTES).await.map_err(failed("reading"))?;
        self.check_place(after, &answer, &answer)?;
        self.watch(after, after.saturating_add(1)).await
    }

    async fn watch(&self, position: u64, from: u64) -> Result<Feed> {
        let entries = self.layout.entries();
        let create = json!({
            "key": encode_etcd(&entries),
            "range_end": encode_etcd(etcd_range_end(entries.as_bytes())),
            "start_revision": from.to_string(),
            "filters": ["NODELETE"],
            "fragment": true,
        });
        let watch = self.client.watch(&create, MAX_EVENT_BYTES).await.map_err(failed("watching"))?;
        Ok(Feed { position, watch, ready: VecDeque::new() })
    }

    /// The replica is known from now on, so that the log is not truncated behind its back. Once in its life, and again after each start.
    async fn register(&self, after: u64) -> Result<()> {
        let key = self.layout.applied(&self.options.replica);
        let body = json!({
            "compare": [{ "key": encode_etcd(&key), "target": "CREATE", "result": "EQUAL", "create_revision": "0" }],
            "success": [{ "request_put": { "key": encode_etcd(&key), "value": encode_etcd(seal(&key, &after.to_be_bytes())) } }],
        });
        self.client.ask("/v3/kv/txn", &body, MAX_SMALL_BYTES).await.map(drop).map_err(failed("registering"))
    }

    /// Whether the log can go on behind `after`, by an answer and the range of `truncated` in it.
    fn check_place(&self, after: u64, answer: &Value, truncated: &Value) -> Result<u64> {
        let revision =
            etcd_number(answer.get("header").unwrap_or(&Value::Null), "revision").map_err(failed("reading"))?;
        if revision < after {
            return Err(Error::Corrupt {
                what: "log on etcd",
                offset: 0,
                check: format!(
                    "etcd is at revision {revision}, and {after} was applied: it was restored, or is another"
                ),
            });
        }
        let pairs = truncated.get("kvs").and_then(Value::as_array);
        let pair = pairs.and_then(|pairs| pairs.first()).map(EtcdPair::read).transpose().map_err(failed("reading"))?;
        let through = pair.as_ref().map(index_in).transpose()?.unwrap_or(0);
        if after < through {
            let why = format!("entries after {after} were truncated, up to {through}; take a snapshot");
            return Err(Error::NotFound { what: "log", why });
        }
        Ok(revision)
    }

    /// The first entries behind `after`, with the mark that none is missing, all at one revision.
    async fn read_page(&self, after: u64, most: usize) -> Result<Page> {
        let entries = self.layout.entries();
        let range = json!({
            "key": encode_etcd(&entries),
            "range_end": encode_etcd(etcd_range_end(entries.as_bytes())),
            "min_create_revision": after.saturating_add(1).to_string(),
            "sort_target": "CREATE",
            "sort_order": "ASCEND",
            "limit": most.clamp(1, MOST_ENTRIES).to_string(),
        });
        let mark = json!({ "key": encode_etcd(self.layout.truncated()) });
        let body = json!({ "success": [{ "request_range": mark }, { "request_range": range }] });
        let answer = self.client.ask("/v3/kv/txn", &body, MAX_RANGE_BYTES).await.map_err(failed("reading"))?;
        let part = |path: &str| answer.pointer(path).cloned().unwrap_or(Value::Null);
        let revision = self.check_place(after, &answer, &part("/responses/0/response_range"))?;
        let mut entries: Vec<Committed> = Vec::new();
        let found = part("/responses/1/response_range");
        for pair in found.get("kvs").and_then(Value::as_array).into_iter().flatten() {
            let pair = EtcdPair::read(pair).map_err(failed("reading"))?;
            if entries.last().is_some_and(|last| last.index >= pair.create_revision) {
                continue;
            }
            // What is no entry, and what was written again, is garbage for all alike.
            let whole = unseal(&pair).filter(|_| pair.create_revision == pair.mod_revision);
            entries.push(Committed { index: pair.create_revision, entry: whole.unwrap_or_default() });
        }
        Ok(Page { entries, revision })
    }

    /// What a ranged read finds; a watch from there if that is nothing.
    async fn instead(&self, position: u64, most: usize) -> Result<Fed> {
        let page = self.read_page(position, most).await?;
        Ok(if page.entries.is_empty() {
            Fed::Feed(self.watch(position, page.revision.saturating_add(1)).await?)
        } else {
            Fed::Entries(page.entries)
        })
    }

    /// Waits until the feed may have something.
    pub(super) async fn feed(&self, mut feed: Feed, most: usize) -> Result<Fed> {
        let event = tokio::select! {
            event = feed.watch.next() => Some(event),
            () = self.options.clock.sleep(self.options.idle) => None,
        };
        let position = feed.position;
        match event {
            Some(Ok(event)) => {
                if feed.accept(event) {
                    return Ok(Fed::Feed(feed));
                }
                tracing::warn!(position, "an entry of the log is damaged, and is read again");
                self.instead(position, most).await
            }
            Some(Err(EtcdError::Compacted(before))) => {
                tracing::debug!(position, before, "the log is read, since etcd has compacted what was to be watched");
                self.instead(position, most).await
            }
            Some(Err(error)) => {
                self.client.turn();
                Err(failed("watching")(error))
            }
            None => {
                let page = self.read_page(position, most).await?;
                if page.entries.is_empty() {
                    return Ok(Fed::Feed(feed));
                }
                // The watch is dead, or late: another node knows more.
                self.client.turn();
                Ok(Fed::Entries(page.entries))
            }
        }
    }
}
