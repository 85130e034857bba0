//! Two ways of doing the same work, measured in turn: A B A B.
//!
//! Machines speed up and slow down, and neighbours come and go. Whatever lasts longer than one pair strikes both of its arms, so
//! the ratio within a pair is far steadier than either rate; the median over the pairs is what a row reports. A pair
//! that goes before them is thrown away: it connects, allocates and fills whatever there is to fill.

use std::time::Duration;

use super::meter::Meter;
use crate::context::Stopwatch;
use crate::failure::Result;

/// How many pairs.
#[derive(Debug, Clone, Copy)]
pub(super) struct Plan {
    /// At least, however long they take.
    pub(super) least: usize,
    /// At the most.
    pub(super) most: usize,
    /// More than `least` only while all of them together have taken less than this.
    pub(super) budget: Duration,
    /// Whether a pair goes before them.
    pub(super) warm_up: bool,
}

/// What the arms of all pairs did: the work each did in a second.
#[derive(Debug, Clone, Default)]
pub(super) struct Pairs {
    ours: Vec<f64>,
    peer: Vec<f64>,
}

/// Work done in some time.
#[derive(Debug, Clone, Copy)]
pub(super) struct Work {
    /// In whatever unit the row has.
    pub(super) amount: f64,
    /// How long it took.
    pub(super) elapsed: Duration,
}

impl Work {
    /// What is done in a second.
    pub(super) fn per_second(self) -> f64 {
        // A clock that stood still would make it infinite, which JSON does not have.
        self.amount / self.elapsed.max(Duration::from_nanos(1)).as_secs_f64()
    }
}

impl Pairs {
    /// What the arms of each pair did, measured elsewhere.
    pub(super) fn of(ours: &[Work], peer: &[Work]) -> Self {
        let rates = |works: &[Work]| works.iter().map(|work| work.per_second()).collect();
        Self { ours: rates(ours), peer: rates(peer) }
    }

    /// Runs `ours` and `peer` in turn; each is given the number of its pair, from 1, or 0 to warm up.
    pub(super) async fn run(
        plan: Plan,
        meter: &Meter,
        mut ours: impl AsyncFnMut(usize) -> Result<Work>,
        mut peer: impl AsyncFnMut(usize) -> Result<Work>,
    ) -> Result<Self> {
        let mut pairs = Self::default();
        let mut watch = Stopwatch::start();
        for number in usize::from(!plan.warm_up)..=plan.most {
            if number > plan.least && watch.elapsed() > plan.budget {
                break;
            }
            meter.pair(number, plan.most);
            let (a, b) = (ours(number).await?, peer(number).await?);
            if number == 0 {
                watch = Stopwatch::start();
                continue;
            }
            pairs.ours.push(a.per_second());
            pairs.peer.push(b.per_second());
        }
        Ok(pairs)
    }

    /// Median of what ours did in a second.
    pub(super) fn measured(&self) -> f64 {
        median(&self.ours)
    }

    /// Median of what the peer did in a second.
    pub(super) fn peer(&self) -> f64 {
        median(&self.peer)
    }

    /// Ours divided by the peer's, pair by pair.
    pub(super) fn ratios(&self) -> Vec<f64> {
        self.ours.iter().zip(&self.peer).map(|(ours, peer)| ours / peer).collect()
    }
}

/// The middle of `values`, or the mean of the two in the middle; 0 for none.
pub(super) fn median(values: &[f64]) -> f64 {
    let mut sorted = values.to_vec();
    sorted.sort_by(f64::total_cmp);
    let middle = sorted.len() / 2;
    let at = |index: usize| sorted.get(index).copied().unwrap_or(0.0);
    if sorted.len().is_multiple_of(2) { (at(middle.wrapping_sub(1)) + at(middle)) / 2.0 } else { at(middle) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_median_is_the_middle() {
        assert_eq!(median(&[]), 0.0);
        assert_eq!(median(&[3.0]), 3.0);
        assert_eq!(median(&[9.0, 1.0, 2.0]), 2.0);
        assert_eq!(median(&[4.0, 1.0, 2.0, 9.0]), 3.0);
    }

    #[tokio::test]
    async fn arms_take_turns_and_the_one_to_warm_up_is_thrown_away() {
        let order = std::cell::RefCell::new(Vec::new());
        let arm = |name: char, number: usize, amount: f64| {
            order.borrow_mut().push((name, number));
            Ok(Work { amount, elapsed: Duration::from_secs(2) })
        };
        let plan = Plan { least: 3, most: 9, budget: Duration::ZERO, warm_up: true };
        let pairs = Pairs::run(
            plan,
            &Meter::none(),
            async |n| arm('a', n, if n == 0 { 1000.0 } else { 4.0 * n as f64 }),
            async |n| arm('b', n, 2.0),
        )
        .await
        .unwrap();
        let expected: Vec<_> = (0..=3).flat_map(|n| [('a', n), ('b', n)]).collect();
        assert_eq!(*order.borrow(), expected);
        assert_eq!(pairs.ratios(), [2.0, 4.0, 6.0]);
        assert_eq!((pairs.measured(), pairs.peer()), (4.0, 1.0));
    }
}
