//! How large a read-ahead window is and when it moves: arithmetic only.

use std::ops::Range;

use crate::budgets::LONGEST_FETCH_BYTES;

/// Size of a new window, bytes.
const FIRST_BYTES: u64 = 1 << 20;

/// How many times larger it gets each time: four takes it to 32 MiB in three steps, and asks for at most a few times what a reader that
/// stops then has read. Mountpoint for S3 has eight.
const GROWTH: u64 = 4;

/// Requests a full window is divided into. All but one are under way or ready while the reader uses up that one, so the wire is never
/// idle: 24 of 32 MiB are 800 MiB a second behind 30 ms. Each begins where a multiple of its size does: stores keep large objects in parts
/// of 8 MiB, and take twice the work for what lies across two of them.
const REQUESTS: u64 = 4;

/// A window in front of a sequential reader.
///
/// Invariants: its end never moves back; it is at a multiple of the granule or at the object's end; and no more than `size` plus
/// one granule lies between reader and end.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Window {
    size: u64,
    limit: u64,
    granule: u64,
    /// Where the reader was when it was opened.
    start: u64,
    end: u64,
    /// Where it ended when it grew the last time.
    grown: u64,
    fresh: bool,
}

impl Window {
    /// A window of `size` bytes that begins at the reader's `position` and may grow to `limit`. It has 1 MiB at least, and no more than
    /// the limit.
    pub(crate) fn new(position: u64, size: u64, limit: u64, granule: u64) -> Self {
        let end = round_up(position, granule);
        Self { size: size.max(FIRST_BYTES).min(limit), limit, granule, start: position, end, grown: end, fresh: true }
    }

    /// The reader is at `position` of an object of `object` bytes, and is `waiting` for what was asked for or not. Returns what should be
    /// asked for now.
    ///
    /// It grows when half of it is used up. It also grows when the reader has to wait within the part that came with the last growth: what
    /// was asked for then is on its way, and too little for this reader. So it grows twice in the time of one request, not once.
    pub(crate) fn advance(&mut self, position: u64, object: u64, waiting: bool) -> Option<Range<u64>> {
        self.end = self.end.max(round_up(position, self.granule));
        if self.end >= object {
            return None;
        }
        let ahead = self.end - position;
        let outgrown = ahead <= self.size / 2 || (waiting && position > self.grown);
        if !std::mem::take(&mut self.fresh) {
            if outgrown && self.size < self.limit {
                self.size = self.size.saturating_mul(GROWTH).min(self.limit);
                self.grown = self.end;
            } else if ahead > self.threshold() {
                return None;
            }
        }
        let request = self.request_bytes();
        let reach = position.saturating_add(self.size).saturating_add(self.granule - 1);
        let end = if reach < object { reach - reach % request } else { object };
        (self.end < end).then_some(self.end..end)
    }

    /// What [`Window::advance`] wanted has been asked for, up to `end`.
    pub(crate) fn planned(&mut self, end: u64) {
        self.end = self.end.max(end);
    }

    /// Bytes of one request: a share of the window, whole granules. Requests begin at multiples of it.
    pub(crate) fn request_bytes(&self) -> u64 {
        let share = (self.size / REQUESTS).min(LONGEST_FETCH_BYTES);
        (share - share % self.granule).max(self.granule)
    }

    /// The position at which [`Window::advance`] may have something to say again.
    pub(crate) fn next_look(&self, position: u64) -> u64 {
        self.end.saturating_sub(self.threshold()).max(position.saturating_add(self.granule.min(FIRST_BYTES)))
    }

    /// Where it ends.
    pub(crate) fn end(&self) -> u64 {
        self.end
    }

    /// The size for a window that takes this one's place when its reader, now at `position`, comes back to it: no more than was read in
    /// this one, so that a reader that is interrupted again and again never has more fetched for it in vain than it reads.
    pub(crate) fn earned(&self, position: u64) -> u64 {
        self.size.min(position.saturating_sub(self.start))
    }

    /// With how much left ahead it moves: half, or if it is as large as it gets, all but one request.
    fn threshold(&self) -> u64 {
        let half = self.size / 2;
        if self.size < self.limit { half } else { half.max(self.size.saturating_sub(self.request_bytes())) }
    }
}

