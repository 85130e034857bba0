//! The registry on a register: taking over, committing, reading.

use std::fmt;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use async_trait::async_trait;
use bytes::Bytes;
use futures::stream::BoxStream;
use plastron_sources::Bucket;
use plastron_sources::clock::{Clock, Entropy, SystemClock, SystemEntropy};

use super::envelope::{Envelope, MAX_FRAME_BYTES};
use super::recorded_register::RecordedRegister;
use super::recorded_turtles::RecordedTurtles;
use super::swap_register::{RegisterFault, SwapRegister, Swapped};
use crate::checkpoint_registry::CheckpointRegistry;
use crate::error::{Error, Fault, Result};
use crate::polling::{Polled, Polling, jittered, watch};
use crate::registries::OpenedRegistry;
use crate::turtle_object::{MAX_CONTENT_BYTES, MAX_OWNER_BYTES, TurtleObject, after};
use crate::version::{Acquired, Fence, Guarantees, Version, Versioned};

/// Times that taking over is tried when others do the same.
const MAX_ATTEMPTS: u32 = 32;
/// Longest wait before another attempt; they grow to it.
const MAX_WAIT: Duration = Duration::from_secs(1);
/// Around the content: the turtle's own frame, and the envelope.
const MAX_AROUND_BYTES: usize = MAX_FRAME_BYTES + 76 + MAX_OWNER_BYTES;

/// A registry on any [`SwapRegister`]. Cheap to clone.
#[derive(Clone)]
pub struct RegisterRegistry {
    pub(super) register: Arc<dyn SwapRegister>,
    clock: Arc<dyn Clock>,
    entropy: Arc<dyn Entropy>,
    polling: Polling,
    /// What was found last. It may be old: what is concluded from it is true all the same, or found out by the swap.
    known: Arc<Mutex<Option<Bytes>>>,
}

impl RegisterRegistry {
    /// The registry of the volume whose value `register` keeps.
    pub fn new(register: impl SwapRegister) -> Self {
        let (clock, entropy) = (Arc::new(SystemClock), Arc::new(SystemEntropy::default()));
        Self { register: Arc::new(register), clock, entropy, polling: Polling::default(), known: Arc::default() }
    }

    /// The registry of the database that is `bucket` with its prefix, whose newest turtle `register` keeps, and the history of its turtles. `least`
    /// and `most` are as for [`polling`](Self::polling).
    ///
    /// Every operation is refused as `Invalid` if the register is empty while the bucket has turtles, or names one that the bucket has not: then the
    /// two don't belong together.
    pub fn over_bucket(
        register: Arc<dyn SwapRegister>,
        bucket: &Bucket,
        (least, most): (Duration, Duration),
    ) -> OpenedRegistry {
        let recorded = RecordedRegister::new(register, bucket);
        let (clock, entropy) = (Arc::clone(&bucket.options().clock), Arc::clone(&bucket.options().entropy));
        let registry = Self::new(recorded.clone()).with_time(clock, entropy).polling(least, most);
        OpenedRegistry { registry: Arc::new(registry), turtles: Arc::new(RecordedTurtles::new(recorded)) }
    }

    /// Makes `register` empty, which kept the newest turtle of a database in `bucket` that was removed.
    ///
    /// # Errors
    /// `Invalid` if something of it is still there; those of bucket and register.
    pub async fn forget(register: Arc<dyn SwapRegister>, bucket: &Bucket) -> Result<()> {
        let recorded = RecordedRegister::new(register, bucket);
        recorded.forget().await.map_err(|fault| Error::new("forget", recorded.address(), fault))
    }

    /// With another clock and random numbers.
    #[must_use]
    pub fn with_time(mut self, clock: Arc<dyn Clock>, entropy: Arc<dyn Entropy>) -> Self {
        (self.clock, self.entropy) = (clock, entropy);
        self
    }

