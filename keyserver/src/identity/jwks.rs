//! An issuer's keys as it publishes them (RFC 7517), for operators to bring in.

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use serde_json::Value;

use crate::proto::{IssuerKey, IssuerPublicKey};
use crate::{Error, Result};

/// The keys of a JWKS that check signatures of tokens: RSA, P-256 and Ed25519. Others are left out.
///
/// # Errors
/// `Invalid` if it is no JWKS, or has no such key.
pub fn keys_of_jwks(text: &str) -> Result<Vec<IssuerKey>> {
    let invalid = |why: String| Error::Invalid { what: "JWKS", why };
    let value: Value = serde_json::from_str(text).map_err(|error| invalid(error.to_string()))?;
    let keys =
        value.get("keys").and_then(Value::as_array).ok_or_else(|| invalid("it has no list of keys".to_owned()))?;
    let keys: Vec<IssuerKey> = keys.iter().filter_map(key).collect();
    if keys.is_empty() {
        return Err(invalid("none of its keys is for RS256, ES256 or EdDSA".to_owned()));
    }
    keys.iter().try_for_each(IssuerKey::check)?;
    Ok(keys)
}

fn key(value: &Value) -> Option<IssuerKey> {
    let text = |field: &str| value.get(field).and_then(Value::as_str);
    let bytes = |field: &str| URL_SAFE_NO_PAD.decode(text(field)?).ok();
    if text("use").is_some_and(|purpose| purpose != "sig") {
        return None;
    }
    let key = match (text("kty")?, text("crv")) {
        ("RSA", _) if text("alg").is_none_or(|alg| alg == "RS256") => {
            IssuerPublicKey::Rsa { modulus: bytes("n")?.into(), exponent: bytes("e")?.into() }
        }
        ("EC", Some("P-256")) => {
            let point = [&[4][..], &bytes("x")?, &bytes("y")?].concat();
            IssuerPublicKey::P256(point.try_into().ok()?)
        }
        ("OKP", Some("Ed25519")) => IssuerPublicKey::Ed25519(bytes("x")?.try_into().ok()?),
        _ => return None,
    };
    Some(IssuerKey { id: text("kid").unwrap_or_default().to_owned(), key })
}
