//! The CRC32C of bytes with so many more behind them.
//!
//! A CRC is linear: appending bytes turns each bit of the old sum into some bits of the new one, which depend on nothing but how many
//! bytes come after. So for many blocks of one length that effect is worked out once, as a matrix of 32 columns, and then costs a few
//! nanoseconds a block rather than the microseconds of the general way.

use std::array;
use std::sync::LazyLock;

use super::BLOCK_BYTES;

/// What becomes of each bit of a sum.
#[derive(Debug, Clone, Copy)]
pub(super) struct Shift([u32; 32]);

/// By a block of the length that all objects have today.
static BLOCK: LazyLock<Shift> = LazyLock::new(|| Shift::work_out(BLOCK_BYTES));

impl Shift {
    /// By `length` bytes.
    pub(super) fn by(length: u32) -> Self {
        if length == BLOCK_BYTES { *BLOCK } else { Self::work_out(length) }
    }

    fn work_out(length: u32) -> Self {
        let length = usize::try_from(length).unwrap_or(usize::MAX);
        Self(array::from_fn(|bit| crc32c::crc32c_combine(1 << bit, 0, length)))
    }

    /// The sum of bytes whose first part has the sum `first`, and whose last part, of this shift's length, `last`.
    pub(super) fn combine(&self, first: u32, last: u32) -> u32 {
        let columns = self.0.iter().enumerate();
        columns.fold(last, |sum, (bit, column)| if first >> bit & 1 == 1 { sum ^ column } else { sum })
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn it_is_what_the_library_says(
            first in proptest::collection::vec(any::<u8>(), 0..50), last in proptest::collection::vec(any::<u8>(), 0..50),
        ) {
            let shift = Shift::by(u32::try_from(last.len()).unwrap());
            let whole = [first.clone(), last.clone()].concat();
            prop_assert_eq!(shift.combine(crc32c::crc32c(&first), crc32c::crc32c(&last)), crc32c::crc32c(&whole));
        }

        #[test]
        fn so_it_is_for_a_block(first: u32, last: u32) {
            let block = Shift::by(BLOCK_BYTES);
            prop_assert_eq!(block.combine(first, last), crc32c::crc32c_combine(first, last, BLOCK_BYTES as usize));
        }
    }
}
