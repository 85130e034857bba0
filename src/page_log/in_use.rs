//! Which objects of a writer's own epoch are garbage already, while the writer lives.
//!
//! A state of the log names what was in the bucket at its moment. What it does not name may be on its way: a segment that is being uploaded, or is
//! above the checkpoint, a run that is being made. Only the writer knows. Numbers are given once: what has a number below the next one, and is
//! neither in the log nor on its way, will never be named again.

use std::collections::HashSet;

use super::intake::Intake;

/// An object of a log, by its name.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub(crate) enum LogObject {
    /// `_plastron/log/<epoch>-<sequence>.seg`.
    Segment { epoch: u64, sequence: u64 },
    /// `_plastron/index/<epoch>-<number>.idx`.
    Run { epoch: u64, number: u64 },
}

impl LogObject {
    /// Where segments stand.
    pub(crate) const SEGMENTS: &'static str = "_plastron/log/";
    /// Where index runs stand.
    pub(crate) const RUNS: &'static str = "_plastron/index/";

    /// The object of that name; none for other names.
    pub(crate) fn parse(name: &str) -> Option<Self> {
        let segment = name.strip_prefix(Self::SEGMENTS).and_then(|rest| rest.strip_suffix(".seg"));
        let run = name.strip_prefix(Self::RUNS).and_then(|rest| rest.strip_suffix(".idx"));
        let (epoch, number) = segment.or(run)?.split_once('-')?;
        let decimal = |text: &str| {
            let plain = text.len() == 20 && text.bytes().all(|byte| byte.is_ascii_digit());
            text.parse::<u64>().ok().filter(|_| plain)
        };
        let (epoch, number) = (decimal(epoch)?, decimal(number)?);
        Some(match segment {
            Some(_) => Self::Segment { epoch, sequence: number },
            None => Self::Run { epoch, number },
        })
    }

    /// The epoch of its writer.
    pub(crate) fn epoch(self) -> u64 {
        match self {
            Self::Segment { epoch, .. } | Self::Run { epoch, .. } => epoch,
        }
    }
}

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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_told_apart() {
        let segment = "_plastron/log/00000000000000000003-00000000000000000007.seg";
        assert_eq!(LogObject::parse(segment), Some(LogObject::Segment { epoch: 3, sequence: 7 }));
        let run = "_plastron/index/00000000000000000003-00000000000000000007.idx";
        assert_eq!(LogObject::parse(run), Some(LogObject::Run { epoch: 3, number: 7 }));
        for other in ["_plastron/log/3-7.seg", "_plastron/log/x.seg", "_plastron/kek/00000000000000000007.kek", ""] {
            assert_eq!(LogObject::parse(other), None, "{other}");
        }
    }
}
