//! One reader that goes from front to back, as far as it can be told from its reads.
//!
//! It is *at* some position. A read that begins there is its next one. So is a read within the window: readers skip what they do not
//! need, and threads that share the work come out of order. After a skip the place before it is remembered for a few reads, and what was
//! fetched from there on is kept: in a tree whose inner pages lie behind their leaves a reader looks ahead and comes back.

use std::collections::VecDeque;
use std::ops::Range;
use std::sync::Arc;

use tokio::sync::OwnedSemaphorePermit;

use super::window::Window;
use crate::flight::Flight;
use crate::stats::Event;
use crate::tiers::Tiers;

/// How far behind the reader a read may begin without being a seek, bytes.
const BEHIND_BYTES: u64 = 1 << 20;

/// Reads after a skip for which the reader may still come back.
const READS_TO_RETURN: u32 = 8;

/// Reads elsewhere that had to be fetched, without one of the stream's own between them, after which its reader is taken to be gone.
/// That many only for a stream whose reader has come back from such a read before; else the first one tells.
const MISSES_TO_END: u32 = 64;

/// Reads elsewhere of any kind after which a window is closed in which nothing is under way: nobody waits for it, and its memory is
/// of use to others.
const READS_TO_END: u32 = 4096;

/// A reader, and what is fetched ahead of it.
#[derive(Debug)]
pub(super) struct Stream {
    /// Where the reader is.
    pub(super) at: u64,
    /// Nothing has to be done before the reader gets here.
    pub(super) trigger: u64,
    /// When it was read from last, in reads of slow paths.
    pub(super) used: u64,
    /// Where the reader was before it skipped something, and how many reads it has for coming back.
    skipped: Option<(u64, u32)>,
    /// Where a read may begin that is this reader's; empty while there is no window.
    low: u64,
    high: u64,
    window: Option<Window>,
    /// Size of the next window.
    earned: u64,
    segments: VecDeque<Segment>,
    /// Whether the reader once came back after a read elsewhere that had to be fetched.
    returns: bool,
    /// Reads elsewhere since the last one here; those among them that had to be fetched.
    elsewhere: u32,
    missed: u32,
}

/// A part of the window: a request, or its answer.
#[derive(Debug)]
pub(super) struct Segment {
    pub(super) flight: Arc<Flight>,
    pub(super) bytes: Range<u64>,
    /// Whether it was asked for by this stream.
    pub(super) own: bool,
    pub(super) _memory: OwnedSemaphorePermit,
}

impl Segment {
    fn release(self, tiers: &Tiers) {
        if self.own && !self.flight.was_used() {
            tiers.stats.add(Event::AheadUnusedBytes, self.flight.bytes());
        }
    }
}

impl Stream {
    /// A reader that is at `at`.
    pub(super) fn new(at: u64) -> Self {
        Self {
            at,
            trigger: 0,
            used: 0,
            skipped: None,
            low: 0,
            high: 0,
            window: None,
            earned: 0,
            segments: VecDeque::new(),
            returns: false,
            elsewhere: 0,
            missed: 0,
        }
    }

    /// Whether a read that begins at `start` is this reader's.
    pub(super) fn claims(&self, start: u64) -> bool {
        start == self.at || (self.low..self.high).contains(&start)
    }

    /// The reader reads `range`, which it claims.
    pub(super) fn follow(&mut self, range: &Range<u64>) {
        self.returns |= self.missed > 0;
        (self.elsewhere, self.missed) = (0, 0);
        match self.skipped {
            Some((before, _)) if before == range.start => {
                self.skipped = None;
                self.at = range.end;
            }
            _ if range.start > self.at => {
                self.skipped = Some((self.at, READS_TO_RETURN));
                self.at = range.end;
            }
            other => {
                let left = |(before, reads): (u64, u32)| Some((before, reads.checked_sub(1)?));
                self.skipped = other.and_then(left);
                self.at = self.at.max(range.end);
            }
        }
    }

    /// Lets go of what the reader has passed, and says what it wants fetched now, if anything: whole granules, and how many bytes each
    /// request should have.
    pub(super) fn want(
        &mut self,
        range: &Range<u64>,
        object: u64,
        (limit, granule): (u64, u64),
        tiers: &Tiers,
    ) -> Option<(Range<u64>, u64)> {
        let passed = self.passed(range.start);
        while self.segments.front().is_some_and(|segment| segment.bytes.end <= passed) {
            if let Some(passed) = self.segments.pop_front() {
                passed.release(tiers);
            }
        }
        let waiting = self.is_under_way(range);
        let window = self.window.get_or_insert_with(|| Window::new(range.end, self.earned, limit, granule));
        let wanted = window.advance(range.end, object, waiting)?;
        Some((wanted, window.request_bytes()))
    }

    /// What was wanted has been asked for, up to `end`.
    pub(super) fn planned(&mut self, end: u64) {
        if let Some(window) = &mut self.window {
            window.planned(end);
        }
    }

    /// Where new requests go.
    pub(super) fn segments(&mut self) -> &mut VecDeque<Segment> {
        &mut self.segments
    }

    /// Works out where the next look is due, and what else is the reader's, after a read of `range`.
    pub(super) fn settle(&mut self, range: &Range<u64>) {
        let Some(window) = &self.window else { return };
        let next_segment = self.segments.front().map_or(u64::MAX, |segment| segment.bytes.end.saturating_add(1));
        self.trigger = window.next_look(range.end).min(next_segment);
        self.low = self.passed(range.start).saturating_sub(BEHIND_BYTES);
        self.high = window.end().max(range.end).saturating_add(1);
    }

    /// Whether the reader has to wait for `range`, and for something that was fetched ahead.
    pub(super) fn is_under_way(&self, range: &Range<u64>) -> bool {
        // Pages do not end where requests do, and one of the two may be here already.
        let within = |segment: &&Segment| segment.bytes.start < range.end && segment.bytes.end > range.start;
        self.segments.iter().filter(within).any(|segment| !segment.flight.ended())
    }

    /// Somebody reads elsewhere, and what he reads had to be fetched or not.
    pub(super) fn bystand(&mut self, missed: bool, tiers: &Tiers) {
        self.elsewhere = self.elsewhere.saturating_add(1);
        self.missed = self.missed.saturating_add(u32::from(missed));
        let gone = missed && (!self.returns || self.missed >= MISSES_TO_END);
        let idle = || self.segments.iter().all(|segment| segment.flight.ended());
        if gone || (self.elsewhere >= READS_TO_END && idle()) {
            self.close(tiers);
        }
    }

    /// Ends the window: requests under way are cancelled, and what was fetched is let go. The reader may come back.
    pub(super) fn close(&mut self, tiers: &Tiers) {
        if let Some(window) = self.window.take() {
            self.earned = window.earned(self.at);
        }
        (self.trigger, self.low, self.high, self.skipped) = (0, 0, 0, None);
        for segment in std::mem::take(&mut self.segments) {
            segment.release(tiers);
        }
    }

    /// Before this nothing is needed any more, when a read begins at `start`.
    fn passed(&self, start: u64) -> u64 {
        self.skipped.map_or(start, |(before, _)| before.min(start))
    }
}