fn round_up(offset: u64, granule: u64) -> u64 {
    offset.div_ceil(granule).saturating_mul(granule)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn it_grows_up_to_its_limit() {
        let mut window = Window::new(0, 0, 32 << 20, 1 << 18);
        let mut sizes = Vec::new();
        for position in (0..200u64 << 20).step_by(28 << 10) {
            if let Some(wanted) = window.advance(position, 1 << 30, false) {
                window.planned(wanted.end);
                sizes.push(window.size >> 20);
            }
        }
        sizes.dedup();
        assert_eq!(sizes, [1, 4, 16, 32]);
        assert_eq!(window.request_bytes(), 8 << 20);
    }

    #[test]
    fn a_full_window_is_filled_up_request_by_request() {
        let mut window = Window::new(0, 32 << 20, 32 << 20, 1 << 18);
        let mut ahead = Vec::new();
        for position in (0..200u64 << 20).step_by(28 << 10) {
            if let Some(wanted) = window.advance(position, 1 << 30, false) {
                assert!(wanted.end - wanted.start == if position == 0 { 32 << 20 } else { 8 << 20 });
                window.planned(wanted.end);
            }
            ahead.push(window.end() - position);
        }
        assert!(ahead.iter().all(|ahead| (24 << 20..=(32 << 20) + (1 << 18)).contains(ahead)));
    }

    #[test]
    fn a_reader_that_waits_makes_it_grow_once_for_what_came_with_the_last_growth() {
        let mut window = Window::new(100, 0, 32 << 20, 1 << 18);
        let mut ask = |position, waiting| {
            let wanted = window.advance(position, 1 << 30, waiting);
            if let Some(wanted) = &wanted {
                window.planned(wanted.end);
            }
            (wanted.is_some(), window.size >> 20)
        };
        assert_eq!(ask(100, false), (true, 1));
        assert_eq!(ask(1 << 18, true), (false, 1), "it waits for what it asked for by itself");
        assert_eq!(ask((1 << 18) + 100, false), (false, 1), "what it wants is there");
        assert_eq!(ask((1 << 18) + 100, true), (true, 4));
        assert_eq!(ask((1 << 19) + 100, true), (false, 4), "more was asked for, and is on its way");
        assert_eq!(ask((5 << 18) + 100, true), (true, 16));
    }

    #[test]
    fn a_reader_that_comes_back_gets_what_it_has_earned() {
        let mut window = Window::new(1 << 20, 0, 32 << 20, 1 << 18);
        assert_eq!(window.earned(3 << 20), 1 << 20, "no more than it had");
        assert_eq!(window.earned(5 << 18), 1 << 18, "no more than was read in it");
        assert_eq!(Window::new(0, window.earned(5 << 18), 32 << 20, 1 << 18).size, 1 << 20, "but what a new one has");
        window.size = 32 << 20;
        assert_eq!(Window::new(0, window.earned(9 << 20), 32 << 20, 1 << 18).size, 8 << 20);
    }

    proptest! {
        #[test]
        fn every_byte_is_wanted_once_and_in_time(
            shift in 18u32..=24,
            limit in 1u64..64 << 20,
            object in 1u64..256 << 20,
            steps in proptest::collection::vec(1u64..4 << 20, 1..400),
            refused in proptest::collection::vec(any::<bool>(), 1..20),
            first in 0u64..64 << 20,
            waits in proptest::collection::vec(any::<bool>(), 1..20),
        ) {
            let granule = 1u64 << shift;
            let mut window = Window::new(0, first, limit, granule);
            let (mut position, mut asked) = (0u64, 0u64);
            let fates = refused.into_iter().cycle().zip(waits.into_iter().cycle());
            for (step, (refuse, waiting)) in steps.into_iter().zip(fates) {
                position = (position + step).min(object);
                let ahead = window.end();
                match window.advance(position, object, waiting) {
                    Some(wanted) => {
                        prop_assert!(wanted.start >= asked && wanted.start < wanted.end && wanted.end <= object);
                        prop_assert!(wanted.start % granule == 0 && (wanted.end % granule == 0 || wanted.end == object));
                        prop_assert!(wanted.end <= position + window.size + granule);
                        prop_assert!(window.request_bytes().is_multiple_of(granule));
                        prop_assert!(window.size <= limit);
                        if !refuse {
                            asked = wanted.end;
                            window.planned(wanted.end);
                        }
                    }
                    None => prop_assert!(
                        ahead.max(position) >= object || window.end() >= object || window.end() - position > window.size / 2
                    ),
                }
                prop_assert!(window.next_look(position) > position);
            }
        }
    }
}
