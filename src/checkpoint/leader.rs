//! The leader: the one writer of a database.

use std::fmt;
use std::sync::Arc;

use bytes::Bytes;
use plastron_registry::{Ancestor, CheckpointString, Leadership, Turtle, TurtlePage};
use plastron_sources::failpoint::{Failpoint, reach};
use tokio::sync::MutexGuard;

use super::CheckpointFault;
use super::checkpoint_info::CheckpointInfo;
use super::collector_report::CollectorReport;
use super::follower::Follower;
use super::kek::Kek;
use super::leader_collecting::Collecting;
use super::leader_keys::{Telling, load_newest_kek};
use super::published::Published;
use super::request::{CheckpointRequest, Completion};
use super::reserved::{ONLY_PAGE, OWN_TABLES, TURTLE_TABLE, engine_table};
use super::volume::Volume;
use crate::page_log::{LogState, Lsn, PageLog, PageLogFault, PutArgs, TableHandle};

/// The one writer of a database. Cheap to clone; clones are the same leader, and all calls are concurrent; checkpoints come one after
/// the other.
///
/// Whoever opens a leader fences the one before. A leader that was fenced goes on taking pages, for it does not know; its next
/// checkpoint fails as `Fenced`, and so does every later one. It has to be opened again then, on what its successor has published.
///
/// Dropping the future of any call leaves nothing half done: a checkpoint was published whole, or not at all.
#[derive(Clone)]
pub struct Leader {
    inner: Arc<Inner>,
    collecting: Arc<Collecting>,
}

pub(super) struct Inner {
    pub(super) volume: Volume,
    pub(super) log: PageLog,
    ancestors: Vec<Ancestor>,
    pub(super) publishing: tokio::sync::Mutex<Publishing>,
}

/// What checkpoints change, one at a time.
pub(super) struct Publishing {
    leadership: Leadership,
    /// The last completed checkpoint.
    completed: Option<CheckpointInfo>,
    pub(super) kek: Option<Kek>,
    /// A KEK page of which the module is being told that it is in force.
    pub(super) telling: Option<Telling>,
    /// What may have been published without anybody knowing.
    pub(super) unknown: Option<Unknown>,
}

/// A publish whose outcome is not known.
#[derive(Clone)]
pub(super) struct Unknown {
    turtle: Turtle,
    content: Bytes,
}

/// Where a turtle page was written.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub struct TurtlePagePlace {
    /// Its LSN, which names the checkpoint.
    pub lsn: Lsn,
    /// Its CRC32C.
    pub checksum: u32,
}

impl Leader {
    /// Takes over: fences every earlier leader, and opens the database as its last checkpoint has it. A database that is not there yet is begun.
    /// What was written after the last checkpoint is gone. Everything is read and checked before anything is written: an
    /// open that fails because of keys or damage leaves the leader before it alone.
    ///
    /// # Errors
    /// `Unauthorized` for keys that are missing or wrong; `Corrupt`, `Unsupported`; `Unavailable`; those of bucket and registry.
    pub async fn open(volume: Volume) -> Result<Self, CheckpointFault> {
        volume.retention.validate()?;
        volume.page_log.validate()?;
        let mut kek = load_newest_kek(&volume).await?;
        reach(Failpoint::TakeoverBefore);
        let leadership = Leadership::open(Arc::clone(&volume.registry), &volume.owner).await?;
        reach(Failpoint::TakeoverAfter);
        let content = leadership.content();
        let published = content.map(|content| Published::decode(leadership.version(), content)).transpose()?;
        let (state, ancestors, base) = match &published {
            Some(published) => {
                kek = Kek::load(&volume, &published.turtle, kek).await?;
                (published.state.clone(), published.turtle.ancestors.clone(), published.turtle.epoch_base())
            }
            None => (LogState::new(volume.random()), Vec::new(), 0),
        };
        let epoch = leadership.epoch().saturating_add(base);
        let log = PageLog::open(volume.parts(&ancestors)?, &state, epoch).await?;
        log.reserve_last_tables(OWN_TABLES);
        if let Some(kek) = &kek {
            log.set_kek_lsn(kek.lsn);
        }
        let completed = published.map(|published| published.info());
        let publishing =
            tokio::sync::Mutex::new(Publishing { leadership, completed, kek, telling: None, unknown: None });
        let inner = Arc::new(Inner { volume, log, ancestors, publishing });
        let collecting = Arc::new(Collecting::start(&inner));
        Ok(Self { inner, collecting })
    }

