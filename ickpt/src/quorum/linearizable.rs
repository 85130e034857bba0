//! A checker of histories: is there one order of all operations, that agrees with real time, in which a plain register gives the very same answers?
//!
//! The search of Wing and Gong, with Lowe's memory of states that were seen. An operation whose outcome is not known may stand anywhere behind its begin,
//! or nowhere.

use std::collections::HashSet;

/// What was asked, and what was answered. Values are numbers; 0 is none.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Operation {
    /// Gave this value.
    Read(u64),
    /// From, to; it was done.
    Swap(u64, u64),
    /// From, to; it was not done since this was there.
    Differs(u64, u64),
    /// From, to; it is not known.
    Unknown(u64, u64),
}

/// One operation and its time, begin and end.
#[derive(Debug, Clone, Copy)]
pub(super) struct Event {
    pub(super) operation: Operation,
    pub(super) begin: u64,
    pub(super) end: u64,
}

/// Operations of one history.
pub(super) const MAX_EVENTS: usize = 128;

/// Whether `events` are those of a register that begins with none.
pub(super) fn is_linearizable(events: &[Event]) -> bool {
    assert!(events.len() <= MAX_EVENTS, "the set of done operations is a number of 128 bits");
    let needed = |event: &Event| !matches!(event.operation, Operation::Unknown(..));
    let goal: u128 = events.iter().enumerate().filter(|(_, event)| needed(event)).map(|(at, _)| 1 << at).sum();
    let mut seen = HashSet::new();
    let mut open = vec![(0_u128, 0_u64)];
    while let Some((done, value)) = open.pop() {
        if done & goal == goal {
            return true;
        }
        if !seen.insert((done, value)) {
            continue;
        }
        // Nothing may come before what has ended before it began.
        let left = || events.iter().enumerate().filter(|(at, _)| done & (1 << at) == 0);
        let first_end = left().filter(|(_, event)| needed(event)).map(|(_, event)| event.end).min().unwrap_or(u64::MAX);
        for (at, event) in left().filter(|(_, event)| event.begin <= first_end) {
            let next = match event.operation {
                Operation::Read(found) => (found == value).then_some(value),
                Operation::Swap(from, to) | Operation::Unknown(from, to) => (from == value).then_some(to),
                Operation::Differs(from, found) => (found == value && from != value).then_some(value),
            };
            open.extend(next.map(|next| (done | 1 << at, next)));
        }
    }
    false
}

#[cfg(test)]
mod test {
    use super::Operation::*;
    use super::*;

    fn check(events: &[(Operation, u64, u64)]) -> bool {
        let events: Vec<_> = events
            .iter()
            .map(|(operation, begin, end)| Event { operation: *operation, begin: *begin, end: *end })
            .collect();
        is_linearizable(&events)
    }

    #[test]
    fn what_a_register_does() {
        assert!(check(&[]));
        assert!(check(&[(Read(0), 0, 1), (Swap(0, 1), 2, 3), (Read(1), 4, 5)]));
        assert!(check(&[(Swap(0, 1), 0, 10), (Read(0), 1, 2), (Read(1), 3, 4)]), "seen before it is acknowledged");
        assert!(check(&[(Unknown(0, 1), 0, 1), (Read(0), 2, 3), (Read(1), 4, 5)]), "done late");
        assert!(check(&[(Unknown(0, 1), 0, 1), (Read(0), 2, 3)]), "or never");
        assert!(check(&[(Swap(0, 1), 0, 1), (Differs(0, 1), 2, 3)]));
    }

    #[test]
    fn what_it_does_not() {
        assert!(!check(&[(Swap(0, 1), 0, 1), (Read(0), 2, 3)]), "lost");
        assert!(!check(&[(Swap(0, 1), 0, 10), (Read(1), 1, 2), (Read(0), 3, 4)]), "back in time");
        assert!(!check(&[(Swap(0, 1), 0, 5), (Swap(0, 2), 0, 5)]), "both from the same");
        assert!(!check(&[(Read(7), 0, 1)]), "never written");
        assert!(!check(&[(Unknown(0, 1), 2, 3), (Read(1), 0, 1)]), "before it began");
        assert!(!check(&[(Differs(0, 1), 0, 1)]));
    }
}
