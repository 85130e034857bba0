//! Those who wait for their update to be applied. Bounded, and those who gave up leave no trace.

use std::collections::HashMap;
use std::sync::{Mutex, PoisonError};

use tokio::sync::oneshot;

use crate::{Digest, Error, Refusal, Result};

const MOST: usize = 8192;

type Answer = Result<u64, Refusal>;

#[derive(Debug, Default)]
pub(super) struct Waiting(Mutex<HashMap<Digest, Vec<oneshot::Sender<Answer>>>>);

impl Waiting {
    pub(super) fn wait_for(&self, entry: Digest) -> Result<oneshot::Receiver<Answer>> {
        let mut waiting = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if waiting.len() >= MOST {
            waiting.retain(|_, senders| {
                senders.retain(|sender| !sender.is_closed());
                !senders.is_empty()
            });
        }
        let senders = waiting.values().map(Vec::len).sum::<usize>();
        if senders >= MOST {
            return Err(Error::Overloaded { what: "updates", most: MOST });
        }
        let (sender, receiver) = oneshot::channel();
        waiting.entry(entry).or_default().push(sender);
        Ok(receiver)
    }

    pub(super) fn answer(&self, entry: &Digest, result: &Answer) {
        let senders = self.0.lock().unwrap_or_else(PoisonError::into_inner).remove(entry);
        for sender in senders.into_iter().flatten() {
            // Whoever gave up does not hear it.
            let _ = sender.send(result.clone());
        }
    }
}
