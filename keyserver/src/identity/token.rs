//! The check of a token. Pure: the same issuers, token, entry and time always give the same.

use aws_lc_rs::signature::{
    ECDSA_P256_SHA256_FIXED, RSA_PKCS1_2048_8192_SHA256, RsaPublicKeyComponents, UnparsedPublicKey,
};
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use serde_json::Value;

use super::fault::TokenFault;
use crate::proto::{Issuer, IssuerKey, IssuerPublicKey, Issuers};
use crate::{Digest, PublicKey, Signature};

/// The longest life of a token, in seconds: whoever finds an old one has nothing.
const LONGEST_LIFE_S: u64 = 24 * 3_600;

/// Whether `token` says that whoever made the entry with that hash owns the address that `name` belongs to. `now_ms` is the log's time, which may be behind by
/// `behind_ms`.
pub(crate) fn check_token(
    issuers: &Issuers,
    token: &[u8],
    name: &str,
    entry: &Digest,
    now_ms: u64,
    behind_ms: u64,
) -> Result<(), TokenFault> {
    let token = std::str::from_utf8(token).map_err(|_| TokenFault::Form)?;
    let (signed, signature) = token.rsplit_once('.').ok_or(TokenFault::Form)?;
    let (header, payload) = signed.split_once('.').ok_or(TokenFault::Form)?;
    let signature = URL_SAFE_NO_PAD.decode(signature).map_err(|_| TokenFault::Form)?;
    let (header, payload) = (object(header)?, object(payload)?);
    let text = |value: &Value, field: &str| value.get(field).and_then(Value::as_str).map(str::to_owned);
    if header.get("crit").is_some() {
        return Err(TokenFault::Form);
    }
    let says = |issuer: &&Issuer| {
        text(&payload, "iss").as_deref() == Some(&issuer.issuer) && is_for(&payload, &issuer.audience)
    };
    let issuer = issuers.issuers.iter().find(says).ok_or(TokenFault::Issuer)?;
    let key = key_of(issuer, text(&header, "kid").as_deref())?;
    verify(&key.key, text(&header, "alg").as_deref(), signed.as_bytes(), &signature)?;
    // From here on it is the issuer who speaks.
    let number = |field: &str| payload.get(field).and_then(Value::as_u64);
    let (now_s, latest_s) = (now_ms / 1_000, now_ms.saturating_add(behind_ms) / 1_000);
    let expiry = number("exp").ok_or(TokenFault::Expired)?;
    if expiry <= now_s {
        return Err(TokenFault::Expired);
    }
    let issued = number("iat").ok_or(TokenFault::Time)?;
    let begins = payload.get("nbf").map_or(Some(0), Value::as_u64).ok_or(TokenFault::Time)?;
    if issued.max(begins) > latest_s || expiry.saturating_sub(issued) > LONGEST_LIFE_S {
        return Err(TokenFault::Time);
    }
    if payload.get("email_verified").and_then(Value::as_bool) != Some(true) {
        return Err(TokenFault::Unverified);
    }
    let address = text(&payload, "email").ok_or(TokenFault::Name)?;
    // One spelling of a name: what is not ASCII has none here, and letters are small.
    if !address.bytes().all(|byte| byte.is_ascii_graphic())
        || name.strip_prefix(&*issuer.prefix) != Some(&address.to_ascii_lowercase())
    {
        return Err(TokenFault::Name);
    }
    if text(&payload, "nonce").as_deref() != Some(&entry.to_string()) {
        return Err(TokenFault::Nonce);
    }
    Ok(())
}

fn object(part: &str) -> Result<Value, TokenFault> {
    let bytes = URL_SAFE_NO_PAD.decode(part).map_err(|_| TokenFault::Form)?;
    let value: Value = serde_json::from_slice(&bytes).map_err(|_| TokenFault::Form)?;
    if value.is_object() { Ok(value) } else { Err(TokenFault::Form) }
}

/// A token for several is for the one that it was issued to.
fn is_for(payload: &Value, audience: &str) -> bool {
    match payload.get("aud") {
        Some(Value::String(only)) => only == audience,
        Some(Value::Array(all)) if all.len() == 1 => all.iter().all(|one| one == audience),
        Some(Value::Array(all)) => {
            all.iter().any(|one| one == audience) && payload.get("azp").and_then(Value::as_str) == Some(audience)
        }
        _ => false,
    }
}

fn key_of<'a>(issuer: &'a Issuer, id: Option<&str>) -> Result<&'a IssuerKey, TokenFault> {
    let found = match (id, &issuer.keys[..]) {
        (Some(id), keys) => keys.iter().find(|key| key.id == id),
        (None, [only]) => Some(only),
        (None, _) => None,
    };
    found.ok_or(TokenFault::Key)
}

fn verify(key: &IssuerPublicKey, algorithm: Option<&str>, signed: &[u8], signature: &[u8]) -> Result<(), TokenFault> {
    let holds = match (key, algorithm) {
        (IssuerPublicKey::Rsa { modulus, exponent }, Some("RS256")) => {
            let key = RsaPublicKeyComponents { n: &modulus[..], e: &exponent[..] };
            key.verify(&RSA_PKCS1_2048_8192_SHA256, signed, signature).is_ok()
        }
        (IssuerPublicKey::P256(point), Some("ES256")) => {
            UnparsedPublicKey::new(&ECDSA_P256_SHA256_FIXED, point).verify(signed, signature).is_ok()
        }
        (IssuerPublicKey::Ed25519(key), Some("EdDSA")) => {
            let signature = signature.try_into().map(Signature).map_err(|_| TokenFault::Signature)?;
            PublicKey::from_bytes(*key).is_ok_and(|key| key.verifies_bytes(signed, &signature))
        }
        _ => return Err(TokenFault::Algorithm),
    };
    if holds { Ok(()) } else { Err(TokenFault::Signature) }
}
