//! What a leader does in the simulation, step by step, and what must come of it.

use std::sync::atomic::Ordering;
use std::time::Duration;

use plastron_config::ErrorKind;
use plastron_sources::clock::Clock;
use tokio::time::timeout;

use super::simulated_actors::{APART, PLAIN, Process, TRIMMED, WINDOW, World, pages};
use super::simulated_model::{Change, content};
use super::{CheckpointFault, CheckpointInfo, CheckpointRequest, Completion, Leader};
use crate::page_log::{Lsn, PageLogFault, PutArgs};

/// A leader that is open.
pub(super) struct LeaderTerm<'a> {
    pub(super) world: &'a World,
    pub(super) process: &'a Process,
    pub(super) leader: &'a Leader,
    pub(super) epoch: u64,
}

impl LeaderTerm<'_> {
    /// Does something that a leader does.
    pub(super) async fn step(&self) -> Result<(), CheckpointFault> {
        let (leader, dice) = (self.leader, &self.process.dice);
        if dice.below(4) == 0 {
            self.world.rest(self.process).await;
        }
        match dice.below(100) {
            0..37 => self.put().await?,
            37..40 => self.idle().await?,
            40..44 => self.trim().await?,
            44..48 => leader.log().flush_now(leader.log().last_lsn()).await?,
            48..52 => leader.log().merge_indexes().await?,
            52..77 => self.checkpoint(false).await?,
            77..84 => self.checkpoint(true).await?,
            84..90 => {
                leader.abandon_checkpoint().await?;
                let completed = leader.completed().await.map_or(Lsn::NONE, |completed| completed.lsn);
                self.world.model.lock().unwrap().abandoned(self.epoch, completed);
            }
            90..95 => {
                let removed = leader.collect(false).await?.removed_objects;
                self.world.removed.fetch_add(removed, Ordering::Relaxed);
            }
            _ => {
                let expected = self.world.model.lock().unwrap().now(self.epoch);
                let found = pages(leader.log(), &expected).await?;
                if found != expected {
                    self.world
                        .store
                        .violation(format!("leader of epoch {} has {found:?}, not {expected:?}", self.epoch));
                }
            }
        }
        Ok(())
    }

    /// Puts or discards some pages.
    async fn put(&self) -> Result<(), CheckpointFault> {
        for _ in 0..1 + self.process.dice.below(6) {
            let dice = &self.process.dice;
            let (table, page) = ([PLAIN, TRIMMED][dice.below(2) as usize], dice.below(5));
            let (chain, id) = {
                let mut model = self.world.model.lock().unwrap();
                (model.now(self.epoch).remove(&(table, page)).unwrap_or_default(), model.content())
            };
            let handle = self.leader.table(table)?;
            let (base, last) =
                (chain.first().map_or(Lsn::NONE, |one| one.0), chain.last().map_or(Lsn::NONE, |one| one.0));
            let (put, change) = match dice.below(10) {
                0 if !chain.is_empty() => (handle.discard(page, last).await?, Change::Discard),
                1..6 if (1..10).contains(&chain.len()) => {
                    (handle.put(page, PutArgs::delta(base, last), content(id)).await?, Change::Delta(id))
                }
                _ => (handle.put(page, PutArgs::full().backlink(last), content(id)).await?, Change::Full(id)),
            };
            self.world.model.lock().unwrap().changed(put, table, page, change);
        }
        Ok(())
    }

    async fn trim(&self) -> Result<(), CheckpointFault> {
        let start = self.leader.log().last_lsn();
        let lsn = self.leader.log().trim_table(TRIMMED, start).await?;
        self.world.model.lock().unwrap().changed(lsn, TRIMMED, 0, Change::Trim(start));
        Ok(())
    }

    /// What is in the bucket and in no checkpoint yet gets older than the window before the checkpoint comes that names it, and somebody collects
    /// meanwhile: segments, runs and KEK page are live though no turtle says so.
    pub(super) async fn idle(&self) -> Result<(), CheckpointFault> {
        let (leader, dice) = (self.leader, &self.process.dice);
        self.put().await?;
        leader.log().flush_now(leader.log().last_lsn()).await?;
        if dice.below(2) == 0 {
            leader.log().merge_indexes().await?;
        }
        let keys = if dice.below(2) == 0 { Some(leader.persist_keys(0).await?) } else { None };
        let longer = Duration::from_secs(dice.below(2 * 3600));
        self.world.store.clock().sleep(WINDOW + APART + longer).await;
        if dice.below(2) == 0 {
            self.world.removed.fetch_add(leader.collect(false).await?.removed_objects, Ordering::Relaxed);
        } else {
            self.world.collect_calmly().await;
        }
        match keys {
            // The keys that are in the bucket already: asked once more, the module may have others.
            Some(kek) => self.world.acknowledge(&self.complete(kek).await?),
            None => self.checkpoint(false).await?,
        }
        self.world.inspect().await;
        Ok(())
    }

    /// A turtle of which nobody knows whether it was published names what has been superseded since; somebody collects when that is older than the
    /// window; and then the turtle is published. For a process whose requests do as they are told.
    pub(super) async fn unsure(&self) -> Result<(), CheckpointFault> {
        let leader = self.leader;
        self.put().await?;
        self.process.connection.hold(Some("put _plastron/turtle/"));
        let given_up = timeout(Duration::from_secs(60), leader.checkpoint(CheckpointRequest::default())).await;
        self.process.connection.hold(None);
        if let Ok(done) = given_up {
            self.world.store.violation(format!("a checkpoint came of a turtle that was held: {done:?}"));
        }
        leader.log().merge_indexes().await?;
        self.world.store.clock().sleep(WINDOW + APART).await;
        self.world.removed.fetch_add(leader.collect(false).await?.removed_objects, Ordering::Relaxed);
        leader.abandon_checkpoint().await?;
        let completed = leader.completed().await;
        self.world.model.lock().unwrap().abandoned(self.epoch, completed.as_ref().map_or(Lsn::NONE, |info| info.lsn));
        completed.iter().for_each(|info| self.world.acknowledge(info));
        self.world.inspect().await;
        Ok(())
    }

    /// The last steps of a checkpoint with these keys.
    async fn complete(&self, kek: Lsn) -> Result<CheckpointInfo, CheckpointFault> {
        let page = CheckpointRequest::default().turtle_page(kek);
        let place = self.leader.put_turtle_page(&page).await?;
        self.leader.complete_checkpoint(Completion { turtle_page_lsn: place.lsn, ..Completion::default() }).await
    }

    /// A checkpoint, whole or in steps, while pages are put beside it.
    async fn checkpoint(&self, in_steps: bool) -> Result<(), CheckpointFault> {
        let fenced = self.world.store.epoch() > self.epoch;
        self.put().await?;
        let completed = async {
            if !in_steps {
                return Ok(self.leader.checkpoint(CheckpointRequest::default()).await?.0);
            }
            self.complete(self.leader.persist_keys(0).await?).await
        };
        let beside = async {
            self.world.store.clock().sleep(Duration::from_millis(self.process.dice.below(300))).await;
            if self.process.dice.below(2) == 0 { self.put().await } else { Ok(()) }
        };
        let (completed, beside) = tokio::join!(completed, beside);
        let info = match completed {
            // In steps, what was abandoned has to be begun again.
            Err(fault) if in_steps && fault.kind() == ErrorKind::Invalid => return beside,
            completed => completed?,
        };
        if fenced {
            self.world.store.violation(format!("{info:?} was acknowledged after another leader took over"));
        }
        self.world.acknowledge(&info);
        beside
    }

    /// For good, whatever was removed meanwhile.
    pub(super) async fn fenced(&self) {
        if self.world.store.epoch() == self.epoch {
            self.world.store.violation(format!("the leader of epoch {} is fenced, and nobody took over", self.epoch));
        }
        for _ in 0..2 {
            self.world.rest(self.process).await;
            match self.leader.checkpoint(CheckpointRequest::default()).await {
                Err(fault) if fault.kind() == ErrorKind::Fenced || fault.is_retryable() => {}
                Err(CheckpointFault::PageLog(PageLogFault::Failed { .. })) => {}
                other => self.world.store.violation(format!("after being fenced: {other:?}")),
            }
        }
    }
}
