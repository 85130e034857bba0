//! The three hashes of a realm's tree.

use crate::Digest;
use crate::digest::Domain;

/// Hashes nodes, leaves and empty places of one realm's tree. Keys are derived once; a hash is then one compression.
#[derive(Clone)]
pub struct TreeHasher {
    node: [u8; 32],
    leaf: [u8; 32],
    empty: [u8; 32],
}

impl std::fmt::Debug for TreeHasher {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("TreeHasher")
    }
}

impl TreeHasher {
    /// The hasher of the realm with that identity.
    pub fn new(realm: &Digest) -> Self {
        let key = |domain: Domain| domain.hash(&[&realm.0]).0;
        Self { node: key(Domain::TreeNode), leaf: key(Domain::TreeLeaf), empty: key(Domain::TreeEmpty) }
    }

    fn pair(key: &[u8; 32], left: &Digest, right: &Digest) -> Digest {
        let mut block = [0; 64];
        let (first, second) = block.split_at_mut(32);
        first.copy_from_slice(&left.0);
        second.copy_from_slice(&right.0);
        Digest(*blake3::keyed_hash(key, &block).as_bytes())
    }

    /// The hash of a node over its two sides.
    pub fn node(&self, left: &Digest, right: &Digest) -> Digest {
        Self::pair(&self.node, left, right)
    }

    /// The hash of the leaf at `index` with the digest `value`.
    pub fn leaf(&self, index: &Digest, value: &Digest) -> Digest {
        Self::pair(&self.leaf, index, value)
    }

    /// The hash of the empty place at the first `depth` bits of `path`.
    pub fn empty(&self, path: &Digest, depth: usize) -> Digest {
        let mut block = [0; 34];
        let (prefix, length) = block.split_at_mut(32);
        prefix.copy_from_slice(&path.prefix(depth).0);
        length.copy_from_slice(&u16::try_from(depth).unwrap_or(u16::MAX).to_be_bytes());
        Digest(*blake3::keyed_hash(&self.empty, &block).as_bytes())
    }
}
