//! Keys and values as etcd's JSON has them: bytes in base64, 64-bit numbers in quotes, and what is zero left out.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use bytes::Bytes;
use serde_json::Value;

use super::error::EtcdError;

/// Bytes as they go into a request.
pub fn encode_etcd(bytes: impl AsRef<[u8]>) -> String {
    STANDARD.encode(bytes)
}

/// The key behind all that begin with `prefix`: what a range over them ends with.
pub fn etcd_range_end(prefix: &[u8]) -> Vec<u8> {
    let mut end = prefix.to_vec();
    while let Some(last) = end.pop() {
        if last < 0xff {
            end.push(last + 1);
            return end;
        }
    }
    // Nothing is behind: the range has no end.
    vec![0]
}

/// The number in a field; 0 if it is left out.
///
/// # Errors
/// `Wrong` if it is no number.
pub fn etcd_number(value: &Value, field: &'static str) -> Result<u64, EtcdError> {
    match value.get(field) {
        None | Some(Value::Null) => Ok(0),
        Some(Value::String(text)) => text.parse().map_err(|_| EtcdError::Wrong(field)),
        Some(other) => other.as_u64().ok_or(EtcdError::Wrong(field)),
    }
}

/// A key with its value.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct EtcdPair {
    /// The key.
    pub key: Bytes,
    /// Its value.
    pub value: Bytes,
    /// The revision that made it.
    pub create_revision: u64,
    /// The revision that wrote it last.
    pub mod_revision: u64,
}

impl EtcdPair {
    /// One pair.
    ///
    /// # Errors
    /// `Wrong`.
    pub fn read(pair: &Value) -> Result<Self, EtcdError> {
        let bytes = |field: &'static str| match pair.get(field) {
            None => Ok(Bytes::new()),
            Some(text) => {
                let bytes = text.as_str().and_then(|text| STANDARD.decode(text).ok());
                bytes.map(Bytes::from).ok_or(EtcdError::Wrong(field))
            }
        };
        let revision = |field| etcd_number(pair, field);
        let pair = Self {
            key: bytes("key")?,
            value: bytes("value")?,
            create_revision: revision("create_revision")?,
            mod_revision: revision("mod_revision")?,
        };
        if pair.mod_revision == 0 { Err(EtcdError::Wrong("mod_revision")) } else { Ok(pair) }
    }

    /// The pairs of a range's answer.
    ///
    /// # Errors
    /// `Wrong`.
    pub fn read_all(answer: &Value) -> Result<Vec<Self>, EtcdError> {
        if answer.get("header").is_none() {
            return Err(EtcdError::Wrong("header"));
        }
        let pairs = answer.get("kvs").and_then(Value::as_array);
        pairs.into_iter().flatten().map(Self::read).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_range_ends_behind_its_prefix() {
        for (prefix, end) in [(&b"a/"[..], &b"a0"[..]), (&[1, 0xff], &[2]), (&[0xff, 0xff], &[0]), (&[], &[0])] {
            assert_eq!(etcd_range_end(prefix), end, "{prefix:?}");
        }
    }

    #[test]
    fn what_is_zero_is_left_out_and_what_is_wrong_is_refused() {
        let pair = serde_json::json!({ "key": "YQ==", "create_revision": "3", "mod_revision": "4" });
        let expected =
            EtcdPair { key: Bytes::from_static(b"a"), value: Bytes::new(), create_revision: 3, mod_revision: 4 };
        assert_eq!(EtcdPair::read(&pair).unwrap(), expected);
        for wrong in [
            serde_json::json!({ "key": "YQ==" }),
            serde_json::json!({ "key": "?", "mod_revision": "4" }),
            serde_json::json!({ "key": "YQ==", "mod_revision": "-4" }),
            serde_json::json!({ "key": 7, "mod_revision": "4" }),
            serde_json::json!([]),
        ] {
            assert!(EtcdPair::read(&wrong).is_err(), "{wrong}");
        }
    }
}
