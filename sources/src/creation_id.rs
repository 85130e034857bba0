//! The random number that makes a create safe to repeat.

use std::fmt;

use crate::clock::Entropy;

/// Identifies one creation of one object.
///
/// A provider can lose the acknowledgement of a create: the object is there, but the creator is told that it failed, or, after
/// a retry, that the name is taken. The id is stored with the object, so the creator can look and know its own.
#[derive(Clone, Copy, PartialEq, Eq, Hash)]
pub(crate) struct CreationId(u128);

impl CreationId {
    /// A new id; 128 random bits, so no two creations ever share one.
    pub(crate) fn random(entropy: &dyn Entropy) -> Self {
        Self((u128::from(entropy.next_u64()) << 64) | u128::from(entropy.next_u64()))
    }

    /// Reads what `Display` prints: 32 lower-case hexadecimal digits.
    pub(crate) fn parse(text: &str) -> Option<Self> {
        let sound = text.len() == 32 && text.bytes().all(|byte| matches!(byte, b'0'..=b'9' | b'a'..=b'f'));
        if sound { u128::from_str_radix(text, 16).ok().map(Self) } else { None }
    }

    /// The id as 16 bytes, most significant first, as it stands in a side object.
    pub(crate) fn to_bytes(self) -> [u8; 16] {
        self.0.to_be_bytes()
    }

    /// The other way round.
    pub(crate) fn from_bytes(bytes: [u8; 16]) -> Self {
        Self(u128::from_be_bytes(bytes))
    }
}

impl fmt::Display for CreationId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:032x}", self.0)
    }
}

impl fmt::Debug for CreationId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "CreationId({self})")
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::clock::SystemEntropy;

    #[test]
    fn an_id_prints_and_parses() {
        let entropy = SystemEntropy::default();
        let id = CreationId::random(&entropy);
        assert_eq!(CreationId::parse(&id.to_string()), Some(id));
        assert_eq!(CreationId::from_bytes(id.to_bytes()), id);
        assert_ne!(CreationId::random(&entropy), id);
        for text in ["", "0", &"g".repeat(32), &"A".repeat(32), &"0".repeat(33), "+0000000000000000000000000000000"] {
            assert_eq!(CreationId::parse(text), None, "{text}");
        }
    }
}
