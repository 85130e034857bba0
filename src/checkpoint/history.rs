//! The checkpoints that are there: listed, opened, restored, cloned.

use std::sync::Arc;

use futures::stream::{StreamExt, TryStreamExt};
use plastron_config::ErrorKind;
use plastron_registry::{Ancestor, Leadership, ListedTurtle, OpenedRegistry, Turtle, Versioned};

use super::CheckpointFault;
use super::checkpoint_info::CheckpointInfo;
use super::follower::Follower;
use super::kek::Kek;
use super::leader_keys::load_newest_kek;
use super::pins::{HeldPin, LastingPin, Pins, new_pin};
use super::published::Published;
use super::volume::Volume;
use crate::page_log::Lsn;

/// How the owner of a clone's pin begins.
const CLONE_OWNER: &str = "clone ";

/// Turtles that are read at once.
const TURTLES_AT_ONCE: usize = 8;

/// The checkpoints of a database that are there.
#[derive(Debug)]
pub struct History {
    volume: Volume,
}

impl History {
    /// The history of `volume`.
    pub fn new(volume: Volume) -> Self {
        Self { volume }
    }

    /// All checkpoints that are there, oldest first. A takeover publishes the same checkpoint under another sequence; it is listed once,
    /// under its first.
    ///
    /// # Errors
    /// `Corrupt`, `Unsupported` for a turtle that can't be read; those of bucket and registry.
    pub async fn list(&self) -> Result<Vec<CheckpointInfo>, CheckpointFault> {
        let mut list: Vec<CheckpointInfo> = Vec::new();
        for published in self.all().await?.into_iter().rev() {
            list.extend(published?.map(|published| published.info()));
        }
        list.dedup_by_key(|info| info.lsn);
        Ok(list)
    }

    /// The newest checkpoint that is not above `lsn`; [`Lsn::MAX`] for the latest.
    ///
    /// # Errors
    /// `NotFound` if there is none; as [`History::list`].
    pub async fn at_or_below(&self, lsn: Lsn) -> Result<CheckpointInfo, CheckpointFault> {
        let newest = Published::newest(&self.volume).await?.ok_or_else(|| self.volume.nothing_published())?;
        if newest.turtle.checkpoint_lsn <= lsn.get() {
            return Ok(newest.info());
        }
        let found = self.list().await?.into_iter().rev().find(|info| info.lsn <= lsn);
        found.ok_or_else(|| CheckpointFault::NoSuchCheckpoint { wanted: format!("at or below LSN {lsn}") })
    }

    /// The checkpoint of the turtle with that sequence.
    ///
    /// # Errors
    /// `NotFound`; as [`History::list`].
    pub async fn get(&self, sequence: u64) -> Result<CheckpointInfo, CheckpointFault> {
        self.require(sequence).await.map(|published| published.info())
    }

    /// Gives the key module of the volume the KEK page of the latest checkpoint, so that it knows which key is in force. Returns the page's
    /// LSN; none if nothing has been published, or nothing is encrypted.
    ///
    /// # Errors
    /// `Unauthorized` for keys that are missing or wrong; `Corrupt`, `Unsupported`; those of bucket and registry.
    pub async fn load_keys(&self) -> Result<Option<Lsn>, CheckpointFault> {
        Ok(load_newest_kek(&self.volume).await?.map(|kek| kek.lsn))
    }

    /// Opens the checkpoint of the turtle with that sequence for reading, pins it, and stays there.
    ///
    /// # Errors
    /// `NotFound`; as [`Follower::open`].
    pub async fn open(&self, sequence: u64) -> Result<Follower, CheckpointFault> {
        Follower::open_at(self.volume.clone(), self.require(sequence).await?).await
    }

    /// Opens the checkpoint of the turtle with that sequence for looking at it: without a pin, so nothing is written, and reads of one that is
    /// no longer retained may fail.
    ///
    /// # Errors
    /// As [`History::open`].
    pub async fn inspect(&self, sequence: u64) -> Result<Follower, CheckpointFault> {
        Follower::open_unpinned(self.volume.clone(), self.require(sequence).await?).await
    }

    /// Goes back to an older checkpoint: fences the leader that there is, and publishes that checkpoint's content as the latest. What came
    /// after it stays in the history as long as retention keeps it.
    ///
    /// # Errors
    /// `NotFound` for a checkpoint that is not retained, or was removed while this process slept; `Unauthorized` for keys that don't open it; `Corrupt`;
    /// those of bucket and registry. Nobody was fenced then, unless the error is the registry's or came after the registry was asked; after `Unavailable` it may be published yet.
    pub async fn restore(&self, sequence: u64) -> Result<CheckpointInfo, CheckpointFault> {
        let published = self.require(sequence).await?;
        let pin = HeldPin::take(&self.volume, &published).await?;
        let mut leadership = match self.take_over(&published).await {
            Ok(leadership) => leadership,
            Err(fault) => {
                pin.release().await;
                return Err(fault);
            }
        };
        let pin = pin.hold_for(&published, leadership.epoch()).await?;
        match leadership.publish(published.content.clone()).await {
            Ok(version) => {
                pin.release().await;
                tracing::info!(volume = %self.volume.address(), from = sequence, turtle = version.sequence, "restored a checkpoint");
                Ok(CheckpointInfo::of(version, &published.turtle))
            }
            // The pin stays: it may be published yet, and nothing else would hold then what it brings back.
            Err(error) => Err(error.into()),
        }
    }

    async fn take_over(&self, published: &Published) -> Result<Leadership, CheckpointFault> {
        Kek::load(&self.volume, &published.turtle, None).await?;
        Ok(Leadership::open(Arc::clone(&self.volume.registry), &self.volume.owner).await?)
    }

