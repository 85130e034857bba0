//! The summary of the whole directory at one epoch.

use super::message::Message;
use crate::digest::Domain;
use crate::encoding::{Reader, Writer};
use crate::policy::{AuthorizationPolicy, Signature, Signatures, SigningKey};
use crate::policy::{read_signatures, write_signatures};
use crate::{Digest, Result};

/// A head. Each names the one before, so that whoever has one has agreed to all before it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct EpochHead {
    /// Of which realm.
    pub realm: Digest,
    /// Counts from 1.
    pub epoch: u64,
    /// Root hash of the tree.
    pub root: Digest,
    /// Milliseconds since 1970 by the clock of the replica that proposed the epoch; later than that of the head before.
    pub issued_ms: u64,
    /// Digest of the head before; [`Digest::NONE`] for the first.
    pub previous: Digest,
    /// The realm policy under which this head is signed.
    pub policy: Digest,
    /// The realm policy under which the next one will be.
    pub next_policy: Digest,
}

impl EpochHead {
    /// Names the head.
    pub fn digest(&self) -> Digest {
        Domain::Head.hash(&[&self.body()])
    }

    /// What replicas and verifiers sign.
    pub(crate) fn signed_digest(&self) -> Digest {
        Domain::SignHead.hash(&[&self.body()])
    }

    /// A signature of the head.
    pub fn sign(&self, key: &SigningKey) -> Signature {
        key.sign(&self.signed_digest())
    }

    /// Whether that is `key`'s signature of this head.
    pub fn is_signed_by(&self, key: &crate::PublicKey, signature: &Signature) -> bool {
        key.verifies(&self.signed_digest(), signature)
    }
}

impl Message for EpochHead {
    const WHAT: &'static str = "epoch head";
    const KIND: u8 = 7;
    const MOST: usize = 176;

    fn write(&self, writer: &mut Writer) {
        writer.digest(&self.realm).u64(self.epoch).digest(&self.root).u64(self.issued_ms);
        writer.digest(&self.previous).digest(&self.policy).digest(&self.next_policy);
    }

    fn read(reader: &mut Reader<'_>) -> Result<Self> {
        Ok(Self {
            realm: reader.digest()?,
            epoch: reader.u64()?,
            root: reader.digest()?,
            issued_ms: reader.u64()?,
            previous: reader.digest()?,
            policy: reader.digest()?,
            next_policy: reader.digest()?,
        })
    }
}

/// A head with signatures of replicas and verifiers.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SignedHead {
    /// The head.
    pub head: EpochHead,
    /// What need not be right before it is checked.
    pub signatures: Signatures,
}

impl SignedHead {
    /// Whether right signatures among these meet `quorum`.
    pub fn meets(&self, quorum: &AuthorizationPolicy) -> bool {
        quorum.is_met(&self.head.signed_digest(), &self.signatures)
    }
}

impl Message for SignedHead {
    const WHAT: &'static str = "signed epoch head";
    const KIND: u8 = 8;
    const MOST: usize = 32 << 10;

    fn write(&self, writer: &mut Writer) {
        self.head.write(writer);
        write_signatures(&self.signatures, writer);
    }

    fn read(reader: &mut Reader<'_>) -> Result<Self> {
        Ok(Self { head: EpochHead::read(reader)?, signatures: read_signatures(reader)? })
    }
}
