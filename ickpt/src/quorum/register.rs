//! The register: read, and swap one value for another.

use std::fmt;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use bytes::Bytes;
use plastron_sources::clock::{Clock, Entropy, SystemClock, SystemEntropy};
use tokio::sync::Semaphore;

use super::ballot::Ballot;
use super::gather::{Gathered, Lane, gather};
use super::instance::Instance;
use super::propose::{Outcome, propose};
use super::votes::{Verdict, majority};
use crate::checkpoint_store::{Content, Write};
use crate::error::{Error, Fault, Result};
use crate::value::{Epoch, MAX_MEMBERS, MAX_VALUE_BYTES, Members, Stamp};

/// How a quorum is spoken to.
#[derive(Debug, Clone)]
#[non_exhaustive]
pub struct QuorumOptions {
    /// Deadline of one call to one instance.
    pub call_timeout: Duration,
    /// Times that taking over, or writing back, is tried when others do the same.
    pub attempts: u32,
    /// Longest wait between two of them.
    pub max_wait: Duration,
    /// The clock.
    pub clock: Arc<dyn Clock>,
    /// Random numbers.
    pub entropy: Arc<dyn Entropy>,
}

impl Default for QuorumOptions {
    fn default() -> Self {
        Self {
            call_timeout: Duration::from_secs(10),
            attempts: 24,
            max_wait: Duration::from_millis(500),
            clock: Arc::new(SystemClock),
            entropy: Arc::new(SystemEntropy::default()),
        }
    }
}

/// How a swap ended.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Swap {
    /// The new value is there.
    Done,
    /// Another value was there, and is: this one, none if it is absent. The new one never was there.
    Differs(Option<Bytes>),
    /// Another value is there. The new one may have been there before it, since somebody took over while it was written.
    Overwritten(Option<Bytes>),
}

/// N instances as one register of one URL.
pub struct Quorum<I> {
    pub(super) lanes: Vec<Lane<I>>,
    pub(super) options: QuorumOptions,
    ballot: Mutex<Option<Ballot>>,
    /// One swap at a time: two would fence each other.
    swaps: Semaphore,
    target: String,
}

pub(super) fn value(content: &Content) -> Option<&Bytes> {
    match content {
        Content::Value(bytes) => Some(bytes),
        Content::Nothing | Content::Deleted => None,
    }
}

impl<I: Instance> Quorum<I> {
    /// The register that `instances` keep together. `target` names it in errors.
    ///
    /// # Errors
    /// `Invalid` for no instance, an even number, or more than nine.
    pub fn new(instances: Vec<I>, target: impl Into<String>, options: QuorumOptions) -> Result<Self> {
        let (target, count) = (target.into(), instances.len());
        if count % 2 == 0 || count > MAX_MEMBERS {
            let what =
                format!("there are {count} instances; there can be 1, 3, 5, 7 or 9, of which fewer than half may fail");
            return Err(Error::new("open", target, Fault::Invalid(what)));
        }
        let lanes = instances.into_iter().map(|instance| Lane::new(instance, options.call_timeout)).collect();
        Ok(Self { lanes, options, ballot: Mutex::new(None), swaps: Semaphore::new(1), target })
    }

    pub(super) fn error(&self, operation: &'static str, fault: Fault) -> Error {
        Error::new(operation, self.target.clone(), fault)
    }

    /// The value; none if there is none. Whatever was acknowledged before this began is seen, and whatever this sees, later reads see.
    ///
    /// # Errors
    /// `Unavailable` without a majority, or while somebody takes over and does not finish; `Unauthorized` and others that an instance gives.
    pub async fn read(&self) -> Result<Option<Bytes>> {
        self.read_value().await.map_err(|fault| self.error("read", fault))
    }

