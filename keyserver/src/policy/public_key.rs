//! Ed25519 keys and signatures.
//!
//! There is one spelling of a public key: the canonical encoding of a point that is not of small order. Signatures are checked strictly (RFC 8032
//! without its leniencies), so that all replicas and verifiers agree on each of them. Private keys are zeroized and never printed.
//!
//! What is strict is said by `verify_strict` of `ed25519-dalek`, with which signatures were checked first: S is below the group's order, neither key nor R is of
//! small order, R is the canonical encoding of S·B − k·A, without a factor of eight. AWS-LC computes that in two thirds of the time, and differs only in what
//! spellings and orders it takes; those are refused here by their bytes. `tests/signatures.rs` compares both over all that is known to divide implementations.

use aws_lc_rs::signature::{ED25519, UnparsedPublicKey};
use ed25519_dalek::Signer as _;
use zeroize::Zeroizing;

use crate::{Digest, Error, Result};

/// The ordinates of the eight points of small order, of which each but 1 and −1 belongs to two points: 0 (order 4), 1, −1, and two of order 8.
const SMALL_ORDER: [[u8; 32]; 5] = [
    [0; 32],
    [1, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0],
    [
        0xec, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff,
        0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0x7f,
    ],
    [
        0x26, 0xe8, 0x95, 0x8f, 0xc2, 0xb2, 0x27, 0xb0, 0x45, 0xc3, 0xf4, 0x89, 0xf2, 0xef, 0x98, 0xf0, 0xd5, 0xdf,
        0xac, 0x05, 0xd3, 0xc6, 0x33, 0x39, 0xb1, 0x38, 0x02, 0x88, 0x6d, 0x53, 0xfc, 0x05,
    ],
    [
        0xc7, 0x17, 0x6a, 0x70, 0x3d, 0x4d, 0xd8, 0x4f, 0xba, 0x3c, 0x0b, 0x76, 0x0d, 0x10, 0x67, 0x0f, 0x2a, 0x20,
        0x53, 0xfa, 0x2c, 0x39, 0xcc, 0xc6, 0x4e, 0xc7, 0xfd, 0x77, 0x92, 0xac, 0x03, 0x7a,
    ],
];

/// Whether the canonical encoding of a point, with either sign, is that of one of small order.
fn is_of_small_order(mut bytes: [u8; 32]) -> bool {
    let [.., last] = &mut bytes;
    *last &= 0x7f;
    SMALL_ORDER.contains(&bytes)
}

/// A public key.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct PublicKey([u8; 32]);

impl PublicKey {
    /// Bytes of a key.
    pub const BYTES: usize = 32;

    /// A key from its bytes.
    ///
    /// # Errors
    /// `Invalid` for anything but the one spelling of a usable key.
    pub fn from_bytes(bytes: [u8; 32]) -> Result<Self> {
        // The other spellings are a y that is not reduced, and a sign for an x of 0, which only points of small order have.
        let key = Self::named(bytes).filter(|_| !is_of_small_order(bytes));
        key.filter(|_| curve25519_dalek::edwards::CompressedEdwardsY(bytes).decompress().is_some()).ok_or_else(|| {
            let why = format!("{} is not the canonical encoding of a usable Ed25519 key", Digest(bytes));
            Error::Invalid { what: "public key", why }
        })
    }

    /// The key that a signature goes by. Only the spelling is checked: what is no usable key is in no policy, and verifies nothing.
    pub(crate) fn named(bytes: [u8; 32]) -> Option<Self> {
        let [first, middle @ .., last] = &bytes;
        let above = last & 0x7f == 0x7f && middle.iter().all(|byte| *byte == 0xff) && *first >= 0xed;
        (!above).then_some(Self(bytes))
    }

    /// The bytes.
    pub fn as_bytes(&self) -> &[u8; 32] {
        &self.0
    }

    /// Whether `signature` is this key's on `digest`.
    pub(crate) fn verifies(&self, digest: &Digest, signature: &Signature) -> bool {
        self.verifies_bytes(&digest.0, signature)
    }

    /// Whether `signature` is this key's on those bytes, which others have signed in a form of their own.
    pub(crate) fn verifies_bytes(&self, bytes: &[u8], signature: &Signature) -> bool {
        let r = signature.0.first_chunk().copied().unwrap_or_default();
        // The spelling of the key was checked when it was read, and that of R is compared with what is computed.
        !is_of_small_order(self.0)
            && !is_of_small_order(r)
            && UnparsedPublicKey::new(&ED25519, &self.0).verify(bytes, &signature.0).is_ok()
    }
}