    /// The page log that this leader writes.
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
    /// `Invalid` for [`KEK_TABLE`](super::KEK_TABLE) and [`TURTLE_TABLE`].
    pub fn table(&self, table: u64) -> Result<TableHandle, CheckpointFault> {
        engine_table(table).map(|table| self.inner.log.table(table))
    }

    /// The leader's epoch, as the registry counts.
    pub async fn epoch(&self) -> u64 {
        self.inner.publishing.lock().await.leadership.epoch()
    }

    /// The last completed checkpoint; none if there was never one.
    pub async fn completed(&self) -> Option<CheckpointInfo> {
        self.inner.publishing.lock().await.completed.clone()
    }

    /// Asks the registry whether somebody else has taken over.
    ///
    /// # Errors
    /// Those of the registry.
    pub async fn is_fenced(&self) -> Result<bool, CheckpointFault> {
        let (fenced, epoch) = {
            let publishing = self.inner.publishing.lock().await;
            (publishing.leadership.is_fenced(), publishing.leadership.epoch())
        };
        if fenced {
            return Ok(true);
        }
        let newest = self.inner.volume.registry.read().await?;
        Ok(newest.is_some_and(|newest| newest.version.epoch > epoch))
    }

    /// Completes a checkpoint of everything that was put up to now: asks the key module, writes KEK page and turtle page, waits until all of it
    /// is in the bucket, and publishes the turtle object. When it returns, whoever asks sees the checkpoint.
    ///
    /// # Errors
    /// `Fenced`, for good, if somebody else has taken over; `Invalid` for a `metadata_lsn` that nobody has, or too much metadata; what the
    /// key module says; why the page log has failed; `Unavailable` if it may or may not have been published, which the next checkpoint finds
    /// out. After any of them the last completed checkpoint is what it was.
    pub async fn checkpoint(
        &self,
        request: CheckpointRequest,
    ) -> Result<(CheckpointInfo, CheckpointString), CheckpointFault> {
        let mut publishing = self.inner.publishing().await;
        let log = &self.inner.log;
        self.inner.check_lsn("checkpoint with metadata at", request.metadata_lsn)?;
        let persisting = self.inner.begin_kek(&publishing, request.timestamp).await?;
        let kek_lsn = persisting.as_ref().map(|persisting| persisting.kek.lsn);
        let kek_lsn = kek_lsn.or(publishing.kek.as_ref().map(|kek| kek.lsn)).unwrap_or(Lsn::NONE);
        // Everything that has to be in the bucket before the turtle goes there at once.
        let written = async {
            let page = self.inner.put_turtle_page(&request.turtle_page(kek_lsn)).await?;
            let lsn = log.allocate_lsn()?;
            self.inner.make_durable(lsn, persisting.as_ref()).await?;
            Ok::<_, CheckpointFault>((page, lsn))
        };
        let written = written.await;
        if let Some(persisting) = persisting {
            let outcome = written.as_ref().map(|_| ()).map_err(Clone::clone);
            self.inner.finish_kek(&mut publishing, persisting, outcome).await?;
        }
        let (page, lsn) = written?;
        let info = self.inner.publish(&mut publishing, lsn, request.completion(page.lsn)).await?;
        let string = CheckpointString {
            metadata_lsn: page.lsn.get(),
            metadata_checksum: Some(page.checksum),
            database_size: None,
        };
        Ok((info, string))
    }

