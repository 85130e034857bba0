//! Pins that are held, and pins that are found.

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, SystemTime};

use futures::stream::{self, StreamExt, TryStreamExt};
use plastron_config::ErrorKind;
use plastron_registry::{Pin, PinName, Version};
use plastron_sources::Bucket;
use plastron_sources::failpoint::{Failpoint, reach};
use tokio::task::JoinHandle;

use super::CheckpointFault;
use super::listing::{Listed, list};
use super::published::Published;
use super::volume::Volume;

/// Times that a pin's renewals are listed because it was renewed between being listed and being read.
const MAX_LISTINGS: u32 = 8;
/// How the owner of a pin is called that holds what somebody brings back; the epoch of that leader follows.
const RESTORE_OWNER: &str = "restore ";
/// Pins that are read at once.
const READ_AT_ONCE: usize = 16;

/// A pin that is held: renewed in the background. Dropped, it holds for the rest of its lease; what is being read ends undisturbed.
///
/// A process that slept for longer than the lease may have lost what it pinned: it looks for the turtle again, and gives the pin up if that is gone,
/// for nothing holds then what it names.
#[derive(Debug)]
pub(crate) struct HeldPin {
    volume: Volume,
    id: u128,
    renewal: Arc<AtomicU64>,
    unbroken: Unbroken,
    renewing: JoinHandle<()>,
}

/// When the create of the last pin began that is known to have held without a gap.
type Unbroken = Arc<Mutex<Moment>>;
/// Monotonic time, and the calendar's.
type Moment = (Duration, SystemTime);

fn lock(unbroken: &Unbroken) -> std::sync::MutexGuard<'_, Moment> {
    unbroken.lock().unwrap_or_else(PoisonError::into_inner)
}

impl Drop for HeldPin {
    fn drop(&mut self) {
        self.renewing.abort();
    }
}

impl HeldPin {
    /// Pins `published`, and makes sure that it was there when it was pinned: GC removes turtles first and looks at pins afterwards, so
    /// whoever still finds the turtle after pinning it has been seen.
    ///
    /// # Errors
    /// [`CheckpointFault::Gone`]; those of the bucket.
    pub(crate) async fn take(volume: &Volume, published: &Published) -> Result<Self, CheckpointFault> {
        let pin = new_pin(volume, published, volume.retention.lease.as_secs().max(1), Arc::clone(&volume.owner));
        let begun = now(volume);
        volume.put_pin(&pin).await?;
        let renewal = Arc::new(AtomicU64::new(pin.name.renewal));
        let id = pin.name.id;
        let version = published.version;
        let unbroken = Arc::new(Mutex::new(begun));
        let renewing = tokio::spawn(renew(volume.clone(), pin, version, Arc::clone(&renewal), Arc::clone(&unbroken)));
        let held = Self { volume: volume.clone(), id, renewal, unbroken, renewing };
        match is_there(volume, version).await {
            Ok(true) => Ok(held),
            Ok(false) => {
                held.release().await;
                Err(CheckpointFault::Gone { sequence: version.sequence })
            }
            Err(fault) => Err(fault),
        }
    }

    /// The name of a pin that is listed after all renewals of this one: whoever lists pins while it takes this one's place sees one of them.
    pub(crate) fn successor(&self) -> PinName {
        PinName { id: self.id, renewal: u64::MAX }
    }

    /// Whether it was given up, since what it held was removed while this process slept.
    pub(crate) fn is_lost(&self) -> bool {
        self.renewing.is_finished()
    }

    /// Has it hold without a lease for as long as the leader of `epoch` is the last, who is about to publish `published`: a create of its may be done
    /// hours after it was asked for, but not after somebody has taken over.
    ///
    /// # Errors
    /// [`CheckpointFault::Gone`] if it has not held all the time until then, and the turtle is gone; those of the bucket.
    pub(crate) async fn hold_for(self, published: &Published, epoch: u64) -> Result<LastingPin, CheckpointFault> {
        let mut pin = new_pin(&self.volume, published, 0, format!("{RESTORE_OWNER}{epoch}").into());
        pin.name = self.successor();
        let lasting = LastingPin::put(&self.volume, &pin).await?;
        match self.has_held(published.version).await {
            Ok(()) => {
                self.release().await;
                Ok(lasting)
            }
            Err(fault) => {
                lasting.release().await;
                Err(fault)
            }
        }
    }

    /// That it has held without a gap up to now: a pin without a lease that takes its place, and was put before this was asked, then holds something. Whoever
    /// listed pins before that was there has seen a lease that was not over; or the turtle, which goes before what it names.
    ///
    /// # Errors
    /// [`CheckpointFault::Gone`] if it has not, and the turtle of `version` is gone; those of the bucket.
    pub(crate) async fn has_held(&self, version: Version) -> Result<(), CheckpointFault> {
        let held = !self.is_lost() && !is_over(&self.volume, *lock(&self.unbroken));
        match held || is_there(&self.volume, version).await? {
            true => Ok(()),
            false => Err(CheckpointFault::Gone { sequence: version.sequence }),
        }
    }