    /// Makes a database of its own out of a checkpoint, under another prefix of the same bucket, without copying anything: it shares all
    /// that the checkpoint reaches, which is pinned here until [`History::release_clone`]. Either may be written from then on, and neither
    /// sees what the other writes. Returns the clone's first checkpoint.
    ///
    /// # Errors
    /// `Invalid` for the prefix of this database or one that no name can begin with; `AlreadyExists` if there is a database under it;
    /// `NotFound` for a checkpoint that is not retained; those of bucket and registry, also `Invalid` if the registry has the same place for both: its
    /// `key` or `storage_url` must name the prefix.
    pub async fn clone_to(&self, sequence: u64, prefix: &str) -> Result<CheckpointInfo, CheckpointFault> {
        let own = self.volume.bucket.options().prefix.clone();
        if prefix == own {
            return Err(CheckpointFault::Invalid(format!(
                "a clone needs another prefix than '{own}', that of its origin"
            )));
        }
        let target = self.volume.bucket.at_prefix(prefix)?;
        let OpenedRegistry { registry, turtles } = self.volume.registries.open(&target).await?;
        let published = self.require(sequence).await?;
        if turtles.turtles().try_next().await?.is_some() {
            return Err(CheckpointFault::Bucket(plastron_sources::Error::new(
                "clone to",
                prefix,
                plastron_sources::Fault::ObjectExists,
            )));
        }
        let mut ancestors = published.turtle.ancestors.clone();
        ancestors.push(Ancestor { last_epoch: published.log_epoch(), prefix: own.clone() });
        let turtle = Turtle { ancestors, ..published.turtle.clone() };
        let content = turtle.encode().map_err(CheckpointFault::format("the first checkpoint of a clone"))?;
        // Before it is there it must hold, and in every database that it shares objects with.
        let origin = HeldPin::take(&self.volume, &published).await?;
        let (version, mut pins) = (published.version, Vec::new());
        let shared = Published { content: content.clone(), turtle: turtle.clone(), ..published };
        for Ancestor { prefix: home, .. } in &turtle.ancestors {
            let mut volume = self.volume.clone();
            volume.bucket = self.volume.bucket.at_prefix(home)?;
            let mut pin = new_pin(&volume, &shared, 0, format!("{CLONE_OWNER}{prefix}").into());
            if *home == own {
                pin.name = origin.successor();
            }
            pins.push(LastingPin::put(&volume, &pin).await?);
        }
        if let Err(fault) = origin.has_held(version).await {
            // Pins of what is gone would end every collection.
            for pin in pins {
                pin.release().await;
            }
            return Err(fault);
        }
        let mut leadership = Leadership::open(registry, &self.volume.owner).await?;
        if leadership.content().is_some() {
            return Err(CheckpointFault::Invalid(format!(
                "somebody else has made a database under '{prefix}' meanwhile"
            )));
        }
        let version = leadership.publish(content).await?;
        origin.release().await;
        tracing::info!(volume = %self.volume.address(), from = sequence, prefix, "made a clone");
        Ok(CheckpointInfo::of(version, &turtle))
    }

    /// Takes note that the clone under `prefix` is gone, or was never made: what it shares is not kept for it any more. Says how many pins
    /// were removed.
    ///
    /// # Errors
    /// Those of the bucket; `Corrupt` for a pin that can't be read.
    pub async fn release_clone(&self, prefix: &str) -> Result<u64, CheckpointFault> {
        let pins = Pins::read(&self.volume, std::time::Duration::ZERO).await?;
        let owner = format!("{CLONE_OWNER}{prefix}");
        let mut removed = 0;
        for found in pins.held.iter().filter(|found| found.pin.lease().is_none() && *found.pin.owner == *owner) {
            match self.volume.system().delete(&found.pin.name.object_name()).await {
                Ok(()) => removed += 1,
                Err(error) if error.kind() == ErrorKind::NotFound => {}
                Err(error) => return Err(error.into()),
            }
        }
        Ok(removed)
    }

    /// The checkpoint of every turtle that is there, newest first; none for a turtle that has none, or that is part of no history. Takes one
    /// listing, and one request for each.
    ///
    /// # Errors
    /// Those of listing; what is wrong with a turtle stands in its place.
    pub(crate) async fn all(&self) -> Result<Vec<Result<Option<Published>, CheckpointFault>>, CheckpointFault> {
        let turtles: Vec<ListedTurtle> = self.volume.turtles.turtles().try_collect().await?;
        let read = self.volume.turtles.read_back(&turtles, TURTLES_AT_ONCE);
        Ok(read.map(|(_, read)| Self::of(read)).collect().await)
    }

    /// The checkpoint of a turtle; none for a turtle that has none, or that is part of no history.
    pub(crate) async fn published(&self, sequence: u64) -> Result<Option<Published>, CheckpointFault> {
        Self::of(self.volume.turtles.turtle(sequence).await)
    }

    fn of(read: plastron_registry::Result<Option<Versioned>>) -> Result<Option<Published>, CheckpointFault> {
        match read {
            Ok(found) => found.as_ref().map(Published::of).transpose(),
            Err(error) if error.kind() == ErrorKind::NotFound => Ok(None),
            Err(error) => Err(error.into()),
        }
    }

    async fn require(&self, sequence: u64) -> Result<Published, CheckpointFault> {
        let found = self.published(sequence).await?;
        found.ok_or_else(|| CheckpointFault::NoSuchCheckpoint { wanted: format!("with sequence {sequence}") })
    }
}
