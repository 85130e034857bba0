//! What a collection did.

use std::fmt;

/// What a collection did or, as a dry run, would have done.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct CollectorReport {
    /// Whether nothing was removed.
    pub dry_run: bool,
    /// Checkpoints that are kept by retention, the newest included.
    pub retained_checkpoints: u64,
    /// Pins that hold a checkpoint; those of clones included.
    pub pins: u64,
    /// Objects that retained and pinned checkpoints reach in this volume's page log.
    pub reached_objects: u64,
    /// Bytes of them.
    pub reached_bytes: u64,
    /// Turtle objects removed.
    pub removed_turtles: u64,
    /// Segments removed.
    pub removed_segments: u64,
    /// Index runs removed.
    pub removed_runs: u64,
    /// KEK pages removed.
    pub removed_keks: u64,
    /// Pins that were over, removed.
    pub removed_pins: u64,
    /// All objects removed.
    pub removed_objects: u64,
    /// Bytes of them.
    pub removed_bytes: u64,
    /// Objects that nothing reaches and that stay: too young, or of a leader that may still name them.
    pub spared_objects: u64,
    /// Bytes of them.
    pub spared_bytes: u64,
    /// Names of what was removed, in the order of removal.
    pub names: Vec<String>,
}

impl fmt::Display for CollectorReport {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let verb = if self.dry_run { "would remove" } else { "removed" };
        write!(
            f,
            "{verb} {} objects of {} bytes ({} turtles, {} segments, {} index runs, {} KEK pages, {} pins); {} objects of {} bytes are reached by {} checkpoints and {} pins",
            self.removed_objects,
            self.removed_bytes,
            self.removed_turtles,
            self.removed_segments,
            self.removed_runs,
            self.removed_keks,
            self.removed_pins,
            self.reached_objects,
            self.reached_bytes,
            self.retained_checkpoints,
            self.pins
        )
    }
}
