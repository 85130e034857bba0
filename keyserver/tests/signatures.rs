//! Every verdict on a signature is that of `verify_strict` of `ed25519-dalek`, whatever is signed how: all replicas must agree on each, for ever.
//!
//! What is looked at is what is known to divide implementations: parts of small order in key and R, keys and R of small order, other spellings of them, S that is not
//! reduced.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::indexing_slicing, clippy::panic, reason = "a test")]

use curve25519_dalek::constants::{ED25519_BASEPOINT_TABLE as BASE, EIGHT_TORSION};
use curve25519_dalek::edwards::EdwardsPoint;
use curve25519_dalek::scalar::Scalar;
use ed25519_dalek::Signer as _;
use plastron_keyserver::proto::{EpochHead, LogEntry, Message as _};
use plastron_keyserver::{Digest, PublicKey, Signature};
use proptest::prelude::*;
use sha2_vrf::{Digest as _, Sha512};

/// A head, and the bytes that are signed of it.
fn head(epoch: u64) -> (EpochHead, [u8; 32]) {
    let [realm, root, previous, policy, next_policy] = [Digest([7; 32]); 5];
    let head = EpochHead { realm, epoch, root, issued_ms: 9, previous, policy, next_policy };
    let mut hasher = blake3::Hasher::new_derive_key("plastron keyserver 1: signature of an epoch head");
    let digest = hasher.update(&head.body()).finalize();
    (head, *digest.as_bytes())
}

/// The order of the group, little-endian.
const ORDER: [u8; 32] = [
    0xed, 0xd3, 0xf5, 0x5c, 0x1a, 0x63, 0x12, 0x58, 0xd6, 0x9c, 0xf7, 0xa2, 0xde, 0xf9, 0xde, 0x14, 0, 0, 0, 0, 0, 0,
    0, 0, 0, 0, 0, 0, 0, 0, 0, 0x10,
];

/// Whether a signature is right: what is decoded from a log entry, and checked as that of a head, against the other implementation.
fn verdict(key: [u8; 32], epoch: u64, signature: [u8; 64]) -> bool {
    let placeholder = LogEntry::HeadSignature { epoch, key: key_of(1), signature: Signature(signature) };
    let mut body = placeholder.body();
    body[9..41].copy_from_slice(&key);
    let Ok(LogEntry::HeadSignature { key: named, signature: theirs, .. }) = LogEntry::from_body(&body) else {
        // Another spelling of a key never gets so far.
        return false;
    };
    let (head, message) = head(epoch);
    let found = head.is_signed_by(&named, &theirs);
    let theirs = ed25519_dalek::Signature::from_bytes(&signature);
    let strict =
        ed25519_dalek::VerifyingKey::from_bytes(&key).is_ok_and(|key| key.verify_strict(&message, &theirs).is_ok());
    assert_eq!(found, strict, "key {}, epoch {epoch}, signature {signature:02x?}", Digest(key));
    found
}

fn key_of(seed: u8) -> PublicKey {
    plastron_keyserver::SigningKey::from_bytes(&[seed; 32]).public()
}

fn joined(r: [u8; 32], s: [u8; 32]) -> [u8; 64] {
    let mut signature = [0; 64];
    signature[..32].copy_from_slice(&r);
    signature[32..].copy_from_slice(&s);
    signature
}

fn scalar(seed: u64) -> Scalar {
    Scalar::from_bytes_mod_order_wide(&Sha512::digest(seed.to_le_bytes()).into())
}

/// What hashes to the factor of the key.
fn factor(r: &[u8; 32], key: &[u8; 32], message: &[u8]) -> Scalar {
    let hash = Sha512::new().chain_update(r).chain_update(key).chain_update(message);
    Scalar::from_bytes_mod_order_wide(&hash.finalize().into())
}

/// A signature by somebody who knows the logarithms of key and R but for what he has added to them: right but for that.
fn crafted(secret: Scalar, nonce: Scalar, key: EdwardsPoint, r: EdwardsPoint, epoch: u64) -> ([u8; 32], [u8; 64]) {
    let (key, r) = (key.compress().0, r.compress().0);
    let s = nonce + factor(&r, &key, &head(epoch).1) * secret;
    (key, joined(r, s.to_bytes()))
}

/// `bytes` and the order times `times`, if it fits.
fn plus_order(bytes: [u8; 32], times: u16) -> Option<[u8; 32]> {
    let (mut sum, mut carry) = ([0; 32], 0_u32);
    for ((to, from), order) in sum.iter_mut().zip(bytes).zip(ORDER) {
        carry += u32::from(from) + u32::from(order) * u32::from(times);
        *to = carry as u8;
        carry >>= 8;
    }
    (carry == 0).then_some(sum)
}

#[test]
fn no_point_of_small_order_is_a_key() {
    for point in EIGHT_TORSION {
        let mut bytes = point.compress().0;
        assert!(PublicKey::from_bytes(bytes).is_err());
        bytes[31] ^= 0x80;
        assert!(PublicKey::from_bytes(bytes).is_err());
    }
}

