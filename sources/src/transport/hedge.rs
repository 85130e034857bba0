//! When a slow read gets a second request.
//!
//! The idea is that of "The Tail at Scale" (Dean and Barroso, 2013): wait for as long as 95 % of recent reads of that size took,
//! then ask again and take whichever answer comes first. A budget in per cent of reads bounds the extra load, so that a store that
//! is slow as a whole is not hit twice. Everything here is a handful of atomics.

use std::sync::atomic::{AtomicI64, AtomicU32, AtomicUsize, Ordering};
use std::time::Duration;

use crate::options::HedgeOptions;

/// Reads remembered for each class of sizes.
const WINDOW: usize = 128;
/// Reads of a class before any of it is hedged: fewer say nothing about a 95th percentile.
const ENOUGH: usize = 32;
/// Reads between two looks at the window.
const STRIDE: usize = 16;
/// The longest of each class, bytes; whatever is larger makes the last class.
const CLASSES: [u64; 3] = [64 << 10, 1 << 20, 8 << 20];
/// What one hedge costs of the budget: a read earns `budget_percent` of these.
const HEDGE_COST: i64 = 100;
/// Hedges that may be saved up in quiet times.
const SAVED_HEDGES: i64 = 10;

/// Recent latencies of reads, and the budget for second requests.
#[derive(Debug)]
pub(super) struct Hedging {
    options: HedgeOptions,
    classes: [Window; CLASSES.len() + 1],
    budget: AtomicI64,
}

/// The latest reads of one class of sizes.
#[derive(Debug)]
struct Window {
    micros: [AtomicU32; WINDOW],
    count: AtomicUsize,
    p95: AtomicU32,
}

impl Default for Window {
    fn default() -> Self {
        Self { micros: std::array::from_fn(|_| AtomicU32::new(0)), count: AtomicUsize::new(0), p95: AtomicU32::new(0) }
    }
}

impl Hedging {
    /// Nothing is known yet, and nothing saved.
    pub(super) fn new(options: HedgeOptions) -> Self {
        Self { options, classes: Default::default(), budget: AtomicI64::new(0) }
    }

    /// A read of `size` bytes begins: how long to wait before it is hedged, if it may be.
    pub(super) fn delay(&self, size: u64) -> Option<Duration> {
        if !self.options.enabled {
            return None;
        }
        let earned = i64::from(self.options.budget_percent);
        let limit = SAVED_HEDGES * HEDGE_COST;
        let _ = self.budget.fetch_update(Ordering::Relaxed, Ordering::Relaxed, |had| Some((had + earned).min(limit)));
        let window = self.class(size)?;
        if window.count.load(Ordering::Relaxed) < ENOUGH {
            return None;
        }
        let p95 = Duration::from_micros(u64::from(window.p95.load(Ordering::Relaxed)));
        Some(p95.max(self.options.floor))
    }

    /// Takes one hedge from the budget, if there is one left.
    pub(super) fn spend(&self) -> bool {
        let spent = self
            .budget
            .fetch_update(Ordering::Relaxed, Ordering::Relaxed, |had| (had >= HEDGE_COST).then_some(had - HEDGE_COST));
        spent.is_ok()
    }

    /// A read of `size` bytes was answered after `latency`.
    pub(super) fn record(&self, size: u64, latency: Duration) {
        if let (true, Some(window)) = (self.options.enabled, self.class(size)) {
            window.record(latency);
        }
    }

    fn class(&self, size: u64) -> Option<&Window> {
        let index = CLASSES.iter().position(|limit| size <= *limit).unwrap_or(CLASSES.len());
        self.classes.get(index)
    }
}

impl Window {
    fn record(&self, latency: Duration) {
        let count = self.count.fetch_add(1, Ordering::Relaxed);
        if let Some(slot) = self.micros.get(count % WINDOW) {
            slot.store(u32::try_from(latency.as_micros()).unwrap_or(u32::MAX), Ordering::Relaxed);
        }
        if count % STRIDE == STRIDE - 1 {
            self.look(count + 1);
        }
    }

    /// Finds the 95th percentile of the window, in which `count` reads have been recorded.
    fn look(&self, count: usize) {
        let mut micros = [0; WINDOW];
        for (copy, slot) in micros.iter_mut().zip(&self.micros) {
            *copy = slot.load(Ordering::Relaxed);
        }
        let filled = count.min(WINDOW);
        if let Some(filled) = micros.get_mut(..filled) {
            let (_, p95, _) = filled.select_nth_unstable(filled.len() * 95 / 100);
            self.p95.store(*p95, Ordering::Relaxed);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn hedging(budget_percent: u8) -> Hedging {
        Hedging::new(HedgeOptions { enabled: true, budget_percent, floor: Duration::from_millis(2) })
    }

    #[test]
    fn the_delay_is_the_95th_percentile_of_its_class_but_not_below_the_floor() {
        let hedging = hedging(5);
        assert_eq!(hedging.delay(1_000), None, "nothing is known yet");
        for index in 0..100 {
            hedging.record(1_000, Duration::from_millis(if index % 10 == 0 { 80 } else { 5 }));
            hedging.record(4 << 20, Duration::from_micros(300));
        }
        assert_eq!(hedging.delay(60_000), Some(Duration::from_millis(80)));
        assert_eq!(hedging.delay(5 << 20), Some(Duration::from_millis(2)), "the floor");
        assert_eq!(hedging.delay(900_000), None, "another class");
        for _ in 0..WINDOW {
            hedging.record(1_000, Duration::from_millis(9));
        }
        assert_eq!(hedging.delay(1_000), Some(Duration::from_millis(9)), "old reads are forgotten");
    }

    #[test]
    fn hedges_stay_within_their_share_of_reads() {
        let hedging = hedging(5);
        let mut hedges = 0;
        for read in 1..=10_000 {
            let _ = hedging.delay(1);
            hedges += i64::from(hedging.spend());
            assert!(hedges * 100 <= read * 5, "{hedges} of {read}");
        }
        assert_eq!(hedges, 500);
    }

    #[test]
    fn only_so_many_hedges_are_saved_up() {
        let hedging = hedging(100);
        for _ in 0..1_000 {
            let _ = hedging.delay(1);
        }
        let spent = (0..1_000).filter(|_| hedging.spend()).count();
        assert_eq!(spent as i64, SAVED_HEDGES);
    }

    #[test]
    fn switched_off_means_off() {
        let hedging = Hedging::new(HedgeOptions { enabled: false, ..HedgeOptions::default() });
        for _ in 0..1_000 {
            hedging.record(1, Duration::from_secs(1));
        }
        assert_eq!(hedging.delay(1), None);
        assert!(!hedging.spend());
    }
}
