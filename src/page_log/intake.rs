//! What the log's lock guards: the LSNs, the records that are in no object yet, and the list of what is.
//!
//! Everything here is done in memory and at once; waiting, encoding and uploading are done elsewhere. Invariants:
//! * LSNs rise from runs over segments in the bucket and sealed segments to the open one;
//! * sealed segments leave in the order in which they were sealed, whichever upload ends first, so that the durable LSN has no gaps;
//! * a failed log takes nothing more, and says why.

use std::collections::VecDeque;
use std::sync::Arc;
use std::time::Duration;

use super::PageLogFault;
use super::codec::{LogState, Trim};
use super::durable::{Durable, LiveSegment};
use super::lsn::{Lsn, LsnAllocator};
use super::memory_segment::{MemorySegment, RECORD_COST};
use super::record::{Key, MAX_CHAIN, PageFlags, Record, RecordKind};
use super::run::Run;
use super::trims::Trims;
use bytes::Bytes;

/// A record that has no LSN yet.
#[derive(Debug, Clone)]
pub(crate) struct Draft {
    pub(crate) table: u64,
    pub(crate) page: u64,
    pub(crate) kind: RecordKind,
    pub(crate) backlink: Lsn,
    pub(crate) base: Lsn,
    pub(crate) flags: PageFlags,
    pub(crate) payload: Bytes,
}

/// A segment that takes no more records.
#[derive(Debug)]
struct Sealed {
    sequence: u64,
    segment: Arc<MemorySegment>,
    stage: Stage,
}

#[derive(Debug)]
enum Stage {
    Waiting,
    Uploading,
    Uploaded(Box<LiveSegment>),
}

/// A sealed segment to be uploaded.
#[derive(Debug, Clone)]
pub(crate) struct UploadJob {
    pub(crate) sequence: u64,
    pub(crate) segment: Arc<MemorySegment>,
}

/// What a record takes of `budget`; one that is larger than all of it takes all of it.
pub(crate) fn cost(payload: usize, budget: u64) -> u64 {
    (payload as u64 + RECORD_COST).min(budget)
}

/// What the log's lock guards.
#[derive(Debug)]
pub(crate) struct Intake {
    /// None for a log that is opened for reading.
    allocator: Option<LsnAllocator>,
    /// Where a log that is opened for reading ends.
    readable: Lsn,
    open: MemorySegment,
    sealed: VecDeque<Sealed>,
    durable: Arc<Durable>,
    trims: Arc<Trims>,
    /// LSNs that were given and then abandoned: first and last of each lot.
    abandoned: Vec<(Lsn, Lsn)>,
    next_sequence: u64,
    next_run: u64,
    /// The last completed checkpoint: what is not above it is never abandoned.
    settled: Lsn,
    failed: Option<PageLogFault>,
    /// Counts what makes records unreadable that were readable: abandons and trims.
    generation: u64,
    /// Most that all records together may take.
    budget: u64,
}

impl Intake {
    /// What `state` says, of which `durable` was opened; `allocator` for a log that is written.
    pub(crate) fn new(state: &LogState, durable: Durable, allocator: Option<LsnAllocator>, budget: u64) -> Self {
        let in_segments = durable.segments.iter().flat_map(|segment| {
            let limit = segment.reference.limit;
            segment.trims.iter().copied().filter(move |trim| trim.lsn <= limit)
        });
        let mut trims: Vec<Trim> = state.trims.iter().copied().chain(in_segments).collect();
        trims.sort_unstable_by_key(|trim| trim.lsn);
        Self {
            allocator,
            readable: state.last_lsn,
            open: MemorySegment::default(),
            sealed: VecDeque::new(),
            durable: Arc::new(durable),
            trims: Arc::new(Trims::new(trims)),
            abandoned: Vec::new(),
            next_sequence: state.next_sequence,
            next_run: state.next_run,
            settled: state.last_lsn,
            failed: None,
            generation: 0,
            budget,
        }
    }

