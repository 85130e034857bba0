//! The one thread that decides and writes.
//!
//! It takes all calls that wait, runs them one after the other against what is on disk and what they themselves change, writes all changes in one
//! transaction, and only then answers those who saw or made a change. So each call sees all that was answered before it began, and many
//! commits share one wait for the disk.
//!
//! If a write fails, what is on disk is not known any more: the process is aborted, and the restart finds out.

use std::collections::HashMap;
use std::sync::Arc;
use std::time::Duration;

use plastron_sources::clock::Clock;
use tokio::sync::{mpsc, oneshot};

use super::database::Database;
use super::record::Record;
use super::staging::Staging;
use super::transaction::{self, Staged};
use crate::refusal::{Reason, Refusal};
use crate::value::Epoch;

/// Calls that share one transaction.
const MAX_BATCH: usize = 512;

/// What the engine is told.
#[derive(Debug, Clone)]
#[non_exhaustive]
pub struct EngineOptions {
    /// How long something staged may wait for its POST.
    pub transaction_timeout: Duration,
    /// Operations staged at a time.
    pub max_staged_entries: usize,
    /// Calls that wait.
    pub max_waiting: usize,
    /// The clock.
    pub clock: Arc<dyn Clock>,
}

impl EngineOptions {
    /// Ten seconds, 4,096 staged, 4,096 waiting.
    pub fn new(clock: Arc<dyn Clock>) -> Self {
        Self { transaction_timeout: Duration::from_secs(10), max_staged_entries: 4096, max_waiting: 4096, clock }
    }
}

/// What a call asks for.
#[derive(Debug)]
pub(super) enum Demand {
    Look { fence: Option<Epoch>, keep: bool },
    Stage(Box<Staged>),
    Commit { path: bytes::Bytes },
}

/// What it is told: the record as it is now, or why it was refused and which epoch is promised.
pub(super) type Answer = Result<Record, (Refusal, Epoch)>;

#[derive(Debug)]
pub(super) struct Call {
    pub(super) key: Vec<u8>,
    pub(super) demand: Demand,
    pub(super) reply: oneshot::Sender<Answer>,
}

/// What the engine has done, for `/metrics`.
#[derive(Debug, Default)]
pub(super) struct Counts {
    pub(super) commits: std::sync::atomic::AtomicU64,
    pub(super) transactions: std::sync::atomic::AtomicU64,
    pub(super) staged: std::sync::atomic::AtomicU64,
}

pub(super) struct Engine {
    pub(super) database: Arc<Database>,
    pub(super) staging: Staging,
    pub(super) options: EngineOptions,
    pub(super) counts: Arc<Counts>,
}

impl Engine {
    /// Runs until nobody can call any more.
    pub(super) fn run(mut self, mut calls: mpsc::Receiver<Call>) {
        while let Some(first) = calls.blocking_recv() {
            let mut changed: HashMap<Vec<u8>, Record> = HashMap::new();
            let mut answers = Vec::new();
            let mut next = Some(first);
            let mut taken = 0;
            while let Some(call) = next {
                taken += 1;
                self.call(call, &mut changed, &mut answers);
                next = if taken < MAX_BATCH { calls.try_recv().ok() } else { None };
            }
            if !changed.is_empty() {
                self.write(&changed);
            }
            self.counts.staged.store(self.staging.live() as u64, std::sync::atomic::Ordering::Relaxed);
            for (reply, answer) in answers {
                // Whoever gave up waiting finds out by asking again.
                let _ = reply.send(answer);
            }
        }
    }

    fn write(&self, changed: &HashMap<Vec<u8>, Record>) {
        use std::sync::atomic::Ordering::Relaxed;
        if let Err(error) = self.database.write(changed.iter().map(|(key, record)| (key.as_slice(), record))) {
            tracing::error!(%error, "a write failed, so what is on disk is not known; the process ends, and its next start finds out");
            std::process::abort();
        }
        self.counts.transactions.fetch_add(1, Relaxed);
        self.counts.commits.fetch_add(changed.len() as u64, Relaxed);
    }

    fn call(
        &mut self,
        call: Call,
        changed: &mut HashMap<Vec<u8>, Record>,
        answers: &mut Vec<(oneshot::Sender<Answer>, Answer)>,
    ) {
        let Call { key, demand, reply } = call;
        let pending = changed.get(&key).cloned();
        let is_pending = pending.is_some();
        let record = match pending {
            Some(record) => record,
            None => match self.database.read(&key) {
                Ok(record) => record.unwrap_or_default(),
                Err(error) => {
                    tracing::error!(%error, "a record can't be read");
                    let refusal = Refusal::new(
                        Reason::Broken,
                        "what is kept for this URL can't be read; see the log of this instance",
                    );
                    answers.push((reply, Err((refusal, Epoch::NONE))));
                    return;
                }
            },
        };
        match self.decide(&key, &record, demand) {
            Ok(None) if !is_pending => {
                let _ = reply.send(Ok(record));
            }
            Ok(None) => answers.push((reply, Ok(record))),
            Ok(Some(new)) => {
                changed.insert(key, new.clone());
                answers.push((reply, Ok(new)));
            }
            Err(refusal) => answers.push((reply, Err((refusal, record.promised)))),
        }
    }

    fn decide(&mut self, key: &[u8], record: &Record, demand: Demand) -> Result<Option<Record>, Refusal> {
        let now = self.options.clock.monotonic();
        let timeout = self.options.transaction_timeout;
        match demand {
            Demand::Look { fence, keep } => self.staging.with(key, |slot| transaction::look(record, slot, fence, keep)),
            Demand::Stage(mut staged) => {
                let bytes = staged.path.len() + staged.write.bytes.as_ref().map_or(0, bytes::Bytes::len);
                self.staging.make_room(key, bytes, now)?;
                staged.at = now;
                self.staging.with(key, |slot| transaction::stage(record, slot, *staged)).map(|()| None)
            }
            Demand::Commit { path } => {
                self.staging.with(key, |slot| transaction::commit(record, slot, &path, now, timeout))
            }
        }
    }
}
