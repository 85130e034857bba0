//! What is decided, what is being written, and who waits for it. No thread and no disk is in here.
//!
//! Each call is decided against the newest record of its key: that which waits to be written, else that which is being written, else that which
//! is on disk. Where the last is not known, the call waits until it was read; until then all others about that key wait too, so nobody can change what is being read.
//! Nobody is told of a change before it is on disk, be it the one who made it or one who saw it; so each call sees all that was answered before it began.

use std::collections::{HashMap, VecDeque};
use std::sync::Arc;

use tokio::sync::oneshot;

use super::engine_options::EngineOptions;
use super::known::Known;
use super::record::Record;
use super::staging::Staging;
use super::transaction::{self, Staged};
use crate::refusal::{Reason, Refusal};
use crate::value::Epoch;

/// Records that share one transaction; more wait for the next.
const MAX_BATCH: usize = 512;

/// What a call asks for.
#[derive(Debug)]
pub(super) enum Demand {
    Look { fence: Option<Epoch>, keep: bool },
    Stage(Staged),
    Commit { path: bytes::Bytes },
}

/// What it is told: the record as it is now, or why it was refused and which epoch is promised.
pub(super) type Answer = Result<Record, (Refusal, Epoch)>;

type Reply = oneshot::Sender<Answer>;
type Changed = Arc<HashMap<Vec<u8>, Record>>;

/// What becomes of a call.
#[derive(Debug)]
pub(super) enum Called {
    Answered(Answer),
    Waits(oneshot::Receiver<Answer>),
}

/// What an answer waits for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum After {
    Nothing,
    Writing,
    Next,
}

#[derive(Debug)]
struct Call {
    key: Vec<u8>,
    demand: Demand,
    reply: Reply,
}

/// Changes, and who is to be told when they are on disk.
#[derive(Debug, Default)]
struct Batch {
    changed: Changed,
    answers: Vec<(Reply, Answer)>,
}

#[derive(Debug)]
pub(super) struct Decisions {
    options: EngineOptions,
    staging: Staging,
    known: Known,
    /// What is to be read, and who waits for that.
    unread: HashMap<Vec<u8>, Vec<Call>>,
    to_read: VecDeque<Vec<u8>>,
    /// Those for whom there is no room in the next batch.
    later: VecDeque<Call>,
    writing: Option<Batch>,
    next: Batch,
    /// Calls that were not answered.
    waiting: usize,
}

impl Decisions {
    pub(super) fn new(options: EngineOptions) -> Self {
        Self {
            staging: Staging::new(options.max_staged_entries, options.transaction_timeout),
            options,
            known: Known::default(),
            unread: HashMap::new(),
            to_read: VecDeque::new(),
            later: VecDeque::new(),
            writing: None,
            next: Batch::default(),
            waiting: 0,
        }
    }

    /// Operations staged now.
    pub(super) fn staged(&self) -> usize {
        self.staging.live()
    }

    /// Whether there is something to write, and nothing being written.
    pub(super) fn has_to_write(&self) -> bool {
        self.writing.is_none() && !self.next.changed.is_empty()
    }

    /// Whether there is something to read.
    pub(super) fn has_to_read(&self) -> bool {
        !self.to_read.is_empty()
    }

    /// Whether nothing waits any more.
    pub(super) fn is_idle(&self) -> bool {
        self.waiting == 0
    }

    /// Decides one call now, or has it wait.
    pub(super) fn call(&mut self, key: &[u8], demand: Demand) -> Called {
        if self.waiting >= self.options.max_waiting {
            let refusal = Refusal::new(Reason::Overloaded, "too many calls wait; try again later");
            return Called::Answered(Err((refusal, Epoch::NONE)));
        }
        // Whoever waits for room keeps their place.
        if self.later.is_empty() && !self.is_full() && self.is_known(key) {
            let (answer, after) = self.decide(key, demand);
            if after == After::Nothing {
                return Called::Answered(answer);
            }
            let (reply, waits) = oneshot::channel();
            self.waiting += 1;
            self.answer(reply, answer, after);
            return Called::Waits(waits);
        }
        let (reply, waits) = oneshot::channel();
        self.waiting += 1;
        let call = Call { key: key.to_vec(), demand, reply };
        if self.later.is_empty() {
            self.retry(call)
        } else {
            self.later.push_back(call)
        }
        Called::Waits(waits)
    }

    /// The next key to read.
    pub(super) fn take_to_read(&mut self) -> Option<Vec<u8>> {
        self.to_read.pop_front()
    }

