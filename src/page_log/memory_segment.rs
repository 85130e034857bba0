//! Records that are in no object yet, in the order of their LSNs, with an index.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use super::lsn::Lsn;
use super::record::{Key, Record};

/// What a record costs in memory besides its payload, bytes: the record, its place in the order, its place in the index.
pub(crate) const RECORD_COST: u64 = 256;

/// Records that are in no object yet.
#[derive(Debug, Clone, Default)]
pub(crate) struct MemorySegment {
    records: Vec<Arc<Record>>,
    /// Pages only; trims are of none.
    index: BTreeMap<Key, Indexed>,
    /// Payload bytes.
    bytes: u64,
    /// What it holds of the log's budget.
    cost: u64,
    /// When its first record came.
    since: Duration,
    /// Since when somebody waits for it, if anybody does.
    awaited: bool,
    /// Records above it were abandoned.
    limit: Option<Lsn>,
}

#[derive(Debug, Clone)]
struct Indexed {
    record: Arc<Record>,
    /// Records of its chain that are known of, itself included.
    depth: u8,
}

impl MemorySegment {
    /// Adds a record that is above all others. `depth` is the length of its chain as far as it is known, `cost` what it takes of
    /// the budget.
    pub(crate) fn push(&mut self, record: Record, depth: u8, cost: u64, now: Duration) {
        if self.records.is_empty() {
            self.since = now;
        }
        self.bytes += record.payload.len() as u64;
        self.cost += cost;
        let record = Arc::new(record);
        if record.kind != super::record::RecordKind::Trim {
            self.index.insert(record.key, Indexed { record: Arc::clone(&record), depth });
        }
        self.records.push(record);
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.records.is_empty()
    }

    /// Payload bytes.
    pub(crate) fn bytes(&self) -> u64 {
        self.bytes
    }

    /// What it holds of the budget.
    pub(crate) fn cost(&self) -> u64 {
        self.cost
    }

    pub(crate) fn since(&self) -> Duration {
        self.since
    }

    /// Whether somebody waits for it to be durable.
    pub(crate) fn is_awaited(&self) -> bool {
        self.awaited
    }

    pub(crate) fn set_awaited(&mut self) {
        self.awaited = true;
    }

    pub(crate) fn first_lsn(&self) -> Option<Lsn> {
        self.records.first().map(|record| record.key.lsn)
    }

    pub(crate) fn last_lsn(&self) -> Option<Lsn> {
        self.records.last().map(|record| record.key.lsn)
    }

    /// All of them, abandoned ones included.
    pub(crate) fn records(&self) -> &[Arc<Record>] {
        &self.records
    }

    /// Above which LSN everything was abandoned.
    pub(crate) fn limit(&self) -> Lsn {
        self.limit.unwrap_or(Lsn::MAX)
    }

    /// The record with `key`.
    pub(crate) fn get(&self, key: &Key) -> Option<&Arc<Record>> {
        self.index.get(key).map(|indexed| &indexed.record).filter(|record| record.key.lsn <= self.limit())
    }

    /// Records of the chain that ends with `key`, as far as they are known.
    pub(crate) fn depth(&self, key: &Key) -> Option<(u8, &Arc<Record>)> {
        let indexed = self.index.get(key).filter(|_| key.lsn <= self.limit())?;
        Some((indexed.depth, &indexed.record))
    }

    /// The page's newest record that is not above `key`.
    pub(crate) fn floor(&self, key: &Key) -> Option<&Arc<Record>> {
        let key = Key { lsn: key.lsn.min(self.limit()), ..*key };
        let (found, indexed) = self.index.range(..=key).next_back()?;
        found.same_page(&key).then_some(&indexed.record)
    }

    /// The records of pages from `from` on, in the order of their keys.
    pub(crate) fn range(&self, from: Key) -> impl Iterator<Item = &Arc<Record>> {
        let limit = self.limit();
        self.index.range(from..).map(|(_, indexed)| &indexed.record).filter(move |record| record.key.lsn <= limit)
    }

    /// Drops everything above `lsn`, for good, and says what that frees of the budget. For segments that nobody encodes yet.
    pub(crate) fn truncate(&mut self, lsn: Lsn, cost_of: impl Fn(&Record) -> u64) -> u64 {
        let keep = self.records.partition_point(|record| record.key.lsn <= lsn);
        let mut freed = 0;
        for record in self.records.drain(keep..) {
            self.index.remove(&record.key);
            self.bytes -= record.payload.len() as u64;
            freed += cost_of(&record);
        }
        self.cost -= freed.min(self.cost);
        freed
    }

    /// Hides everything above `lsn`.
    pub(crate) fn hide_above(&mut self, lsn: Lsn) {
        self.limit = Some(self.limit().min(lsn));
    }
}
