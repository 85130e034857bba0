//! Read-ahead for readers that go through an object from front to back.
//!
//! Each handle watches its own reads. When the second read in a row begins where the one before ended, a window opens in front of
//! the reader: what lies in it is fetched before it is asked for, by several requests at once. The window begins with 1 MiB and gets
//! four times larger each time the reader has used up half of it, up to the configured limit ([`window`] holds the arithmetic). Behind a latency of L
//! seconds a window of W bytes carries W/L bytes a second: 32 MiB behind 30 ms is 1 GiB/s.
//!
//! What was fetched stays with the window until the reader has passed it, so nothing that is fetched ahead can be evicted before it is
//! used, and none of it pushes other blocks out of memory. It counts against a budget that all handles share; when that is used up,
//! windows grow no further until readers have moved on. Other handles find it too (see [`crate::flights`]).
//!
//! A read that begins elsewhere is a seek: the window is closed and its requests are cancelled. Reads slightly out of order, as of
//! several threads that share a handle, are none as long as they stay inside the window. Dropping the handle closes the window.
//!
//! A reader that hits in memory pays two atomic operations; the lock is taken once per 256 KiB at the most.

mod window;

use std::collections::VecDeque;
use std::ops::Range;
use std::sync::atomic::{AtomicBool, AtomicU32, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use tokio::sync::OwnedSemaphorePermit;

use crate::budgets::{Budgets, LONGEST_FETCH_BYTES};
use crate::fetch::{Fetch, Priority};
use crate::flight::{Flight, Purpose};
use crate::known_objects::KnownObject;
use crate::stats::Event;
use crate::tiers::{Errand, Tiers};
use window::Window;

/// Reads in a row, each beginning where the one before ended, that open a window.
const READS_IN_A_ROW: u32 = 2;

/// How far behind the reader a read may begin without being a seek, bytes.
const BEHIND_BYTES: u64 = 1 << 20;

/// The read-ahead of one handle.
pub(crate) struct ReadAhead {
    /// The window's limit, bytes; 0 turns all of this off.
    limit: u64,
    /// Where a sequential reader would go on.
    expected: AtomicU64,
    /// Reads in a row so far.
    run: AtomicU32,
    /// Where a read may begin without being a seek; empty while there is no window.
    low: AtomicU64,
    high: AtomicU64,
    /// Nothing has to be done before the reader gets here.
    trigger: AtomicU64,
    /// Whether it is known whom to ask.
    has_fetch: AtomicBool,
    state: Mutex<State>,
}

#[derive(Default)]
struct State {
    window: Option<Window>,
    segments: VecDeque<Segment>,
    /// From the first read that brought one; the synchronous path has none.
    fetch: Option<Arc<dyn Fetch>>,
    generation: u64,
}

/// A part of the window: a request, or its answer.
struct Segment {
    flight: Arc<Flight>,
    end: u64,
    own: bool,
    _memory: OwnedSemaphorePermit,
}

impl std::fmt::Debug for ReadAhead {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("ReadAhead")
            .field("limit", &self.limit)
            .field("expected", &self.expected)
            .finish_non_exhaustive()
    }
}

impl ReadAhead {
    /// For a new handle.
    pub(crate) fn new(limit: u64) -> Self {
        Self {
            limit,
            expected: AtomicU64::new(u64::MAX),
            run: AtomicU32::new(0),
            low: AtomicU64::new(0),
            high: AtomicU64::new(0),
            trigger: AtomicU64::new(0),
            has_fetch: AtomicBool::new(false),
            state: Mutex::default(),
        }
    }

    /// Whether the reader goes from front to back at the moment.
    pub(crate) fn is_sequential(&self) -> bool {
        self.run.load(Ordering::Relaxed) >= READS_IN_A_ROW
    }

    /// Notes that `range` (not empty) is being read, and fetches ahead if there is reason to.
    pub(crate) fn advance(
        &self,
        tiers: &Arc<Tiers>,
        object: &Arc<KnownObject>,
        range: &Range<u64>,
        fetch: Option<&Arc<dyn Fetch>>,
    ) {
        if let Some(fetch) = fetch.filter(|_| !self.has_fetch.swap(true, Ordering::Relaxed)) {
            self.lock().fetch = Some(Arc::clone(fetch));
        }
        if range.start == self.expected.load(Ordering::Relaxed) {
            self.expected.store(range.end, Ordering::Relaxed);
            let run = self.run.load(Ordering::Relaxed).saturating_add(1);
            self.run.store(run, Ordering::Relaxed);
            if run < READS_IN_A_ROW {
                return;
            }
        } else if range.start >= self.low.load(Ordering::Relaxed) && range.start < self.high.load(Ordering::Relaxed) {
            self.expected.fetch_max(range.end, Ordering::Relaxed);
        } else {
            self.expected.store(range.end, Ordering::Relaxed);
            self.run.store(1, Ordering::Relaxed);
            if self.high.load(Ordering::Relaxed) > 0 {
                self.close(tiers);
            }
            return;
        }
        let may_ask = self.limit > 0 && self.has_fetch.load(Ordering::Relaxed);
        if may_ask && range.end >= self.trigger.load(Ordering::Relaxed) {
            self.move_window(tiers, object, range);
        }
    }