    /// What was read: those who wait for it are decided.
    pub(super) fn read(&mut self, key: &[u8], record: Result<Record, Refusal>) {
        let calls = self.unread.remove(key).unwrap_or_default();
        match record {
            Ok(record) => {
                self.known.insert(key.to_vec(), record);
                for call in calls {
                    self.retry(call);
                }
            }
            Err(refusal) => {
                for Call { reply, .. } in calls {
                    self.answer(reply, Err((refusal.clone(), Epoch::NONE)), After::Nothing);
                }
            }
        }
    }

    /// What is to be written now, all of it in one transaction. Nothing else is taken until [`written`](Self::written).
    pub(super) fn take_to_write(&mut self) -> Changed {
        let batch = std::mem::take(&mut self.next);
        let changed = Arc::clone(&batch.changed);
        self.writing = Some(batch);
        // There is room again.
        for _ in 0..self.later.len() {
            let Some(call) = self.later.pop_front() else { break };
            self.retry(call);
        }
        changed
    }

    /// What was being written is on disk. Gives who is to be told what.
    pub(super) fn written(&mut self) -> Vec<(Reply, Answer)> {
        let Batch { changed, answers } = self.writing.take().unwrap_or_default();
        for (key, record) in Arc::unwrap_or_clone(changed) {
            self.known.insert(key, record);
        }
        self.waiting = self.waiting.saturating_sub(answers.len());
        answers
    }

    fn is_full(&self) -> bool {
        self.next.changed.len() >= MAX_BATCH
    }

    fn is_known(&mut self, key: &[u8]) -> bool {
        self.next.changed.contains_key(key)
            || self.writing.as_ref().is_some_and(|batch| batch.changed.contains_key(key))
            || self.known.get(key).is_some()
    }

    /// Decides a call that waited, or has it wait for what is missing: room, or a record.
    fn retry(&mut self, call: Call) {
        if self.is_full() {
            self.later.push_back(call);
        } else if self.is_known(&call.key) {
            let (answer, after) = self.decide(&call.key, call.demand);
            self.answer(call.reply, answer, after);
        } else {
            let waiting = self.unread.entry(call.key.clone()).or_default();
            if waiting.is_empty() {
                self.to_read.push_back(call.key.clone());
            }
            waiting.push(call);
        }
    }

    /// Tells somebody who waits, or notes whom to tell. Whoever gave up waiting finds out by asking again.
    fn answer(&mut self, reply: Reply, answer: Answer, after: After) {
        match (after, &mut self.writing) {
            (After::Writing, Some(writing)) => writing.answers.push((reply, answer)),
            (After::Next, _) => self.next.answers.push((reply, answer)),
            _ => {
                self.waiting = self.waiting.saturating_sub(1);
                let _ = reply.send(answer);
            }
        }
    }

    /// Decides about a key whose record is known.
    fn decide(&mut self, key: &[u8], demand: Demand) -> (Answer, After) {
        let being_written = || self.writing.as_ref().and_then(|batch| batch.changed.get(key));
        let (record, after) = match (self.next.changed.get(key), being_written()) {
            (Some(record), _) => (record.clone(), After::Next),
            (None, Some(record)) => (record.clone(), After::Writing),
            (None, None) => (self.known.get(key).cloned().unwrap_or_default(), After::Nothing),
        };
        match self.change(key, &record, demand) {
            Ok(None) => (Ok(record), after),
            Ok(Some(new)) => {
                // Nobody else has it before it is taken to be written, so nothing is copied here.
                Arc::make_mut(&mut self.next.changed).insert(key.to_vec(), new.clone());
                (Ok(new), After::Next)
            }
            Err(refusal) => (Err((refusal, record.promised)), after),
        }
    }

    fn change(&mut self, key: &[u8], record: &Record, demand: Demand) -> Result<Option<Record>, Refusal> {
        let now = self.options.clock.monotonic();
        let timeout = self.options.transaction_timeout;
        match demand {
            Demand::Look { fence, keep } => self.staging.with(key, |slot| transaction::look(record, slot, fence, keep)),
            Demand::Stage(mut staged) => {
                let bytes = staged.path.len() + staged.write.bytes.as_ref().map_or(0, bytes::Bytes::len);
                self.staging.make_room(key, bytes, now)?;
                staged.at = now;
                self.staging.with(key, |slot| transaction::stage(record, slot, staged)).map(|()| None)
            }
            Demand::Commit { path } => {
                self.staging.with(key, |slot| transaction::commit(record, slot, &path, now, timeout))
            }
        }
    }
}
