//! Read-ahead for readers that go through an object from front to back.
//!
//! Each handle watches its own reads. When a read begins where one of the last few ended, it is a [`stream`], and a window opens in front
//! of it: what lies in it is fetched before it is asked for, by several requests at once. The window begins with 1 MiB and gets four times
//! larger each time the reader has used up half of it or has to wait for it, up to the configured limit; a full one is filled up request
//! by request ([`window`] holds the arithmetic). Behind a latency of L seconds a window of W bytes carries W/L bytes a second: 32 MiB
//! behind 30 ms is 1 GiB/s, and three quarters of that are always under way or ready.
//!
//! What was fetched stays with the window until the reader has passed it, so nothing that is fetched ahead can be evicted before it is
//! used, and none of it pushes other blocks out of memory. It counts against a budget that all handles share; when that is used up,
//! windows grow no further until readers have moved on. Other handles find it too (see [`crate::flights`]).
//!
//! What a read elsewhere means depends on whether it costs a request:
//!
//! * One that finds its bytes in the cache means nothing. A B-tree's inner pages lie together, so whoever goes through its leaves reads one
//!   of them every few megabytes, and finds it.
//! * One that has to be fetched is a seek: windows are closed and their requests cancelled. If the reader comes back to where it was
//!   nonetheless, its window opens again, as large as what it read in the last one, and from then on it takes 64 such reads in a row to
//!   close it: there are several readers, or one that comes back.
//!
//! So a random reader gets no read-ahead, one that stops in the middle costs a window at the most, and one that shares its handle with
//! others, as all of WiredTiger's threads do, keeps its own. A handle has up to four streams. Dropping it closes their windows.
//!
//! A sequential reader that hits in memory pays two atomic operations; the lock is taken once per 256 KiB at the most.

mod newcomers;
mod stream;
mod window;

use std::collections::VecDeque;
use std::ops::Range;
use std::sync::atomic::{AtomicBool, AtomicU64, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use tokio::sync::OwnedSemaphorePermit;

use crate::budgets::Budgets;
use crate::fetch::{Fetch, Priority};
use crate::flight::Purpose;
use crate::known_objects::KnownObject;
use crate::tiers::{Errand, Tiers};
use newcomers::Newcomers;
use stream::{Segment, Stream};

/// Streams of one handle.
const STREAMS: usize = 4;

/// The read-ahead of one handle.
pub(crate) struct ReadAhead {
    /// The largest window, bytes; 0 turns all of this off.
    limit: u64,
    newcomers: Newcomers,
    /// Streams there are, so that a random reader takes no lock.
    known: AtomicUsize,
    /// Where the current stream's reader is, and how far it gets without the lock.
    at: AtomicU64,
    trigger: AtomicU64,
    /// Whether it is known whom to ask.
    has_fetch: AtomicBool,
    state: Mutex<State>,
}

#[derive(Default)]
struct State {
    streams: Vec<Stream>,
    /// The stream that was read from last; `at` and `trigger` are its.
    current: usize,
    /// From the first read that brought one; the synchronous path has none.
    fetch: Option<Arc<dyn Fetch>>,
    generation: u64,
    reads: u64,
}

impl std::fmt::Debug for ReadAhead {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("ReadAhead").field("limit", &self.limit).field("streams", &self.known).finish_non_exhaustive()
    }
}

impl ReadAhead {
    /// For a new handle.
    pub(crate) fn new(limit: u64) -> Self {
        Self {
            limit,
            newcomers: Newcomers::new(),
            known: AtomicUsize::new(0),
            at: AtomicU64::new(u64::MAX),
            trigger: AtomicU64::new(u64::MAX),
            has_fetch: AtomicBool::new(false),
            state: Mutex::default(),
        }
    }

    /// Whether `range` was just read by a reader that goes from front to back, or is what it reads next.
    pub(crate) fn is_sequential(&self, range: &Range<u64>) -> bool {
        let at = self.at.load(Ordering::Relaxed);
        at == range.start || at == range.end
    }

    /// Notes that `range` (not empty) is being read, and fetches ahead if there is reason to. `fetch` comes with a read that may have to
    /// wait; `missing` says whether it costs a request.
    pub(crate) fn advance(
        &self,
        tiers: &Arc<Tiers>,
        object: &Arc<KnownObject>,
        range: &Range<u64>,
        fetch: Option<&Arc<dyn Fetch>>,
        missing: impl FnOnce() -> bool,
    ) {
        if let Some(fetch) = fetch.filter(|_| !self.has_fetch.swap(true, Ordering::Relaxed)) {
            self.lock().fetch = Some(Arc::clone(fetch));
            self.trigger.store(0, Ordering::Relaxed);
        }
        let nothing_to_do = fetch.is_none() && range.end < self.trigger.load(Ordering::Relaxed);
        let (start, end) = (range.start, range.end);
        if nothing_to_do && self.at.compare_exchange(start, end, Ordering::Relaxed, Ordering::Relaxed).is_ok() {
            return;
        }
        let known = self.known.load(Ordering::Relaxed) > 0;
        if !known && !self.newcomers.knows(range.start) {
            return self.newcomers.note(range.end);
        }
        let mut guard = self.lock();
        let state = &mut *guard;
        self.adopt(state);
        let place = match state.find(range.start) {
            Some(place) => place,
            None if self.newcomers.knows(range.start) => {
                self.newcomers.forget(range.start);
                let place = state.begin(range.start, tiers);
                self.known.store(state.streams.len(), Ordering::Relaxed);
                place
            }
            None => {
                self.newcomers.note(range.end);
                let missed = missing();
                state.streams.iter_mut().for_each(|stream| stream.bystand(missed, tiers));
                return self.publish(state);
            }
        };
        state.current = place;
        self.read(state, tiers, object, range);
        self.publish(state);
    }

