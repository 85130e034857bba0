//! Names of blocks that are not in the cache but were lately: evicted unread, or turned away. One that is asked for again has shown
//! that it is worth keeping.

use std::collections::{HashSet, VecDeque};

use crate::block_key::IntegerHash;

/// The most that are remembered whatever the cache's size: 24 bytes each, at 24 MiB in all.
const MOST: usize = 1 << 20;

/// A bounded set of fingerprints, in order of arrival.
#[derive(Debug, Default)]
pub(crate) struct Ghost {
    order: VecDeque<u64>,
    known: HashSet<u64, IntegerHash>,
}

impl Ghost {
    /// Remembers `fingerprint`, and no more than `capacity` in all.
    pub(crate) fn remember(&mut self, fingerprint: u64, capacity: usize) {
        if self.known.insert(fingerprint) {
            self.order.push_back(fingerprint);
        }
        while self.order.len() > capacity.min(MOST) {
            if let Some(oldest) = self.order.pop_front() {
                self.known.remove(&oldest);
            }
        }
    }

    /// Whether `fingerprint` is remembered; it is forgotten by this.
    pub(crate) fn recall(&mut self, fingerprint: u64) -> bool {
        self.known.remove(&fingerprint)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_last_ones_are_remembered_once() {
        let mut ghost = Ghost::default();
        (0..100).for_each(|n| ghost.remember(n, 10));
        assert!(!ghost.recall(89) && ghost.recall(90) && !ghost.recall(90) && ghost.recall(99));
        (0..10_000).for_each(|n| {
            ghost.remember(n, 10);
            ghost.recall(n);
        });
        assert!(ghost.order.len() <= 10 && ghost.known.is_empty());
    }
}
