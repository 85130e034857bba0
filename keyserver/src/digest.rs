//! Digests, and the domains that keep them apart.
//!
//! Every hash is BLAKE3 in key-derivation mode, under a context string that names what is hashed and in which version of its format. Two
//! different things never have one digest, and a signature of one never counts as a signature of another.

use std::fmt;

/// 32 bytes of BLAKE3.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default)]
pub struct Digest(pub [u8; 32]);

impl Digest {
    /// Bytes of a digest.
    pub const BYTES: usize = 32;

    /// The digest that stands where there is nothing before: the head before the first, the entry before a name's first.
    pub const NONE: Self = Self([0; 32]);

    /// The bytes.
    pub fn as_bytes(&self) -> &[u8; 32] {
        &self.0
    }

    /// The bit at `depth`, counted from the most significant bit of the first byte; false past the end.
    pub fn bit(&self, depth: usize) -> bool {
        self.0.get(depth / 8).is_some_and(|byte| byte >> (7 - depth % 8) & 1 == 1)
    }

    /// The four bits at `level`, 0 to 63.
    pub(crate) fn nibble(&self, level: usize) -> usize {
        let byte = self.0.get(level / 2).copied().unwrap_or(0);
        usize::from(if level.is_multiple_of(2) { byte >> 4 } else { byte & 15 })
    }

    /// The first `depth` bits, the rest zero.
    pub(crate) fn prefix(&self, depth: usize) -> Self {
        let mut out = self.0;
        for (at, byte) in out.iter_mut().enumerate() {
            let keep = depth.saturating_sub(at * 8).min(8);
            *byte &= (0xff00_u16 >> keep) as u8;
        }
        Self(out)
    }
}

impl fmt::Display for Digest {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.iter().try_for_each(|byte| write!(f, "{byte:02x}"))
    }
}

impl fmt::Debug for Digest {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{self}")
    }
}

impl std::str::FromStr for Digest {
    type Err = crate::Error;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        Ok(Self(crate::encoding::hex_array("digest", text)?))
    }
}

/// What is hashed. The context strings are part of the format and never change; a new version of a format gets a new one.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[cfg_attr(not(feature = "key-module"), allow(dead_code, reason = "the key module's own are among them"))]
pub(crate) enum Domain {
    Realm,
    Entry,
    Profile,
    Policy,
    Head,
    SignEntry,
    SignHead,
    SignAdmission,
    SignPolicyChange,
    SignIssuers,
    SignAuthorities,
    SignCertified,
    Registrar,
    SignKekBlob,
    NodeKey,
    TreeNode,
    TreeLeaf,
    TreeEmpty,
}

impl Domain {
    fn context(self) -> &'static str {
        match self {
            Self::Realm => "plastron keyserver 1: realm",
            Self::Entry => "plastron keyserver 1: entry",
            Self::Profile => "plastron keyserver 1: profile",
            Self::Policy => "plastron keyserver 1: realm policy",
            Self::Head => "plastron keyserver 1: epoch head",
            Self::SignEntry => "plastron keyserver 1: signature of an entry",
            Self::SignHead => "plastron keyserver 1: signature of an epoch head",
            Self::SignAdmission => "plastron keyserver 1: admission of a name",
            Self::SignPolicyChange => "plastron keyserver 1: change of the realm policy",
            Self::SignIssuers => "plastron keyserver 1: change of the issuers",
            Self::SignAuthorities => "plastron keyserver 1: change of the authorities",
            Self::SignCertified => "plastron keyserver 1: registration by a client certificate",
            Self::Registrar => "plastron keyserver 1: registrar key",
            Self::SignKekBlob => "plastron keyserver 1: signature of a blob of KEKs",
            Self::NodeKey => "plastron keyserver 1: key of a node",
            Self::TreeNode => "plastron keyserver 1: tree node",
            Self::TreeLeaf => "plastron keyserver 1: tree leaf",
            Self::TreeEmpty => "plastron keyserver 1: tree empty",
        }
    }

    /// The digest of `parts` after one another. The caller sees to it that they can be told apart: fixed sizes, or the last alone varies.
    pub(crate) fn hash(self, parts: &[&[u8]]) -> Digest {
        let mut hasher = blake3::Hasher::new_derive_key(self.context());
        for part in parts {
            hasher.update(part);
        }
        Digest(*hasher.finalize().as_bytes())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn bits_nibbles_and_prefixes_are_counted_from_the_front() {
        let mut bytes = [0; 32];
        bytes[0] = 0b1010_0110;
        bytes[31] = 1;
        let digest = Digest(bytes);
        assert_eq!((0..8).map(|at| u8::from(digest.bit(at))).collect::<Vec<_>>(), [1, 0, 1, 0, 0, 1, 1, 0]);
        assert!(digest.bit(255) && !digest.bit(254) && !digest.bit(256) && !digest.bit(usize::MAX));
        assert_eq!((digest.nibble(0), digest.nibble(1), digest.nibble(63)), (10, 6, 1));
        assert_eq!(digest.prefix(3).0[0], 0b1010_0000);
        assert_eq!(digest.prefix(0), Digest::NONE);
        assert_eq!(digest.prefix(256), digest);
        assert_eq!(digest.to_string().parse::<Digest>().unwrap(), digest);
    }

    #[test]
    fn no_two_domains_agree() {
        use Domain::*;
        let all = [
            Realm,
            Entry,
            Profile,
            Policy,
            Head,
            SignEntry,
            SignHead,
            SignAdmission,
            SignPolicyChange,
            SignIssuers,
            SignAuthorities,
            SignCertified,
            Registrar,
            SignKekBlob,
            NodeKey,
            TreeNode,
            TreeLeaf,
            TreeEmpty,
        ];
        let digests: std::collections::BTreeSet<_> = all.iter().map(|domain| domain.hash(&[b"same"])).collect();
        assert_eq!(digests.len(), all.len());
    }
}