    /// The last LSN given, or readable.
    pub(crate) fn last(&self) -> Lsn {
        self.allocator.as_ref().map_or(self.readable, LsnAllocator::last)
    }

    /// Everything that is not above it is in the bucket.
    pub(crate) fn durable_lsn(&self) -> Lsn {
        let first = self.sealed.front().map_or(&self.open, |sealed| &*sealed.segment).first_lsn();
        first.map_or(self.last(), |first| Lsn::new(first.get() - 1))
    }

    pub(crate) fn generation(&self) -> u64 {
        self.generation
    }

    pub(crate) fn durable(&self) -> &Arc<Durable> {
        &self.durable
    }

    pub(crate) fn trims(&self) -> &Arc<Trims> {
        &self.trims
    }

    pub(crate) fn settled(&self) -> Lsn {
        self.settled
    }

    /// Takes note of a completed checkpoint.
    pub(crate) fn settle(&mut self, lsn: Lsn) {
        self.settled = self.settled.max(lsn.min(self.last()));
    }

    /// Fails if the log can't be written.
    fn writable(&mut self, operation: &'static str) -> Result<&mut LsnAllocator, PageLogFault> {
        match (&self.failed, &mut self.allocator) {
            (Some(fault), _) => Err(fault.clone()),
            (None, Some(allocator)) => Ok(allocator),
            (None, None) => Err(PageLogFault::ReadOnly { operation }),
        }
    }

    /// Why the log has failed, if it has.
    pub(crate) fn failure(&self) -> Option<&PageLogFault> {
        self.failed.as_ref()
    }

    /// The log takes nothing more.
    pub(crate) fn fail(&mut self, fault: PageLogFault) {
        self.failed.get_or_insert(fault);
    }

    /// Gives a record its LSN and keeps it; the caller has `cost` of the budget for it.
    ///
    /// # Errors
    /// [`PageLogFault::BadPut`], [`PageLogFault::ChainTooLong`] for a record that contradicts the log; why nothing can be written.
    pub(crate) fn append(&mut self, draft: Draft, now: Duration) -> Result<Lsn, PageLogFault> {
        self.writable("put")?;
        let depth = self.check(&draft)?;
        let cost = cost(draft.payload.len(), self.budget);
        let lsn = self.writable("put")?.allocate()?;
        let Draft { table, page, kind, backlink, base, flags, payload } = draft;
        if kind == RecordKind::Trim {
            Arc::make_mut(&mut self.trims).push(Trim { lsn, table, start: base });
            self.generation += 1;
        }
        let record = Record { key: Key::new(table, page, lsn), kind, backlink, base, flags, payload };
        self.open.push(record, depth, cost, now);
        Ok(lsn)
    }

    /// Gives an LSN to what is recorded elsewhere.
    pub(crate) fn allocate(&mut self) -> Result<Lsn, PageLogFault> {
        self.writable("allocate an LSN")?.allocate()
    }

    /// Checks a draft against what is known, and says how long its chain is at least.
    fn check(&self, draft: &Draft) -> Result<u8, PageLogFault> {
        let Draft { table, page, kind, backlink, base, .. } = *draft;
        let bad = |reason: String| Err(PageLogFault::BadPut { table, page, reason });
        let last = self.last();
        if kind != RecordKind::Trim && (backlink > last || base > last) {
            return bad(format!("backlink {backlink} and base {base} must be in the log, which ends at {last}"));
        }
        if kind != RecordKind::Delta {
            return Ok(1);
        }
        if base.is_none() || backlink < base {
            return bad(format!(
                "a delta needs the LSN of its full page as base and that of the record before it as backlink, not {base} and {backlink}"
            ));
        }
        let key = Key::new(table, page, backlink);
        let Some((depth, before)) = self.in_memory().find_map(|segment| segment.depth(&key)) else {
            if backlink > self.durable_lsn() {
                return bad(format!("there is no record at its backlink {backlink}"));
            }
            return Ok(if backlink == base { 2 } else { 3 });
        };
        let true_base = match before.kind {
            RecordKind::Full => before.key.lsn,
            RecordKind::Delta => before.base,
            RecordKind::Discard | RecordKind::Trim => return bad(format!("it was discarded at {backlink}")),
        };
        if true_base != base {
            return bad(format!("its base is {true_base}, not {base}, by the record at its backlink {backlink}"));
        }
        if usize::from(depth) >= MAX_CHAIN {
            return Err(PageLogFault::ChainTooLong { table, page, lsn: backlink });
        }
        Ok(depth + 1)
    }

