//! Inspection: reads everything that checkpoints reach, and explains every fault.

use std::collections::{BTreeMap, HashSet};
use std::fmt;

use plastron_registry::ListedTurtle;

use super::CheckpointFault;
use super::follower::turtle_page;
use super::history::History;
use super::kek::{self, Kek};
use super::listing::list;
use super::pins::Pins;
use super::published::Published;
use super::volume::Volume;
use crate::page_log::{LogObject, Lsn, PageLog, Reach};

/// Everything that Plastron keeps under a prefix.
const ALL: &str = "_plastron/";

/// What an inspection found.
#[derive(Debug, Default)]
#[non_exhaustive]
pub struct Inspection {
    /// Checkpoints looked at.
    pub checkpoints: u64,
    /// Checkpoints of which every record was read: the latest and, if it was asked for, all.
    pub verified: u64,
    /// Pins that hold.
    pub pins: u64,
    /// Segments read.
    pub segments: u64,
    /// Index runs read.
    pub runs: u64,
    /// Records read, opened and unpacked.
    pub records: u64,
    /// Bytes read of them.
    pub bytes: u64,
    /// Objects that nothing reaches.
    pub unreached_objects: u64,
    /// Bytes of them.
    pub unreached_bytes: u64,
    /// Everything that is wrong; each names its object.
    pub faults: Vec<CheckpointFault>,
}

impl Inspection {
    /// Whether nothing is wrong.
    pub fn is_clean(&self) -> bool {
        self.faults.is_empty()
    }

    fn note<T>(&mut self, result: Result<T, CheckpointFault>) -> Option<T> {
        result.map_err(|fault| self.faults.push(fault)).ok()
    }
}

impl fmt::Display for Inspection {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            f,
            "{} checkpoints and {} pins; {} records in {} segments and {} index runs read ({} bytes); {} objects of {} bytes are garbage; {} faults",
            self.checkpoints,
            self.pins,
            self.records,
            self.segments,
            self.runs,
            self.bytes,
            self.unreached_objects,
            self.unreached_bytes,
            self.faults.len()
        )
    }
}

/// Reads everything that checkpoints reach: every checksum, authentication tag and chain. Changes nothing.
#[derive(Debug)]
pub struct Inspector {
    volume: Volume,
    all: bool,
}

impl Inspector {
    /// An inspector of `volume`.
    pub fn new(volume: Volume) -> Self {
        Self { volume, all: false }
    }

    /// Reads every record of every checkpoint, not of the latest only. Of the others it is looked at whether all that they reach is
    /// there, in its size.
    #[must_use]
    pub fn all(mut self, all: bool) -> Self {
        self.all = all;
        self
    }

