//! How others speak to the engine.

use std::sync::Arc;
use std::sync::atomic::Ordering::Relaxed;
use std::time::Duration;

use bytes::Bytes;

use super::database::Database;
use super::decisions::{Answer, Called, Demand};
use super::engine::Engine;
use super::engine_options::EngineOptions;
use super::transaction::{Staged, Write};
use crate::error::{Error, Fault, Result};
use crate::refusal::{Reason, Refusal};
use crate::value::{Epoch, InstanceId};

/// The checkpoints of one instance. Cheap to clone; the engine ends when the last one is dropped.
///
/// Every method's refusal comes with the epoch that is promised. A call that is dropped is done or not, and never half.
#[derive(Debug, Clone)]
pub struct CheckpointStore {
    callers: Arc<Callers>,
    identity: InstanceId,
}

/// All who can call.
#[derive(Debug)]
struct Callers(Arc<Engine>);

impl Drop for Callers {
    fn drop(&mut self) {
        self.0.close();
    }
}

impl CheckpointStore {
    /// Starts the engine on `database`. The thread's handle ends after the last store is dropped and the database is closed.
    ///
    /// # Errors
    /// `Unavailable` if there can't be a thread.
    pub fn start(database: Database, options: EngineOptions) -> Result<(Self, std::thread::JoinHandle<()>)> {
        let identity = database.identity();
        let callers = Callers(Arc::new(Engine::new(options)));
        let failed = |error| Error::new("start", "the engine's threads", Fault::Io(error));
        let thread = callers.0.start(database).map_err(failed)?;
        Ok((Self { callers: Arc::new(callers), identity }, thread))
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
        self.call(key, Demand::Stage(Staged { path, write, at: Duration::ZERO })).await
    }

    /// A POST. When it returns, what was staged is on disk.
    ///
    /// # Errors
    /// 410 and its reasons, and as [`stage`](Self::stage).
    pub async fn commit(&self, key: &str, path: Bytes) -> Answer {
        self.call(key, Demand::Commit { path }).await
    }

    /// Records written, batches in which they were, each synced once, and operations staged now.
    pub fn counts(&self) -> (u64, u64, u64) {
        let counts = &self.callers.0.counts;
        (counts.commits.load(Relaxed), counts.transactions.load(Relaxed), counts.staged.load(Relaxed))
    }

    async fn call(&self, key: &str, demand: Demand) -> Answer {
        match self.callers.0.call(key.as_bytes(), demand) {
            Called::Answered(answer) => answer,
            Called::Waits(answer) => answer
                .await
                .unwrap_or_else(|_| Err((Refusal::new(Reason::Stopping, "the instance is about to end"), Epoch::NONE))),
        }
    }
}