    /// Segments in memory, newest first.
    pub(crate) fn in_memory(&self) -> impl Iterator<Item = &MemorySegment> {
        std::iter::once(&self.open).chain(self.sealed.iter().rev().map(|sealed| &*sealed.segment))
    }

    /// The open segment.
    pub(crate) fn open(&self) -> &MemorySegment {
        &self.open
    }

    /// Somebody waits for `lsn` to be durable. Seals the open segment if it is in there and must not wait for others.
    pub(crate) fn await_lsn(&mut self, lsn: Lsn, now: bool) {
        if self.open.first_lsn().is_some_and(|first| first <= lsn) {
            self.open.set_awaited();
            if now {
                self.seal();
            }
        }
    }

    /// Closes the open segment, if there is anything in it.
    pub(crate) fn seal(&mut self) {
        if self.open.is_empty() {
            return;
        }
        let segment = Arc::new(std::mem::take(&mut self.open));
        self.sealed.push_back(Sealed { sequence: self.next_sequence, segment, stage: Stage::Waiting });
        self.next_sequence += 1;
    }

    /// Whether any sealed segment is on its way.
    pub(crate) fn has_sealed(&self) -> bool {
        !self.sealed.is_empty()
    }

    /// The number that the open segment will have.
    pub(crate) fn next_sequence(&self) -> u64 {
        self.next_sequence
    }

    /// The segment that is uploaded next, if one is sealed.
    pub(crate) fn waiting(&self) -> Option<&MemorySegment> {
        let waiting = self.sealed.iter().find(|sealed| matches!(sealed.stage, Stage::Waiting))?;
        Some(&waiting.segment)
    }

    /// Whether the segment of that number is still to be handed over: it is none that was abandoned.
    pub(crate) fn is_sealed(&self, sequence: u64) -> bool {
        self.sealed.iter().any(|sealed| sealed.sequence == sequence)
    }

    /// The next segment to be uploaded.
    pub(crate) fn next_upload(&mut self) -> Option<UploadJob> {
        if self.failed.is_some() {
            return None;
        }
        let waiting = self.sealed.iter_mut().find(|sealed| matches!(sealed.stage, Stage::Waiting))?;
        waiting.stage = Stage::Uploading;
        Some(UploadJob { sequence: waiting.sequence, segment: Arc::clone(&waiting.segment) })
    }

    /// A segment is in the bucket. Says what that frees of the budget.
    pub(crate) fn uploaded(&mut self, sequence: u64, live: LiveSegment) -> u64 {
        if let Some(sealed) = self.sealed.iter_mut().find(|sealed| sealed.sequence == sequence) {
            sealed.stage = Stage::Uploaded(Box::new(live));
        }
        let mut freed = 0;
        let mut durable = None;
        while let Some(Sealed { stage: Stage::Uploaded(_), .. }) = self.sealed.front() {
            let Some(Sealed { segment, stage: Stage::Uploaded(mut live), .. }) = self.sealed.pop_front() else { break };
            live.reference.limit = live.reference.limit.min(segment.limit());
            freed += segment.cost();
            durable.get_or_insert_with(|| Durable::clone(&self.durable)).segments.push(Arc::new(*live));
        }
        if let Some(durable) = durable {
            self.durable = Arc::new(durable);
        }
        freed
    }

