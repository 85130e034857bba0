//! A follower: a reader of a database, which picks up its checkpoints.

use std::fmt;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use futures::stream::StreamExt;
use plastron_registry::TurtlePage;
use tokio::sync::watch;
use tokio::task::JoinHandle;

use super::CheckpointFault;
use super::checkpoint_info::CheckpointInfo;
use super::kek::Kek;
use super::leader::Leader;
use super::pins::HeldPin;
use super::published::Published;
use super::reserved::{ONLY_PAGE, TURTLE_TABLE, engine_table};
use super::volume::Volume;
use crate::page_log::{Lsn, PageLog, TableHandle};

/// Times that a checkpoint is opened anew because it was removed while it was being pinned.
const MAX_ATTEMPTS: u32 = 8;

/// Before a checkpoint that could not be picked up is tried again.
const AGAIN: Duration = Duration::from_secs(2);

/// A reader of a database. Cheap to clone; clones are the same follower, and all calls are concurrent.
///
/// It reads one checkpoint at a time, which it pins, and picks up later ones: by itself, or when [`Follower::advance`] is called. Reads
/// that are under way when it does end on the checkpoint on which they began.
#[derive(Clone)]
pub struct Follower {
    inner: Arc<Inner>,
    following: Arc<Following>,
}

struct Inner {
    volume: Volume,
    log: PageLog,
    reading: tokio::sync::Mutex<Reading>,
    current: watch::Sender<CheckpointInfo>,
    /// Why it does not follow by itself any more.
    failed: Mutex<Option<CheckpointFault>>,
}

/// What picking up a checkpoint changes.
struct Reading {
    published: Published,
    kek: Option<Kek>,
    pin: Option<HeldPin>,
}

/// The background, which ends with the last clone.
struct Following(Option<JoinHandle<()>>);

impl Drop for Following {
    fn drop(&mut self) {
        self.0.iter().for_each(JoinHandle::abort);
    }
}

impl Follower {
    /// Opens the latest checkpoint, and follows by itself from there on.
    ///
    /// # Errors
    /// `NotFound` if nothing has been published yet; `Unauthorized` for keys that are missing or wrong; `Corrupt`, `Unsupported`;
    /// those of bucket and registry.
    pub async fn open(volume: Volume) -> Result<Self, CheckpointFault> {
        let follower = Self::open_still(volume).await?;
        let after = follower.inner.reading.lock().await.published.version;
        let following = tokio::spawn(follow(Arc::downgrade(&follower.inner), after));
        Ok(Self { following: Arc::new(Following(Some(following))), ..follower })
    }

    /// Opens the latest checkpoint, and stays there until [`Follower::advance`] is called.
    ///
    /// # Errors
    /// As [`Follower::open`].
    pub async fn open_still(volume: Volume) -> Result<Self, CheckpointFault> {
        let mut attempts = 0;
        loop {
            let newest = Published::newest(&volume).await?.ok_or_else(|| volume.nothing_published())?;
            match Self::open_at(volume.clone(), newest).await {
                Err(CheckpointFault::Gone { .. }) if attempts < MAX_ATTEMPTS => attempts += 1,
                opened => return opened,
            }
        }
    }

    /// Opens `published`, and stays there.
    pub(crate) async fn open_at(volume: Volume, published: Published) -> Result<Self, CheckpointFault> {
        volume.retention.validate()?;
        let pin = HeldPin::take(&volume, &published).await?;
        match Self::open_unpinned(volume, published).await {
            Ok(opened) => {
                opened.inner.reading.lock().await.pin = Some(pin);
                Ok(opened)
            }
            Err(fault) => {
                pin.release().await;
                Err(fault)
            }
        }
    }

    /// As [`Follower::open_at`], without a pin.
    pub(crate) async fn open_unpinned(volume: Volume, published: Published) -> Result<Self, CheckpointFault> {
        volume.page_log.validate()?;
        let kek = Kek::load(&volume, &published.turtle, None).await?;
        let log = PageLog::open_for_reading(volume.parts(&published.turtle.ancestors)?, &published.state).await?;
        let current = watch::Sender::new(published.info());
        let reading = tokio::sync::Mutex::new(Reading { published, kek, pin: None });
        let inner = Arc::new(Inner { volume, log, reading, current, failed: Mutex::new(None) });
        Ok(Self { inner, following: Arc::new(Following(None)) })
    }