    /// Ends all windows: requests under way are cancelled, and what was fetched is let go.
    pub(crate) fn close(&self, tiers: &Tiers) {
        let mut state = self.lock();
        state.streams.iter_mut().for_each(|stream| stream.close(tiers));
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Takes over how far the current stream's reader went without the lock.
    fn adopt(&self, state: &mut State) {
        if let Some(stream) = state.streams.get_mut(state.current) {
            stream.at = self.at.load(Ordering::Relaxed);
        }
    }

    /// Lets the current stream's reader go on without the lock.
    fn publish(&self, state: &State) {
        if let Some(stream) = state.streams.get(state.current) {
            self.trigger.store(stream.trigger, Ordering::Relaxed);
            self.at.store(stream.at, Ordering::Relaxed);
        }
    }

    /// The current stream's reader reads `range`.
    fn read(&self, state: &mut State, tiers: &Arc<Tiers>, object: &Arc<KnownObject>, range: &Range<u64>) {
        let generation = tiers.generation.load(Ordering::Acquire);
        if state.generation != generation {
            state.generation = generation;
            state.streams.iter_mut().for_each(|stream| stream.close(tiers));
        }
        state.reads += 1;
        let Some(stream) = state.streams.get_mut(state.current) else { return };
        stream.used = state.reads;
        stream.follow(range);
        // Until something is missed there is nobody to ask, and nothing to ask for.
        let Some(fetch) = state.fetch.as_ref().filter(|_| self.limit > 0) else {
            stream.trigger = u64::MAX;
            return;
        };
        let granule = tiers.geometry.granule_bytes();
        if let Some((wanted, longest)) = stream.want(range, object.size(), (self.limit, granule), tiers) {
            let errand = Errand {
                object: Arc::clone(object),
                fetch: Arc::clone(fetch),
                purpose: Purpose::Ahead,
                priority: Priority::Data,
                scan: true,
            };
            let reached = plan(tiers, &errand, &wanted, longest, stream.segments());
            stream.planned(reached);
        }
        stream.settle(range);
    }
}

impl State {
    /// The stream whose reader reads at `start`.
    fn find(&self, start: u64) -> Option<usize> {
        // One that goes on where it was comes before one that has this in its window.
        let exactly = self.streams.iter().position(|stream| stream.at == start);
        exactly.or_else(|| self.streams.iter().position(|stream| stream.claims(start)))
    }

    /// A new stream at `at`, in the place of the one that was not read from for the longest time if there are too many.
    fn begin(&mut self, at: u64, tiers: &Tiers) -> usize {
        if self.streams.len() < STREAMS {
            self.streams.push(Stream::new(at));
            return self.streams.len() - 1;
        }
        let oldest = (self.streams.iter().enumerate()).min_by_key(|(_, stream)| stream.used);
        let place = oldest.map_or(0, |(place, _)| place);
        if let Some(stream) = self.streams.get_mut(place) {
            stream.close(tiers);
            *stream = Stream::new(at);
        }
        place
    }
}

/// Asks for `wanted` (bytes, whole granules) as far as the shared memory goes, by requests that end at multiples of `longest`; returns
/// where that ended.
fn plan(
    tiers: &Arc<Tiers>,
    errand: &Errand,
    wanted: &Range<u64>,
    longest: u64,
    segments: &mut VecDeque<Segment>,
) -> u64 {
    let mut start = wanted.start;
    while start < wanted.end {
        let end = (start / longest + 1).saturating_mul(longest).min(wanted.end);
        let reached = ask(tiers, errand, &(start..end), segments);
        if reached < end {
            return reached;
        }
        start = end;
    }
    wanted.end
}

/// Asks for `part` (bytes, whole granules) by one request, if nothing of it is here or under way; returns where the shared memory ended.
fn ask(tiers: &Arc<Tiers>, errand: &Errand, part: &Range<u64>, segments: &mut VecDeque<Segment>) -> u64 {
    let geometry = tiers.geometry;
    let size = errand.object.size();
    let mut reached = part.end;
    let mut permits: Vec<(Range<u64>, OwnedSemaphorePermit)> = Vec::new();
    let memory = |blocks: &Range<u64>| {
        let bytes = geometry.bytes(blocks, size);
        Arc::clone(&tiers.ahead).try_acquire_many_owned(Budgets::units(bytes.end - bytes.start)).ok()
    };
    let granules = geometry.granules(&geometry.blocks(part));
    let claim = tiers.claim(errand, granules, part.end - part.start, |blocks| {
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
        // Another handle's, which may bring several parts.
        if segments.back().is_some_and(|last| Arc::ptr_eq(&last.flight, &flight)) {
            continue;
        }
        let bytes = geometry.bytes(&flight.blocks, size);
        let made =
            permits.iter().position(|(blocks, _)| *blocks == flight.blocks).map(|place| permits.swap_remove(place).1);
        let own = made.is_some();
        if let Some(permit) = made.or_else(|| memory(&flight.blocks)) {
            segments.push_back(Segment { flight, bytes, own, _memory: permit });
        }
    }
    reached
}
