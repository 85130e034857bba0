//! What an object is to the cache: address, name, etag and size, which together never mean two different strings of bytes.

use std::fmt;

/// The identity of one immutable object.
///
/// All four parts are compared, in memory and in the files on disk. The etag is what tells two objects apart that had the same
/// name one after the other, so an object without one should not be cached on disk by whoever cannot rule that out.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct ObjectId {
    address: String,
    name: String,
    etag: String,
    size: u64,
}

impl ObjectId {
    /// The object `name` with `etag` and `size` (bytes) in the bucket at `address` (without secrets: it is written to disk).
    pub fn new(address: impl Into<String>, name: impl Into<String>, etag: impl Into<String>, size: u64) -> Self {
        Self { address: address.into(), name: name.into(), etag: etag.into(), size }
    }

    /// Where the bucket is.
    pub fn address(&self) -> &str {
        &self.address
    }

    /// The object's name in the bucket.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// The provider's etag, as it was when the object was opened.
    pub fn etag(&self) -> &str {
        &self.etag
    }

    /// Bytes.
    pub fn size(&self) -> u64 {
        self.size
    }

    /// FNV-1a over all parts and the block size, 128 bits: names the object's files. Two objects that collide push each other
    /// out of the cache and nothing worse, since the files hold the parts themselves.
    pub(crate) fn digest(&self, block_shift: u32) -> u128 {
        /// Offset basis and prime of 128-bit FNV-1a: <http://www.isthe.com/chongo/tech/comp/fnv/>.
        const BASIS: u128 = 0x6c62_272e_07bb_0142_62b8_2175_6295_c58d;
        const PRIME: u128 = 0x0000_0000_0100_0000_0000_0000_0000_013b;
        let mut digest = BASIS;
        let mut add = |bytes: &[u8]| {
            for &byte in bytes {
                digest = (digest ^ u128::from(byte)).wrapping_mul(PRIME);
            }
        };
        add(&block_shift.to_le_bytes());
        add(&self.size.to_le_bytes());
        for part in [&self.address, &self.name, &self.etag] {
            add(&(part.len() as u64).to_le_bytes());
            add(part.as_bytes());
        }
        digest
    }
}

impl fmt::Display for ObjectId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.name)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn digests_depend_on_every_part_and_on_where_one_ends() {
        let ids = [
            ObjectId::new("a", "b", "c", 1),
            ObjectId::new("a", "b", "c", 2),
            ObjectId::new("a", "b", "d", 1),
            ObjectId::new("a", "bc", "", 1),
            ObjectId::new("ab", "c", "", 1),
            ObjectId::new("", "abc", "", 1),
        ];
        let mut digests: Vec<u128> = ids.iter().flat_map(|id| [id.digest(18), id.digest(12)]).collect();
        digests.sort_unstable();
        digests.dedup();
        assert_eq!(digests.len(), 2 * ids.len());
    }

    #[test]
    fn the_digest_never_changes() {
        let id = ObjectId::new(
            "s3://pages at http://127.0.0.1:8333",
            "table-1.wt",
            "\"5d41402abc4b2a76b9719d911017c592\"",
            300_000,
        );
        assert_eq!(format!("{:032x}", id.digest(18)), "ee22adf92066d08df8b8ed393df58efb");
    }
}
