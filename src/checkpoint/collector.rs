//! Garbage collection: removes what no retained or pinned checkpoint reaches.
//!
//! Why nothing that is live is ever removed:
//! 1. The newest checkpoint is read, and with it the epoch *E* of its leader. Whoever has a lower epoch is fenced: what it has uploaded and no
//!    turtle names will never be named. Of epoch *E* and above only what the leader itself says it will not name again is looked at.
//! 2. Candidates are listed next. What appears later is none.
//! 3. The turtles that retention keeps are read; any that can't be read ends the collection before anything is removed.
//! 4. Turtles that it does not keep, and that were superseded for longer than the window, are removed.
//! 5. Pins are read after that. Whoever pins a checkpoint looks for its turtle afterwards: if it is still there, its pin is seen here; if
//!    not, the reader gives up. A pin carries its turtle, so what it holds is known.
//! 6. Turtles that have appeared since 1 are read: a restore brings an old checkpoint back, and gives up its pin when it has. Until it has, or somebody else
//!    leads, that pin has no lease: its turtle may be created long after it was asked for.
//! 7. Candidates that none of these reaches, and that are older than the window, are removed.
//!
//! Every step that fails leaves garbage, never a hole; the next collection goes on.

use std::collections::{BTreeSet, HashSet};
use std::sync::Arc;
use std::time::{Duration, SystemTime};

use futures::stream::{self, BoxStream, StreamExt, TryStreamExt};
use plastron_config::ErrorKind;
use plastron_registry::{ListedTurtle, Versioned};
use plastron_sources::Bucket;
use plastron_sources::failpoint::{Failpoint, reach};

use super::CheckpointFault;
use super::collector_report::CollectorReport;
use super::kek;
use super::listing::{Listed, list};
use super::pins::{Pins, is_there};
use super::published::Published;
use super::volume::Volume;
use crate::page_log::{InUse, LogObject, Lsn, Reach};

/// Objects that are removed at once.
const AT_ONCE: usize = 16;

/// Turtles that are read at once.
const READS_AT_ONCE: usize = 4;

/// Removes what no retained or pinned checkpoint reaches. Any process may, while a leader writes and followers read.
#[derive(Debug)]
pub struct Collector {
    volume: Volume,
    leader: Option<InUse>,
    dry_run: bool,
}

/// Something that may be garbage.
struct Candidate {
    name: String,
    size: u64,
    kind: Kind,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Kind {
    Segment,
    Run,
    Kek,
}

/// What retained and pinned checkpoints reach.
struct Marked {
    reach: Reach,
    keks: HashSet<String>,
    retained: u64,
}

impl Marked {
    async fn add(&mut self, volume: &Volume, published: &Published) -> Result<(), CheckpointFault> {
        let parts = volume.parts(&published.turtle.ancestors)?;
        self.reach.add(&published.state, &parts).await?;
        self.keks.extend(published.turtle.kek.iter().map(|kek| kek.object.clone()));
        Ok(())
    }
}

impl Collector {
    /// A collector of `volume`, of which only bucket, registry and the window of retention matter. What retention keeps, the newest
    /// turtle says.
    pub fn new(volume: Volume) -> Self {
        Self { volume, leader: None, dry_run: false }
    }

    /// Nothing is removed, and the report says what would have been.
    #[must_use]
    pub fn dry_run(mut self, dry_run: bool) -> Self {
        self.dry_run = dry_run;
        self
    }

    /// With what the leader of this very process has in use, so that its own garbage is found.
    pub(crate) fn beside(mut self, in_use: InUse) -> Self {
        self.leader = Some(in_use);
        self
    }

