//! Names are hidden: the index of a name is the output of a verifiable random function (RFC 9381) under the realm's key.
//!
//! Only the replicas can compute it, anyone can check it, and each name has one index only. The suite is ECVRF-RISTRETTO255-SHA512 as
//! <https://c2sp.org/vrf-r255> defines it, by the crate `vrf-r255`; on that group there are no cofactors to stumble over. An index is the first 32 of the
//! output's 64 bytes. Secrets are never printed.

use sha2_vrf::{Digest as _, Sha512};
use zeroize::Zeroizing;

use crate::digest::Domain;
use crate::{Digest, Error, Result, SigningKey};

/// Bytes of a proof.
pub const VRF_PROOF_BYTES: usize = 80;

const SUITE: &[u8] = b"\xFFc2sp.org/vrf-r255";

/// The realm's secret key, which every replica has.
pub struct VrfSecret {
    key: vrf_r255::SecretKey,
    bytes: Zeroizing<[u8; 32]>,
}

impl std::fmt::Debug for VrfSecret {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("VrfSecret([secret])")
    }
}

impl VrfSecret {
    /// A key from 64 uniformly random bytes.
    ///
    /// # Errors
    /// `Invalid` for the one value in 2²⁵² that makes no key.
    pub fn from_random(random: &[u8; 64]) -> Result<Self> {
        let scalar = Zeroizing::new(curve25519_dalek::Scalar::from_bytes_mod_order_wide(random).to_bytes());
        Self::from_bytes(&scalar)
    }

    /// A key from the bytes that [`to_bytes`](Self::to_bytes) gives.
    ///
    /// # Errors
    /// `Invalid` if they are no key.
    pub fn from_bytes(bytes: &[u8; 32]) -> Result<Self> {
        Option::from(vrf_r255::SecretKey::from_bytes(*bytes))
            .map(|key| Self { key, bytes: Zeroizing::new(*bytes) })
            .ok_or_else(|| Error::Invalid { what: "index key", why: "the bytes are no key".to_owned() })
    }

    /// The bytes to keep, in a place that only the replica reads.
    pub fn to_bytes(&self) -> Zeroizing<[u8; 32]> {
        self.bytes.clone()
    }

    /// The key that clients check with.
    pub fn public(&self) -> VrfPublic {
        let key = vrf_r255::PublicKey::from(self.key);
        VrfPublic { bytes: key.to_bytes(), key }
    }

    /// The key that admits names for which an identity token was found right; see [`identity`](crate::identity).
    pub fn registrar(&self) -> SigningKey {
        SigningKey::from_bytes(&Zeroizing::new(Domain::Registrar.hash(&[&*self.bytes]).0))
    }

    /// The index of `name`, and the proof. The same for ever.
    pub fn prove(&self, name: &str) -> (Digest, VrfProof) {
        let proof = VrfProof(self.key.prove(name.as_bytes()).to_bytes());
        (proof.index(), proof)
    }
}

/// The realm's public key.
#[derive(Clone, Copy, PartialEq, Eq)]
pub struct VrfPublic {
    key: vrf_r255::PublicKey,
    bytes: [u8; 32],
}

impl std::fmt::Debug for VrfPublic {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "VrfPublic({})", Digest(self.bytes))
    }
}

impl VrfPublic {
    /// A key from its bytes.
    ///
    /// # Errors
    /// `Invalid` if they are no key.
    pub fn from_bytes(bytes: &[u8; 32]) -> Result<Self> {
        vrf_r255::PublicKey::from_bytes(*bytes)
            .map(|key| Self { key, bytes: *bytes })
            .ok_or_else(|| Error::Invalid { what: "public index key", why: "the bytes are no key".to_owned() })
    }

    /// The bytes.
    pub fn to_bytes(&self) -> [u8; 32] {
        self.bytes
    }

