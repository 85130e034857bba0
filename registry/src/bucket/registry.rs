//! The registry: taking over, committing, reading.

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use bytes::Bytes;
use futures::TryStreamExt;
use futures::stream::BoxStream;
use plastron_config::ErrorKind;
use plastron_sources::Bucket;
use plastron_sources::clock::{Clock, Entropy};

use super::objects::{ListedTurtle, TurtleObjects, name};
use crate::checkpoint_registry::CheckpointRegistry;
use crate::error::{Error, Fault, Result};
use crate::polling::{Polled, Polling, jittered, watch};
use crate::turtle_object::{MAX_CONTENT_BYTES, TurtleObject, after};
use crate::version::{Acquired, Fence, Guarantees, Version, Versioned};

/// Times that taking over is tried when others do the same. Each loss means that somebody else succeeded.
const MAX_ATTEMPTS: u32 = 32;
/// Times that a listing is made again because what it showed was removed before it was read. Each means that something newer
/// was published meanwhile.
pub(super) const MAX_LISTINGS: u32 = 16;
/// Longest wait before another attempt; they grow to it from a hundredth.
const MAX_WAIT: Duration = Duration::from_secs(1);

/// The registry that is the bucket itself (see the `bucket` module for how). The volume is the bucket with its prefix. Cheap to clone.
///
/// The bucket must list and create with strict consistency. S3, Azure, Google Cloud Storage and directories do; that conditional creates
/// work is proved when a bucket is opened, and a listing that lacks what was just created is refused as `Unsupported`.
#[derive(Clone)]
pub struct BucketRegistry {
    pub(super) objects: Arc<dyn TurtleObjects>,
    pub(super) clock: Arc<dyn Clock>,
    pub(super) entropy: Arc<dyn Entropy>,
    pub(super) address: Arc<str>,
    polling: Polling,
}

/// One that was read.
#[derive(Debug, Clone)]
pub(super) struct Found {
    pub(super) object: TurtleObject,
    pub(super) version: Version,
    pub(super) etag: String,
}

impl BucketRegistry {
    /// The registry of the volume that is `bucket`.
    pub fn new(bucket: Bucket) -> Self {
        let (clock, entropy) = (Arc::clone(&bucket.options().clock), Arc::clone(&bucket.options().entropy));
        let address = Arc::from(bucket.address());
        Self::over(Arc::new(bucket.system()), clock, entropy, address)
    }

    pub(super) fn over(
        objects: Arc<dyn TurtleObjects>,
        clock: Arc<dyn Clock>,
        entropy: Arc<dyn Entropy>,
        address: Arc<str>,
    ) -> Self {
        Self { objects, clock, entropy, address, polling: Polling::default() }
    }

    /// How long [`watch`](CheckpointRegistry::watch) waits between two polls: `least` after news, half as much again after every poll
    /// without, `most` in the end. 200 ms and 10 s unless it is said otherwise.
    #[must_use]
    pub fn polling(mut self, least: Duration, most: Duration) -> Self {
        self.polling = Polling::new(least, most);
        self
    }

    pub(super) fn error(&self, operation: &'static str, sequence: Option<u64>, fault: Fault) -> Error {
        Error::new(operation, sequence.map_or_else(|| self.address.to_string(), name), fault)
    }

    /// The turtle in the place of `listed`; none if there is none any more.
    pub(super) async fn open(&self, listed: &ListedTurtle) -> Result<Option<Found>, Fault> {
        if listed.is_too_large() {
            return Err(Fault::corrupt(0, format!("turtle {} has {} bytes", listed.sequence, listed.size)));
        }
        self.fetch(listed.sequence).await
    }

    /// The turtle of that number; none if there is none.
    pub(super) async fn fetch(&self, sequence: u64) -> Result<Option<Found>, Fault> {
        let (etag, bytes) = match self.objects.get(sequence).await {
            Ok(found) => found,
            Err(error) if error.kind() == ErrorKind::NotFound => return Ok(None),
            Err(error) => return Err(error.into()),
        };
        let (object, version) = TurtleObject::decode(&bytes)?;
        if object.sequence != sequence {
            let check = format!("it says that it is turtle {}, and stands in the place of {sequence}", object.sequence);
            return Err(Fault::corrupt(16, check));
        }
        Ok(Some(Found { object, version, etag }))
    }

    /// The newest turtle above `after`; none if there is none. Linearizable: the last page of a listing shows the newest of its moment,
    /// since that one is never removed.
    pub(super) async fn newest(&self, after: u64) -> Result<Option<Found>, (Option<u64>, Fault)> {
        for _ in 0..MAX_LISTINGS {
            let Some((listed, found)) = self.candidate(after).await? else { return Ok(None) };
            let Some(found) = found else { continue };
            if self.is_genuine(&listed, &found).await.map_err(|fault| (Some(listed.sequence), fault))? {
                return Ok(Some(found));
            }
        }
        Err((None, Fault::Inconsistent("the newest turtle that is listed can't be found, again and again".to_owned())))
    }

    /// The newest turtle above `after` that is listed, and what is found in its place: unless a reader is quicker than GC, none, or an
    /// orphan.
    async fn candidate(&self, after: u64) -> Result<Option<(ListedTurtle, Option<Found>)>, (Option<u64>, Fault)> {
        let last = self.objects.list_after(after).try_fold(None, |_, turtle| async move { Ok(Some(turtle)) });
        let Some(last) = last.await.map_err(|error| (None, error.into()))? else { return Ok(None) };
        let found = self.open(&last).await.map_err(|fault| (Some(last.sequence), fault))?;
        Ok(Some((last, found)))
    }

