//! How outcomes come to disk: many entries in one batch, which is synced once.

use std::collections::BTreeSet;
use std::sync::Arc;

use super::step::{Accepted, Effect, Machine, Outcome};
use super::tables::TableBatch;
use crate::log::Committed;
use crate::proto::LogEntry;
use crate::{Refusal, Result};

impl Machine {
    /// Puts the outcome on disk, with all that was staged before, and gives what is to happen then.
    ///
    /// # Errors
    /// `Storage`: open the machine again, since it is not known whether the batch was applied.
    pub fn commit(&mut self, outcome: Outcome) -> Result<Vec<Effect>> {
        self.stage(outcome);
        self.flush()
    }

    /// Takes the outcome for done, without putting it on disk yet: the next steps build on it, and nothing of it may be seen outside. So many entries
    /// are synced at once.
    pub fn stage(&mut self, outcome: Outcome) {
        self.staged.stage(outcome.batch);
        self.unsaved = true;
        self.effects.extend(outcome.effects);
        self.state = outcome.state;
        // A page never changes, and nobody knows the number of one that is not on disk.
        outcome.retired.into_iter().for_each(|id| self.cache.remove(id));
        outcome.pages.into_iter().for_each(|(id, page)| self.cache.insert(id, Arc::new(page)));
    }

    /// Steps and stages these entries one after the other, and gives what each did. The indices of new names among them are computed together.
    ///
    /// # Errors
    /// Those of [`step`](Self::step).
    pub fn stage_all(&mut self, committed: &[Committed]) -> Result<Vec<Result<Accepted, Refusal>>> {
        let names: BTreeSet<&str> = committed.iter().filter_map(|one| LogEntry::may_register(&one.entry)).collect();
        let indices = self.options.secret.indices(names.iter().copied());
        self.ahead = names.into_iter().map(str::to_owned).zip(indices).collect();
        let mut results = Vec::with_capacity(committed.len());
        for one in committed {
            let outcome = self.step(one)?;
            results.push(outcome.result.clone());
            self.stage(outcome);
        }
        self.ahead.clear();
        Ok(results)
    }

    /// Puts what is staged on disk, all or nothing, and gives what is to happen then, in order.
    ///
    /// # Errors
    /// `Storage`: open the machine again, since it is not known whether it was applied.
    pub fn flush(&mut self) -> Result<Vec<Effect>> {
        if self.unsaved {
            let mut state = TableBatch::default();
            state.state(&self.state)?;
            self.staged.stage(state.0);
            self.kv.write(self.staged.take())?;
            self.unsaved = false;
        }
        Ok(std::mem::take(&mut self.effects))
    }
}