    /// Inspects, and goes on after a fault.
    ///
    /// # Errors
    /// Those of the bucket and registry that keep it from looking at all, `NotFound` if nothing has been published; what is wrong
    /// with the database is in the inspection.
    pub async fn run(&self) -> Result<Inspection, CheckpointFault> {
        let mut found = Inspection::default();
        let newest = match Published::newest(&self.volume).await {
            Ok(newest) => newest.ok_or_else(|| self.volume.nothing_published())?,
            Err(fault) if fault.kind() == plastron_config::ErrorKind::Corrupt => {
                found.faults.push(fault);
                return Ok(found);
            }
            Err(fault) => return Err(fault),
        };
        let listed = list(&self.volume.system(), ALL).await?;
        let sizes: BTreeMap<&str, u64> = listed.iter().map(|object| (object.name.as_str(), object.size)).collect();
        let mut checkpoints: Vec<Published> = Vec::new();
        for read in History::new(self.volume.clone()).all().await?.into_iter().rev() {
            if let Some(Some(published)) = found.note(read)
                && published.version.sequence < newest.version.sequence
                && checkpoints.last().is_none_or(|last| last.content != published.content)
            {
                checkpoints.push(published);
            }
        }
        checkpoints.retain(|older| older.content != newest.content);
        checkpoints.push(newest);
        found.checkpoints = checkpoints.len() as u64;
        let pins = found.note(Pins::read(&self.volume, self.volume.retention.window).await).unwrap_or_default();
        found.pins = pins.held.len() as u64;
        let mut reach = Reach::new();
        let mut keks = HashSet::new();
        for published in checkpoints.iter().chain(pins.held.iter().map(|pin| &pin.published)) {
            let reached = async {
                let parts = self.volume.parts(&published.turtle.ancestors)?;
                Ok(reach.add(&published.state, &parts).await?)
            };
            found.note(reached.await);
            keks.extend(published.turtle.kek.iter().map(|kek| kek.object.clone()));
        }
        let base = checkpoints.last().map_or(0, |newest| newest.turtle.epoch_base());
        self.presence(&reach, &sizes, base, &mut found);
        let last = checkpoints.len().saturating_sub(1);
        for (at, published) in checkpoints.iter().enumerate() {
            let kek = self.kek(published).await;
            if found.note(kek).is_some() && (self.all || at == last) {
                let verified = self.verify(published, &mut found).await;
                found.note(verified);
                found.verified += 1;
            }
        }
        for object in &listed {
            let log = LogObject::parse(&object.name).is_some() && !reach.contains(&object.name);
            let kek = kek::lsn_in(&object.name).is_some() && !keks.contains(&object.name);
            if log || kek {
                found.unreached_objects += 1;
                found.unreached_bytes += object.size;
            } else if [LogObject::SEGMENTS, LogObject::RUNS, kek::KEKS, ListedTurtle::PREFIX]
                .iter()
                .any(|ours| object.name.starts_with(ours))
                && LogObject::parse(&object.name).is_none()
                && kek::lsn_in(&object.name).is_none()
                && ListedTurtle::sequence_in(&object.name).is_none()
            {
                let check = "it has a name that nothing of a database has; find out who wrote it".to_owned();
                found.faults.push(CheckpointFault::Corrupt { object: object.name.clone(), check });
            }
        }
        Ok(found)
    }

    /// That everything that is reached is there, in its size. What is with ancestors is read only when it is verified.
    fn presence(&self, reach: &Reach, sizes: &BTreeMap<&str, u64>, base: u64, found: &mut Inspection) {
        for (name, size) in reach.objects() {
            if LogObject::parse(name).is_some_and(|object| object.epoch() <= base) {
                continue;
            }
            let check = match sizes.get(name.as_str()) {
                None => format!("it is not there, and a checkpoint that is retained or pinned needs its {size} bytes"),
                Some(there) if there != size => format!("it has {there} bytes, and had {size} when it was written"),
                Some(_) => continue,
            };
            found.faults.push(CheckpointFault::Corrupt { object: name.clone(), check });
        }
    }

    /// That the KEK page is there, and right.
    async fn kek(&self, published: &Published) -> Result<(), CheckpointFault> {
        Kek::load(&self.volume, &published.turtle, None).await.map(drop)
    }

    /// Every record, and the turtle page.
    async fn verify(&self, published: &Published, found: &mut Inspection) -> Result<(), CheckpointFault> {
        let parts = self.volume.parts(&published.turtle.ancestors)?;
        let log = PageLog::open_for_reading(parts, &published.state).await?;
        let verification = log.verify().await;
        found.segments += verification.segments;
        found.runs += verification.runs;
        found.records += verification.records;
        found.bytes += verification.bytes;
        found.faults.extend(verification.faults.into_iter().map(CheckpointFault::from));
        let turtle = &published.turtle;
        let page = turtle_page(&log, Lsn::new(turtle.turtle_page_lsn)).await?;
        let named = page.and_then(|page| page.key_provider).map(|provider| provider.lsn);
        let kek = turtle.kek.as_ref().map(|kek| kek.lsn);
        if turtle.turtle_page_lsn != 0 && named != kek {
            let object = ListedTurtle::object_name(published.version.sequence);
            let check = format!("it names the KEK page at LSN {kek:?}, and its turtle page that at {named:?}");
            return Err(CheckpointFault::Corrupt { object, check });
        }
        Ok(())
    }
}
