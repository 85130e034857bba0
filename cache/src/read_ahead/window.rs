//! How large a read-ahead window is and when it moves: arithmetic only.

use std::ops::Range;

/// Size of a new window, bytes.
const FIRST_BYTES: u64 = 1 << 20;

/// How many times larger it gets each time. A reader that is fast waits one latency for each step: four takes it to 32 MiB in three
/// steps, and asks for at most a few times what a reader that stops then has read. Mountpoint for S3 has eight.
const GROWTH: u64 = 4;

/// Requests a full window is divided into, so that several are in flight and the first one ends early.
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
    end: u64,
    fresh: bool,
}

impl Window {
    /// A window that begins at the reader's `position` and may grow to `limit` bytes.
    pub(crate) fn new(position: u64, limit: u64, granule: u64) -> Self {
        Self { size: FIRST_BYTES.min(limit), limit, granule, end: round_up(position, granule), fresh: true }
    }

    /// The reader is at `position` of an object of `object` bytes. Returns what should be asked for now.
    pub(crate) fn advance(&mut self, position: u64, object: u64) -> Option<Range<u64>> {
        self.end = self.end.max(round_up(position, self.granule));
        if self.end >= object || self.end - position > self.size / 2 {
            return None;
        }
        if !std::mem::take(&mut self.fresh) {
            self.size = self.size.saturating_mul(GROWTH).min(self.limit);
        }
        let end = round_up(position.saturating_add(self.size), self.granule).min(object);
        (self.end < end).then_some(self.end..end)
    }

    /// What [`Window::advance`] wanted has been asked for, up to `end`.
    pub(crate) fn planned(&mut self, end: u64) {
        self.end = self.end.max(end);
    }

    /// Bytes of one request: a share of the window, `longest` at the most, whole granules.
    pub(crate) fn request_bytes(&self, longest: u64) -> u64 {
        let share = (self.size / REQUESTS).min(longest);
        (share - share % self.granule).max(self.granule)
    }

    /// The position at which [`Window::advance`] may have something to say again.
    pub(crate) fn next_look(&self, position: u64) -> u64 {
        self.end.saturating_sub(self.size / 2).max(position.saturating_add(self.granule.min(FIRST_BYTES)))
    }

    /// Where it ends.
    pub(crate) fn end(&self) -> u64 {
        self.end
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
        let mut window = Window::new(0, 32 << 20, 1 << 18);
        let mut sizes = Vec::new();
        for position in (0..200u64 << 20).step_by(28 << 10) {
            if let Some(wanted) = window.advance(position, 1 << 30) {
                sizes.push((wanted.end - position) >> 20);
                window.planned(wanted.end);
            }
        }
        sizes.dedup();
        assert_eq!(sizes, [1, 4, 16, 32]);
        assert_eq!(window.request_bytes(8 << 20), 8 << 20);
    }

    proptest! {
        #[test]
        fn every_byte_is_wanted_once_and_in_time(
            shift in 18u32..=24,
            limit in 1u64..64 << 20,
            object in 1u64..256 << 20,
            steps in proptest::collection::vec(1u64..4 << 20, 1..400),
            refused in proptest::collection::vec(any::<bool>(), 1..20),
        ) {
            let granule = 1u64 << shift;
            let mut window = Window::new(0, limit, granule);
            let (mut position, mut asked) = (0u64, 0u64);
            for (step, refuse) in steps.into_iter().zip(refused.into_iter().cycle()) {
                position = (position + step).min(object);
                let ahead = window.end();
                match window.advance(position, object) {
                    Some(wanted) => {
                        prop_assert!(wanted.start >= asked && wanted.start < wanted.end && wanted.end <= object);
                        prop_assert!(wanted.start % granule == 0 && (wanted.end % granule == 0 || wanted.end == object));
                        prop_assert!(wanted.end <= position + window.size + granule);
                        prop_assert!(window.request_bytes(8 << 20).is_multiple_of(granule));
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
