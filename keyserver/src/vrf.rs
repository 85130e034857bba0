//! Names are hidden: the index of a name is the output of a verifiable random function (RFC 9381) under the realm's key.
//!
//! Only the replicas can compute it, anyone can check it, and each name has one index only. The suite is ECVRF-RISTRETTO255-SHA512 as
//! <https://c2sp.org/vrf-r255> defines it; on that group there are no cofactors to stumble over. An index is the first 32 of the output's 64 bytes.
//! Secrets are never printed, and what is computed with one takes as long for any of them; proofs, which anyone may see, are checked as fast as it goes.
//!
//! It is written here on `curve25519-dalek`, and not taken from the crate `vrf-r255`, for what is done all the time: an index without its proof is less
//! than half of the work, no point is compressed twice, and proofs are checked in variable time. That crate is what the tests compare it with.

use curve25519_dalek::constants::RISTRETTO_BASEPOINT_TABLE as BASE;
use curve25519_dalek::ristretto::{CompressedRistretto, RistrettoPoint};
use curve25519_dalek::scalar::Scalar;
use curve25519_dalek::traits::{IsIdentity as _, VartimeMultiscalarMul as _};
use sha2_vrf::{Digest as _, Sha512};
use zeroize::{Zeroize as _, Zeroizing};

use crate::digest::Domain;
use crate::{Digest, Error, Result, SigningKey};

/// Bytes of a proof: point, challenge, scalar.
pub const VRF_PROOF_BYTES: usize = 32 + CHALLENGE_BYTES + 32;

const CHALLENGE_BYTES: usize = 16;
const SUITE: &[u8] = b"\xFFc2sp.org/vrf-r255";

/// SHA-512 of the suite, what it is for, and `parts`.
fn hash(purpose: u8, parts: &[&[u8]]) -> [u8; 64] {
    let mut hasher = Sha512::new_with_prefix(SUITE);
    hasher.update([purpose]);
    parts.iter().for_each(|part| hasher.update(part));
    hasher.finalize().into()
}

/// <https://c2sp.org/vrf-r255#encode-to-curve>.
fn encode_to_curve(public: &[u8; 32], name: &str) -> RistrettoPoint {
    RistrettoPoint::from_uniform_bytes(&hash(0x82, &[public, name.as_bytes()]))
}

/// RFC 9381, 5.4.3, over points in their compressed form.
fn challenge(points: [&[u8; 32]; 5]) -> [u8; CHALLENGE_BYTES] {
    let [public, encoded, gamma, u, v] = points;
    let hash = hash(2, &[public, encoded, gamma, u, v, &[0]]);
    hash.first_chunk().copied().unwrap_or_default()
}

fn scalar_of(challenge: &[u8; CHALLENGE_BYTES]) -> Scalar {
    Scalar::from(u128::from_le_bytes(*challenge))
}

/// RFC 9381, 5.2: the output follows from the proof's point.
fn index_of(gamma: &[u8; 32]) -> Digest {
    let output = hash(3, &[gamma, &[0]]);
    Digest(output.first_chunk().copied().unwrap_or_default())
}

/// The realm's secret key, which every replica has.
pub struct VrfSecret {
    key: Scalar,
    /// Half of it modulo the group's order: points that are compressed together are doubled on the way.
    half: Scalar,
    public: VrfPublic,
}