    /// Gives it up at once. What can't be removed holds for the rest of its lease.
    pub(crate) async fn release(self) {
        self.renewing.abort();
        let last = self.renewal.load(Ordering::Acquire);
        for renewal in last.saturating_sub(1).max(1)..=last {
            remove(&self.volume, PinName { id: self.id, renewal }).await;
        }
    }
}

/// A pin without a lease. Dropped, it goes on to hold.
#[derive(Debug)]
pub(crate) struct LastingPin {
    volume: Volume,
    name: PinName,
}

impl LastingPin {
    /// Creates `pin`.
    ///
    /// # Errors
    /// Those of the bucket; it may be there then.
    pub(crate) async fn put(volume: &Volume, pin: &Pin) -> Result<Self, CheckpointFault> {
        volume.put_pin(pin).await?;
        Ok(Self { volume: volume.clone(), name: pin.name })
    }

    /// Gives it up at once.
    pub(crate) async fn release(self) {
        remove(&self.volume, self.name).await;
    }
}

/// Monotonic time, and the calendar's, which goes on while a machine sleeps.
fn now(volume: &Volume) -> Moment {
    (volume.clock().monotonic(), volume.clock().wall())
}

/// Whether the lease of a pin that began to be created at `begun` may be over.
fn is_over(volume: &Volume, begun: Moment) -> bool {
    let (monotonic, wall) = now(volume);
    let lease = volume.retention.lease;
    monotonic.saturating_sub(begun.0) >= lease || wall.duration_since(begun.1).is_ok_and(|since| since >= lease)
}

/// Whether the turtle of that version is there and part of the history.
pub(super) async fn is_there(volume: &Volume, version: Version) -> Result<bool, CheckpointFault> {
    match volume.turtles.turtle(version.sequence).await {
        Ok(found) => Ok(found.is_some_and(|found| found.version == version)),
        Err(error) if error.kind() == ErrorKind::NotFound => Ok(false),
        Err(error) => Err(error.into()),
    }
}

/// Renews `pin` until nothing is left that it could hold.
async fn renew(volume: Volume, mut pin: Pin, version: Version, held: Arc<AtomicU64>, unbroken: Unbroken) {
    let lease = volume.retention.lease;
    let mut begun = *lock(&unbroken);
    let mut wait = lease / 3;
    // Whether the lease has been over since the turtle was seen.
    let mut lapsed = false;
    loop {
        volume.clock().sleep(wait).await;
        let (before, next) = (pin.name, now(&volume));
        pin.name.renewal += 1;
        // Before it is there, so that whoever releases it removes it for sure.
        held.store(pin.name.renewal, Ordering::Release);
        wait = lease / 10;
        if let Err(fault) = volume.put_pin(&pin).await {
            tracing::warn!(%fault, "a pin could not be renewed; trying again soon");
            continue;
        }
        lapsed |= is_over(&volume, begun);
        begun = next;
        remove(&volume, before).await;
        if lapsed {
            match is_there(&volume, version).await {
                Ok(true) => lapsed = false,
                Ok(false) => {
                    tracing::warn!(
                        turtle = version.sequence,
                        "a checkpoint that was pinned was removed while this process slept; open a newer one"
                    );
                    remove(&volume, pin.name).await;
                    return;
                }
                Err(fault) => {
                    tracing::warn!(%fault, "it could not be found out whether a pin still holds; trying again soon");
                    continue;
                }
            }
        }
        *lock(&unbroken) = begun;
        wait = lease / 3;
    }
}

/// A new pin of `published`.
pub(crate) fn new_pin(volume: &Volume, published: &Published, lease_seconds: u64, owner: Arc<str>) -> Pin {
    Pin {
        name: PinName { id: volume.random(), renewal: 1 },
        sequence: published.version.sequence,
        lease_seconds,
        owner,
        turtle: published.content.clone(),
    }
}

/// Removes a pin's object. One that stays holds for the rest of its lease, which is no harm.
async fn remove(volume: &Volume, name: PinName) {
    let name = name.object_name();
    reach(Failpoint::PinRemoveBefore);
    match volume.system().delete(&name).await {
        Ok(()) => reach(Failpoint::PinRemoveAfter),
        Err(error) if error.kind() == ErrorKind::NotFound => {}
        Err(error) => tracing::warn!(object = %name, %error, "a pin could not be removed"),
    }
}

/// A pin that was found in the bucket.
#[derive(Debug, Clone)]
pub(crate) struct FoundPin {
    pub(crate) pin: Pin,
    pub(crate) published: Published,
    /// Bytes of its object.
    size: u64,
}

impl FoundPin {
    /// Whether it holds what a leader before that of `epoch` was about to bring back, which can't be any more.
    fn is_overtaken(&self, epoch: u64) -> bool {
        let of = self.pin.owner.strip_prefix(RESTORE_OWNER).and_then(|of| of.parse::<u64>().ok());
        self.pin.lease().is_none() && of.is_some_and(|of| of < epoch)
    }
}

