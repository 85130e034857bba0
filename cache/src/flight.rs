//! One request to the origin, shared by all who wait for it.
//!
//! The request runs in a task of its own, so a waiter that goes away takes nothing from the others, and a slow one holds nobody
//! up. The task is cancelled when the last one who holds the [`Flight`] lets go of it: nobody wants the answer then.

use std::ops::Range;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Weak};

use bytes::Bytes;
use plastron_sources::Error;
use tokio::sync::watch;
use tokio::task::AbortHandle;

use crate::flights::Flights;

/// Why a request is made.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Purpose {
    /// A reader waits for it.
    Demand,
    /// A reader will probably want it soon.
    Ahead,
}

/// What a request brought: the blocks, in order, or why there are none.
pub(crate) type Outcome = Result<Arc<[Bytes]>, Error>;

/// How a wait ended.
#[derive(Debug)]
pub(crate) enum Landing {
    /// With the block.
    Block(Bytes),
    /// With an error of the origin.
    Failed(Error),
    /// The task ended without an answer: it panicked, or its runtime is shutting down.
    Lost,
}

/// One request under way, or its answer while somebody holds on to it.
#[derive(Debug)]
pub(crate) struct Flight {
    pub(crate) purpose: Purpose,
    /// The number its object had when it was made.
    pub(crate) object: u64,
    /// The blocks it brings.
    pub(crate) blocks: Range<u64>,
    /// The granules under which it is found in `home`.
    pub(crate) granules: Range<u64>,
    answer: watch::Receiver<Option<Outcome>>,
    task: AbortHandle,
    used: AtomicBool,
    home: Weak<Flights>,
}

impl Flight {
    /// A flight whose `task` will put its outcome into `answer`.
    pub(crate) fn new(
        purpose: Purpose,
        object: u64,
        (blocks, granules): (Range<u64>, Range<u64>),
        answer: watch::Receiver<Option<Outcome>>,
        task: AbortHandle,
        home: Weak<Flights>,
    ) -> Self {
        Self { purpose, object, blocks, granules, answer, task, used: AtomicBool::new(false), home }
    }

    /// `block`, if the answer is there and good.
    pub(crate) fn ready(&self, block: u64) -> Option<Bytes> {
        match &*self.answer.borrow() {
            Some(Ok(blocks)) => self.pick(blocks, block),
            _ => None,
        }
    }

    /// Whether it can't bring anything any more.
    pub(crate) fn failed(&self) -> bool {
        // In this order: the task puts its answer down before it ends.
        let ended = self.task.is_finished();
        self.answer.borrow().as_ref().map_or(ended, Result::is_err)
    }

    /// Whether there is nothing to wait for any more.
    pub(crate) fn ended(&self) -> bool {
        self.task.is_finished() || self.answer.borrow().is_some()
    }

    /// Waits for `block`.
    pub(crate) async fn wait(&self, block: u64) -> Landing {
        let mut answer = self.answer.clone();
        let Ok(outcome) = answer.wait_for(Option::is_some).await else { return Landing::Lost };
        match &*outcome {
            Some(Ok(blocks)) => self.pick(blocks, block).map_or(Landing::Lost, Landing::Block),
            Some(Err(error)) => Landing::Failed(error.clone()),
            None => Landing::Lost,
        }
    }

    /// Whether any of it was handed to a reader.
    pub(crate) fn was_used(&self) -> bool {
        self.used.load(Ordering::Relaxed)
    }

    /// Bytes it brought so far.
    pub(crate) fn bytes(&self) -> u64 {
        match &*self.answer.borrow() {
            Some(Ok(blocks)) => blocks.iter().map(|block| block.len() as u64).sum(),
            _ => 0,
        }
    }

    fn pick(&self, blocks: &[Bytes], block: u64) -> Option<Bytes> {
        let place = usize::try_from(block.checked_sub(self.blocks.start)?).ok()?;
        self.used.store(true, Ordering::Relaxed);
        blocks.get(place).cloned()
    }
}

impl Drop for Flight {
    fn drop(&mut self) {
        self.task.abort();
        if let Some(home) = self.home.upgrade() {
            home.remove(self);
        }
    }
}
