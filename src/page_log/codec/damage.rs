//! What a decoder finds wrong, before anybody says in which object.

use std::ops::Range;

/// What a decoder finds wrong with bytes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Damage {
    /// They are not what was written.
    Corrupt {
        /// First byte concerned, as an offset in the object.
        start: u64,
        /// One past the last.
        end: u64,
        /// Which check failed, with expected and found values.
        check: String,
    },
    /// They are of a later version.
    Newer { version: u16, supported: u16 },
}

impl Damage {
    /// Bytes of `range` that are not what was written.
    pub(crate) fn corrupt(range: Range<u64>, check: impl Into<String>) -> Self {
        Self::Corrupt { start: range.start, end: range.end, check: check.into() }
    }
}
