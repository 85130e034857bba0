//! Latency histograms: fixed memory, no locks, a relative error of at most an eighth.
//!
//! Durations fall into buckets of microseconds: four to every power of two, so that a bucket's bounds differ by at most a
//! quarter and its middle is off by at most an eighth. 144 buckets reach 2^36 µs (19 hours); whatever is longer counts as that.
//! Recording is one relaxed addition. [`Latencies`] is written by [`super::Stats`] and read as a [`LatencySnapshot`].

use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

/// Buckets to every power of two, as a power of two.
const SUB_BITS: u32 = 2;
/// Buckets to every power of two.
const SUB: u64 = 1 << SUB_BITS;
/// Number of buckets.
pub(crate) const BUCKETS: usize = 144;

/// The bucket `micros` falls into.
fn bucket_of(micros: u64) -> usize {
    if micros < SUB {
        return micros as usize;
    }
    let exponent = 63 - micros.leading_zeros();
    let sub = (micros >> (exponent - SUB_BITS)) & (SUB - 1);
    let index = u64::from(exponent - SUB_BITS + 1) * SUB + sub;
    (index as usize).min(BUCKETS - 1)
}

/// The smallest number of microseconds that falls into bucket `index`.
fn lower_bound(index: usize) -> u64 {
    let index = index as u64;
    if index < SUB {
        return index;
    }
    let exponent = index / SUB - 1;
    (SUB + index % SUB) << exponent
}

/// Durations, counted by many threads at once.
#[derive(Debug)]
pub(crate) struct Latencies {
    counts: [AtomicU64; BUCKETS],
    sum_micros: AtomicU64,
}

impl Default for Latencies {
    fn default() -> Self {
        Self { counts: std::array::from_fn(|_| AtomicU64::new(0)), sum_micros: AtomicU64::new(0) }
    }
}

impl Latencies {
    /// Counts one duration.
    pub(crate) fn record(&self, latency: Duration) {
        let micros = u64::try_from(latency.as_micros()).unwrap_or(u64::MAX);
        if let Some(count) = self.counts.get(bucket_of(micros)) {
            count.fetch_add(1, Ordering::Relaxed);
        }
        self.sum_micros.fetch_add(micros, Ordering::Relaxed);
    }

    /// What has been counted so far; counts that are added meanwhile may be missing from it.
    pub(crate) fn snapshot(&self) -> LatencySnapshot {
        LatencySnapshot {
            counts: self.counts.iter().map(|count| count.load(Ordering::Relaxed)).collect(),
            sum_micros: self.sum_micros.load(Ordering::Relaxed),
        }
    }
}

/// Counted durations, to ask for quantiles.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct LatencySnapshot {
    counts: Vec<u64>,
    sum_micros: u64,
}

impl LatencySnapshot {
    /// How many durations were counted.
    pub fn count(&self) -> u64 {
        self.counts.iter().sum()
    }

    /// All durations together.
    pub fn sum(&self) -> Duration {
        Duration::from_micros(self.sum_micros)
    }

    /// The mean; zero where nothing was counted.
    pub fn mean(&self) -> Duration {
        Duration::from_micros(self.sum_micros.checked_div(self.count()).unwrap_or(0))
    }

    /// The duration that a share of `quantile` (0 to 1) did not exceed, off by at most an eighth; zero where nothing was counted.
    pub fn quantile(&self, quantile: f64) -> Duration {
        let total = self.count();
        // The rank of the wanted duration, from 1 to `total`.
        let rank = ((quantile.clamp(0.0, 1.0) * total as f64).ceil() as u64).max(1);
        let mut seen = 0;
        for (index, count) in self.counts.iter().enumerate() {
            seen += count;
            if *count > 0 && seen >= rank {
                let low = lower_bound(index);
                let high = lower_bound(index + 1).max(low + 1) - 1;
                return Duration::from_micros(low + (high - low) / 2);
            }
        }
        Duration::ZERO
    }

    /// The buckets in which something was counted: largest duration of the bucket, and count.
    pub fn buckets(&self) -> impl Iterator<Item = (Duration, u64)> + '_ {
        self.counts
            .iter()
            .enumerate()
            .filter(|(_, count)| **count > 0)
            .map(|(index, count)| (Duration::from_micros(lower_bound(index + 1) - 1), *count))
    }

    /// Adds the counts of `other`.
    pub fn add(&mut self, other: &Self) {
        if self.counts.len() < other.counts.len() {
            self.counts.resize(other.counts.len(), 0);
        }
        for (mine, theirs) in self.counts.iter_mut().zip(&other.counts) {
            *mine += theirs;
        }
        self.sum_micros += other.sum_micros;
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn buckets_are_contiguous_and_ordered() {
        for index in 0..BUCKETS - 1 {
            let (low, next) = (lower_bound(index), lower_bound(index + 1));
            assert!(low < next, "bucket {index} is empty");
            assert_eq!(bucket_of(low), index);
            assert_eq!(bucket_of(next - 1), index);
        }
        assert_eq!(bucket_of(u64::MAX), BUCKETS - 1);
    }

    #[test]
    fn nothing_counted_is_zero() {
        let empty = Latencies::default().snapshot();
        assert_eq!((empty.count(), empty.mean(), empty.quantile(0.5)), (0, Duration::ZERO, Duration::ZERO));
    }

    proptest! {
        /// Against the sorted list: every quantile is within an eighth of the true one, sums are exact, and adding two
        /// snapshots is the same as counting everything in one.
        #[test]
        fn quantiles_are_close(mut micros in prop::collection::vec(0_u64..10_000_000, 1..300), share in 0.0_f64..1.0, cut in 0_usize..300) {
            let (whole, first, second) = (Latencies::default(), Latencies::default(), Latencies::default());
            for (index, value) in micros.iter().enumerate() {
                whole.record(Duration::from_micros(*value));
                if index < cut { &first } else { &second }.record(Duration::from_micros(*value));
            }
            let snapshot = whole.snapshot();
            micros.sort_unstable();
            let rank = ((share * micros.len() as f64).ceil() as usize).max(1);
            let exact = micros[rank - 1] as f64;
            let found = snapshot.quantile(share).as_micros() as f64;
            prop_assert!((found - exact).abs() <= exact / 8.0 + 1.0, "found {found}, exact {exact}");
            prop_assert_eq!(snapshot.count(), micros.len() as u64);
            prop_assert_eq!(snapshot.sum(), Duration::from_micros(micros.iter().sum()));
            prop_assert_eq!(snapshot.buckets().map(|(_, count)| count).sum::<u64>(), micros.len() as u64);
            let mut added = first.snapshot();
            added.add(&second.snapshot());
            prop_assert_eq!(added, snapshot);
        }
    }
}