    /// How long [`watch`](CheckpointRegistry::watch) waits between two polls: `least` after news, half as much again after every poll
    /// without, `most` in the end. 200 ms and 10 s unless it is said otherwise.
    #[must_use]
    pub fn polling(mut self, least: Duration, most: Duration) -> Self {
        self.polling = Polling::new(least, most);
        self
    }

    pub(super) fn error(&self, operation: &'static str, fault: Fault) -> Error {
        Error::new(operation, self.register.address(), fault)
    }

    fn max_content_bytes(&self) -> usize {
        self.register.max_value_bytes().saturating_sub(MAX_AROUND_BYTES).min(MAX_CONTENT_BYTES)
    }

    fn remember(&self, value: Option<Bytes>) {
        *self.known.lock().unwrap_or_else(PoisonError::into_inner) = value;
    }

    /// The value as it is now.
    pub(super) async fn newest(&self) -> Result<Option<(Bytes, Envelope)>, Fault> {
        let value = self.register.read().await?;
        self.remember(value.clone());
        value.map(|value| Ok((value.clone(), Envelope::decode(&value)?))).transpose()
    }

    async fn take_over(&self, owner: &str) -> Result<Acquired, Fault> {
        let writer = u128::from(self.entropy.next_u64()) << 64 | u128::from(self.entropy.next_u64());
        let mut tried: Vec<(TurtleObject, Version)> = Vec::new();
        let mut unknown = None;
        for attempt in 0..MAX_ATTEMPTS {
            if attempt > 0 {
                let wait = (MAX_WAIT / 200).saturating_mul(1 << attempt.min(16)).min(MAX_WAIT);
                self.clock.sleep(jittered(wait, &*self.entropy)).await;
            }
            let newest = match self.newest().await {
                Err(fault) if fault.kind().is_retryable() && unknown.is_some() => continue,
                newest => newest?,
            };
            let mut object = TurtleObject {
                sequence: 1,
                epoch: 1,
                opened_at: 1,
                writer,
                owner: Arc::from(owner),
                previous: 0,
                content: None,
            };
            let (mut expected, mut leaders) = (None, Vec::new());
            if let Some((value, envelope)) = newest {
                leaders = envelope.and_before();
                // An earlier attempt, whose answer was lost, or that the next leader built upon.
                if let Some(mine) = leaders.iter().find(|leader| leader.writer == writer)
                    && let Some((object, version)) = tried.iter().find(|(object, _)| object.sequence == mine.opened_at)
                {
                    return Ok(object.clone().acquired(*version));
                }
                object.sequence = after(envelope.turtle.sequence)?;
                object.epoch = after(envelope.turtle.epoch)?;
                object.opened_at = object.sequence;
                object.previous = envelope.version.checksum;
                object.content = envelope.turtle.content;
                expected = Some(value);
            }
            let (new, version) = Envelope::encode(&object, &leaders)?;
            tried.push((object.clone(), version));
            match self.register.swap(expected.as_ref(), new.clone()).await {
                Ok(Swapped::Done) => {
                    self.remember(Some(new));
                    return Ok(object.acquired(version));
                }
                Ok(Swapped::Differs(_) | Swapped::Overwritten(_)) => unknown = None,
                Err(RegisterFault::Unknown(cause)) => {
                    unknown = Some(Fault::Indeterminate { sequence: object.sequence, cause })
                }
                Err(RegisterFault::Failed(fault)) => return Err(fault),
            }
        }
        Err(unknown.unwrap_or(Fault::Contended { attempts: MAX_ATTEMPTS }))
    }

