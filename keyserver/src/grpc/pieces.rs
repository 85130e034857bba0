//! What many messages have in them: bodies, signatures, policies.

use bytes::Bytes;

use super::generated as wire;
use crate::encoding::{Reader, Writer};
use crate::merkle::TreeProof;
use crate::policy::{AuthorizationPolicy, Expression, MAX_EXPRESSION_DEPTH, MAX_POLICY_KEYS};
use crate::proto::{Message, SignedEntry, SignedHead};
use crate::{Error, PublicKey, Result, Signature, Signatures};

/// The most signatures in one place: those of replicas and of verifiers.
const MOST_SIGNATURES: usize = MAX_POLICY_KEYS * 2;

/// What was sent cannot be a `what`.
pub(super) fn wrong(what: &'static str, check: impl Into<String>) -> Error {
    Error::Corrupt { what, offset: 0, check: check.into() }
}

/// A part that must be there.
pub(super) fn there<T>(what: &'static str, part: Option<T>) -> Result<T> {
    part.ok_or_else(|| wrong(what, "it is missing"))
}

/// The message whose body that is.
pub(super) fn from_body<M: Message>(body: &[u8]) -> Result<M> {
    if body.len() > M::MOST {
        return Err(wrong(M::WHAT, format!("{} bytes, of at most {}", body.len(), M::MOST)));
    }
    M::from_body(body)
}

/// The message, if its framed form would be read.
pub(super) fn bounded<M: Message>(message: M) -> Result<M> {
    let size = message.body().len();
    if size > M::MOST { Err(wrong(M::WHAT, format!("{size} bytes, of at most {}", M::MOST))) } else { Ok(message) }
}

/// The message that somebody has sent here; what is wrong with it is his mistake, and no damage here.
pub(crate) fn asked<M, T: TryInto<M, Error = Error>>(sent: T) -> Result<M> {
    sent.try_into().map_err(|error| match error {
        Error::Corrupt { what, .. } => Error::Invalid { what, why: error.to_string() },
        other => other,
    })
}

/// The body, to be sent.
pub(crate) fn body_of(message: &impl Message) -> Bytes {
    message.body().into()
}

pub(crate) fn signatures_of(signatures: &Signatures) -> Vec<wire::Signature> {
    signatures.iter().map(Into::into).collect()
}

impl From<(&PublicKey, &Signature)> for wire::Signature {
    fn from((key, signature): (&PublicKey, &Signature)) -> Self {
        Self { key: Bytes::copy_from_slice(key.as_bytes()), signature: Bytes::copy_from_slice(&signature.0) }
    }
}

impl TryFrom<wire::Signature> for (PublicKey, Signature) {
    type Error = Error;

    fn try_from(sent: wire::Signature) -> Result<Self> {
        const WHAT: &str = "signature";
        let key = <[u8; 32]>::try_from(&*sent.key).ok().and_then(PublicKey::named);
        let key = key.ok_or_else(|| wrong(WHAT, "its key is not 32 bytes in their canonical encoding"))?;
        let signature = <[u8; 64]>::try_from(&*sent.signature).map_err(|_| wrong(WHAT, "it has 64 bytes"))?;
        Ok((key, Signature(signature)))
    }
}

/// Signatures, in whatever order they come.
pub(super) fn signatures(sent: Vec<wire::Signature>) -> Result<Signatures> {
    const WHAT: &str = "signatures";
    if sent.len() > MOST_SIGNATURES {
        return Err(wrong(WHAT, format!("{}, of at most {MOST_SIGNATURES}", sent.len())));
    }
    let mut signatures = Signatures::new();
    for signature in sent {
        let (key, signature) = signature.try_into()?;
        if signatures.insert(key, signature).is_some() {
            return Err(wrong(WHAT, format!("two of the key {key}")));
        }
    }
    Ok(signatures)
}

impl From<&SignedEntry> for wire::SignedEntry {
    fn from(signed: &SignedEntry) -> Self {
        Self {
            entry: body_of(&signed.entry),
            signatures: signatures_of(&signed.signatures),
            admission: signatures_of(&signed.admission),
        }
    }
}