    async fn read_value(&self) -> Result<Option<Bytes>, Fault> {
        let needed = majority(self.lanes.len());
        let mut last = String::new();
        for attempt in 0..self.options.attempts {
            self.pause(attempt).await;
            let agreed = |verdict: &Verdict| match verdict {
                Verdict::Highest { holders, .. } => *holders >= needed,
                Verdict::Virgin(_) => true,
                Verdict::Open => false,
            };
            let gathered = gather(&self.lanes, None, agreed).await?;
            let (stamp, content, members) = match gathered.verdict {
                Verdict::Virgin(_) => return Ok(None),
                Verdict::Open => return Err(too_few(&gathered)),
                Verdict::Highest { content, holders, .. } if holders >= needed => return Ok(value(&content).cloned()),
                Verdict::Highest { stamp, content, members, .. } => (stamp, content, members),
            };
            match self.write(&content, stamp, &members).await? {
                Outcome::Done => return Ok(value(&content).cloned()),
                Outcome::Overtaken(_) => "somebody takes over, or writes".clone_into(&mut last),
                Outcome::NotDone(what) | Outcome::Unknown(what) => last = what,
            }
        }
        Err(Fault::Unavailable(format!("the instances do not agree, and can't be made to: {last}; try again later")))
    }

    /// Writes `new` if the value is `expected`, none being no value. Repeating it after an error is safe if values are unique; a value that is there already is
    /// `Done`.
    ///
    /// # Errors
    /// `Unavailable`: [`Fault::Indeterminate`] if it may have been done, any other if it was not and will not be; others as [`read`](Self::read).
    pub async fn swap(&self, expected: Option<&Bytes>, new: Option<Bytes>) -> Result<Swap> {
        if new.as_ref().is_some_and(|new| new.is_empty() || new.len() > MAX_VALUE_BYTES) {
            let what = format!("a value has 1 to {MAX_VALUE_BYTES} bytes");
            return Err(self.error("write", Fault::Invalid(what)));
        }
        let _one =
            self.swaps.acquire().await.map_err(|error| self.error("write", Fault::Unavailable(error.to_string())))?;
        self.swap_value(expected, new).await.map_err(|fault| self.error("write", fault))
    }

    async fn swap_value(&self, expected: Option<&Bytes>, new: Option<Bytes>) -> Result<Swap, Fault> {
        let mut held = self.take_ballot().filter(|ballot| value(&ballot.content) == expected);
        // Whether the new value may be somewhere.
        let mut unknown = None;
        let mut above = Epoch::NONE;
        for attempt in 0..self.options.attempts {
            let mut ballot = match held.take() {
                Some(ballot) => ballot,
                None => {
                    self.pause(attempt).await;
                    match self.take_over(&mut above).await {
                        Ok(Some(ballot)) => ballot,
                        Ok(None) => continue,
                        Err(fault) => return Err(unknown.map_or(fault, Fault::Indeterminate)),
                    }
                }
            };
            let found = value(&ballot.content);
            let differs = found != expected && found != new.as_ref();
            // What is found may be on one instance only: it is made whole before anything is said about it.
            let content = match (differs, &new) {
                (true, _) => ballot.content.clone(),
                (false, Some(new)) => Content::Value(new.clone()),
                (false, None) => Content::Deleted,
            };
            if ballot.stamp.is_none() && content == Content::Nothing {
                return Ok(Swap::Differs(None));
            }
            ballot.count += 1;
            let stamp = Stamp { epoch: ballot.epoch, count: ballot.count };
            match self.write(&content, stamp, &ballot.members).await {
                Ok(Outcome::Done) => {
                    ballot.stamp = Some(stamp);
                    ballot.content = content;
                    let current = value(&ballot.content).cloned();
                    let swap = match (differs, &unknown) {
                        (false, _) => Swap::Done,
                        (true, None) => Swap::Differs(current),
                        (true, Some(_)) => Swap::Overwritten(current),
                    };
                    self.keep_ballot(ballot);
                    return Ok(swap);
                }
                Ok(Outcome::Overtaken(epoch)) => {
                    above = above.max(epoch);
                    if !differs {
                        unknown.get_or_insert_with(|| "somebody took over meanwhile".to_owned());
                    }
                }
                Ok(Outcome::NotDone(what)) => {
                    return Err(unknown.map_or(Fault::Unavailable(what), Fault::Indeterminate));
                }
                Ok(Outcome::Unknown(what)) if differs => {
                    return Err(unknown.map_or(Fault::Unavailable(what), Fault::Indeterminate));
                }
                Ok(Outcome::Unknown(what)) => return Err(Fault::Indeterminate(what)),
                Err(fault) => return Err(unknown.map_or(fault, Fault::Indeterminate)),
            }
        }
        let what = "others took over again and again".to_owned();
        Err(unknown.map_or(Fault::Unavailable(what), Fault::Indeterminate))
    }

