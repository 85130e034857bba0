//! The version that a quorum client gives to a value: who wrote it, and its count among what that writer wrote.

use std::fmt;

/// The number of one who took over. It is unique: 64 bits that grow, and 64 that are random. It is written as 32 hexadecimal digits.
#[derive(Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Default)]
pub struct Epoch(pub u128);

impl Epoch {
    /// The epoch of all that was written without one.
    pub const NONE: Self = Self(0);

    /// One above this, made unique by `random`. None if there is nothing above.
    pub fn next(self, random: u64) -> Option<Self> {
        let count = (self.0 >> 64).checked_add(1).filter(|count| *count <= u128::from(u64::MAX))?;
        Some(Self(count << 64 | u128::from(random)))
    }

    /// Reads 32 hexadecimal digits in small letters; none for anything else, and for zero.
    pub fn parse(text: &str) -> Option<Self> {
        let plain = text.len() == 32 && text.bytes().all(|c| matches!(c, b'0'..=b'9' | b'a'..=b'f'));
        u128::from_str_radix(text, 16).ok().filter(|number| plain && *number != 0).map(Self)
    }
}

impl fmt::Display for Epoch {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:032x}", self.0)
    }
}

impl fmt::Debug for Epoch {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Epoch({self})")
    }
}

/// The version of one value: epoch, then count.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Stamp {
    /// Who wrote it.
    pub epoch: Epoch,
    /// How many that one wrote up to this.
    pub count: u64,
}

impl Stamp {
    /// Reads `epoch-count`, both hexadecimal with all their digits.
    pub fn parse(text: &str) -> Option<Self> {
        let (epoch, count) = text.split_once('-')?;
        let plain = count.len() == 16 && count.bytes().all(|c| matches!(c, b'0'..=b'9' | b'a'..=b'f'));
        let count = u64::from_str_radix(count, 16).ok().filter(|_| plain)?;
        Some(Self { epoch: Epoch::parse(epoch)?, count })
    }
}

impl fmt::Display for Stamp {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}-{:016x}", self.epoch, self.count)
    }
}

#[cfg(test)]
mod test {
    use super::*;
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn reads_what_it_writes(epoch in 1_u128.., count: u64) {
            let stamp = Stamp { epoch: Epoch(epoch), count };
            prop_assert_eq!(Stamp::parse(&stamp.to_string()), Some(stamp));
        }

        #[test]
        fn the_next_epoch_is_above(epoch: u128, random: u64) {
            match Epoch(epoch).next(random) {
                Some(next) => prop_assert!(next > Epoch(epoch)),
                None => prop_assert!(epoch >> 64 == u128::from(u64::MAX)),
            }
        }
    }

    #[test]
    fn other_texts_are_none() {
        let epoch = "00000000000000000000000000000001";
        for text in [
            "",
            "-",
            &format!("{epoch}-1"),
            &format!("{epoch}-000000000000000A"),
            &format!("{}-0000000000000001", "0".repeat(32)),
            &format!("+{}-0000000000000001", &epoch[1..]),
        ] {
            assert_eq!(Stamp::parse(text), None, "{text}");
        }
    }
}
