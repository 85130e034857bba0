//! Where reads ended that belong to no stream: whoever reads on from there is a new stream.
//!
//! Lock-free, because every read of a random reader comes by here. A race between two threads costs one of them its place, and so a
//! stream begins one read later.

use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};

/// Ends that are remembered. More would make it likelier that a random reader goes on where it once ended by chance.
const ENDS: usize = 4;

/// No read begins here.
const NOWHERE: u64 = u64::MAX;

/// The ends of the last few reads that belonged to no stream.
#[derive(Debug)]
pub(super) struct Newcomers {
    ends: [AtomicU64; ENDS],
    next: AtomicUsize,
}

impl Newcomers {
    /// None yet.
    pub(super) fn new() -> Self {
        Self { ends: [const { AtomicU64::new(NOWHERE) }; ENDS], next: AtomicUsize::new(0) }
    }

    /// Notes that a read ended at `end`.
    pub(super) fn note(&self, end: u64) {
        if self.ends.iter().any(|noted| noted.load(Ordering::Relaxed) == end) {
            return;
        }
        let place = self.next.fetch_add(1, Ordering::Relaxed) % ENDS;
        if let Some(slot) = self.ends.get(place) {
            slot.store(end, Ordering::Relaxed);
        }
    }

    /// Whether one of them ended at `start`.
    pub(super) fn knows(&self, start: u64) -> bool {
        self.ends.iter().any(|end| end.load(Ordering::Relaxed) == start)
    }

    /// Forgets those that ended at `start`: it is a stream now.
    pub(super) fn forget(&self, start: u64) {
        for end in &self.ends {
            // It may have been replaced meanwhile, and then it stays.
            let _ = end.compare_exchange(start, NOWHERE, Ordering::Relaxed, Ordering::Relaxed);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_last_four_are_known() {
        let newcomers = Newcomers::new();
        for end in [1, 2, 3, 3, 3, 4] {
            newcomers.note(end);
        }
        assert!((1..=4).all(|end| newcomers.knows(end)));
        newcomers.note(5);
        assert!(!newcomers.knows(1) && newcomers.knows(2));
        newcomers.forget(2);
        assert!(!newcomers.knows(2) && newcomers.knows(5));
    }
}