    /// Waits, `limit` at most, for the calls that nobody had to wait for: those to instances that a majority did without. A process that ends at once after a
    /// swap would leave such an instance behind for no reason.
    pub async fn settle(&self, limit: Duration) {
        let all = futures::future::join_all(self.lanes.iter().map(Lane::settle));
        // What has not ended by then, ends with its deadline, or with the process.
        let _ = tokio::time::timeout(limit, all).await;
    }

    /// Takes over with an epoch above `above`; none if somebody else was first, whose epoch `above` then is.
    pub(super) async fn take_over(&self, above: &mut Epoch) -> Result<Option<Ballot>, Fault> {
        let exhausted = || {
            Fault::Invalid(
                "there is no epoch above that of an instance; its record is not what a client wrote".to_owned(),
            )
        };
        let epoch = above.next(self.options.entropy.next_u64()).ok_or_else(exhausted)?;
        let gathered = gather(&self.lanes, Some(epoch), |verdict| *verdict != Verdict::Open).await?;
        *above = (*above).max(gathered.promised);
        if gathered.promised > epoch {
            return Ok(None);
        }
        match gathered.verdict {
            Verdict::Highest { stamp, content, members, .. } => {
                Ok(Some(Ballot { epoch, count: 0, content, stamp: Some(stamp), members }))
            }
            Verdict::Virgin(members) => {
                Ok(Some(Ballot { epoch, count: 0, content: Content::Nothing, stamp: None, members }))
            }
            Verdict::Open if gathered.fenced => Ok(None),
            Verdict::Open => Err(too_few(&gathered)),
        }
    }

    /// Writes to all; those of `members` count.
    pub(super) async fn write(&self, content: &Content, stamp: Stamp, members: &Members) -> Result<Outcome, Fault> {
        let write = Write { bytes: value(content).cloned(), stamp: Some(stamp), members: members.clone() };
        propose(&self.lanes, self.path(), write, members, &[]).await
    }

    /// A transaction's path that nobody else has.
    pub(super) fn path(&self) -> Bytes {
        Bytes::from(format!("/{:016x}", self.options.entropy.next_u64()))
    }

    /// Waits before an attempt, but for the first, longer and longer.
    pub(super) async fn pause(&self, attempt: u32) {
        if attempt > 0 {
            let most = (self.options.max_wait / 64).saturating_mul(1 << attempt.min(16)).min(self.options.max_wait);
            let share = (self.options.entropy.next_u64() >> 32) as u32;
            self.options.clock.sleep(most.mul_f64(f64::from(share) / f64::from(u32::MAX))).await;
        }
    }

    fn take_ballot(&self) -> Option<Ballot> {
        self.ballot.lock().unwrap_or_else(PoisonError::into_inner).take()
    }

    fn keep_ballot(&self, ballot: Ballot) {
        *self.ballot.lock().unwrap_or_else(PoisonError::into_inner) = Some(ballot);
    }
}

pub(super) fn too_few(gathered: &Gathered) -> Fault {
    let what = "fewer than a majority of the instances that keep it have answered, or, if it was never written, fewer than all";
    Fault::Unavailable(format!(
        "{what} ({}); see that they run, and reseed those that lost their disk",
        gathered.errors.join("; ")
    ))
}

impl<I: Instance> fmt::Debug for Quorum<I> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Quorum")
            .field("target", &self.target)
            .field("instances", &self.lanes.len())
            .finish_non_exhaustive()
    }
}
