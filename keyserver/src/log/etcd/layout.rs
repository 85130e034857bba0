//! Keys, and what is behind every value.

use bytes::Bytes;
use plastron_ickpt::etcd::EtcdPair;

use crate::{Error, Result};

const MAX_REPLICA_NAME_BYTES: usize = 64;

/// A replica's name is part of a key.
pub(super) fn check_replica_name(name: &str) -> Result<()> {
    let plain = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_' | b'.');
    if name.is_empty() || name.len() > MAX_REPLICA_NAME_BYTES || !name.bytes().all(plain) {
        let why =
            format!("'{name}' is not 1 to {MAX_REPLICA_NAME_BYTES} letters, digits, dashes, dots and underscores");
        return Err(Error::Invalid { what: "name of a replica", why });
    }
    Ok(())
}

/// The keys under a prefix.
#[derive(Debug)]
pub(super) struct Layout(String);

impl Layout {
    pub(super) fn new(prefix: &str) -> Self {
        Self(prefix.to_owned())
    }

    /// What the keys of entries begin with.
    pub(super) fn entries(&self) -> String {
        format!("{}/entry/", self.0)
    }

    pub(super) fn entry(&self, high: u64, low: u64) -> String {
        format!("{}/entry/{high:016x}{low:016x}", self.0)
    }

    pub(super) fn truncated(&self) -> String {
        format!("{}/truncated", self.0)
    }

    pub(super) fn leader(&self) -> String {
        format!("{}/leader", self.0)
    }

    /// What the keys of replicas' progress begin with.
    pub(super) fn progress(&self) -> String {
        format!("{}/applied/", self.0)
    }

    pub(super) fn applied(&self, replica: &str) -> String {
        format!("{}/applied/{replica}", self.0)
    }
}

/// `value`, with the checksum of key and value behind it.
pub(super) fn seal(key: &str, value: &[u8]) -> Vec<u8> {
    let sum = crc32c::crc32c_append(crc32c::crc32c(key.as_bytes()), value);
    [value, &sum.to_be_bytes()].concat()
}

/// The value without its checksum; none if that is wrong.
pub(super) fn unseal(pair: &EtcdPair) -> Option<Bytes> {
    let end = pair.value.len().checked_sub(4)?;
    let (value, sum) = pair.value.split_at_checked(end)?;
    let right = crc32c::crc32c_append(crc32c::crc32c(&pair.key), value).to_be_bytes() == *sum;
    right.then(|| pair.value.slice(..end))
}

/// The index in a sealed value.
pub(super) fn index_in(pair: &EtcdPair) -> Result<u64> {
    let index = unseal(pair).and_then(|value| value[..].try_into().ok().map(u64::from_be_bytes));
    index.ok_or_else(|| Error::Corrupt {
        what: "log on etcd",
        offset: 0,
        check: format!("{} holds no index", String::from_utf8_lossy(&pair.key)),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_flipped_bit_of_a_value_or_key_is_found() {
        let pair = |key: &[u8], value: &[u8]| EtcdPair {
            key: Bytes::copy_from_slice(key),
            value: Bytes::copy_from_slice(value),
            create_revision: 1,
            mod_revision: 1,
        };
        let sealed = seal("p/truncated", &7_u64.to_be_bytes());
        assert_eq!(index_in(&pair(b"p/truncated", &sealed)).unwrap(), 7);
        for bit in 0..sealed.len() * 8 {
            let mut value = sealed.clone();
            value[bit / 8] ^= 1 << (bit % 8);
            assert!(unseal(&pair(b"p/truncated", &value)).is_none());
        }
        assert!(unseal(&pair(b"p/truncatef", &sealed)).is_none());
        for short in 0..4 {
            assert!(unseal(&pair(b"p/truncated", &sealed[..short])).is_none());
        }
        assert!(check_replica_name("replica-1.a_b").is_ok());
        for name in ["", "a/b", "a b", "ä", &"x".repeat(65)] {
            assert!(check_replica_name(name).is_err(), "{name}");
        }
    }
}
