//! The right to complete an upload, on stores that do not complete atomically.
//!
//! Some S3-compatible stores look whether the name is free and then complete the upload, in two steps, so that of several
//! simultaneous creators more than one would win, the last of them replacing the others' object. Their single conditional PUTs *are*
//! atomic. So there ([`LargeCreate::Claimed`](crate::source::LargeCreate::Claimed)) a creator first creates an empty object, the
//! claim `_plastron/claims/<hash of the key>/<generation>`, completes, and removes the claim again:
//!
//! * Whoever holds the highest generation may complete. The claim carries a creation id of its own, so that a lost acknowledgement
//!   is recognised as everywhere.
//! * A holder who takes long renews by creating the next generation every [`RENEWAL`], and stops when it could not for half a [`LEASE`].
//! * Who waits goes on when the object appears or the claim goes. A claim that has stayed the same for a whole [`LEASE`] by the
//!   waiter's own monotonic clock is a dead creator's: the waiter takes over by creating the next generation, which only one can.
//! * Generations are removed from the highest down, so the first one is there as long as any is.
//!
//! The completing request is conditional nonetheless: what a claim can't rule out (a holder that stands still for a lease between its
//! last look at the clock and its request) takes a second fault in the same milliseconds to do harm.
//!
//! Keys with the same hash share their claims, which costs them waiting for each other and nothing else.

use std::future::Future;
use std::pin::pin;
use std::sync::Arc;
use std::time::Duration;

use futures::future::{Either, select};
use futures::stream::TryStreamExt;
use object_store::path::Path;
use object_store::{PutMode, PutOptions};

use super::settle::Settled;
use super::small::attributes;
use crate::bucket::OpenBucket;
use crate::creation_id::CreationId;
use crate::error::Fault;
use crate::fault_of::fault_of;
use crate::list::ListOptions;
use crate::name::SYSTEM;
use crate::sums::{BLOCK_BYTES, Creation, SumsBuilder};

/// How often a holder renews.
const RENEWAL: Duration = Duration::from_secs(3);

/// For how long a claim must have stayed the same to be taken over.
const LEASE: Duration = Duration::from_secs(15);

/// The longest pause of a waiter before it looks again is that of so many failed tries.
const MAX_PAUSES: u32 = 2;

/// A claim that is held.
#[derive(Debug)]
pub(super) struct Claim {
    bucket: Arc<OpenBucket>,
    place: String,
    /// The highest generation that this creator made.
    generation: u64,
    /// Monotonic time before the request that made it.
    renewed: Duration,
}

/// How asking for a claim ended.
#[derive(Debug)]
pub(super) enum Claimed {
    /// Nobody else completes now.
    Mine(Claim),
    /// Another creation holds the name.
    Taken,
}

/// The claim that a waiter sees, and since when.
struct Seen {
    generation: u64,
    id: String,
    since: Duration,
}

impl Claim {
    /// Waits for the right to complete an upload to `key`.
    ///
    /// # Errors
    /// [`Fault::Busy`] if others hold it for longer than the retry deadline and two leases; what the store says.
    pub(super) async fn take(bucket: &Arc<OpenBucket>, key: &Path) -> Result<Claimed, Fault> {
        let place = format!("{SYSTEM}/claims/{:08x}", crc32c::crc32c(key.as_ref().as_bytes()));
        let clock = &bucket.options.clock;
        let limit = clock.monotonic() + bucket.options.retry.deadline.max(LEASE * 2);
        let mut seen: Option<Seen> = None;
        for attempt in 0_u32.. {
            let now = clock.monotonic();
            let next = match &seen {
                None => Some(1),
                Some(seen) if now.saturating_sub(seen.since) >= LEASE => Some(seen.generation + 1),
                Some(_) => None,
            };
            if let Some(generation) = next
                && create(bucket, &place, generation).await?
            {
                let claim = Self { bucket: Arc::clone(bucket), place, generation, renewed: now };
                // The last holder may have made the object and gone.
                return match bucket.look(key).await {
                    Ok(None) => Ok(Claimed::Mine(claim)),
                    found => {
                        claim.release().await;
                        found.map(|_| Claimed::Taken)
                    }
                };
            }
            if bucket.look(key).await?.is_some() {
                return Ok(Claimed::Taken);
            }
            seen = newest(bucket, &place, seen).await?;
            if clock.monotonic() > limit {
                break;
            }
            bucket.pause(attempt.min(MAX_PAUSES)).await;
        }
        Err(Fault::Busy {
            status: 409,
            code: "Claimed".to_owned(),
            message: format!("other creators of this name held {place} all the time"),
        })
    }

