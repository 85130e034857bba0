//! Writing one value to a majority.
//!
//! Each instance has a task: it stages, says so, waits for the word that a majority has staged, and commits. The word is given once; if the proposer is
//! dropped before, it is never given, and nothing is committed anywhere. Tasks that are not waited for go on to their deadlines.

use std::sync::Arc;

use bytes::Bytes;
use tokio::sync::{Semaphore, mpsc};

use super::gather::{Lane, refused};
use super::instance::{Instance, InstanceError, View};
use super::votes::majority;
use crate::checkpoint_store::Write;
use crate::error::Fault;
use crate::refusal::Reason;
use crate::value::{Epoch, InstanceId, Members};

/// Times that one instance is given the same again because a reader or an earlier writer discarded it.
const MAX_STAGINGS: u32 = 4;

/// How it ended.
#[derive(Debug)]
pub(super) enum Outcome {
    /// A majority has committed it.
    Done,
    /// Somebody took over with this epoch, or a higher one; what became of the value is for the next to find out.
    Overtaken(Epoch),
    /// Nothing was committed.
    NotDone(String),
    /// Not known.
    Unknown(String),
}

/// The word that a majority has staged. (A semaphore wakes those who wait in the order in which they came, which a watch does not: so a simulation can be
/// repeated.)
struct Word {
    places: Arc<Semaphore>,
    given: bool,
}

impl Word {
    fn give(&mut self, count: usize) {
        if !self.given {
            self.places.add_permits(count);
            self.given = true;
        }
    }
}

impl Drop for Word {
    fn drop(&mut self) {
        if !self.given {
            self.places.close();
        }
    }
}

enum Event {
    Staged(InstanceId),
    Committed(InstanceId),
    Failed(String, InstanceError),
}

/// Proposes `write` to all, and counts those of `counted` who must be `needed` at the least (a majority of all), and every one of `also`.
pub(super) async fn propose<I: Instance>(
    lanes: &[Lane<I>],
    path: Bytes,
    write: Write,
    counted: &Members,
    also: &[InstanceId],
) -> Result<Outcome, Fault> {
    let needed = majority(lanes.len());
    let (events, mut arriving) = mpsc::channel(lanes.len() * 2 + 1);
    let mut word = Word { places: Arc::new(Semaphore::new(0)), given: false };
    for lane in lanes {
        lane.spawn(one(lane.clone(), path.clone(), write.clone(), Arc::clone(&word.places), events.clone()));
    }
    drop(events);
    let (mut staged, mut committed) = (Vec::new(), Vec::new());
    let (mut overtaken, mut errors) = (None, Vec::new());
    let enough = |ids: &[InstanceId]| {
        ids.iter().filter(|id| counted.contains(**id)).count() >= needed && also.iter().all(|id| ids.contains(id))
    };
    while let Some(event) = arriving.recv().await {
        match event {
            Event::Staged(id) => {
                staged.push(id);
                if enough(&staged) {
                    word.give(lanes.len());
                }
            }
            Event::Committed(id) => {
                committed.push(id);
                if enough(&committed) {
                    return Ok(Outcome::Done);
                }
            }
            Event::Failed(name, error) => {
                if let InstanceError::Refused { reason, promised, .. } = &error {
                    if matches!(reason, Reason::Fenced | Reason::Older) {
                        overtaken = overtaken.max(Some(*promised));
                    } else if !word.given
                        && matches!(
                            reason.kind(),
                            crate::ErrorKind::Unauthorized | crate::ErrorKind::Invalid | crate::ErrorKind::NotFound
                        )
                    {
                        return Err(refused(&error));
                    }
                }
                errors.push(format!("{name}: {error}"));
            }
        }
        // Whoever waits for a word that can't come any more would wait for its deadline.
        if !word.given && staged.len() + errors.len() == lanes.len() {
            break;
        }
    }
    Ok(match overtaken {
        Some(epoch) => Outcome::Overtaken(epoch),
        None if word.given => Outcome::Unknown(errors.join("; ")),
        None => Outcome::NotDone(errors.join("; ")),
    })
}

/// What is done with one instance.
async fn one<I: Instance>(lane: Lane<I>, path: Bytes, write: Write, word: Arc<Semaphore>, events: mpsc::Sender<Event>) {
    let instance = &lane.instance;
    let failed = |error| Event::Failed(instance.name(), error);
    // There is a place for every event, and nobody may be there to see it.
    let say = async |event| drop(events.send(event).await);
    match lane.run(instance.stage(path.clone(), write.clone())).await {
        Ok(View { id, .. }) => say(Event::Staged(id)).await,
        Err(error) => return say(failed(error)).await,
    }
    // An error means that nobody is there to give the word.
    if word.acquire().await.is_err() {
        return;
    }
    let mut last = InstanceError::Unavailable("it was not tried".to_owned());
    for _ in 0..MAX_STAGINGS {
        match lane.run(instance.commit(path.clone())).await {
            Ok(View { id, .. }) => return say(Event::Committed(id)).await,
            Err(
                error @ InstanceError::Refused {
                    reason: Reason::NothingStaged | Reason::OtherPath | Reason::Expired | Reason::Discarded,
                    ..
                },
            ) => {
                last = error;
                if let Err(error) = lane.run(instance.stage(path.clone(), write.clone())).await {
                    return say(failed(error)).await;
                }
            }
            Err(error) => return say(failed(error)).await,
        }
    }
    say(failed(last)).await;
}