    /// The checkpoint that is read now. A follower that goes on by itself has the next one's pages a moment before it says so here; whoever reads
    /// several pages of one checkpoint looks before and after whether its LSN is the last one of [`Follower::log`].
    pub fn checkpoint(&self) -> CheckpointInfo {
        self.inner.current.borrow().clone()
    }

    /// Tells of every checkpoint that is picked up; those that are overtaken meanwhile may be left out.
    pub fn checkpoints(&self) -> watch::Receiver<CheckpointInfo> {
        self.inner.current.subscribe()
    }

    /// Why it has stopped to follow by itself; none while it does, and for one that never did. [`Follower::advance`] may be called nevertheless.
    pub fn failure(&self) -> Option<CheckpointFault> {
        self.inner.failed.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// The page log, as the checkpoint has it.
    pub fn log(&self) -> &PageLog {
        &self.inner.log
    }

    /// What the database was opened from.
    pub fn volume(&self) -> &Volume {
        &self.inner.volume
    }

    /// A handle to one of the engine's tables.
    ///
    /// # Errors
    /// `Invalid` for Plastron's own tables.
    pub fn table(&self, table: u64) -> Result<TableHandle, CheckpointFault> {
        engine_table(table).map(|table| self.inner.log.table(table))
    }

    /// The turtle page of the checkpoint that is read now; none for one that was completed without.
    ///
    /// # Errors
    /// `Corrupt`, `Unsupported` for a page that can't be read; those of the page log.
    pub async fn turtle_page(&self) -> Result<Option<TurtlePage>, CheckpointFault> {
        let lsn = self.checkpoint().turtle_page_lsn;
        turtle_page(&self.inner.log, lsn).await
    }

    /// Picks up the latest checkpoint at once, if it is another one than that which is read now. Returns it.
    ///
    /// # Errors
    /// As [`Follower::open`]; the follower stays where it is then.
    pub async fn advance(&self) -> Result<Option<CheckpointInfo>, CheckpointFault> {
        let mut attempts = 0;
        loop {
            match self.inner.pick_up_newest().await {
                Err(CheckpointFault::Gone { .. }) if attempts < MAX_ATTEMPTS => attempts += 1,
                result => return result,
            }
        }
    }

    /// Waits until a checkpoint is read whose LSN is `lsn` or above, and returns it.
    ///
    /// # Errors
    /// `Unavailable` if none was picked up within `longest`; why it does not follow any more.
    pub async fn wait_for(&self, lsn: Lsn, longest: Duration) -> Result<CheckpointInfo, CheckpointFault> {
        let mut changes = self.checkpoints();
        let picked_up = async {
            loop {
                let current = changes.borrow_and_update().clone();
                if current.lsn >= lsn {
                    return Ok(current);
                }
                if let Some(fault) = self.failure() {
                    return Err(fault);
                }
                // The sender lives as long as this follower.
                let _ = changes.changed().await;
            }
        };
        let late = self.inner.volume.clock().sleep(longest);
        match futures::future::select(Box::pin(picked_up), late).await {
            futures::future::Either::Left((result, _)) => result,
            futures::future::Either::Right(_) => {
                let readable = self.checkpoint().lsn;
                Err(crate::page_log::PageLogFault::NotYet { lsn, readable, waited: longest }.into())
            }
        }
    }

    /// Gives up its pin, and becomes the leader.
    ///
    /// # Errors
    /// As [`Leader::open`].
    pub async fn step_up(self) -> Result<Leader, CheckpointFault> {
        let volume = self.inner.volume.clone();
        let leader = Leader::open(volume).await?;
        self.close().await;
        Ok(leader)
    }

    /// Gives up its pin. Reads fail sooner or later from then on; one that is dropped without has its pin for the rest of the lease.
    pub async fn close(&self) {
        self.following.0.iter().for_each(JoinHandle::abort);
        let pin = self.inner.reading.lock().await.pin.take();
        if let Some(pin) = pin {
            pin.release().await;
        }
    }
}

/// The turtle page at `lsn`; none for no LSN.
pub(crate) async fn turtle_page(log: &PageLog, lsn: Lsn) -> Result<Option<TurtlePage>, CheckpointFault> {
    if lsn.is_none() {
        return Ok(None);
    }
    let object = format!("the turtle page at LSN {lsn}");
    let chain = log.table(TURTLE_TABLE).get(ONLY_PAGE, lsn).await?;
    let bytes = chain.records.first().map(|record| record.bytes.clone()).unwrap_or_default();
    let text = std::str::from_utf8(&bytes).map_err(|error| CheckpointFault::Corrupt {
        object: object.clone(),
        check: format!("it is no UTF-8 from byte {} on", error.valid_up_to()),
    })?;
    TurtlePage::parse(text).map(Some).map_err(CheckpointFault::format(object))
}

impl Inner {
    async fn pick_up_newest(&self) -> Result<Option<CheckpointInfo>, CheckpointFault> {
        let newest = Published::newest(&self.volume).await?;
        self.pick_up(newest.ok_or_else(|| self.volume.nothing_published())?).await
    }

