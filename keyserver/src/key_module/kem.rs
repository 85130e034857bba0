//! HPKE (RFC 9180) in its base mode: a key to whoever has a private key, and to nobody else.
//!
//! KDF is HKDF-SHA256, AEAD is AES-256-GCM. The KEM is DHKEM(X25519, HKDF-SHA256) or, for those who keep data longer than they trust
//! elliptic curves, X-Wing (ML-KEM-768 and X25519, draft-connolly-cfrg-xwing-kem). The cryptography is the crate `hpke`'s.

use std::convert::Infallible;

use hpke::aead::AesGcm256;
use hpke::kdf::HkdfSha256;
use hpke::kem::{X25519HkdfSha256, XWing};
use hpke::rand_core::{TryCryptoRng, TryRng};
use hpke::{Deserializable, OpModeR, OpModeS, Serializable};
use plastron_keys::{Fault, KeyRandom};
use zeroize::Zeroizing;

/// What the key is agreed on with.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
#[non_exhaustive]
pub enum Kem {
    /// DHKEM(X25519, HKDF-SHA256).
    X25519,
    /// X-Wing.
    XWing,
}

impl Kem {
    /// All of them.
    pub const ALL: [Self; 2] = [Self::X25519, Self::XWing];

    /// Its number in the registry of RFC 9180.
    pub fn id(self) -> u16 {
        match self {
            Self::X25519 => 0x0020,
            Self::XWing => 0x647a,
        }
    }

    /// The one of that number.
    pub fn from_id(id: u16) -> Option<Self> {
        Self::ALL.into_iter().find(|kem| kem.id() == id)
    }

    /// What people call it.
    pub fn name(self) -> &'static str {
        match self {
            Self::X25519 => "x25519",
            Self::XWing => "x-wing",
        }
    }

    /// The one of that name.
    pub fn from_name(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|kem| kem.name() == name)
    }

    /// The public key to a private one.
    pub(crate) fn public(self, secret: &[u8; 32]) -> Option<Vec<u8>> {
        match self {
            Self::X25519 => public::<X25519HkdfSha256>(secret),
            Self::XWing => public::<XWing>(secret),
        }
    }

    /// Whether these bytes are a public key.
    pub(crate) fn is_public(self, key: &[u8]) -> bool {
        match self {
            Self::X25519 => <X25519HkdfSha256 as hpke::Kem>::PublicKey::from_bytes(key).is_ok(),
            Self::XWing => <XWing as hpke::Kem>::PublicKey::from_bytes(key).is_ok(),
        }
    }

    /// Encapsulation and ciphertext of `plaintext`, to whoever has the private key to `public`.
    pub(crate) fn seal(
        self,
        public: &[u8],
        info: &[u8],
        associated: &[u8],
        plaintext: &[u8],
        random: &dyn KeyRandom,
    ) -> Result<(Vec<u8>, Vec<u8>), Fault> {
        match self {
            Self::X25519 => seal::<X25519HkdfSha256>(public, info, associated, plaintext, random),
            Self::XWing => seal::<XWing>(public, info, associated, plaintext, random),
        }
    }

    /// The plaintext again; none if anything is not as it was sealed.
    pub(crate) fn open(
        self,
        secret: &[u8; 32],
        encapsulation: &[u8],
        info: &[u8],
        associated: &[u8],
        ciphertext: &[u8],
    ) -> Option<Zeroizing<Vec<u8>>> {
        match self {
            Self::X25519 => open::<X25519HkdfSha256>(secret, encapsulation, info, associated, ciphertext),
            Self::XWing => open::<XWing>(secret, encapsulation, info, associated, ciphertext),
        }
    }
}

fn public<K: hpke::Kem>(secret: &[u8; 32]) -> Option<Vec<u8>> {
    let secret = K::PrivateKey::from_bytes(secret).ok()?;
    Some(K::sk_to_pk(&secret).to_bytes().to_vec())
}

fn seal<K: hpke::Kem>(
    public: &[u8],
    info: &[u8],
    associated: &[u8],
    plaintext: &[u8],
    random: &dyn KeyRandom,
) -> Result<(Vec<u8>, Vec<u8>), Fault> {
    let refused = |_| Fault::Config("a reader's public key cannot be wrapped to; register another one".into());
    let public = K::PublicKey::from_bytes(public).map_err(refused)?;
    let mut source = Source { random, failed: false };
    let sealed = hpke::single_shot_seal_with_rng::<AesGcm256, HkdfSha256, K>(
        &OpModeS::Base,
        &public,
        info,
        plaintext,
        associated,
        &mut source,
    );
    if source.failed {
        return Err(Fault::NoRandomness);
    }
    let (encapsulation, ciphertext) = sealed.map_err(refused)?;
    Ok((encapsulation.to_bytes().to_vec(), ciphertext))
}

