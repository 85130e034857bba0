//! What was asked, and what was done about it.

use std::collections::{BTreeMap, VecDeque};
use std::fmt;
use std::sync::{Mutex, PoisonError};

use http::HeaderMap;
use http::request::Parts;

/// Different (method, path) pairs counted one by one; further ones count only in the total.
const MAX_PATHS: usize = 100_000;
/// Requests kept in full, the latest.
const MAX_RECORDS: usize = 10_000;

/// How often what was asked.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Requests {
    by_path: BTreeMap<(String, String), u64>,
    total: u64,
}

impl Requests {
    /// All requests.
    pub fn total(&self) -> u64 {
        self.total
    }

    /// Requests of `method` whose path (percent-encoded, without the query) contains `text`.
    pub fn count(&self, method: &str, text: &str) -> u64 {
        let matching = self.by_path.iter().filter(|((m, path), _)| m == method && path.contains(text));
        matching.map(|(_, count)| count).sum()
    }

    /// Every method and path with its count, ordered.
    pub fn iter(&self) -> impl Iterator<Item = (&str, &str, u64)> {
        self.by_path.iter().map(|((method, path), count)| (method.as_str(), path.as_str(), *count))
    }
}

/// One request as it came.
#[derive(Clone)]
#[non_exhaustive]
pub struct Record {
    /// The method.
    pub method: String,
    /// The path, percent-encoded, without the query.
    pub path: String,
    /// The query, without `?`.
    pub query: String,
    /// Its headers, without `Authorization` and security tokens.
    pub headers: HeaderMap,
    /// What the rules decided up front; what happens to bodies is only in the counters.
    pub faults: Vec<&'static str>,
}

impl fmt::Debug for Record {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} {}?{} {:?}", self.method, self.path, self.query, self.faults)
    }
}

#[derive(Debug, Default)]
struct Entries {
    requests: Requests,
    records: VecDeque<Record>,
    faults: BTreeMap<&'static str, u64>,
    up: u64,
    down: u64,
}

/// Counts for one proxy.
#[derive(Debug, Default)]
pub(super) struct Ledger(Mutex<Entries>);

impl Ledger {
    pub(super) fn request(&self, request: &Parts, faults: &[&'static str]) {
        let method = request.method.as_str().to_owned();
        let path = request.uri.path().to_owned();
        let mut headers = request.headers.clone();
        for secret in ["authorization", "x-amz-security-token"] {
            headers.remove(secret);
        }
        let query = request.uri.query().unwrap_or_default().to_owned();
        self.with(|entries| {
            entries.requests.total += 1;
            let key = (method.clone(), path.clone());
            if entries.requests.by_path.len() < MAX_PATHS || entries.requests.by_path.contains_key(&key) {
                *entries.requests.by_path.entry(key).or_default() += 1;
            }
            if entries.records.len() == MAX_RECORDS {
                entries.records.pop_front();
            }
            entries.records.push_back(Record { method, path, query, headers, faults: faults.to_vec() });
            for fault in faults {
                *entries.faults.entry(fault).or_default() += 1;
            }
        });
    }

    pub(super) fn fault(&self, name: &'static str) {
        self.with(|entries| *entries.faults.entry(name).or_default() += 1);
    }

    pub(super) fn bytes(&self, up: u64, down: u64) {
        self.with(|entries| {
            entries.up += up;
            entries.down += down;
        });
    }

    pub(super) fn requests(&self) -> Requests {
        self.with(|entries| entries.requests.clone())
    }

    pub(super) fn records(&self) -> Vec<Record> {
        self.with(|entries| entries.records.iter().cloned().collect())
    }

    pub(super) fn faults(&self) -> BTreeMap<&'static str, u64> {
        self.with(|entries| entries.faults.clone())
    }

    pub(super) fn body_bytes(&self) -> (u64, u64) {
        self.with(|entries| (entries.up, entries.down))
    }

    pub(super) fn clear(&self) {
        self.with(|entries| *entries = Entries::default());
    }

    fn with<T>(&self, work: impl FnOnce(&mut Entries) -> T) -> T {
        work(&mut self.0.lock().unwrap_or_else(PoisonError::into_inner))
    }
}
