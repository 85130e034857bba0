//! The key of a block in memory: two integers, and a hash made for them.

use std::hash::{BuildHasher, Hasher};

/// A block of an object: the number the object has in this cache (see [`crate::known_objects`]) and the block's place in it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(crate) struct BlockKey {
    pub(crate) object: u64,
    pub(crate) block: u64,
}

/// Hashes integers by multiplying and folding: a few cycles instead of SipHash's dozens, which matters for a lookup that
/// takes 50 ns in all. Object numbers are ours and not chosen by anybody, so nobody can aim for collisions.
#[derive(Debug, Clone, Copy, Default)]
pub(crate) struct IntegerHash;

impl BuildHasher for IntegerHash {
    type Hasher = IntegerHasher;

    fn build_hasher(&self) -> IntegerHasher {
        IntegerHasher(0x243f_6a88_85a3_08d3) // the first digits of pi
    }
}

/// The state of one [`IntegerHash`].
#[derive(Debug, Clone, Copy)]
pub(crate) struct IntegerHasher(u64);

/// The high and low half of a 128-bit product, folded together.
fn fold(a: u64, b: u64) -> u64 {
    let product = u128::from(a) * u128::from(b);
    (product as u64) ^ ((product >> 64) as u64)
}

impl Hasher for IntegerHasher {
    fn write_u64(&mut self, value: u64) {
        self.0 = fold(self.0.rotate_left(23) ^ value, 0x9e37_79b9_7f4a_7c15).wrapping_add(value);
    }

    fn write_u128(&mut self, value: u128) {
        self.write_u64(value as u64);
        self.write_u64((value >> 64) as u64);
    }

    fn write(&mut self, bytes: &[u8]) {
        for chunk in bytes.chunks(8) {
            let mut word = [0; 8];
            for (to, from) in word.iter_mut().zip(chunk) {
                *to = *from;
            }
            self.write_u64(u64::from_le_bytes(word));
        }
    }

    fn finish(&self) -> u64 {
        fold(self.0 ^ 0x1319_8a2e_0370_7344, 0xa409_3822_299f_31d1)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::collections::HashSet;

    #[test]
    fn neighbours_spread_over_all_bits() {
        let hashes: Vec<u64> = (0..64u64)
            .flat_map(|object| (0..256u64).map(move |block| IntegerHash.hash_one(BlockKey { object, block })))
            .collect();
        assert_eq!(hashes.iter().collect::<HashSet<_>>().len(), hashes.len());
        for bit in 0..64 {
            let ones = hashes.iter().filter(|hash| *hash >> bit & 1 == 1).count();
            assert!((7_500..8_900).contains(&ones), "bit {bit} is set in {ones} of {} hashes", hashes.len());
        }
    }
}
