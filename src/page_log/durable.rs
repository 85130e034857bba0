//! What is in the bucket: runs, and segments that are in none yet. Immutable; a change makes another one.

use std::sync::Arc;

use super::codec::{IndexBlock, IndexEntry, SegmentRef, Trim};
use super::lsn::Lsn;
use super::record::Key;
use super::run::Run;

/// A segment that is in no run yet, with its index in memory.
#[derive(Debug, Clone)]
pub(crate) struct LiveSegment {
    pub(crate) reference: SegmentRef,
    pub(crate) index: IndexBlock,
    pub(crate) trims: Vec<Trim>,
}

/// What is in the bucket, oldest first. The LSNs of no two of them overlap.
#[derive(Debug, Clone, Default)]
pub(crate) struct Durable {
    pub(crate) runs: Vec<Arc<Run>>,
    pub(crate) segments: Vec<Arc<LiveSegment>>,
}

/// A record in the bucket: its segment, and where it is there.
#[derive(Debug, Clone)]
pub(crate) struct Located {
    pub(crate) segment: SegmentRef,
    pub(crate) entry: IndexEntry,
}

/// The one level in which an LSN can be.
#[derive(Debug, Clone)]
pub(crate) enum Level {
    Segment(Arc<LiveSegment>),
    Run(Arc<Run>),
}

impl LiveSegment {
    /// The page's newest record that is not above `key`.
    pub(crate) fn floor(&self, key: &Key) -> Result<Option<Located>, super::PageLogFault> {
        let key = Key { lsn: key.lsn.min(self.reference.limit), ..*key };
        let found = self
            .index
            .floor(&key)
            .map_err(|damage| super::PageLogFault::damaged(self.reference.object_name(), damage))?;
        let found = found.filter(|entry| entry.key.same_page(&key));
        Ok(found.map(|entry| Located { segment: self.reference.clone(), entry }))
    }

    /// With everything above `lsn` hidden.
    fn limited(&self, lsn: Lsn) -> Self {
        let mut limited = self.clone();
        limited.reference.limit = limited.reference.limit.min(lsn);
        limited
    }
}

impl Durable {
    /// The level in which the record with this LSN is, if it is anywhere.
    pub(crate) fn level_of(&self, lsn: Lsn) -> Option<Level> {
        let at = self.segments.partition_point(|segment| segment.reference.first_lsn <= lsn);
        if let Some(segment) = at.checked_sub(1).and_then(|at| self.segments.get(at)) {
            return (lsn <= segment.reference.last_lsn()).then(|| Level::Segment(Arc::clone(segment)));
        }
        let at = self.runs.partition_point(|run| run.reference().first_lsn <= lsn);
        let run = at.checked_sub(1).and_then(|at| self.runs.get(at))?;
        (lsn <= run.reference().last_lsn()).then(|| Level::Run(Arc::clone(run)))
    }

    /// The same without what is above `lsn`.
    pub(crate) fn without_above(&self, lsn: Lsn) -> Self {
        let segments = self.segments.iter().filter(|segment| segment.reference.first_lsn <= lsn);
        let segments = segments.map(|segment| match segment.reference.last_lsn() > lsn {
            true => Arc::new(segment.limited(lsn)),
            false => Arc::clone(segment),
        });
        let runs = self.runs.iter().filter(|run| run.reference().first_lsn <= lsn);
        let runs = runs.map(|run| match run.reference().last_lsn() > lsn {
            true => Arc::new(run.limited(lsn)),
            false => Arc::clone(run),
        });
        Self { segments: segments.collect(), runs: runs.collect() }
    }
}