    /// Collects once.
    ///
    /// # Errors
    /// `Corrupt`, `Unsupported`, `NotFound` for a retained turtle, a pin or an index run that can't be read: then nobody knows what may be
    /// removed, and nothing is; those of bucket and registry, and what was removed before stays removed.
    pub async fn run(&self) -> Result<CollectorReport, CheckpointFault> {
        let mut report = CollectorReport { dry_run: self.dry_run, ..CollectorReport::default() };
        let Some(newest) = Published::newest(&self.volume).await? else { return Ok(report) };
        let now = self.volume.clock().wall();
        let bucket = self.volume.system();
        let (candidates, spared) = self.candidates(&bucket, &newest, now).await?;
        let mut marked = Marked { reach: Reach::new(), keks: HashSet::new(), retained: 0 };
        let turtles: Vec<ListedTurtle> = self.volume.turtles.turtles().try_collect().await?;
        let superseded = self.retain(&newest, &turtles, now, &mut marked).await?;
        report.retained_checkpoints = marked.retained;
        for ListedTurtle { sequence, size, name, .. } in superseded {
            if self.dry_run || self.remove_turtle(sequence).await? {
                report.removed_turtles += 1;
                report.count(name, size);
            }
        }
        let pins = Pins::read(&self.volume, self.volume.retention.window).await?.overtaken_by(newest.version.epoch);
        for found in &pins.held {
            match marked.add(&self.volume, &found.published).await {
                Err(fault) if fault.kind() == ErrorKind::NotFound && found.pin.lease().is_some() => {
                    // It came too late, after its turtle was removed; its reader sees that, too, and gives up.
                    tracing::warn!(pin = %found.pin.name.object_name(), %fault, "a pin holds what is gone already");
                }
                marked => marked?,
            }
            report.pins += 1;
        }
        self.mark_news(&newest, &mut marked).await?;
        let own =
            |name: &&String| LogObject::parse(name).is_some_and(|object| object.epoch() > newest.turtle.epoch_base());
        for name in marked.reach.objects().keys().filter(own) {
            report.reached_objects += 1;
            report.reached_bytes += marked.reach.objects().get(name).copied().unwrap_or(0);
        }
        let reached =
            |candidate: &Candidate| marked.reach.contains(&candidate.name) || marked.keks.contains(&candidate.name);
        let garbage: Vec<Candidate> = candidates.into_iter().filter(|candidate| !reached(candidate)).collect();
        for candidate in spared.iter().filter(|candidate| !reached(candidate)) {
            report.spared_objects += 1;
            report.spared_bytes += candidate.size;
        }
        for (name, size) in &pins.past {
            report.removed_pins += 1;
            report.count(name.clone(), *size);
        }
        for Candidate { name, size, kind } in &garbage {
            match kind {
                Kind::Segment => report.removed_segments += 1,
                Kind::Run => report.removed_runs += 1,
                Kind::Kek => report.removed_keks += 1,
            }
            report.count(name.clone(), *size);
        }
        if !self.dry_run {
            let names = pins.past.into_iter().map(|(name, _)| name).chain(garbage.into_iter().map(|one| one.name));
            remove_all(&bucket, names).await?;
        }
        Ok(report)
    }

    async fn remove_turtle(&self, sequence: u64) -> Result<bool, CheckpointFault> {
        reach(Failpoint::GcTurtleBefore);
        let removed = self.volume.turtles.remove(sequence).await?;
        reach(Failpoint::GcTurtleAfter);
        Ok(removed)
    }

    /// Marks what an older turtle reaches. False if another collector has removed it, and what it named, meanwhile.
    async fn mark(&self, published: &Published, marked: &mut Marked) -> Result<bool, CheckpointFault> {
        match marked.add(&self.volume, published).await {
            Err(fault) if fault.kind() == ErrorKind::NotFound && !is_there(&self.volume, published.version).await? => {
                Ok(false)
            }
            added => added.map(|()| true),
        }
    }

    /// Marks what turtles reach that have appeared since `newest` was read.
    async fn mark_news(&self, newest: &Published, marked: &mut Marked) -> Result<(), CheckpointFault> {
        let turtles: Vec<ListedTurtle> = self.volume.turtles.turtles().try_collect().await?;
        let news = turtles.iter().filter(|turtle| turtle.sequence > newest.version.sequence).count();
        let mut read = self.volume.turtles.read_back(&turtles, READS_AT_ONCE).take(news);
        while let Some((_, read)) = read.next().await {
            match read {
                Ok(Some(found)) => drop(self.mark(&Published::of(&found)?, marked).await?),
                Ok(None) => {}
                // Superseded for longer than the window, and removed meanwhile by another collector.
                Err(error) if error.kind() == ErrorKind::NotFound => {}
                Err(error) => return Err(error.into()),
            }
        }
        Ok(())
    }