    /// Whether `found` is the very turtle that was listed as the newest: between list and get it may have been removed, and an orphan be
    /// left in its place. Entity tags say so at once, where listings have them.
    pub(super) async fn is_genuine(&self, listed: &ListedTurtle, found: &Found) -> Result<bool, Fault> {
        if !listed.etag.is_empty() && listed.etag == found.etag {
            return Ok(true);
        }
        let above = self.above(listed.sequence).await?;
        match (above.this, above.next, above.newest) {
            // The newest still, so it was never removed.
            (Some(_), _, None) => Ok(true),
            (_, Some(next), _) => Ok(self.follows(&next, found.version).await?),
            _ => Ok(false),
        }
    }

    /// Whether the turtle `next` is there and says that `version` is the one before. Whatever stands there, orphan or not, was made by one who
    /// had read the newest turtle of then, and follows that one.
    async fn follows(&self, next: &ListedTurtle, version: Version) -> Result<bool, Fault> {
        Ok(self.open(next).await?.is_some_and(|next| next.object.previous == version.checksum))
    }

    /// Waits before attempt number `attempt`, longer and longer.
    async fn pause(&self, attempt: u32) {
        let wait = (MAX_WAIT / 100).saturating_mul(1 << attempt.min(16)).min(MAX_WAIT);
        self.clock.sleep(jittered(wait, &*self.entropy)).await;
    }

    async fn take_over(&self, owner: &str) -> Result<Acquired, (Option<u64>, Fault)> {
        let writer = u128::from(self.entropy.next_u64()) << 64 | u128::from(self.entropy.next_u64());
        let owner: Arc<str> = Arc::from(owner);
        let mut unknown = None;
        for attempt in 0..MAX_ATTEMPTS {
            if attempt > 0 {
                self.pause(attempt).await;
            }
            let newest = match self.newest(0).await {
                Err((at, fault)) if fault.kind().is_retryable() && unknown.is_some() => {
                    unknown = Some((at, fault));
                    continue;
                }
                newest => newest?,
            };
            let mut object = TurtleObject {
                sequence: 1,
                epoch: 1,
                opened_at: 1,
                writer,
                owner: Arc::clone(&owner),
                previous: 0,
                content: None,
            };
            if let Some(Found { object: last, version, .. }) = newest {
                if last.writer == writer {
                    // An earlier attempt, whose answer was lost.
                    return Ok(last.acquired(version));
                }
                object.sequence = after(last.sequence).map_err(|fault| (Some(last.sequence), fault))?;
                object.epoch = after(last.epoch).map_err(|fault| (Some(last.sequence), fault))?;
                object.opened_at = object.sequence;
                object.previous = version.checksum;
                object.content = last.content;
            }
            let at = Some(object.sequence);
            match self.publish(&object).await {
                Ok(version) => return Ok(object.acquired(version)),
                Err(fault @ (Fault::Indeterminate { .. } | Fault::Fenced { .. } | Fault::Conflict { .. })) => {
                    unknown = matches!(fault, Fault::Indeterminate { .. }).then_some((at, fault));
                }
                Err(fault) => return Err((at, fault)),
            }
        }
        Err(unknown.unwrap_or((None, Fault::Contended { attempts: MAX_ATTEMPTS })))
    }
}

#[async_trait]
impl Polled for BucketRegistry {
    /// Asking for the next number alone would cost less, and be wrong: it may have been removed, and an orphan may stand in its place. So
    /// every poll lists.
    async fn newest_above(&self, after: u64) -> Result<Option<(Version, Option<Bytes>)>> {
        let newest = self.newest(after).await.map_err(|(at, fault)| self.error("watch", at, fault))?;
        Ok(newest.map(|Found { object, version, .. }| (version, object.content)))
    }

    fn polling(&self) -> Polling {
        self.polling
    }

    fn time(&self) -> (&dyn Clock, &dyn Entropy) {
        (&*self.clock, &*self.entropy)
    }
}

#[async_trait]
impl CheckpointRegistry for BucketRegistry {
    async fn acquire(&self, owner: &str) -> Result<Acquired> {
        let acquired = self.take_over(owner).await.map_err(|(at, fault)| self.error("acquire", at, fault))?;
        tracing::info!(volume = %self.address, epoch = acquired.fence.epoch, turtle = acquired.version.sequence, owner, "took over");
        Ok(acquired)
    }

    async fn read(&self) -> Result<Option<Versioned>> {
        let newest = self.newest(0).await.map_err(|(at, fault)| self.error("read", at, fault))?;
        Ok(newest.and_then(|Found { object, version, .. }| Some(Versioned { version, content: object.content? })))
    }

    async fn commit(&self, fence: &Fence, base: &Version, content: Bytes) -> Result<Version> {
        let result = async {
            if base.epoch != fence.epoch || base.sequence < fence.opened_at {
                return Err(Fault::Invalid(format!(
                    "turtle {base:?} is of another leader than epoch {}; commit on top of what taking over gave, or the last commit",
                    fence.epoch
                )));
            }
            let Fence { epoch, writer, opened_at, owner } = fence.clone();
            let (sequence, previous) = (after(base.sequence)?, base.checksum);
            self.publish(&TurtleObject { sequence, epoch, opened_at, writer, owner, previous, content: Some(content) })
                .await
        };
        result.await.map_err(|fault| self.error("commit", base.sequence.checked_add(1), fault))
    }

    fn watch(&self, after: Option<Version>) -> BoxStream<'static, Result<Versioned>> {
        watch(self.clone(), after.map_or(0, |version| version.sequence))
    }

    fn guarantees(&self) -> Guarantees {
        Guarantees::strict(MAX_CONTENT_BYTES)
    }
}

impl fmt::Debug for BucketRegistry {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "BucketRegistry({})", self.address)
    }
}
