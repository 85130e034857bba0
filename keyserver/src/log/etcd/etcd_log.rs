//! The log.

use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};

use async_trait::async_trait;
use bytes::Bytes;
use plastron_ickpt::etcd::{EtcdClient, EtcdError, encode_etcd};
use serde_json::json;
use tokio::task::JoinHandle;

use super::feed::{Fed, Feed};
use super::layout::{Layout, check_replica_name, seal};
use super::options::EtcdLogOptions;
use crate::log::{Committed, ReplicatedLog};
use crate::proto::MAX_LOG_ENTRY_BYTES;
use crate::{Error, Result};

/// A replica's end of a log on etcd. Its task ends when it is dropped.
#[derive(Debug)]
pub struct EtcdLog {
    shared: Arc<Shared>,
    keeper: JoinHandle<()>,
}

#[derive(Debug)]
pub(super) struct Shared {
    pub(super) options: EtcdLogOptions,
    pub(super) client: EtcdClient,
    pub(super) layout: Layout,
    /// The watch of whoever waited last.
    feed: Mutex<Option<Feed>>,
    /// What this replica has applied.
    pub(super) applied: AtomicU64,
    /// Until when this replica leads, by the clock's monotonic milliseconds; 0 if it does not.
    pub(super) leads_until_ms: AtomicU64,
}

/// The log's error of an etcd's error.
pub(super) fn failed(operation: &'static str) -> impl Fn(EtcdError) -> Error {
    move |error| Error::Log { operation, why: error.to_string() }
}

impl EtcdLog {
    /// The log of `options`, within a tokio runtime. etcd is asked in the background: it may come up later.
    ///
    /// # Errors
    /// `Invalid` for options that cannot be.
    pub fn open(options: EtcdLogOptions) -> Result<Self> {
        options.check()?;
        let client = EtcdClient::open(&options.client).map_err(|why| Error::Invalid { what: "log on etcd", why })?;
        let shared = Arc::new(Shared {
            layout: Layout::new(&options.prefix),
            options,
            client,
            feed: Mutex::default(),
            applied: AtomicU64::new(0),
            leads_until_ms: AtomicU64::new(0),
        });
        let keeper = tokio::spawn(Arc::clone(&shared).keep());
        Ok(Self { shared, keeper })
    }

    /// The log no longer waits for that replica: it has left for good. If it comes back all the same, it needs a snapshot.
    ///
    /// # Errors
    /// `Invalid` for what is no name; `Log`.
    pub async fn retire(&self, replica: &str) -> Result<()> {
        check_replica_name(replica)?;
        let body = json!({ "key": encode_etcd(self.shared.layout.applied(replica)) });
        let asked = self.shared.client.ask("/v3/kv/deleterange", &body, 64 << 10).await;
        asked.map(drop).map_err(failed("retiring a replica"))
    }

    /// The replicas that the log knows, and how far each had applied it when it said so last.
    ///
    /// # Errors
    /// `Log`, `Corrupt`.
    pub async fn progress(&self) -> Result<Vec<(String, u64)>> {
        Ok(self.shared.read_progress().await?.replicas)
    }
}

impl Drop for EtcdLog {
    fn drop(&mut self) {
        self.keeper.abort();
    }
}

impl Shared {
    fn kept_feed(&self) -> std::sync::MutexGuard<'_, Option<Feed>> {
        self.feed.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(super) fn now_ms(&self) -> u64 {
        u64::try_from(self.options.clock.monotonic().as_millis()).unwrap_or(u64::MAX)
    }
}

#[async_trait]
impl ReplicatedLog for EtcdLog {
    async fn propose(&self, entry: Bytes) -> Result<()> {
        if entry.len() > MAX_LOG_ENTRY_BYTES {
            let why = format!("{} bytes, of at most {MAX_LOG_ENTRY_BYTES}", entry.len());
            return Err(Error::Invalid { what: "log entry", why });
        }
        let Shared { options, client, layout, .. } = &*self.shared;
        let key = layout.entry(options.entropy.next_u64(), options.entropy.next_u64());
        let name = encode_etcd(&key);
        // A try whose answer was lost is found by the next one, and does nothing.
        let body = json!({
            "compare": [{ "key": name, "target": "CREATE", "result": "EQUAL", "create_revision": "0" }],
            "success": [{ "request_put": { "key": name, "value": encode_etcd(seal(&key, &entry)) } }],
        });
        client.ask("/v3/kv/txn", &body, 64 << 10).await.map(drop).map_err(failed("appending"))
    }

    async fn wait_committed(&self, after: u64, most: usize) -> Result<Vec<Committed>> {
        let kept = self.shared.kept_feed().take().filter(|feed| feed.position == after);
        let mut feed = match kept {
            Some(feed) => feed,
            None => self.shared.open_feed(after).await?,
        };
        loop {
            let entries = feed.take(most);
            if !entries.is_empty() {
                *self.shared.kept_feed() = Some(feed);
                return Ok(entries);
            }
            feed = match self.shared.feed(feed, most).await? {
                Fed::Entries(entries) => return Ok(entries),
                Fed::Feed(feed) => feed,
            };
        }
    }

    fn leads(&self) -> bool {
        self.shared.now_ms() < self.shared.leads_until_ms.load(Ordering::Relaxed)
    }

    fn applied(&self, through: u64) {
        self.shared.applied.fetch_max(through, Ordering::Relaxed);
    }

    async fn truncate(&self, through: u64) -> Result<()> {
        self.shared.truncate(through, None).await
    }
}