impl std::fmt::Display for PublicKey {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{}", Digest(self.0))
    }
}

impl std::fmt::Debug for PublicKey {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{self}")
    }
}

impl std::str::FromStr for PublicKey {
    type Err = Error;

    fn from_str(text: &str) -> Result<Self> {
        Self::from_bytes(crate::encoding::hex_array("public key", text)?)
    }
}

/// A signature. It says nothing before it is checked.
#[derive(Clone, Copy, PartialEq, Eq)]
pub struct Signature(pub [u8; 64]);

impl std::fmt::Debug for Signature {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Signature(")?;
        self.0.iter().take(8).try_for_each(|byte| write!(f, "{byte:02x}"))?;
        f.write_str("…)")
    }
}

/// A private key.
#[derive(Clone)]
pub struct SigningKey(ed25519_dalek::SigningKey);

impl std::fmt::Debug for SigningKey {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "SigningKey([secret] of {})", self.public())
    }
}

impl SigningKey {
    /// A key from 32 uniformly random bytes, which are also the ones to keep.
    pub fn from_bytes(seed: &[u8; 32]) -> Self {
        Self(ed25519_dalek::SigningKey::from_bytes(seed))
    }

    /// The bytes to keep, in a place that only the owner reads.
    pub fn to_bytes(&self) -> Zeroizing<[u8; 32]> {
        Zeroizing::new(self.0.to_bytes())
    }

    /// The public key.
    pub fn public(&self) -> PublicKey {
        PublicKey(self.0.verifying_key().to_bytes())
    }

    pub(crate) fn sign(&self, digest: &Digest) -> Signature {
        Signature(self.0.sign(&digest.0).to_bytes())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn other_spellings_and_weak_keys_are_refused() {
        let key = SigningKey::from_bytes(&[1; 32]);
        assert_eq!(PublicKey::from_bytes(*key.public().as_bytes()).unwrap(), key.public());
        assert_eq!(key.public().to_string().parse::<PublicKey>().unwrap(), key.public());
        // The neutral element, a point of order four, y = p + 3 (the other spelling of 3), y = p + 1, and no point at all.
        let mut spelled = [0xff; 32];
        spelled[0] = 0xed + 3;
        spelled[31] = 0x7f;
        let mut neutral = spelled;
        neutral[0] = 0xee;
        for bytes in [[0; 32], Digest::NONE.0, spelled, neutral, [0xff; 32], {
            let mut one = [0; 32];
            one[0] = 1;
            one
        }] {
            assert!(PublicKey::from_bytes(bytes).is_err(), "{}", Digest(bytes));
        }
    }

    proptest::proptest! {
        /// The rule as RFC 8032 has it: what is decoded and encoded again is the same, and its order is not small.
        #[test]
        fn a_key_has_one_spelling(mut bytes: [u8; 32], near in 0..3_u8, sign: bool) {
            // About the prime, and about 0, with either sign.
            let (middle, last) = match near {
                0 => (0xff, 0x7f),
                1 => (0, 0),
                _ => (bytes[1], bytes[31] & 0x7f),
            };
            if near < 2 {
                bytes[1..31].fill(middle);
            }
            bytes[31] = last | u8::from(sign) << 7;
            let point = curve25519_dalek::edwards::CompressedEdwardsY(bytes).decompress();
            let usable = point.is_some_and(|point| point.compress().0 == bytes && !point.is_small_order());
            assert_eq!(PublicKey::from_bytes(bytes).is_ok(), usable, "{}", Digest(bytes));
        }
    }

    #[test]
    fn a_signature_holds_for_its_key_and_digest_only() {
        let (key, other) = (SigningKey::from_bytes(&[1; 32]), SigningKey::from_bytes(&[2; 32]));
        let (digest, another) = (Digest([3; 32]), Digest([4; 32]));
        let signature = key.sign(&digest);
        assert!(key.public().verifies(&digest, &signature));
        assert!(!key.public().verifies(&another, &signature) && !other.public().verifies(&digest, &signature));
        for bit in 0..512 {
            let mut flipped = signature;
            flipped.0[bit / 8] ^= 1 << (bit % 8);
            assert!(!key.public().verifies(&digest, &flipped), "bit {bit}");
        }
        assert!(!format!("{key:?}").contains("0101"));
    }
}