    /// The index of `name`, if `proof` proves it.
    pub fn verify(&self, name: &str, proof: &VrfProof) -> Option<Digest> {
        let parsed = vrf_r255::Proof::from_bytes(proof.0)?;
        let output: Option<[u8; 64]> = self.key.verify(name.as_bytes(), &parsed).into();
        output.map(|_| proof.index())
    }
}

/// That a name has an index. It says nothing before it is checked.
#[derive(Clone, Copy, PartialEq, Eq)]
pub struct VrfProof(pub [u8; VRF_PROOF_BYTES]);

impl std::fmt::Debug for VrfProof {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "VrfProof({} …)", self.index())
    }
}

impl VrfProof {
    /// RFC 9381, 5.2: the output follows from the proof's point. `vrf-r255` gives it out only after a check, which whoever made the proof, or has
    /// checked it, need not pay for again.
    fn index(&self) -> Digest {
        let point = self.0.first_chunk::<32>().copied().unwrap_or_default();
        let output =
            Sha512::new().chain_update(SUITE).chain_update([3]).chain_update(point).chain_update([0]).finalize();
        let mut index = [0; 32];
        index.iter_mut().zip(output).for_each(|(to, from)| *to = from);
        Digest(index)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::encoding::hex_array;

    /// The vector of <https://c2sp.org/vrf-r255>.
    #[test]
    fn the_published_vector_holds() {
        let secret = "3431c2b03533e280b23232e280b34e2c3132c2b03238e280b23131e280b34500";
        let secret = VrfSecret::from_bytes(&hex_array("", secret).unwrap()).unwrap();
        let public = "54136cd90d99fbd1d4e855d9556efea87ba0337f2a6ce22028d0f5726fcb854e";
        assert_eq!(secret.public().to_bytes(), hex_array::<32>("", public).unwrap());
        let (index, proof) = secret.prove("c2sp.org/vrf-r255");
        let pi = "0a97d961262fb549b4175c5117860f42ae44a123f93c476c439eddd1c0cff9265c805525233e2284dbed45e593b8eea31d5ca9734d72bcbba9738d5237f955f3b2422351149d1312503b6441a47c940c";
        assert_eq!(proof.0, hex_array::<80>("", pi).unwrap());
        let beta = "dd653f0879b48c3ef69e13551239bec4cbcc1c18fe8894de2e9e1c790e182736";
        assert_eq!(index, beta.parse().unwrap());
        assert_eq!(secret.public().verify("c2sp.org/vrf-r255", &proof), Some(index));
    }

    #[test]
    fn a_proof_holds_for_its_name_and_key_only_and_not_with_a_flipped_bit() {
        let secret = VrfSecret::from_random(&[7; 64]).unwrap();
        let public = VrfPublic::from_bytes(&secret.public().to_bytes()).unwrap();
        let (index, proof) = secret.prove("node/a/1");
        assert_eq!(public.verify("node/a/1", &proof), Some(index));
        assert_eq!(public.verify("node/a/2", &proof), None);
        let other = VrfSecret::from_bytes(&VrfSecret::from_random(&[8; 64]).unwrap().to_bytes()).unwrap();
        assert_eq!(other.public().verify("node/a/1", &proof), None);
        for bit in 0..VRF_PROOF_BYTES * 8 {
            let mut flipped = proof;
            flipped.0[bit / 8] ^= 1 << (bit % 8);
            assert_eq!(public.verify("node/a/1", &flipped), None, "bit {bit}");
        }
    }

    #[test]
    fn what_is_no_key_is_refused_and_secrets_are_not_printed() {
        assert!(VrfSecret::from_bytes(&[0; 32]).is_err() && VrfSecret::from_bytes(&[255; 32]).is_err());
        assert!(VrfPublic::from_bytes(&[0; 32]).is_err() && VrfPublic::from_bytes(&[255; 32]).is_err());
        assert_eq!(format!("{:?}", VrfSecret::from_random(&[7; 64]).unwrap()), "VrfSecret([secret])");
    }
}
