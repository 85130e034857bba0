//! What everybody may know of a node: the key that is wrapped to, and the one that its blobs are signed by.

use std::collections::BTreeMap;
use std::fmt;
use std::str::FromStr;

use bytes::Bytes;

use super::kem::Kem;
use crate::digest::Domain;
use crate::encoding::hex_array;
use crate::proto::Profile;
use crate::{Digest, Error, PublicKey, Result};

/// The application of the key that is wrapped to: number of the KEM (2 bytes, big-endian), public key.
const WRAPPING: &str = "hpke";
/// The application of the key that the node signs blobs with: 32 bytes of Ed25519.
const SIGNING: &str = "signing";

const WHAT: &str = "node's public keys";

/// A node's public keys. As text they are one line: `plastron-node 1 KEM HEX HEX`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NodePublic {
    /// How keys are wrapped to it.
    pub kem: Kem,
    wrapping: Bytes,
    /// What verifies its signatures.
    pub signing: PublicKey,
}

impl NodePublic {
    /// A node's keys.
    ///
    /// # Errors
    /// `Invalid` if `wrapping` is no public key of that KEM.
    pub fn new(kem: Kem, wrapping: &[u8], signing: PublicKey) -> Result<Self> {
        if !kem.is_public(wrapping) {
            let why = format!("{} bytes are no key for {}", wrapping.len(), kem.name());
            return Err(Error::Invalid { what: WHAT, why });
        }
        Ok(Self { kem, wrapping: Bytes::copy_from_slice(wrapping), signing })
    }

    /// The key that is wrapped to.
    pub fn wrapping(&self) -> &[u8] {
        &self.wrapping
    }

    /// Names the key that is wrapped to.
    pub fn key_hash(&self) -> Digest {
        Domain::NodeKey.hash(&[&self.kem.id().to_be_bytes(), &self.wrapping])
    }

    /// The keys as a profile has them.
    pub fn to_keys(&self) -> BTreeMap<String, Bytes> {
        let wrapping = [&self.kem.id().to_be_bytes()[..], &self.wrapping].concat();
        let signing = Bytes::copy_from_slice(self.signing.as_bytes());
        BTreeMap::from([(WRAPPING.to_owned(), Bytes::from(wrapping)), (SIGNING.to_owned(), signing)])
    }

    /// The keys in a profile.
    ///
    /// # Errors
    /// `Invalid`, which says what is missing or wrong.
    pub fn of(profile: &Profile) -> Result<Self> {
        let invalid = |why: &str| Error::Invalid { what: WHAT, why: why.to_owned() };
        let keys = profile.keys();
        let wrapping = keys.get(WRAPPING).ok_or_else(|| invalid("the profile has no key 'hpke'"))?;
        let (id, wrapping) = wrapping.split_first_chunk().ok_or_else(|| invalid("the key 'hpke' is too short"))?;
        let kem =
            Kem::from_id(u16::from_be_bytes(*id)).ok_or_else(|| invalid("the key 'hpke' is of an unknown KEM"))?;
        let signing = keys.get(SIGNING).ok_or_else(|| invalid("the profile has no key 'signing'"))?;
        let signing = <[u8; 32]>::try_from(&signing[..]).map_err(|_| invalid("the key 'signing' has no 32 bytes"))?;
        Self::new(kem, wrapping, PublicKey::from_bytes(signing)?)
    }
}

impl fmt::Display for NodePublic {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "plastron-node 1 {} ", self.kem.name())?;
        self.wrapping.iter().try_for_each(|byte| write!(f, "{byte:02x}"))?;
        write!(f, " {}", self.signing)
    }
}

impl FromStr for NodePublic {
    type Err = Error;

    fn from_str(text: &str) -> Result<Self> {
        let invalid =
            || Error::Invalid { what: WHAT, why: "they are one line: plastron-node 1 KEM HEX HEX".to_owned() };
        let words: Vec<&str> = text.split_whitespace().collect();
        let ["plastron-node", "1", kem, wrapping, signing] = words.as_slice() else { return Err(invalid()) };
        let kem = Kem::from_name(kem).ok_or_else(invalid)?;
        let pairs = wrapping.as_bytes().chunks(2).map(|pair| {
            let pair = std::str::from_utf8(pair).map_err(|_| invalid())?;
            hex_array::<1>(WHAT, pair).map(|[byte]| byte)
        });
        Self::new(kem, &pairs.collect::<Result<Vec<u8>>>()?, signing.parse()?)
    }
}
