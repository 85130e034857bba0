//! How others speak to the engine.

use std::sync::Arc;
use std::sync::atomic::Ordering::Relaxed;
use std::time::Duration;

use bytes::Bytes;
use tokio::sync::{mpsc, oneshot};

use super::database::Database;
use super::engine::{Call, Counts, Demand, Engine, EngineOptions};
use super::record::Record;
use super::staging::Staging;
use super::transaction::{Staged, Write};
use crate::error::{Error, Fault, Result};
use crate::refusal::{Reason, Refusal};
use crate::value::{Epoch, InstanceId};

/// The checkpoints of one instance. Cheap to clone; the engine ends when the last one is dropped.
///
/// Every method's refusal comes with the epoch that is promised. A call that is dropped is done or not, and never half.
#[derive(Debug, Clone)]
pub struct CheckpointStore {
    calls: mpsc::Sender<Call>,
    counts: Arc<Counts>,
    identity: InstanceId,
}

/// Answers of the engine.
type Answer = std::result::Result<Record, (Refusal, Epoch)>;

impl CheckpointStore {
    /// Starts the engine on `database`. The thread's handle ends after the last store is dropped and the database is closed.
    ///
    /// # Errors
    /// `Unavailable` if there can't be a thread.
    pub fn start(database: Database, options: EngineOptions) -> Result<(Self, std::thread::JoinHandle<()>)> {
        let identity = database.identity();
        let counts = Arc::new(Counts::default());
        let (calls, waiting) = mpsc::channel(options.max_waiting);
        let engine = Engine {
            database: Arc::new(database),
            staging: Staging::new(options.max_staged_entries, options.transaction_timeout),
            options,
            counts: Arc::clone(&counts),
        };
        let failed = |error| Error::new("start", "the engine's threads", Fault::Io(error));
        let runtime = tokio::runtime::Builder::new_current_thread().build().map_err(failed)?;
        let writer = engine.start_writer().map_err(failed)?;
        let run = move || engine.run(&runtime, writer, waiting);
        let thread = std::thread::Builder::new().name("ickpt-engine".to_owned()).spawn(run).map_err(failed)?;
        Ok((Self { calls, counts, identity }, thread))
    }

    /// The identity of the database.
    pub fn identity(&self) -> InstanceId {
        self.identity
    }

    /// A GET.
    ///
    /// # Errors
    /// [`Reason::Fenced`], [`Reason::Overloaded`], [`Reason::Broken`], [`Reason::Stopping`].
    pub async fn look(&self, key: &str, fence: Option<Epoch>, keep: bool) -> Answer {
        self.call(key, Demand::Look { fence, keep }).await
    }

    /// A PUT or DELETE.
    ///
    /// # Errors
    /// [`Reason::Fenced`], [`Reason::Older`], [`Reason::Unversioned`], and as [`look`](Self::look).
    pub async fn stage(&self, key: &str, path: Bytes, write: Write) -> Answer {
        self.call(key, Demand::Stage(Box::new(Staged { path, write, at: Duration::ZERO }))).await
    }

    /// A POST. When it returns, what was staged is on disk.
    ///
    /// # Errors
    /// 410 and its reasons, and as [`stage`](Self::stage).
    pub async fn commit(&self, key: &str, path: Bytes) -> Answer {
        self.call(key, Demand::Commit { path }).await
    }

    /// Records written, transactions that wrote them, and operations staged now.
    pub fn counts(&self) -> (u64, u64, u64) {
        (self.counts.commits.load(Relaxed), self.counts.transactions.load(Relaxed), self.counts.staged.load(Relaxed))
    }

    async fn call(&self, key: &str, demand: Demand) -> Answer {
        let (reply, answer) = oneshot::channel();
        let call = Call { key: key.as_bytes().to_vec(), demand, reply };
        self.calls.try_send(call).map_err(|error| match error {
            mpsc::error::TrySendError::Full(_) => refused(Reason::Overloaded, "too many calls wait; try again later"),
            mpsc::error::TrySendError::Closed(_) => refused(Reason::Stopping, "the instance is about to end"),
        })?;
        answer.await.unwrap_or_else(|_| Err(refused(Reason::Stopping, "the instance is about to end")))
    }
}

fn refused(reason: Reason, message: &str) -> (Refusal, Epoch) {
    (Refusal::new(reason, message), Epoch::NONE)
}