    /// Carries `request` out while the claim is held, and renews the claim if that takes long.
    ///
    /// # Errors
    /// [`Fault::Busy`] if the claim is not certain to be held any more; what became of the request is not known then.
    pub(super) async fn hold<T>(&mut self, request: impl Future<Output = T>) -> Result<T, Fault> {
        let mut request = pin!(request);
        self.check()?;
        loop {
            let pause = self.bucket.options.clock.sleep(RENEWAL);
            if let Either::Left((answer, _)) = select(request.as_mut(), pause).await {
                return Ok(answer);
            }
            // Once begun a renewal is waited for: a generation nobody knows of would hold everyone up for a lease.
            match select(request.as_mut(), pin!(self.renew())).await {
                Either::Left((answer, renewing)) => {
                    let _ = renewing.await;
                    return Ok(answer);
                }
                Either::Right((renewed, _)) => renewed?,
            }
        }
    }

    async fn renew(&mut self) -> Result<(), Fault> {
        let now = self.bucket.options.clock.monotonic();
        match create(&self.bucket, &self.place, self.generation + 1).await {
            Ok(true) => {
                self.generation += 1;
                self.renewed = now;
                Ok(())
            }
            Ok(false) => Err(self.lost()),
            // It can be tried again, as long as nobody can have taken over.
            Err(_) => self.check(),
        }
    }

    fn check(&self) -> Result<(), Fault> {
        let age = self.bucket.options.clock.monotonic().saturating_sub(self.renewed);
        if age < LEASE / 2 { Ok(()) } else { Err(self.lost()) }
    }

    fn lost(&self) -> Fault {
        Fault::Busy {
            status: 409,
            code: "ClaimLost".to_owned(),
            message: format!("{} could not be renewed in time, so another creator may have taken over", self.place),
        }
    }

    /// Gives the claim back.
    pub(super) async fn release(self) {
        for generation in (1..=self.generation).rev() {
            let removed = match claim_key(&self.bucket, &self.place, generation) {
                Ok(key) => self.bucket.remove(&key).await,
                Err(fault) => Err(fault),
            };
            if let Err(fault) = removed {
                let (bucket, claim) = (&self.bucket.source.address, &self.place);
                tracing::warn!(bucket, claim, %fault, "left a claim; the next creator of this name waits {LEASE:?} for it");
                return;
            }
        }
    }
}

fn claim_key(bucket: &OpenBucket, place: &str, generation: u64) -> Result<Path, Fault> {
    bucket.names.key(&format!("{place}/{generation:020}"), true)
}

/// Creates a generation; `false` if another creator has.
async fn create(bucket: &OpenBucket, place: &str, generation: u64) -> Result<bool, Fault> {
    let key = claim_key(bucket, place, generation)?;
    let id = CreationId::random(bucket.options.entropy.as_ref());
    let creation = Creation::of(id, &SumsBuilder::new(BLOCK_BYTES).finish());
    let options = PutOptions { mode: PutMode::Create, attributes: attributes(&creation), ..PutOptions::default() };
    let fault = match bucket.source.store.put_opts(&key, Vec::new().into(), options).await {
        Ok(_) => return Ok(true),
        Err(error) => fault_of(&error),
    };
    match bucket.settle(&key, id, fault).await {
        Settled::Mine(_) => Ok(true),
        Settled::Taken | Settled::Vanished => Ok(false),
        Settled::Failed(fault) => Err(fault),
    }
}

/// The highest generation there is; `before` is kept if it is the same still.
async fn newest(bucket: &Arc<OpenBucket>, place: &str, before: Option<Seen>) -> Result<Option<Seen>, Fault> {
    let listed: Vec<_> = crate::list::list(Arc::clone(bucket), &format!("{place}/"), ListOptions::default(), true)
        .try_collect()
        .await
        .map_err(|error| error.fault().clone())?;
    let generations = listed.iter().filter_map(|entry| entry.name().rsplit('/').next()?.parse::<u64>().ok());
    let Some(generation) = generations.max() else { return Ok(None) };
    let key = claim_key(bucket, place, generation)?;
    let Some(found) = bucket.look(&key).await? else { return Ok(None) };
    let id = found.entry.unwrap_or_default();
    match before {
        Some(before) if before.generation == generation && before.id == id => Ok(Some(before)),
        _ => Ok(Some(Seen { generation, id, since: bucket.options.clock.monotonic() })),
    }
}
