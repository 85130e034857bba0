//! How large and how often: the sizes of a full run, which takes less than five minutes on two cores, and of a quick one.

use std::time::Duration;

use serde_json::{Value, json};

use super::pairs::Plan;

/// What the comparisons work on.
#[derive(Debug, Clone, Copy)]
pub(super) struct Sizes {
    /// Pairs of each comparison.
    pub(super) plan: Plan,
    /// Bytes of a large object: several parts.
    pub(super) large: u64,
    /// Bytes of a small object: a page.
    pub(super) small: u64,
    /// Small objects in one arm of a pair.
    pub(super) small_objects: usize,
    /// Small objects at once.
    pub(super) small_at_once: usize,
    /// Bytes of the object that is read from the cache.
    pub(super) cached: u64,
    /// Reads in memory in one arm, over all threads.
    pub(super) memory_reads: usize,
    /// Reads of whole blocks on disk in one arm.
    pub(super) disk_reads: usize,
    /// Bytes that are read from front to back behind a latency.
    pub(super) far: u64,
    /// The latency of every request there.
    pub(super) latency: Duration,
    /// Readers of one cold block.
    pub(super) crowd: usize,
    /// Bytes of the object that is read with little memory.
    pub(super) huge: u64,
}

const MIB: u64 = 1 << 20;

impl Sizes {
    /// What the goals speak of.
    pub(super) const FULL: Self = Self {
        plan: Plan { least: 5, most: 25, budget: Duration::from_secs(8), warm_up: true },
        large: 64 * MIB,
        small: 4 << 10,
        small_objects: 256,
        small_at_once: 16,
        cached: 32 * MIB,
        memory_reads: 1 << 19,
        disk_reads: 1024,
        far: 256 * MIB,
        latency: Duration::from_millis(30),
        crowd: 1000,
        huge: 2048 * MIB,
    };

    /// As small as it can be with every line of code still run: proves that the command works, and says nothing about speed.
    pub(super) const QUICK: Self = Self {
        plan: Plan { least: 5, most: 5, budget: Duration::ZERO, warm_up: true },
        large: 9 * MIB,
        small: 4 << 10,
        small_objects: 8,
        small_at_once: 4,
        cached: 2 * MIB,
        memory_reads: 1 << 10,
        disk_reads: 8,
        far: 8 * MIB,
        latency: Duration::from_millis(1),
        crowd: 50,
        huge: 16 * MIB,
    };

    /// As JSON, so that results can be told apart.
    pub(super) fn record(&self) -> Value {
        json!({
            "pairs": { "least": self.plan.least, "most": self.plan.most },
            "large_bytes": self.large,
            "small_bytes": self.small,
            "small_objects": self.small_objects,
            "small_at_once": self.small_at_once,
            "cached_bytes": self.cached,
            "memory_reads": self.memory_reads,
            "disk_reads": self.disk_reads,
            "far_bytes": self.far,
            "latency_ms": self.latency.as_millis() as u64,
            "crowd": self.crowd,
            "huge_bytes": self.huge,
        })
    }
}