    /// Drops every record above `lsn`. Says what that frees of the budget.
    ///
    /// # Errors
    /// [`PageLogFault::Settled`] below a completed checkpoint; why nothing can be written.
    pub(crate) fn abandon(&mut self, lsn: Lsn) -> Result<u64, PageLogFault> {
        self.writable("abandon")?;
        let (last, settled) = (self.last(), self.settled);
        if lsn < settled {
            return Err(PageLogFault::Settled { lsn, settled });
        }
        if lsn >= last {
            return Ok(0);
        }
        let budget = self.budget;
        let mut freed = self.open.truncate(lsn, |record| cost(record.payload.len(), budget));
        while let Some(sealed) = self.sealed.back_mut() {
            if sealed.segment.first_lsn().is_some_and(|first| first > lsn) {
                // If it is being uploaded, it will be an object that nothing refers to.
                freed += sealed.segment.cost();
                self.sealed.pop_back();
                continue;
            }
            if sealed.segment.last_lsn().is_some_and(|last| last > lsn) {
                Arc::make_mut(&mut sealed.segment).hide_above(lsn);
            }
            break;
        }
        self.durable = Arc::new(self.durable.without_above(lsn));
        self.trims = Arc::new(self.trims.up_to(lsn));
        self.abandoned.push((Lsn::new(lsn.get() + 1), last));
        self.generation += 1;
        // An LSN that nothing has, so that the last one given is none that was abandoned. At the end of the epoch there is none left.
        drop(self.allocate());
        Ok(freed)
    }

    /// Whether the LSN was given and abandoned.
    pub(crate) fn is_abandoned(&self, lsn: Lsn) -> bool {
        self.abandoned.iter().any(|(first, last)| (*first..=*last).contains(&lsn))
    }

    /// What the log is made of, without what is above `lsn` or not in the bucket yet.
    pub(crate) fn state_at(&self, database: u128, lsn: Lsn) -> LogState {
        let last_lsn = lsn.min(self.durable_lsn());
        let durable = self.durable.without_above(last_lsn);
        LogState {
            database,
            last_lsn,
            next_sequence: self.next_sequence,
            next_run: self.next_run,
            runs: durable.runs.iter().map(|run| run.reference().clone()).collect(),
            segments: durable.segments.iter().map(|segment| segment.reference.clone()).collect(),
            trims: self.trims.up_to(last_lsn).list(self.settled),
        }
    }

    /// The numbers of segments that are sealed and not handed over yet, and of the next segment and run.
    pub(crate) fn numbers(&self) -> (Vec<u64>, u64, u64) {
        (self.sealed.iter().map(|sealed| sealed.sequence).collect(), self.next_sequence, self.next_run)
    }

    /// The number of the next run.
    pub(crate) fn next_run(&mut self) -> u64 {
        self.next_run += 1;
        self.next_run - 1
    }

    /// Puts `run` in the place of `before`, if all of that is still there as it was. Says whether it did.
    pub(crate) fn replace(&mut self, before: &Durable, run: Option<Arc<Run>>) -> bool {
        let same_runs = before.runs.iter().all(|old| self.durable.runs.iter().any(|now| Arc::ptr_eq(old, now)));
        let same_segments =
            before.segments.iter().all(|old| self.durable.segments.iter().any(|now| Arc::ptr_eq(old, now)));
        if !same_runs || !same_segments || self.allocator.is_none() {
            return false;
        }
        let mut after = Durable::clone(&self.durable);
        after.runs.retain(|now| !before.runs.iter().any(|old| Arc::ptr_eq(old, now)));
        after.segments.retain(|now| !before.segments.iter().any(|old| Arc::ptr_eq(old, now)));
        after.runs.extend(run);
        self.durable = Arc::new(after);
        true
    }

    /// Takes another state, for a log that is opened for reading.
    pub(crate) fn advance(&mut self, next: Self) {
        let generation = self.generation + 1;
        *self = Self { generation, ..next };
    }
}
