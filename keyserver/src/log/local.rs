//! A log in a local database.
//!
//! Proposals are written by a thread of their own, as many in one synced batch as have come meanwhile. The queue before it is bounded; a proposal that
//! finds it full waits.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use async_trait::async_trait;
use bytes::Bytes;
use tokio::sync::{mpsc, oneshot, watch};

use super::{Committed, ReplicatedLog};
use crate::kv::{Batch, Direction, Kv};
use crate::proto::MAX_LOG_ENTRY_BYTES;
use crate::{Error, Result};

/// Proposals that wait at the most, and that are written together at the most.
const MOST_WAITING: usize = 256;

type Proposal = (Bytes, oneshot::Sender<Result<()>>);

/// The log. Clones of its `Arc` are replicas of one process.
#[derive(Debug)]
pub struct LocalLog {
    kv: Arc<dyn Kv>,
    proposals: mpsc::Sender<Proposal>,
    last: watch::Receiver<u64>,
    truncated: AtomicU64,
}

impl LocalLog {
    /// The log in `kv`, which is for nothing else.
    ///
    /// # Errors
    /// `Storage`; `Corrupt` if something else is in the database.
    pub fn open(kv: Arc<dyn Kv>) -> Result<Arc<Self>> {
        let end = |direction| -> Result<Option<u64>> {
            let pair = kv.range(&[], &[0xff; 9], direction, 1)?.into_iter().next();
            pair.map(|(key, _)| read_key(&key)).transpose()
        };
        // Of a log that was truncated whole, the last entry stays: it has the index to go on from.
        let last = end(Direction::Backward)?.unwrap_or(0);
        let truncated = end(Direction::Forward)?.map_or(0, |index| index - 1);
        let (proposals, queue) = mpsc::channel(MOST_WAITING);
        let (sender, receiver) = watch::channel(last);
        let writer = Writer { kv: Arc::clone(&kv), last, sender };
        std::thread::Builder::new()
            .name("keyserver-log".to_owned())
            .spawn(move || writer.run(queue))
            .map_err(|source| Error::Storage { operation: "starting the log's thread", source: Box::new(source) })?;
        Ok(Arc::new(Self { kv, proposals, last: receiver, truncated: truncated.into() }))
    }

    fn read(&self, after: u64, most: usize) -> Result<Vec<Committed>> {
        let pairs = self.kv.range(&after.saturating_add(1).to_be_bytes(), &[0xff; 9], Direction::Forward, most)?;
        let entries = pairs.into_iter().map(|(key, value)| {
            let (entry, sum) = value.split_at_checked(value.len().saturating_sub(4)).unwrap_or_default();
            if crc32c::crc32c_append(crc32c::crc32c(&key), entry).to_be_bytes() != *sum {
                return Err(Error::Corrupt {
                    what: "log",
                    offset: 0,
                    check: "an entry's checksum is wrong".to_owned(),
                });
            }
            Ok(Committed { index: read_key(&key)?, entry: value.slice(..entry.len()) })
        });
        entries.collect()
    }
}

fn read_key(key: &[u8]) -> Result<u64> {
    let index = key.try_into().map(u64::from_be_bytes).ok().filter(|index| *index > 0);
    index.ok_or_else(|| Error::Corrupt { what: "log", offset: 0, check: "a key is no index".to_owned() })
}

/// Runs until the log is dropped.
struct Writer {
    kv: Arc<dyn Kv>,
    last: u64,
    sender: watch::Sender<u64>,
}

impl Writer {
    fn run(mut self, mut queue: mpsc::Receiver<Proposal>) {
        let mut waiting = Vec::new();
        while queue.blocking_recv_many(&mut waiting, MOST_WAITING) > 0 {
            let mut batch = Batch::new();
            let mut last = self.last;
            for (entry, _) in &waiting {
                last += 1;
                let key = last.to_be_bytes();
                let sum = crc32c::crc32c_append(crc32c::crc32c(&key), entry).to_be_bytes();
                batch.put(key.to_vec(), [entry, &sum[..]].concat());
            }
            match self.kv.write(batch) {
                Ok(()) => {
                    self.last = last;
                    self.sender.send_replace(last);
                    waiting.drain(..).for_each(|(_, answer)| drop(answer.send(Ok(()))));
                }
                Err(error) => {
                    // Whether it was written is not known: the same indices must not be given to anything else.
                    let why = error.to_string();
                    for (_, answer) in waiting.drain(..) {
                        let _ = answer.send(Err(Error::Log { operation: "appending", why: why.clone() }));
                    }
                    return;
                }
            }
        }
    }
}

async fn blocking<T: Send + 'static>(work: impl FnOnce() -> Result<T> + Send + 'static) -> Result<T> {
    tokio::task::spawn_blocking(work).await.unwrap_or(Err(Error::Stopped("the runtime")))
}

#[async_trait]
impl ReplicatedLog for Arc<LocalLog> {
    async fn propose(&self, entry: Bytes) -> Result<()> {
        if entry.len() > MAX_LOG_ENTRY_BYTES {
            let why = format!("{} bytes, of at most {MAX_LOG_ENTRY_BYTES}", entry.len());
            return Err(Error::Invalid { what: "log entry", why });
        }
        let (answer, answered) = oneshot::channel();
        let stopped = || Error::Stopped("the log");
        self.proposals.send((entry, answer)).await.map_err(|_| stopped())?;
        answered.await.map_err(|_| stopped())?
    }

    async fn wait_committed(&self, after: u64, most: usize) -> Result<Vec<Committed>> {
        let mut last = self.last.clone();
        last.wait_for(|last| *last > after).await.map_err(|_| Error::Stopped("the log"))?;
        let log = Arc::clone(self);
        let entries = blocking(move || log.read(after, most)).await?;
        // Looked at after reading: what was truncated meanwhile is a gap in what was read.
        if after < self.truncated.load(Ordering::SeqCst) {
            return Err(Error::NotFound { what: "log", why: format!("entries after {after} were truncated") });
        }
        Ok(entries)
    }

    fn leads(&self) -> bool {
        true
    }

    async fn truncate(&self, through: u64) -> Result<()> {
        // The last one stays, for its index.
        let through = through.min(self.last.borrow().saturating_sub(1));
        self.truncated.fetch_max(through, Ordering::SeqCst);
        let log = Arc::clone(self);
        blocking(move || {
            loop {
                let old = log.kv.range(&[], &through.saturating_add(1).to_be_bytes(), Direction::Forward, 1024)?;
                if old.is_empty() {
                    return Ok(());
                }
                let mut batch = Batch::new();
                old.into_iter().for_each(|(key, _)| batch.remove(key));
                log.kv.write(batch)?;
            }
        })
        .await
    }
}