    /// Steps 3 to 5 of a checkpoint, for engines that drive them: asks the key module for its blob and, if it has changed, writes the KEK page
    /// and tells the module so. Returns the LSN of the KEK page in force; none if there is none. `timestamp` is kept with the page.
    ///
    /// # Errors
    /// What the key module says; those of log and bucket. The KEK that was in force still is then.
    pub async fn persist_keys(&self, timestamp: u64) -> Result<Lsn, CheckpointFault> {
        let mut publishing = self.inner.publishing().await;
        if let Some(persisting) = self.inner.begin_kek(&publishing, timestamp).await? {
            let durable = self.inner.make_durable(persisting.kek.lsn, Some(&persisting)).await;
            self.inner.finish_kek(&mut publishing, persisting, durable).await?;
        }
        Ok(publishing.kek.as_ref().map_or(Lsn::NONE, |kek| kek.lsn))
    }

    /// Step 6, for engines that drive them: writes a turtle page.
    ///
    /// # Errors
    /// `Invalid` for one that names another KEK page than that in force; as [`TableHandle::put`].
    pub async fn put_turtle_page(&self, page: &TurtlePage) -> Result<TurtlePagePlace, CheckpointFault> {
        let in_force = self.inner.publishing().await.kek.as_ref().map(|kek| kek.lsn.get());
        let named = page.key_provider.map(|provider| provider.lsn);
        if named != in_force {
            return Err(CheckpointFault::Invalid(format!(
                "the turtle page names the KEK page at LSN {named:?}, and that at {in_force:?} is in force; put it after persist_keys, with the LSN that it returned"
            )));
        }
        self.inner.put_turtle_page(page).await
    }

    /// Step 7, for engines that drive them: waits until everything that was put up to now is in the bucket, and publishes the turtle object.
    ///
    /// # Errors
    /// As [`Leader::checkpoint`].
    pub async fn complete_checkpoint(&self, completion: Completion) -> Result<CheckpointInfo, CheckpointFault> {
        let mut publishing = self.inner.publishing().await;
        self.inner.check_lsn("complete a checkpoint with metadata at", completion.metadata_lsn)?;
        self.inner.check_lsn("complete a checkpoint with a turtle page at", completion.turtle_page_lsn)?;
        if publishing.kek.as_ref().is_some_and(|kek| !kek.in_log) {
            return Err(CheckpointFault::Invalid(
                "the KEK page in force was abandoned; call persist_keys before complete_checkpoint".to_owned(),
            ));
        }
        let lsn = self.inner.log.allocate_lsn()?;
        self.inner.log.flush_now(lsn).await?;
        self.inner.publish(&mut publishing, lsn, completion).await
    }

    /// Drops everything that was put after the last completed checkpoint. One of which nobody knows whether it was published is published again
    /// first, which is safe, and counts as completed: others may have seen it.
    ///
    /// # Errors
    /// `Fenced`; `Unavailable` while it can't be found out; why the page log has failed. Nothing was dropped then.
    pub async fn abandon_checkpoint(&self) -> Result<(), CheckpointFault> {
        let mut publishing = self.inner.publishing().await;
        if let Some(Unknown { turtle, content }) = publishing.unknown.clone() {
            self.inner.publish_content(&mut publishing, turtle, content).await?;
        }
        let last = publishing.completed.as_ref().map_or(Lsn::NONE, |completed| completed.lsn);
        self.inner.log.abandon(last)?;
        if let Some(kek) = &mut publishing.kek
            && kek.lsn > last
        {
            kek.in_log = false;
        }
        Ok(())
    }

    /// Removes what no retained or pinned checkpoint reaches; also what this leader has itself superseded since it took over.
    ///
    /// # Errors
    /// As [`Collector::run`](super::Collector::run).
    pub async fn collect(&self, dry_run: bool) -> Result<CollectorReport, CheckpointFault> {
        self.inner.collector().await.dry_run(dry_run).run().await
    }

    /// Writes what was accepted, and ends; what is above the last checkpoint will be gone when the next leader opens. Calls that come after
    /// it fail.
    ///
    /// # Errors
    /// Why the page log has failed.
    pub async fn close(&self) -> Result<(), CheckpointFault> {
        self.collecting.stop();
        Ok(self.inner.log.close().await?)
    }