    /// Ends the window: requests under way are cancelled, and what was fetched is let go.
    pub(crate) fn close(&self, tiers: &Tiers) {
        let mut state = self.lock();
        self.high.store(0, Ordering::Relaxed);
        self.trigger.store(0, Ordering::Relaxed);
        state.window = None;
        for segment in std::mem::take(&mut state.segments) {
            segment.release(tiers);
        }
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn move_window(&self, tiers: &Arc<Tiers>, object: &Arc<KnownObject>, range: &Range<u64>) {
        let mut guard = self.lock();
        let state = &mut *guard;
        // Until something is missed there is nobody to ask, and nothing to ask for.
        let Some(fetch) = state.fetch.clone() else { return };
        let granule = tiers.geometry.granule_bytes();
        let generation = tiers.generation.load(Ordering::Acquire);
        if state.generation != generation {
            state.generation = generation;
            state.window = None;
            state.segments.drain(..).for_each(|segment| segment.release(tiers));
        }
        while state.segments.front().is_some_and(|segment| segment.end <= range.start) {
            if let Some(passed) = state.segments.pop_front() {
                passed.release(tiers);
            }
        }
        let window = state.window.get_or_insert_with(|| Window::new(range.end, self.limit, granule));
        if let Some(wanted) = window.advance(range.end, object.size()) {
            let errand = Errand {
                object: Arc::clone(object),
                fetch,
                purpose: Purpose::Ahead,
                priority: Priority::Data,
                scan: true,
            };
            let longest = window.request_bytes(LONGEST_FETCH_BYTES);
            let reached = plan(tiers, &errand, &wanted, longest, &mut state.segments);
            window.planned(reached);
        }
        let next_segment = state.segments.front().map_or(u64::MAX, |segment| segment.end.saturating_add(1));
        self.trigger.store(window.next_look(range.end).min(next_segment), Ordering::Relaxed);
        self.low.store(range.start.saturating_sub(BEHIND_BYTES), Ordering::Relaxed);
        self.high.store(window.end().max(range.end).saturating_add(1), Ordering::Relaxed);
    }
}

/// Asks for `wanted` (bytes, whole granules) as far as the shared memory goes; returns where that ended.
fn plan(
    tiers: &Arc<Tiers>,
    errand: &Errand,
    wanted: &Range<u64>,
    longest: u64,
    segments: &mut VecDeque<Segment>,
) -> u64 {
    let geometry = tiers.geometry;
    let size = errand.object.size();
    let mut reached = wanted.end;
    let mut permits: Vec<(Range<u64>, OwnedSemaphorePermit)> = Vec::new();
    let memory = |blocks: &Range<u64>| {
        let bytes = geometry.bytes(blocks, size);
        Arc::clone(&tiers.ahead).try_acquire_many_owned(Budgets::units(bytes.end - bytes.start)).ok()
    };
    let granules = geometry.granules(&geometry.blocks(wanted));
    let claim = tiers.claim(errand, granules, longest, |blocks| {
        let start = geometry.start(blocks.start);
        // After the first refusal nothing further ahead is asked for either.
        let permit = if start < reached { memory(blocks) } else { None };
        match permit {
            Some(permit) => permits.push((blocks.clone(), permit)),
            None => reached = reached.min(start),
        }
        start < reached
    });
    for flight in claim.flights {
        let end = geometry.bytes(&flight.blocks, size).end;
        let made =
            permits.iter().position(|(blocks, _)| *blocks == flight.blocks).map(|place| permits.swap_remove(place).1);
        let own = made.is_some();
        if let Some(permit) = made.or_else(|| memory(&flight.blocks)) {
            segments.push_back(Segment { flight, end, own, _memory: permit });
        }
    }
    reached
}

impl Segment {
    fn release(self, tiers: &Tiers) {
        if self.own && !self.flight.was_used() {
            tiers.stats.add(Event::AheadUnusedBytes, self.flight.bytes());
        }
    }
}
