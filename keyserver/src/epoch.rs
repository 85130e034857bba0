//! When an epoch's delimiter is proposed.
//!
//! [`decide`] is pure: whoever runs it does so again whenever one of its inputs changes. A delimiter that comes to nothing does no harm, so that the only
//! question is how not to propose too many.

use crate::machine::MAX_TIME_STEP_MS;

/// How often.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct EpochIntervals {
    /// Milliseconds from a head to the next if there are changes: those that come in a burst share an epoch.
    pub min_ms: u64,
    /// Milliseconds from a head to the next if there are none, so that there always is a fresh one.
    pub max_ms: u64,
    /// Milliseconds between two tries of one epoch.
    pub retry_ms: u64,
}

/// What the decision depends on.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct EpochInputs {
    /// Now, in milliseconds since 1970.
    pub now_ms: u64,
    /// Whether this replica is likely the leader.
    pub leads: bool,
    /// The newest epoch that has a head.
    pub delimited: u64,
    /// The newest that is ratified.
    pub ratified: u64,
    /// When the newest head was issued.
    pub issued_ms: u64,
    /// Whether something waits for the next.
    pub pending: bool,
    /// When this replica last tried to make the next epoch.
    pub tried_ms: Option<u64>,
}

/// What to do.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum EpochDecision {
    /// Propose this delimiter now.
    Propose {
        /// The next epoch.
        epoch: u64,
        /// Now.
        issued_ms: u64,
    },
    /// Decide again after that many milliseconds, or when an input has changed.
    Wait(u64),
    /// Decide again when an input has changed.
    Idle,
}

/// Whether to propose a delimiter.
pub fn decide(intervals: &EpochIntervals, inputs: &EpochInputs) -> EpochDecision {
    if inputs.ratified != inputs.delimited {
        return EpochDecision::Idle;
    }
    let interval = if inputs.pending { intervals.min_ms } else { intervals.max_ms };
    // The first epoch is not waited for.
    let due = if inputs.delimited == 0 { 0 } else { inputs.issued_ms.saturating_add(interval) };
    let again = inputs.tried_ms.map_or(0, |tried| tried.saturating_add(intervals.retry_ms));
    match due.max(again).checked_sub(inputs.now_ms).filter(|wait| *wait > 0) {
        Some(wait) => EpochDecision::Wait(wait),
        // Who is not the leader looks again: he may become it without notice.
        None if !inputs.leads => EpochDecision::Wait(intervals.retry_ms.max(1)),
        None => EpochDecision::Propose {
            epoch: inputs.delimited.saturating_add(1),
            // A realm that slept for years comes back in steps that are accepted.
            issued_ms: (inputs.now_ms.max(inputs.issued_ms.saturating_add(intervals.min_ms)))
                .min(inputs.issued_ms.saturating_add(MAX_TIME_STEP_MS)),
        },
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const INTERVALS: EpochIntervals = EpochIntervals { min_ms: 100, max_ms: 1_000, retry_ms: 50 };
    const RATIFIED: EpochInputs = EpochInputs {
        now_ms: 10_000,
        leads: true,
        delimited: 3,
        ratified: 3,
        issued_ms: 9_500,
        pending: true,
        tried_ms: None,
    };

    #[test]
    fn a_delimiter_is_proposed_when_all_of_it_holds() {
        let now = EpochDecision::Propose { epoch: 4, issued_ms: 10_000 };
        for (inputs, expected) in [
            (RATIFIED, now),
            (EpochInputs { delimited: 4, ..RATIFIED }, EpochDecision::Idle),
            (EpochInputs { leads: false, ..RATIFIED }, EpochDecision::Wait(50)),
            (EpochInputs { tried_ms: Some(9_951), ..RATIFIED }, EpochDecision::Wait(1)),
            (EpochInputs { tried_ms: Some(9_950), ..RATIFIED }, now),
            (EpochInputs { issued_ms: 9_901, ..RATIFIED }, EpochDecision::Wait(1)),
            (EpochInputs { issued_ms: 9_900, ..RATIFIED }, now),
            (EpochInputs { pending: false, ..RATIFIED }, EpochDecision::Wait(500)),
            (EpochInputs { pending: false, issued_ms: 9_000, ..RATIFIED }, now),
            (
                EpochInputs { delimited: 0, ratified: 0, pending: false, ..RATIFIED },
                EpochDecision::Propose { epoch: 1, issued_ms: 10_000 },
            ),
            (
                EpochInputs { now_ms: 3 * MAX_TIME_STEP_MS, issued_ms: 5, ..RATIFIED },
                EpochDecision::Propose { epoch: 4, issued_ms: 5 + MAX_TIME_STEP_MS },
            ),
            // A clock that went back waits until it has come up again.
            (EpochInputs { now_ms: 1_000, ..RATIFIED }, EpochDecision::Wait(8_600)),
        ] {
            assert_eq!(decide(&INTERVALS, &inputs), expected, "{inputs:?}");
        }
    }
}
