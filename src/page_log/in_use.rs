//! Which objects of a writer's own epoch are garbage already, while the writer lives.
//!
//! A state of the log names what was in the bucket at its moment. What it does not name may be on its way: a segment that is being uploaded, or is
//! above the checkpoint, a run that is being made. Only the writer knows. Numbers are given once: what has a number below the next one, and is
//! neither in the log nor on its way, will never be named again.

use std::collections::HashSet;

use super::intake::Intake;
use super::log_object::LogObject;

/// Which objects of a writer's own epoch a later state may name.
#[derive(Debug, Clone)]
pub(crate) struct InUse {
    epoch: u64,
    segments: HashSet<u64>,
    next_sequence: u64,
    runs: HashSet<u64>,
    next_run: u64,
}

impl InUse {
    pub(super) fn new(epoch: u64, intake: &Intake) -> Self {
        let durable = intake.durable();
        let (sealed, next_sequence, next_run) = intake.numbers();
        let listed = durable.segments.iter().map(|segment| &segment.reference);
        let of_runs = durable.runs.iter().flat_map(|run| run.segments());
        let own = listed.chain(of_runs).filter(|segment| segment.epoch() == epoch);
        let segments = own.map(|segment| segment.sequence()).chain(sealed).collect();
        let runs = durable.runs.iter().map(|run| run.reference()).filter(|run| run.epoch == epoch);
        // One merge at a time: of those that are not in the log, the last one alone may be on its way.
        let runs = runs.map(|run| run.number).chain(next_run.checked_sub(1)).collect();
        Self { epoch, segments, next_sequence, runs, next_run }
    }

    /// Whether `object` is of this writer, and no later state of it can name it.
    pub(crate) fn is_past(&self, object: LogObject) -> bool {
        match object {
            LogObject::Segment { epoch, sequence } => {
                epoch == self.epoch && sequence < self.next_sequence && !self.segments.contains(&sequence)
            }
            LogObject::Run { epoch, number } => {
                epoch == self.epoch && number < self.next_run && !self.runs.contains(&number)
            }
        }
    }
}
