//! The one thread that decides, beside one that writes.
//!
//! It takes calls one after the other, and decides each against what is on disk, what is being written, and what waits to be written. All changes that came
//! while the last batch was being written are the next batch, which is one transaction: so many commits share one wait for the disk, and what needs
//! no disk does not wait for it. Nobody is told of a change before it is on disk, be it the one who made it or one who saw it; so each call sees all that was
//! answered before it began.
//!
//! If a write fails, what is on disk is not known any more: the process is aborted, and the restart finds out.

use std::collections::HashMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering::Relaxed};
use std::time::Duration;

use plastron_sources::clock::Clock;
use tokio::sync::{mpsc, oneshot};

use super::database::Database;
use super::record::Record;
use super::staging::Staging;
use super::transaction::{self, Staged};
use crate::refusal::{Reason, Refusal};
use crate::value::Epoch;

/// Records that share one transaction; more wait for the next.
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
    pub(super) commits: AtomicU64,
    pub(super) transactions: AtomicU64,
    pub(super) staged: AtomicU64,
}

/// Changes, and who is to be told when they are on disk.
#[derive(Debug, Default)]
struct Batch {
    changed: Arc<HashMap<Vec<u8>, Record>>,
    answers: Vec<(oneshot::Sender<Answer>, Answer)>,
}

impl Batch {
    /// Whoever gave up waiting finds out by asking again.
    fn tell(self) {
        for (reply, answer) in self.answers {
            let _ = reply.send(answer);
        }
    }
}

/// The thread that writes: takes records, and says when they are on disk.
pub(super) struct Writer {
    records: std::sync::mpsc::Sender<Arc<HashMap<Vec<u8>, Record>>>,
    written: mpsc::UnboundedReceiver<()>,
    thread: std::thread::JoinHandle<()>,
}

pub(super) struct Engine {
    pub(super) database: Arc<Database>,
    pub(super) staging: Staging,
    pub(super) options: EngineOptions,
    pub(super) counts: Arc<Counts>,
}

impl Engine {
    /// Runs on `runtime`, which has this thread for itself, until nobody can call any more.
    pub(super) fn run(
        mut self,
        runtime: &tokio::runtime::Runtime,
        mut writer: Writer,
        mut calls: mpsc::Receiver<Call>,
    ) {
        runtime.block_on(self.decide_all(&mut calls, &mut writer));
        let Writer { records, thread, .. } = writer;
        drop(records);
        if thread.join().is_err() {
            tracing::error!("the writer ended");
        }
    }

    /// Starts the thread that writes.
    ///
    /// # Errors
    /// If there can't be a thread.
    pub(super) fn start_writer(&self) -> std::io::Result<Writer> {
        let (records, batches) = std::sync::mpsc::channel::<Arc<HashMap<Vec<u8>, Record>>>();
        // Of either there is one at a time: that which is being written.
        let (done, written) = mpsc::unbounded_channel();
        let (database, counts) = (Arc::clone(&self.database), Arc::clone(&self.counts));
        let write = move || {
            for changed in batches {
                write(&database, &counts, &changed);
                if done.send(()).is_err() {
                    return;
                }
            }
        };
        let thread = std::thread::Builder::new().name("ickpt-writer".to_owned()).spawn(write)?;
        Ok(Writer { records, written, thread })
    }

    async fn decide_all(&mut self, calls: &mut mpsc::Receiver<Call>, writer: &mut Writer) {
        // What is being written, and what waits for that.
        let (mut writing, mut next): (Option<Batch>, Batch) = (None, Batch::default());
        let mut open = true;
        while open || writing.is_some() || !next.changed.is_empty() {
            if writing.is_none() && !next.changed.is_empty() {
                let batch = std::mem::take(&mut next);
                // With nobody to wait for the disk meanwhile, two handovers to the writer and back would only take time.
                if batch.changed.len() == 1 && calls.is_empty() {
                    write(&self.database, &self.counts, &batch.changed);
                    batch.tell();
                    continue;
                }
                if writer.records.send(Arc::clone(&batch.changed)).is_err() {
                    tracing::error!("the writer has ended, so nothing can be committed; the process ends");
                    std::process::abort();
                }
                writing = Some(batch);
            }
            let full = self.is_full(&writing, &next);
            tokio::select! {
                biased;
                written = writer.written.recv(), if writing.is_some() => {
                    if written.is_none() {
                        tracing::error!("the writer has ended, so nothing can be committed; the process ends");
                        std::process::abort();
                    }
                    writing.take().unwrap_or_default().tell();
                }
                call = calls.recv(), if open && !full => match call {
                    None => open = false,
                    Some(call) => {
                        self.call(call, &mut writing, &mut next);
                        // Those that wait already belong to the same batch, as far as there is room.
                        while !self.is_full(&writing, &next)
                            && let Ok(call) = calls.try_recv()
                        {
                            self.call(call, &mut writing, &mut next);
                        }
                        self.counts.staged.store(self.staging.live() as u64, Relaxed);
                    }
                },
            }
        }
    }

    /// Whether more must wait until something is written.
    fn is_full(&self, writing: &Option<Batch>, next: &Batch) -> bool {
        let answers = next.answers.len() + writing.as_ref().map_or(0, |batch| batch.answers.len());
        next.changed.len() >= MAX_BATCH || (answers >= self.options.max_waiting && writing.is_some())
    }

    /// Decides one call, and answers it, or has it answered when what it depends on is on disk.
    fn call(&mut self, call: Call, writing: &mut Option<Batch>, next: &mut Batch) {
        let Call { key, demand, reply } = call;
        // The latest record of this key, and which batch it waits for.
        let waiting = next.changed.get(&key).cloned();
        let being_written = match &waiting {
            Some(_) => None,
            None => writing.as_ref().and_then(|batch| batch.changed.get(&key).cloned()),
        };
        let (waits, is_written) = (waiting.is_some(), being_written.is_some());
        let record = match waiting.or(being_written) {
            Some(record) => record,
            None => match self.database.read(&key) {
                Ok(record) => record.unwrap_or_default(),
                Err(error) => {
                    tracing::error!(%error, "a record can't be read");
                    let refusal = Refusal::new(
                        Reason::Broken,
                        "what is kept for this URL can't be read; see the log of this instance",
                    );
                    let _ = reply.send(Err((refusal, Epoch::NONE)));
                    return;
                }
            },
        };
        let (answer, waits) = match self.decide(&key, &record, demand) {
            Ok(None) => (Ok(record), waits),
            Ok(Some(new)) => {
                // Nobody else has it before it is sent to the writer, so nothing is copied here.
                Arc::make_mut(&mut next.changed).insert(key, new.clone());
                (Ok(new), true)
            }
            Err(refusal) => (Err((refusal, record.promised)), waits),
        };
        match writing {
            _ if waits => next.answers.push((reply, answer)),
            Some(writing) if is_written => writing.answers.push((reply, answer)),
            _ => {
                let _ = reply.send(answer);
            }
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

fn write(database: &Database, counts: &Counts, changed: &HashMap<Vec<u8>, Record>) {
    if let Err(error) = database.write(changed.iter().map(|(key, record)| (key.as_slice(), record))) {
        tracing::error!(%error, "a write failed, so what is on disk is not known; the process ends, and its next start finds out");
        std::process::abort();
    }
    counts.transactions.fetch_add(1, Relaxed);
    counts.commits.fetch_add(changed.len() as u64, Relaxed);
}