#[test]
fn keys_and_points_with_a_part_of_small_order_are_judged_alike() {
    let (mut right, mut wrong) = (0, 0);
    for seed in 0..40 {
        let (secret, nonce) = (scalar(seed), scalar(seed + 1_000));
        for in_key in EIGHT_TORSION {
            for in_r in EIGHT_TORSION {
                let (key, signature) = crafted(secret, nonce, BASE * &secret + in_key, BASE * &nonce + in_r, seed);
                if verdict(key, seed, signature) {
                    right += 1;
                } else {
                    wrong += 1;
                }
            }
        }
    }
    // Without a part in the key one in eight is right, and with one about as many are by chance: only if there is no factor of eight.
    assert_eq!(right + wrong, 40 * 64);
    assert!(40 < right && right < 400, "{right}");
}

#[test]
fn keys_and_points_of_small_order_verify_nothing() {
    let mut spellings: Vec<[u8; 32]> = EIGHT_TORSION.iter().map(|point| point.compress().0).collect();
    // An ordinate of 0 and 1 that is not reduced, and each with the other sign.
    for low in [0xed_u8, 0xee] {
        let mut bytes = [0xff; 32];
        (bytes[0], bytes[31]) = (low, 0x7f);
        spellings.push(bytes);
    }
    for at in 0..spellings.len() {
        let mut other = spellings[at];
        other[31] ^= 0x80;
        spellings.push(other);
    }
    for (at, spelled) in spellings.iter().enumerate() {
        let (nonce, epoch) = (scalar(at as u64), at as u64);
        let r = (BASE * &nonce).compress().0;
        // As the key: k·A is of small order, and one S in eight is right but for the rule.
        for s in [Scalar::ZERO, nonce] {
            for r in spellings.iter().chain([&r]) {
                assert!(!verdict(*spelled, epoch, joined(*r, s.to_bytes())));
            }
        }
        // As R, of a key whose secret is known: S = k·a.
        for in_key in EIGHT_TORSION {
            let key = (BASE * &nonce + in_key).compress().0;
            let s = factor(spelled, &key, &head(epoch).1) * nonce;
            assert!(!verdict(key, epoch, joined(*spelled, s.to_bytes())));
        }
    }
}

#[test]
fn an_s_that_is_not_reduced_is_refused() {
    for seed in 0..50 {
        let key = ed25519_dalek::SigningKey::from_bytes(&scalar(seed).to_bytes());
        let signature = key.sign(&head(seed).1).to_bytes();
        let (r, s) = (*signature.first_chunk().unwrap(), *signature.last_chunk().unwrap());
        let public = key.verifying_key().to_bytes();
        assert!(verdict(public, seed, signature));
        let sums: Vec<[u8; 32]> = (1..16).filter_map(|times| plus_order(s, times)).collect();
        assert!(sums.len() >= 14);
        assert!(sums.into_iter().all(|s| !verdict(public, seed, joined(r, s))));
        // About the order itself.
        for low in 0xe0..=0xff {
            let mut s = ORDER;
            s[0] = low;
            assert!(!verdict(public, seed, joined(r, s)));
        }
        for bit in 0..3 {
            let mut flipped = signature;
            flipped[63] ^= 0x20 << bit;
            assert!(!verdict(public, seed, flipped));
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(2_000))]

    /// Any bytes: near right signatures, of keys with and without a part of small order, and near the edges of what is a number or a point.
    #[test]
    fn anything_is_judged_alike(
        seed: u64, in_key in 0_usize..16, in_r in 0_usize..16, epoch: u64,
        flips in proptest::collection::vec(0_usize..768, 0..3), edge in 0_u8..8, low: u8, sign: bool,
    ) {
        let part = |at: usize| EIGHT_TORSION.get(at).copied().unwrap_or(EIGHT_TORSION[0]);
        let (secret, nonce) = (scalar(seed), scalar(!seed));
        let (key, signature) = crafted(secret, nonce, BASE * &secret + part(in_key), BASE * &nonce + part(in_r), epoch);
        let mut all = [0; 96];
        all[..32].copy_from_slice(&key);
        all[32..].copy_from_slice(&signature);
        // An ordinate, or S, about 0 or about the prime.
        let spelled = |fill: u8, last: u8| {
            let mut bytes = [fill; 32];
            (bytes[0], bytes[31]) = (low, last | u8::from(sign) << 7);
            bytes
        };
        match edge {
            0 => all[..32].copy_from_slice(&spelled(0xff, 0x7f)),
            1 => all[..32].copy_from_slice(&spelled(0, 0)),
            2 => all[32..64].copy_from_slice(&spelled(0xff, 0x7f)),
            3 => all[32..64].copy_from_slice(&spelled(0, 0)),
            4 => all[64..].copy_from_slice(&spelled(0, 0)),
            _ => {}
        }
        for bit in flips {
            all[bit / 8] ^= 1 << (bit % 8);
        }
        verdict(*all.first_chunk().unwrap(), epoch, *all.last_chunk().unwrap());
    }
}