impl Drop for VrfSecret {
    fn drop(&mut self) {
        self.key.zeroize();
        self.half.zeroize();
    }
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
        let scalar = Zeroizing::new(Scalar::from_bytes_mod_order_wide(random).to_bytes());
        Self::from_bytes(&scalar)
    }

    /// A key from the bytes that [`to_bytes`](Self::to_bytes) gives.
    ///
    /// # Errors
    /// `Invalid` if they are no key.
    pub fn from_bytes(bytes: &[u8; 32]) -> Result<Self> {
        let key: Option<Scalar> = Scalar::from_canonical_bytes(*bytes).into();
        let key = key.filter(|key| *key != Scalar::ZERO);
        let key = key.ok_or_else(|| Error::Invalid { what: "index key", why: "the bytes are no key".to_owned() })?;
        let point = BASE * &key;
        let public = VrfPublic { point, bytes: point.compress().to_bytes() };
        Ok(Self { key, half: key * Scalar::from(2_u8).invert(), public })
    }

    /// The bytes to keep, in a place that only the replica reads.
    pub fn to_bytes(&self) -> Zeroizing<[u8; 32]> {
        Zeroizing::new(self.key.to_bytes())
    }

    /// The key that clients check with.
    pub fn public(&self) -> VrfPublic {
        self.public
    }

    /// The key that admits names for which an identity token was found right; see [`identity`](crate::identity).
    pub fn registrar(&self) -> SigningKey {
        SigningKey::from_bytes(&Zeroizing::new(Domain::Registrar.hash(&[&*self.to_bytes()]).0))
    }

    /// The index of `name`, without a proof.
    pub fn index(&self, name: &str) -> Digest {
        let gamma = self.key * encode_to_curve(&self.public.bytes, name);
        index_of(gamma.compress().as_bytes())
    }

    /// The indices of `names`: the same as one by one, in less time, since the points are compressed together.
    pub fn indices<'a>(&self, names: impl IntoIterator<Item = &'a str>) -> Vec<Digest> {
        let half = |name| self.half * encode_to_curve(&self.public.bytes, name);
        let halves: Vec<RistrettoPoint> = names.into_iter().map(half).collect();
        let gammas = RistrettoPoint::double_and_compress_batch(&halves);
        gammas.iter().map(|gamma| index_of(gamma.as_bytes())).collect()
    }

    /// The index of `name`, and the proof. The same for ever.
    pub fn prove(&self, name: &str) -> (Digest, VrfProof) {
        let point = encode_to_curve(&self.public.bytes, name);
        let encoded = point.compress();
        // https://c2sp.org/vrf-r255#nonce-generation. It depends on secret and name alone, as does the point of the proof, which is computed anew
        // each time: two challenges under one nonce would give the key away.
        let wide = Zeroizing::new(hash(0x81, &[&*self.to_bytes(), encoded.as_bytes()]));
        let nonce = Zeroizing::new(Scalar::from_bytes_mod_order_wide(&wide));
        let half = Zeroizing::new(*nonce * Scalar::from(2_u8).invert());
        let halves = [self.half * point, BASE * &*half, *half * point];
        let points = RistrettoPoint::double_and_compress_batch(&halves);
        let [gamma, u, v] =
            <[CompressedRistretto; 3]>::try_from(points).unwrap_or_default().map(|point| point.to_bytes());
        let challenge = challenge([&self.public.bytes, encoded.as_bytes(), &gamma, &u, &v]);
        let scalar = *nonce + scalar_of(&challenge) * self.key;
        (index_of(&gamma), VrfProof::new(&gamma, &challenge, &scalar))
    }
}

/// The realm's public key.
#[derive(Clone, Copy)]
pub struct VrfPublic {
    point: RistrettoPoint,
    bytes: [u8; 32],
}

impl PartialEq for VrfPublic {
    fn eq(&self, other: &Self) -> bool {
        // A point has one encoding.
        self.bytes == other.bytes
    }
}

impl Eq for VrfPublic {}

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
        let point = CompressedRistretto(*bytes).decompress().filter(|point| !point.is_identity());
        point
            .map(|point| Self { point, bytes: *bytes })
            .ok_or_else(|| Error::Invalid { what: "public index key", why: "the bytes are no key".to_owned() })
    }

    /// The bytes.
    pub fn to_bytes(&self) -> [u8; 32] {
        self.bytes
    }

    /// The index of `name`, if `proof` proves it: RFC 9381, 5.3.
    pub fn verify(&self, name: &str, proof: &VrfProof) -> Option<Digest> {
        let (gamma_bytes, rest) = proof.0.split_first_chunk::<32>()?;
        let (found, scalar) = rest.split_first_chunk::<CHALLENGE_BYTES>()?;
        let gamma = CompressedRistretto(*gamma_bytes).decompress()?;
        let scalar = Option::<Scalar>::from(Scalar::from_canonical_bytes(scalar.try_into().ok()?))?;
        let factor = scalar_of(found);
        let point = encode_to_curve(&self.bytes, name);
        // Points are negated, and not the challenge, which stays short.
        let u = RistrettoPoint::vartime_double_scalar_mul_basepoint(&factor, &-self.point, &scalar);
        let v = RistrettoPoint::vartime_multiscalar_mul([scalar, factor], [point, -gamma]);
        let [encoded, u, v] = [point, u, v].map(|point| point.compress().to_bytes());
        let expected = challenge([&self.bytes, &encoded, gamma_bytes, &u, &v]);
        (expected == *found).then(|| index_of(gamma_bytes))
    }
}