impl TryFrom<wire::SignedEntry> for SignedEntry {
    type Error = Error;

    fn try_from(sent: wire::SignedEntry) -> Result<Self> {
        Ok(Self {
            entry: from_body(&sent.entry)?,
            signatures: signatures(sent.signatures)?,
            admission: signatures(sent.admission)?,
        })
    }
}

impl From<&SignedHead> for wire::SignedHead {
    fn from(signed: &SignedHead) -> Self {
        Self { head: body_of(&signed.head), signatures: signatures_of(&signed.signatures) }
    }
}

impl TryFrom<wire::SignedHead> for SignedHead {
    type Error = Error;

    fn try_from(sent: wire::SignedHead) -> Result<Self> {
        Ok(Self { head: from_body(&sent.head)?, signatures: signatures(sent.signatures)? })
    }
}

/// A proof's bytes.
pub(super) fn tree_proof_of(proof: &TreeProof) -> Bytes {
    let mut writer = Writer::new();
    proof.write(&mut writer);
    writer.finish().into()
}

/// The proof with those bytes.
pub(super) fn tree_proof(bytes: &[u8]) -> Result<TreeProof> {
    let mut reader = Reader::new("tree proof", bytes);
    let proof = TreeProof::read(&mut reader)?;
    reader.finish()?;
    Ok(proof)
}

impl From<&AuthorizationPolicy> for wire::AuthorizationPolicy {
    fn from(policy: &AuthorizationPolicy) -> Self {
        let keys = policy.keys().iter().map(|key| Bytes::copy_from_slice(key.as_bytes())).collect();
        Self { keys, quorum: Some(policy.quorum().into()) }
    }
}

impl TryFrom<wire::AuthorizationPolicy> for AuthorizationPolicy {
    type Error = Error;

    fn try_from(sent: wire::AuthorizationPolicy) -> Result<Self> {
        const WHAT: &str = "policy";
        if sent.keys.len() > MAX_POLICY_KEYS {
            return Err(wrong(WHAT, format!("{} keys, of at most {MAX_POLICY_KEYS}", sent.keys.len())));
        }
        let key = |bytes: Bytes| match <[u8; 32]>::try_from(&*bytes) {
            Ok(bytes) => PublicKey::from_bytes(bytes),
            Err(_) => Err(wrong(WHAT, "a key has 32 bytes")),
        };
        let keys = sent.keys.into_iter().map(key).collect::<Result<_>>()?;
        Self::new(keys, expression(there("quorum expression", sent.quorum)?, 1)?)
    }
}

impl From<&Expression> for wire::Expression {
    fn from(expression: &Expression) -> Self {
        let kind = match expression {
            Expression::Key(at) => wire::expression::Kind::Key(u32::from(*at)),
            Expression::Threshold { threshold, of } => wire::expression::Kind::Threshold(wire::Threshold {
                threshold: u32::from(*threshold),
                of: of.iter().map(Into::into).collect(),
            }),
        };
        Self { kind: Some(kind) }
    }
}

/// The expression at that depth; not gone down further than one can be deep.
fn expression(sent: wire::Expression, depth: usize) -> Result<Expression> {
    const WHAT: &str = "quorum expression";
    if depth > MAX_EXPRESSION_DEPTH {
        return Err(wrong(WHAT, format!("it is deeper than {MAX_EXPRESSION_DEPTH}")));
    }
    let number = |number: u32| u16::try_from(number).map_err(|_| wrong(WHAT, format!("{number} is too large")));
    Ok(match there(WHAT, sent.kind)? {
        wire::expression::Kind::Key(at) => Expression::Key(number(at)?),
        wire::expression::Kind::Threshold(wire::Threshold { threshold, of }) => {
            let threshold = number(threshold)?;
            let of = of.into_iter().map(|inner| expression(inner, depth + 1)).collect::<Result<_>>()?;
            Expression::Threshold { threshold, of }
        }
    })
}