    /// Goes on to `newest`, if that is newer than what is read.
    async fn pick_up(&self, newest: Published) -> Result<Option<CheckpointInfo>, CheckpointFault> {
        let mut reading = self.reading.lock().await;
        if newest.version.sequence <= reading.published.version.sequence {
            return Ok(None);
        }
        let pinned = reading.pin.as_ref().is_some_and(|pin| !pin.is_lost());
        if newest.content != reading.published.content || !pinned {
            let pin = HeldPin::take(&self.volume, &newest).await?;
            let advanced = async {
                let kek = Kek::load(&self.volume, &newest.turtle, reading.kek.clone()).await?;
                self.log.advance(&newest.state).await?;
                Ok::<_, CheckpointFault>(kek)
            };
            let kek = match advanced.await {
                Ok(kek) => kek,
                Err(fault) => {
                    pin.release().await;
                    return Err(fault);
                }
            };
            // The one before is not renewed any more, and holds for what is still being read.
            reading.pin = Some(pin);
            reading.kek = kek;
        }
        let info = newest.info();
        tracing::info!(volume = %self.volume.address(), turtle = info.sequence, lsn = %info.lsn, "picked up a checkpoint");
        reading.published = newest;
        self.current.send_replace(info.clone());
        Ok(Some(info))
    }
}

/// Whether the next attempt may succeed. What was removed before it could be pinned has been superseded.
fn is_passing(fault: &CheckpointFault) -> bool {
    fault.is_retryable() || matches!(fault, CheckpointFault::Gone { .. })
}

/// Picks up every checkpoint that the registry tells of, until the follower is gone.
async fn follow(follower: std::sync::Weak<Inner>, after: plastron_registry::Version) {
    let Some(inner) = follower.upgrade() else { return };
    let mut news = inner.volume.registry.watch(Some(after));
    drop(inner);
    let mut last = None;
    while let Some(item) = news.next().await {
        let Some(inner) = follower.upgrade() else { return };
        let clock = Arc::clone(inner.volume.clock());
        let picked_up = match item {
            Ok(versioned) => match Published::of(&versioned) {
                Ok(newest) => inner.pick_up(newest).await.map(drop),
                Err(fault) => Err(fault),
            },
            Err(error) => Err(error.into()),
        };
        drop(inner);
        match picked_up {
            Ok(()) => continue,
            Err(fault) if is_passing(&fault) => {
                tracing::warn!(%fault, "a checkpoint could not be picked up; trying again soon");
            }
            Err(fault) => {
                last = Some(fault);
                break;
            }
        }
        // The registry tells of it once only.
        loop {
            clock.sleep(AGAIN).await;
            let Some(inner) = follower.upgrade() else { return };
            match inner.pick_up_newest().await {
                Err(fault) if is_passing(&fault) => tracing::debug!(%fault, "a checkpoint could not be picked up yet"),
                Ok(_) => break,
                Err(fault) => {
                    last = Some(fault);
                    break;
                }
            }
        }
        if last.is_some() {
            break;
        }
    }
    let Some(inner) = follower.upgrade() else { return };
    let address = inner.volume.address();
    let fault =
        last.unwrap_or_else(|| CheckpointFault::Invalid(format!("the registry of {address} tells of nothing more")));
    tracing::error!(volume = %address, %fault, "the follower stays where it is");
    *inner.failed.lock().unwrap_or_else(PoisonError::into_inner) = Some(fault);
    // Wakes those who wait.
    inner.current.send_modify(|_| {});
}

impl fmt::Debug for Follower {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Follower({}, at turtle {})", self.inner.volume.address(), self.checkpoint().sequence)
    }
}