/// That a name has an index. It says nothing before it is checked.
#[derive(Clone, Copy, PartialEq, Eq)]
pub struct VrfProof(pub [u8; VRF_PROOF_BYTES]);

impl std::fmt::Debug for VrfProof {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let gamma = self.0.first_chunk().copied().unwrap_or_default();
        write!(f, "VrfProof({} …)", index_of(&gamma))
    }
}

impl VrfProof {
    fn new(gamma: &[u8; 32], challenge: &[u8; CHALLENGE_BYTES], scalar: &Scalar) -> Self {
        let mut bytes = [0; VRF_PROOF_BYTES];
        let parts = gamma.iter().chain(challenge).chain(scalar.as_bytes());
        bytes.iter_mut().zip(parts).for_each(|(to, from)| *to = *from);
        Self(bytes)
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
        assert_eq!(secret.index("c2sp.org/vrf-r255"), index);
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
    fn indices_together_are_those_one_by_one() {
        let secret = VrfSecret::from_random(&[7; 64]).unwrap();
        let names: Vec<String> = (0..70).map(|number| format!("node/a/{number}")).collect();
        for count in [0, 1, 2, 70] {
            let together = secret.indices(names.iter().take(count).map(String::as_str));
            let alone: Vec<Digest> = names.iter().take(count).map(|name| secret.index(name)).collect();
            assert_eq!(together, alone);
        }
    }

    #[test]
    fn what_is_no_key_is_refused_and_secrets_are_not_printed() {
        assert!(VrfSecret::from_bytes(&[0; 32]).is_err() && VrfSecret::from_bytes(&[255; 32]).is_err());
        assert!(VrfPublic::from_bytes(&[0; 32]).is_err() && VrfPublic::from_bytes(&[255; 32]).is_err());
        assert_eq!(format!("{:?}", VrfSecret::from_random(&[7; 64]).unwrap()), "VrfSecret([secret])");
    }

    proptest::proptest! {
        /// Another implementation of the same suite: keys, proofs, outputs, and what is accepted.
        #[test]
        fn keys_indices_and_proofs_are_those_of_vrf_r255(random: [u8; 32], random_too: [u8; 32], name in ".{0,300}", bit in 0..VRF_PROOF_BYTES * 8) {
            let mut seed = [0; 64];
            seed.iter_mut().zip(random.iter().chain(&random_too)).for_each(|(to, from)| *to = *from);
            let ours = VrfSecret::from_random(&seed).unwrap();
            let theirs = vrf_r255::SecretKey::from_bytes(*ours.to_bytes()).unwrap();
            let their_public = vrf_r255::PublicKey::from(theirs);
            assert_eq!(ours.public().to_bytes(), their_public.to_bytes());
            let (index, proof) = ours.prove(&name);
            let their_proof = theirs.prove(name.as_bytes());
            assert_eq!(proof.0, their_proof.to_bytes());
            let output = their_public.verify(name.as_bytes(), &their_proof).unwrap();
            assert_eq!(index.0, output[..32]);
            assert_eq!(ours.index(&name), index);
            assert_eq!(ours.public().verify(&name, &proof), Some(index));
            let mut flipped = proof;
            flipped.0[bit / 8] ^= 1 << (bit % 8);
            let theirs = vrf_r255::Proof::from_bytes(flipped.0).and_then(|proof| Option::from(their_public.verify(name.as_bytes(), &proof)));
            assert_eq!(ours.public().verify(&name, &flipped).is_some(), theirs.map(|_: [u8; 64]| ()).is_some());
        }

        #[test]
        fn any_bytes_are_a_key_for_both_or_for_neither(mut bytes: [u8; 32], small: bool) {
            if small {
                bytes[31] &= 0x0f;
            }
            let secret: Option<vrf_r255::SecretKey> = vrf_r255::SecretKey::from_bytes(bytes).into();
            assert_eq!(VrfSecret::from_bytes(&bytes).is_ok(), secret.is_some());
            assert_eq!(VrfPublic::from_bytes(&bytes).is_ok(), vrf_r255::PublicKey::from_bytes(bytes).is_some());
        }
    }
}