    /// Becomes a follower of whoever leads next.
    ///
    /// # Errors
    /// As [`Leader::close`] and [`Follower::open`].
    pub async fn step_down(self) -> Result<Follower, CheckpointFault> {
        let volume = self.inner.volume.clone();
        self.close().await?;
        drop(self);
        Follower::open(volume).await
    }
}

impl Inner {
    /// `Invalid` for an LSN that nobody has yet.
    fn check_lsn(&self, operation: &'static str, lsn: Lsn) -> Result<(), CheckpointFault> {
        let last = self.log.last_lsn();
        match lsn > last {
            true => Err(PageLogFault::Future { operation, lsn, last }.into()),
            false => Ok(()),
        }
    }

    /// What changes with a checkpoint, with the KEK that is in force.
    async fn publishing(&self) -> MutexGuard<'_, Publishing> {
        let mut publishing = self.publishing.lock().await;
        // If the module did not take it, the KEK from before is in force, and whoever was told of it has gone.
        if let Err(fault) = self.hear(&mut publishing).await {
            tracing::warn!(%fault, "a KEK page is not in force: its key module did not take note of it");
        }
        publishing
    }

    async fn put_turtle_page(&self, page: &TurtlePage) -> Result<TurtlePagePlace, CheckpointFault> {
        let text = page.to_string();
        let checksum = crc32c::crc32c(text.as_bytes());
        reach(Failpoint::TurtlePageBefore);
        let lsn = self.log.own_table(TURTLE_TABLE).put(ONLY_PAGE, PutArgs::full(), text).await?;
        reach(Failpoint::TurtlePageAfter);
        Ok(TurtlePagePlace { lsn, checksum })
    }

    /// Publishes the checkpoint at `lsn`, up to which everything is in the bucket.
    async fn publish(
        &self,
        publishing: &mut Publishing,
        lsn: Lsn,
        completion: Completion,
    ) -> Result<CheckpointInfo, CheckpointFault> {
        let turtle = Turtle {
            checkpoint_lsn: lsn.get(),
            turtle_page_lsn: completion.turtle_page_lsn.get(),
            metadata_lsn: completion.metadata_lsn.get(),
            kek: publishing.kek.as_ref().map(Kek::reference),
            written_ms: self.volume.now_ms(),
            timestamp: completion.timestamp,
            oldest_timestamp: completion.oldest_timestamp,
            retention: self.volume.retention.rule(),
            engine_metadata: completion.engine_metadata,
            log_state: self.log.state_at(lsn).encode().into(),
            ancestors: self.ancestors.clone(),
        };
        let content = turtle.encode().map_err(CheckpointFault::format("a new checkpoint"))?;
        let most = self.volume.registry.guarantees().max_content_bytes;
        if content.len() > most {
            let bytes = content.len();
            return Err(CheckpointFault::Invalid(format!(
                "the checkpoint takes {bytes} bytes, and its registry keeps {most}; merge the indexes, or give less metadata"
            )));
        }
        self.publish_content(publishing, turtle, content).await
    }

    async fn publish_content(
        &self,
        publishing: &mut Publishing,
        turtle: Turtle,
        content: Bytes,
    ) -> Result<CheckpointInfo, CheckpointFault> {
        // Also if this future is dropped.
        publishing.unknown = Some(Unknown { turtle: turtle.clone(), content: content.clone() });
        reach(Failpoint::CommitBefore);
        let version = publishing.leadership.publish(content).await?;
        reach(Failpoint::CommitAfter);
        publishing.unknown = None;
        self.log.settle(Lsn::new(turtle.checkpoint_lsn));
        let info = CheckpointInfo::of(version, &turtle);
        tracing::info!(volume = %self.volume.address(), turtle = info.sequence, lsn = %info.lsn, "completed a checkpoint");
        publishing.completed = Some(info.clone());
        Ok(info)
    }
}

impl fmt::Debug for Leader {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Leader({}, {:?})", self.inner.volume.address(), self.inner.log)
    }
}