fn open<K: hpke::Kem>(
    secret: &[u8; 32],
    encapsulation: &[u8],
    info: &[u8],
    associated: &[u8],
    ciphertext: &[u8],
) -> Option<Zeroizing<Vec<u8>>> {
    let secret = K::PrivateKey::from_bytes(secret).ok()?;
    let encapsulation = K::EncappedKey::from_bytes(encapsulation).ok()?;
    let opened = hpke::single_shot_open::<AesGcm256, HkdfSha256, K>(
        &OpModeR::Base,
        &secret,
        &encapsulation,
        info,
        ciphertext,
        associated,
    );
    opened.ok().map(Zeroizing::new)
}

/// The environment's random bytes. A failure is noted, and nothing is made of what was drawn then.
struct Source<'a> {
    random: &'a dyn KeyRandom,
    failed: bool,
}

impl Source<'_> {
    fn draw<const N: usize>(&mut self) -> [u8; N] {
        let mut bytes = [0; N];
        self.failed |= self.random.fill(&mut bytes).is_err();
        bytes
    }
}

impl TryRng for Source<'_> {
    type Error = Infallible;

    fn try_next_u32(&mut self) -> Result<u32, Infallible> {
        Ok(u32::from_le_bytes(self.draw()))
    }

    fn try_next_u64(&mut self) -> Result<u64, Infallible> {
        Ok(u64::from_le_bytes(self.draw()))
    }

    fn try_fill_bytes(&mut self, bytes: &mut [u8]) -> Result<(), Infallible> {
        self.failed |= self.random.fill(bytes).is_err();
        Ok(())
    }
}

impl TryCryptoRng for Source<'_> {}

#[cfg(test)]
mod tests {
    use plastron_keys::SystemKeyRandom;

    use super::*;
    use crate::encoding::hex_array;

    #[test]
    fn what_is_sealed_opens_for_its_reader_in_its_place_only() {
        for kem in Kem::ALL {
            let (secret, other) = ([7; 32], [8; 32]);
            let public = kem.public(&secret).unwrap();
            assert!(kem.is_public(&public) && !kem.is_public(&public[1..]));
            let (enc, text) = kem.seal(&public, b"info", b"aad", b"a key", &SystemKeyRandom::default()).unwrap();
            assert_eq!(&**kem.open(&secret, &enc, b"info", b"aad", &text).unwrap(), b"a key");
            assert!(kem.open(&other, &enc, b"info", b"aad", &text).is_none());
            assert!(kem.open(&secret, &enc, b"other", b"aad", &text).is_none());
            assert!(kem.open(&secret, &enc, b"info", b"other", &text).is_none());
            for at in 0..text.len() {
                let mut flipped = text.clone();
                flipped[at] ^= 1;
                assert!(kem.open(&secret, &enc, b"info", b"aad", &flipped).is_none());
            }
            assert_eq!((Kem::from_id(kem.id()), Kem::from_name(kem.name())), (Some(kem), Some(kem)));
        }
    }

    /// RFC 9180, A.1.1: the recipient's key pair of DHKEM(X25519, HKDF-SHA256).
    #[test]
    fn the_public_key_is_that_of_the_rfc() {
        let secret = "4612c550263fc8ad58375df3f557aac531d26850903e55a9f23f21d8534e8ac8";
        let public = "3948cfe0ad1ddb695d780e59077195da6c56506b027329794ab02bca80815c4d";
        let secret = hex_array::<32>("", secret).unwrap();
        assert_eq!(Kem::X25519.public(&secret).unwrap(), hex_array::<32>("", public).unwrap());
    }

    #[test]
    fn without_randomness_nothing_is_sealed() {
        #[derive(Debug)]
        struct None;
        impl KeyRandom for None {
            fn fill(&self, _: &mut [u8]) -> Result<(), Fault> {
                Err(Fault::NoRandomness)
            }
        }
        for kem in Kem::ALL {
            let public = kem.public(&[7; 32]).unwrap();
            assert!(matches!(kem.seal(&public, b"", b"", b"a key", &None), Err(Fault::NoRandomness)));
        }
    }
}