    async fn publish(&self, fence: &Fence, base: &Version, content: Bytes) -> Result<Version, Fault> {
        if base.epoch != fence.epoch || base.sequence < fence.opened_at {
            return Err(Fault::Invalid(format!(
                "turtle {base:?} is of another leader than epoch {}; commit on top of what taking over gave, or the last commit",
                fence.epoch
            )));
        }
        let (size, high) = (content.len(), self.max_content_bytes());
        if size > high {
            return Err(Fault::Size { what: "a turtle", size: size as u64, high: high as u64 });
        }
        let Fence { epoch, writer, opened_at, owner } = fence.clone();
        let sequence = after(base.sequence)?;
        let turtle =
            TurtleObject { sequence, epoch, opened_at, writer, owner, previous: base.checksum, content: Some(content) };
        let mut value = self.known.lock().unwrap_or_else(PoisonError::into_inner).clone();
        // What is known may be old; what was just read is not, and neither is what a swap found.
        let mut fresh = false;
        for _ in 0..MAX_ATTEMPTS {
            let envelope = value.as_ref().map(Envelope::decode).transpose()?;
            let is_old = envelope.as_ref().is_none_or(|found| found.version.sequence < base.sequence);
            if is_old && !fresh {
                value = self.newest().await?.map(|(value, _)| value);
                fresh = true;
                continue;
            }
            let Some(found) = envelope.filter(|_| !is_old) else {
                return Err(Fault::Inconsistent(format!(
                    "turtle {} was published, and is not there any more",
                    base.sequence
                )));
            };
            let (new, version) = Envelope::encode(&turtle, &found.leaders)?;
            if found.version == version {
                return Ok(version);
            }
            if found.turtle.epoch > fence.epoch
                || (found.turtle.epoch == fence.epoch && found.turtle.writer != fence.writer)
            {
                let (by, owner) = (found.turtle.epoch, found.turtle.owner.to_string());
                return Err(Fault::Fenced { epoch: fence.epoch, by, owner });
            }
            if found.version != *base {
                return Err(Fault::Conflict { base: base.sequence, newest: found.version.sequence });
            }
            match self.register.swap(value.as_ref(), new.clone()).await {
                Ok(Swapped::Done) => {
                    self.remember(Some(new));
                    return Ok(version);
                }
                Ok(Swapped::Differs(current) | Swapped::Overwritten(current)) => {
                    self.remember(current.clone());
                    (value, fresh) = (current, true);
                }
                Err(RegisterFault::Unknown(cause)) => return Err(Fault::Indeterminate { sequence, cause }),
                Err(RegisterFault::Failed(fault)) => return Err(fault),
            }
        }
        Err(Fault::Contended { attempts: MAX_ATTEMPTS })
    }
}

#[async_trait]
impl Polled for RegisterRegistry {
    async fn newest_above(&self, after: u64) -> Result<Option<(Version, Option<Bytes>)>> {
        let newest = self.newest().await.map_err(|fault| self.error("watch", fault))?;
        let newest = newest.map(|(_, found)| (found.version, found.turtle.content));
        Ok(newest.filter(|(version, _)| version.sequence > after))
    }

    fn polling(&self) -> Polling {
        self.polling
    }

    fn time(&self) -> (&dyn Clock, &dyn Entropy) {
        (&*self.clock, &*self.entropy)
    }
}

#[async_trait]
impl CheckpointRegistry for RegisterRegistry {
    async fn acquire(&self, owner: &str) -> Result<Acquired> {
        let acquired = self.take_over(owner).await.map_err(|fault| self.error("acquire", fault))?;
        let Fence { epoch, opened_at, .. } = acquired.fence;
        tracing::info!(volume = %self.register.address(), epoch, turtle = opened_at, owner, "took over");
        Ok(acquired)
    }

    async fn read(&self) -> Result<Option<Versioned>> {
        let newest = self.newest().await.map_err(|fault| self.error("read", fault))?;
        Ok(newest.and_then(|(_, found)| Some(Versioned { version: found.version, content: found.turtle.content? })))
    }

    async fn commit(&self, fence: &Fence, base: &Version, content: Bytes) -> Result<Version> {
        self.publish(fence, base, content).await.map_err(|fault| self.error("commit", fault))
    }

    fn watch(&self, after: Option<Version>) -> BoxStream<'static, Result<Versioned>> {
        watch(self.clone(), after.map_or(0, |version| version.sequence))
    }

    fn guarantees(&self) -> Guarantees {
        Guarantees::strict(self.max_content_bytes())
    }
}

impl fmt::Debug for RegisterRegistry {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "RegisterRegistry({})", self.register.address())
    }
}