/// The pins that are there.
#[derive(Debug, Default)]
pub(crate) struct Pins {
    /// Those that hold.
    pub(crate) held: Vec<FoundPin>,
    /// Objects that hold nothing any more: renewed since, or expired.
    pub(crate) past: Vec<(String, u64)>,
}

/// A pin as it is listed: its newest renewal, the size of its object, and when that was created.
type ListedPin = (PinName, u64, SystemTime);

impl Pins {
    /// All pins in the volume. A lease ends `grace` after its time, for clocks may be apart.
    ///
    /// # Errors
    /// `Corrupt`, `Unsupported` for a pin that can't be read: then nobody knows what it holds; those of the bucket.
    pub(crate) async fn read(volume: &Volume, grace: Duration) -> Result<Self, CheckpointFault> {
        let bucket = volume.system();
        let mut listed = BTreeMap::new();
        let mut past = BTreeMap::new();
        // A pin has an object at any moment, but a directory that is listed while one renewal takes the place of another may show neither. No
        // pin is renewed twice as quickly as that.
        for _ in 0..2 {
            note(list(&bucket, PinName::PREFIX).await?, &mut listed, &mut past);
        }
        let mut pins = Self { held: Vec::new(), past: past.into_iter().collect() };
        let now = volume.clock().wall();
        let reads = listed.into_values().map(|listed| Self::read_one(&bucket, listed, now, grace));
        let mut reads = stream::iter(reads).buffered(READ_AT_ONCE);
        while let Some(found) = reads.try_next().await? {
            pins.held.extend(found.held);
            pins.past.extend(found.past);
        }
        Ok(pins)
    }

    /// Those that hold nothing any more since the leader of `epoch` has taken over are past.
    pub(crate) fn overtaken_by(mut self, epoch: u64) -> Self {
        let (over, held) = self.held.into_iter().partition(|found| found.is_overtaken(epoch));
        self.held = held;
        let over: Vec<FoundPin> = over;
        self.past.extend(over.into_iter().map(|found| (found.pin.name.object_name(), found.size)));
        self
    }

    /// What has become of one pin that was listed: it holds, it is over, or it was released and is nothing.
    async fn read_one(
        bucket: &Bucket,
        mut listed: ListedPin,
        now: SystemTime,
        grace: Duration,
    ) -> Result<Self, CheckpointFault> {
        let mut pins = Self::default();
        for _ in 0..MAX_LISTINGS {
            let (name, size, created) = listed;
            let object = name.object_name();
            let bytes = match bucket.get(&object).await {
                Ok((_, bytes)) => bytes,
                // Renewed or released. Only its own renewals are looked for, so that readers who come and go hold up nobody.
                Err(error) if error.kind() == ErrorKind::NotFound => {
                    let own = object.rsplit_once('-').map_or(object.as_str(), |(own, _)| own);
                    let mut renewals = BTreeMap::new();
                    for _ in 0..2 {
                        note(list(bucket, own).await?, &mut renewals, &mut BTreeMap::new());
                    }
                    match renewals.remove(&name.id) {
                        Some(later) => listed = later,
                        None => return Ok(pins),
                    }
                    continue;
                }
                Err(error) => return Err(error.into()),
            };
            let pin = Pin::decode(&bytes).map_err(CheckpointFault::format(object.as_str()))?;
            if pin.name != name {
                let check = format!("it says that it is {}", pin.name.object_name());
                return Err(CheckpointFault::Corrupt { object, check });
            }
            if pin.lease().is_some_and(|lease| now > created + lease + grace) {
                pins.past.push((object, size));
                return Ok(pins);
            }
            // Only the sequence of the version is known, and only that is needed.
            let version = Version { sequence: pin.sequence, epoch: 0, checksum: 0 };
            let published = Published::decode(version, &pin.turtle)?;
            pins.held.push(FoundPin { pin, published, size });
            return Ok(pins);
        }
        let object = listed.0.object_name();
        Err(CheckpointFault::Invalid(format!("the pin {object} is renewed faster than it can be read; try again")))
    }
}

/// Adds what was listed to `newest`, and what that has taken the place of to `past`, with its size.
fn note(objects: Vec<Listed>, newest: &mut BTreeMap<u128, ListedPin>, past: &mut BTreeMap<String, u64>) {
    for Listed { name: object, size, created } in objects {
        let Some(name) = PinName::parse(&object) else { continue };
        let older = match newest.get(&name.id).copied() {
            Some(known) if known.0 >= name => (name, size, created),
            known => {
                newest.insert(name.id, (name, size, created));
                let Some(known) = known else { continue };
                known
            }
        };
        if newest.get(&name.id).is_some_and(|newest| newest.0 != older.0) {
            past.insert(older.0.object_name(), older.1);
        }
    }
}
