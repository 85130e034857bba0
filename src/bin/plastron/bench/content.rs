//! Bytes to store that nothing on the way can compress, cheap to make.

use bytes::Bytes;

/// A generator of numbers that look random: xorshift64*, <https://doi.org/10.1145/2845077>. The same seed gives the same numbers,
/// so both arms of a pair do the same.
#[derive(Debug, Clone)]
pub(super) struct Numbers(u64);

impl Numbers {
    /// From `seed`.
    pub(super) fn new(seed: u64) -> Self {
        Self(seed.wrapping_mul(0x9e37_79b9_7f4a_7c15) | 1)
    }

    /// The next number.
    pub(super) fn next(&mut self) -> u64 {
        self.0 ^= self.0 >> 12;
        self.0 ^= self.0 << 25;
        self.0 ^= self.0 >> 27;
        self.0.wrapping_mul(0x2545_f491_4f6c_dd1d)
    }

    /// The next number below `bound`.
    pub(super) fn below(&mut self, bound: u64) -> u64 {
        // The high half of the product is even enough for a benchmark.
        ((u128::from(self.next()) * u128::from(bound)) >> 64) as u64
    }
}

/// `length` bytes; another `seed`, other bytes.
pub(super) fn bytes(length: u64, seed: u64) -> Bytes {
    let mut numbers = Numbers::new(seed);
    let length = usize::try_from(length).unwrap_or(usize::MAX);
    let mut data = Vec::with_capacity(length.next_multiple_of(8));
    while data.len() < length {
        data.extend_from_slice(&numbers.next().to_le_bytes());
    }
    data.truncate(length);
    data.into()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn content_has_its_length_and_differs_by_seed() {
        assert_eq!(bytes(0, 1).len(), 0);
        assert_eq!(bytes(13, 1), bytes(13, 1));
        assert_ne!(bytes(4096, 1), bytes(4096, 2));
        let mut numbers = Numbers::new(7);
        let drawn: Vec<u64> = (0..1000).map(|_| numbers.below(10)).collect();
        assert!((0..10).all(|n| drawn.contains(&n)) && drawn.iter().all(|n| *n < 10));
    }
}