    /// What may be garbage: old enough, and of a leader that will not name it any more; and the rest.
    async fn candidates(
        &self,
        bucket: &Bucket,
        newest: &Published,
        now: SystemTime,
    ) -> Result<(Vec<Candidate>, Vec<Candidate>), CheckpointFault> {
        let epoch = newest.log_epoch();
        let (mut candidates, mut spared) = (Vec::new(), Vec::new());
        for prefix in [LogObject::SEGMENTS, LogObject::RUNS, kek::KEKS] {
            for Listed { name, size, created } in list(bucket, prefix).await? {
                let (kind, past) = match (LogObject::parse(&name), kek::lsn_in(&name)) {
                    (Some(object), _) => {
                        let kind = if prefix == LogObject::RUNS { Kind::Run } else { Kind::Segment };
                        let superseded = self.leader.as_ref().is_some_and(|in_use| in_use.is_past(object));
                        (kind, object.epoch() < epoch || superseded)
                    }
                    (None, Some(lsn)) => (Kind::Kek, lsn < Lsn::first_of(epoch)),
                    // Not ours to judge.
                    (None, None) => continue,
                };
                let fate = if past && self.is_old(created, now) { &mut candidates } else { &mut spared };
                fate.push(Candidate { name, size, kind });
            }
        }
        Ok((candidates, spared))
    }

    fn is_old(&self, created: SystemTime, now: SystemTime) -> bool {
        // What is from the future, by another clock, is not old.
        now.duration_since(created).is_ok_and(|age| age >= self.volume.retention.window)
    }

    /// Marks what the turtles reach that are kept, and says which are not kept, and were superseded long ago.
    async fn retain(
        &self,
        newest: &Published,
        turtles: &[ListedTurtle],
        now: SystemTime,
        marked: &mut Marked,
    ) -> Result<Vec<ListedTurtle>, CheckpointFault> {
        let rule = newest.turtle.retention;
        let kept_for = Duration::from_secs(rule.seconds).max(self.volume.retention.window);
        marked.add(&self.volume, newest).await?;
        let mut checkpoints = BTreeSet::from([newest.turtle.checkpoint_lsn]);
        marked.retained = 1;
        let mut past = Vec::new();
        let mut superseded: Option<SystemTime> = None;
        // One by one, since nobody knows before which is the last that is kept.
        let mut reads = self.volume.turtles.read_back(turtles, 1);
        for turtle in turtles.iter().rev() {
            let since = superseded.replace(turtle.created);
            if turtle.sequence >= newest.version.sequence {
                continue;
            }
            // Without a next one it would be the newest, which is above.
            let recent = since.is_none_or(|since| now.duration_since(since).map_or(true, |age| age < kept_for));
            if !recent && checkpoints.len() >= rule.checkpoints as usize {
                past.push(turtle.clone());
                continue;
            }
            match self.read(&mut reads, turtle.sequence).await {
                Ok(Some(found)) => {
                    let published = Published::of(&found)?;
                    if self.mark(&published, marked).await? {
                        marked.retained += 1;
                        checkpoints.insert(published.turtle.checkpoint_lsn);
                    } else if !recent {
                        past.push(turtle.clone());
                    }
                }
                // Opened, and never written to; nothing hangs on it.
                Ok(None) => {}
                // Removed meanwhile by another collector, or part of no history: it is past when the window has passed.
                Err(error) if error.kind() == ErrorKind::NotFound => {
                    if !recent {
                        past.push(turtle.clone());
                    }
                }
                Err(error) => return Err(error.into()),
            }
        }
        past.reverse();
        Ok(past)
    }

    /// What `reads` says of a turtle, past those above it.
    async fn read(
        &self,
        reads: &mut BoxStream<'_, (u64, plastron_registry::Result<Option<Versioned>>)>,
        sequence: u64,
    ) -> plastron_registry::Result<Option<Versioned>> {
        while let Some((read, found)) = reads.next().await {
            if read == sequence {
                return found;
            }
        }
        self.volume.turtles.turtle(sequence).await
    }
}

impl CollectorReport {
    fn count(&mut self, name: String, size: u64) {
        self.removed_objects += 1;
        self.removed_bytes += size;
        self.names.push(name);
    }
}

/// Removes objects; those that are gone already are fine.
async fn remove_all(bucket: &Bucket, names: impl Iterator<Item = String>) -> Result<(), CheckpointFault> {
    let bucket = Arc::new(bucket.clone());
    let removals = names.map(|name| {
        let bucket = Arc::clone(&bucket);
        async move {
            reach(Failpoint::GcObjectBefore);
            let deleted = bucket.delete(&name).await;
            reach(Failpoint::GcObjectAfter);
            match deleted {
                Ok(()) => Ok(()),
                Err(error) if error.kind() == ErrorKind::NotFound => Ok(()),
                Err(error) => Err(CheckpointFault::from(error)),
            }
        }
    });
    stream::iter(removals).buffer_unordered(AT_ONCE).try_collect::<Vec<()>>().await.map(drop)
}
