//! Log sequence numbers: what names every record, and how a writer gets new ones.
//!
//! An [`Lsn`] is never used twice, not even after an abandon or a crash. The upper 24 bits are the epoch of the writer that gave
//! it, the lower 40 count within the epoch. A new writer has a higher epoch, so it needs to know nothing of what its predecessor gave
//! out and lost: its numbers are above all of them, and those of a predecessor that sleeps and wakes are below all of its own.
//! Numbers are given under the lock that orders the log, so that their order is the records' order.

use std::fmt;

use super::fault::PageLogFault;

/// Bits of an LSN that count within an epoch: 1.1 × 10¹² records, 12 days at a million a second. A writer that comes to the end
/// publishes itself again with the next epoch.
const COUNT_BITS: u32 = 40;

/// The highest epoch that fits the rest: 16.7 million, one step-up a minute for 31 years.
pub const MAX_EPOCH: u64 = (1 << (u64::BITS - COUNT_BITS)) - 1;

/// A log sequence number: strictly increasing over all records of a database. 0 stands for "none".
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default)]
pub struct Lsn(u64);

impl Lsn {
    /// No record: the base of a full page, the backlink of a first one.
    pub const NONE: Self = Self(0);
    /// Above every record.
    pub const MAX: Self = Self(u64::MAX);

    /// The LSN with this number.
    pub const fn new(number: u64) -> Self {
        Self(number)
    }

    /// Its number.
    pub const fn get(self) -> u64 {
        self.0
    }

    /// Whether it is 0.
    pub const fn is_none(self) -> bool {
        self.0 == 0
    }

    /// Below every LSN of that epoch, and above all of those before; [`Lsn::MAX`] for an epoch that can't be.
    pub(crate) const fn first_of(epoch: u64) -> Self {
        if epoch > MAX_EPOCH { Self::MAX } else { Self(epoch << COUNT_BITS) }
    }

    /// The epoch of the writer that gave it.
    pub const fn epoch(self) -> u64 {
        self.0 >> COUNT_BITS
    }
}

impl fmt::Display for Lsn {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

impl fmt::Debug for Lsn {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

impl From<u64> for Lsn {
    fn from(number: u64) -> Self {
        Self(number)
    }
}

/// Gives the LSNs of one epoch, in order.
#[derive(Debug)]
pub(crate) struct LsnAllocator {
    last: u64,
    end: u64,
}

impl LsnAllocator {
    /// The numbers of `epoch`; `after` is the last one known to be in use. Nobody knows which numbers of its own epoch were given after
    /// it and lost, so that epoch does not go on.
    ///
    /// # Errors
    /// [`PageLogFault::Epoch`] for epoch 0, one above [`MAX_EPOCH`], and one that is not above that of `after`.
    pub(crate) fn new(epoch: u64, after: Lsn) -> Result<Self, PageLogFault> {
        if epoch == 0 || epoch > MAX_EPOCH || epoch <= after.epoch() {
            return Err(PageLogFault::Epoch { epoch, last: after });
        }
        let first = epoch << COUNT_BITS;
        Ok(Self { last: first, end: first | ((1 << COUNT_BITS) - 1) })
    }

    /// The next one.
    ///
    /// # Errors
    /// [`PageLogFault::Exhausted`] at the end of the epoch.
    pub(crate) fn allocate(&mut self) -> Result<Lsn, PageLogFault> {
        if self.last >= self.end {
            return Err(PageLogFault::Exhausted { epoch: self.end >> COUNT_BITS });
        }
        self.last += 1;
        Ok(Lsn(self.last))
    }

    /// The last one given; before the first, a number below it that nobody has.
    pub(crate) fn last(&self) -> Lsn {
        Lsn(self.last)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_rise_within_and_across_epochs() {
        let mut first = LsnAllocator::new(1, Lsn::NONE).unwrap();
        let (a, b) = (first.allocate().unwrap(), first.allocate().unwrap());
        assert!(Lsn::NONE < a && a < b && a.epoch() == 1 && first.last() == b);
        let mut second = LsnAllocator::new(2, a).unwrap();
        let c = second.allocate().unwrap();
        assert!(c > b && c.epoch() == 2);
    }

    #[test]
    fn ends_and_wrong_epochs_are_told() {
        let (second, first) = (Lsn::new(2 << COUNT_BITS), Lsn::new((1 << COUNT_BITS) + 7));
        for (epoch, after) in [(0, Lsn::NONE), (MAX_EPOCH + 1, Lsn::NONE), (1, second), (1, first)] {
            assert!(matches!(LsnAllocator::new(epoch, after), Err(PageLogFault::Epoch { .. })), "{epoch}");
        }
        let end = (2 << COUNT_BITS) - 1;
        let mut last = LsnAllocator { last: end - 1, ..LsnAllocator::new(1, Lsn::NONE).unwrap() };
        assert_eq!(last.allocate().unwrap().get(), end);
        assert!(matches!(last.allocate(), Err(PageLogFault::Exhausted { epoch: 1 })));
        let mut top = LsnAllocator { last: u64::MAX - 1, ..LsnAllocator::new(MAX_EPOCH, first).unwrap() };
        assert_eq!(top.allocate().unwrap(), Lsn::MAX);
        assert!(top.allocate().is_err());
    }
}
