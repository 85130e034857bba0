//! Keys with an expression over them, and signatures that may meet it.

use std::collections::BTreeMap;

use super::expression::Expression;
use super::public_key::{PublicKey, Signature};
use crate::encoding::{Reader, Writer};
use crate::{Digest, Error, Result};

/// The most keys of one policy.
pub const MAX_POLICY_KEYS: usize = 128;

const WHAT: &str = "policy";

/// Signatures by key. What is in here need not be right.
pub type Signatures = BTreeMap<PublicKey, Signature>;

/// Who may do something. Every value of this type keeps the rules of the [module](super).
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct AuthorizationPolicy {
    keys: Vec<PublicKey>,
    quorum: Expression,
}

impl AuthorizationPolicy {
    /// A policy over `keys`, in ascending order, to which `quorum` refers by their places.
    ///
    /// # Errors
    /// `Invalid`, which names the broken rule.
    pub fn new(keys: Vec<PublicKey>, quorum: Expression) -> Result<Self> {
        let invalid = |why: String| Err(Error::Invalid { what: WHAT, why });
        if keys.is_empty() || keys.len() > MAX_POLICY_KEYS {
            return invalid(format!("it has {} keys, and can have 1 to {MAX_POLICY_KEYS}", keys.len()));
        }
        for pair in keys.windows(2) {
            if let [a, b] = pair {
                if a == b {
                    return invalid(format!("key {a} is listed twice"));
                }
                if a > b {
                    return invalid("its keys are not in ascending order".to_owned());
                }
            }
        }
        quorum.check(keys.len())?;
        Ok(Self { keys, quorum })
    }

    /// `threshold` of `keys`, in any order.
    ///
    /// # Errors
    /// `Invalid` for a key that is there twice, and a threshold that cannot be met.
    pub fn threshold(threshold: u16, mut keys: Vec<PublicKey>) -> Result<Self> {
        keys.sort_unstable();
        let count = u16::try_from(keys.len()).unwrap_or(u16::MAX);
        Self::new(keys, Expression::of_keys(threshold, count))
    }

    /// More than half of `keys`, in any order.
    ///
    /// # Errors
    /// `Invalid` for a key that is there twice.
    pub fn majority(keys: Vec<PublicKey>) -> Result<Self> {
        let most = u16::try_from(keys.len() / 2 + 1).unwrap_or(u16::MAX);
        Self::threshold(most, keys)
    }

    /// The keys, ascending.
    pub fn keys(&self) -> &[PublicKey] {
        &self.keys
    }

    /// The expression.
    pub fn quorum(&self) -> &Expression {
        &self.quorum
    }

    /// Whether the key is one of those.
    pub fn has(&self, key: &PublicKey) -> bool {
        self.keys.binary_search(key).is_ok()
    }

    /// Whether right signatures on `digest` among `signatures` meet the quorum. Others among them do no harm, and none is checked that is not needed.
    pub(crate) fn is_met(&self, digest: &Digest, signatures: &Signatures) -> bool {
        let present = |at: u16| self.keys.get(usize::from(at)).is_some_and(|key| signatures.contains_key(key));
        self.quorum.is_met(&present)
            && self.quorum.is_met(&|at| {
                let key = self.keys.get(usize::from(at));
                key.and_then(|key| Some((key, signatures.get(key)?)))
                    .is_some_and(|(key, signature)| key.verifies(digest, signature))
            })
    }

    /// Whether the quorum is met by who has signed, where each signature was checked before.
    pub(crate) fn is_met_by(&self, checked: &Signatures) -> bool {
        self.quorum.is_met(&|at| self.keys.get(usize::from(at)).is_some_and(|key| checked.contains_key(key)))
    }

    pub(crate) fn write(&self, writer: &mut Writer) {
        writer.count(self.keys.len());
        self.keys.iter().for_each(|key| {
            writer.array(key.as_bytes());
        });
        self.quorum.write(writer);
    }

    pub(crate) fn read(reader: &mut Reader<'_>) -> Result<Self> {
        let count = reader.count(MAX_POLICY_KEYS, PublicKey::BYTES)?;
        let keys = (0..count).map(|_| PublicKey::from_bytes(reader.array()?)).collect::<Result<Vec<_>>>();
        let keys = keys.map_err(|error| decoded(reader, error))?;
        let quorum = Expression::read(reader, count)?;
        Self::new(keys, quorum).map_err(|error| decoded(reader, error))
    }
}

/// A rule that bytes break is a fault of the bytes.
fn decoded(reader: &Reader<'_>, error: Error) -> Error {
    match error {
        Error::Invalid { what, why } => reader.fault(format!("{what}: {why}")),
        other => other,
    }
}

pub(crate) fn write_signatures(signatures: &Signatures, writer: &mut Writer) {
    writer.count(signatures.len());
    for (key, signature) in signatures {
        writer.array(key.as_bytes()).array(&signature.0);
    }
}

pub(crate) fn read_signatures(reader: &mut Reader<'_>) -> Result<Signatures> {
    // A head can bear those of replicas and of verifiers.
    let count = reader.count(MAX_POLICY_KEYS * 2, PublicKey::BYTES + 64)?;
    let mut out = Signatures::new();
    for _ in 0..count {
        let key = reader.array()?;
        let key = PublicKey::named(key).ok_or_else(|| reader.fault("a key is not in its canonical encoding"))?;
        if out.last_key_value().is_some_and(|(last, _)| *last >= key) {
            return Err(reader.fault("signatures are not in ascending order of their keys"));
        }
        out.insert(key, Signature(reader.array()?));
    }
    Ok(out)
}
