//! A new name, with a client certificate in place of an operator's admission.

use bytes::Bytes;

use super::authorities::MAX_CERTIFICATE_BYTES;
use super::entry::{Entry, Update};
use super::message::Message;
use crate::digest::Domain;
use crate::encoding::{Reader, Writer};
use crate::{Digest, Result};

/// The most certificates of a chain: the owner's, and four between it and the authority.
pub const MAX_CHAIN: usize = 5;
/// The most bytes of all of them.
pub const MAX_CHAIN_BYTES: usize = 16 << 10;
/// The most bytes of a signature: RSA of 8,192 bits.
pub const MAX_SIGNATURE_BYTES: usize = 1024;
/// What comes before the digest that is signed. No other protocol signs anything that begins so.
const CONTEXT: &[u8] = b"plastron keyserver 1: registration of a name by a client certificate\0";

/// A first entry, whose owner shows a certificate and signs with its key. Only replicas see the certificate.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CertifiedRegistration {
    /// The entry, without an admission.
    pub update: Update,
    /// The certificate in DER, and those between it and the authority.
    pub chain: Vec<Bytes>,
    /// The algorithm, by the number that TLS has for it (`SignatureScheme` of RFC 8446).
    pub scheme: u16,
    /// Of [`signed_bytes`](Self::signed_bytes), by the certificate's key.
    pub signature: Bytes,
}

impl CertifiedRegistration {
    /// What the certificate's key signs to register a name of that realm with `entry`.
    pub fn signed_bytes(realm: &Digest, entry: &Entry) -> Vec<u8> {
        let digest = Domain::SignCertified.hash(&[&realm.0, &entry.body()]);
        [CONTEXT, &digest.0].concat()
    }
}

impl Message for CertifiedRegistration {
    const WHAT: &'static str = "registration by a certificate";
    const KIND: u8 = 28;
    const MOST: usize = Update::MOST + 4 + 4 * MAX_CHAIN + MAX_CHAIN_BYTES + 2 + 4 + MAX_SIGNATURE_BYTES;

    fn write(&self, writer: &mut Writer) {
        self.update.write(writer);
        writer.count(self.chain.len());
        for certificate in &self.chain {
            writer.bytes(certificate);
        }
        writer.u16(self.scheme).bytes(&self.signature);
    }

    fn read(reader: &mut Reader<'_>) -> Result<Self> {
        let update = Update::read(reader)?;
        let count = reader.count(MAX_CHAIN, 4)?;
        let mut chain = Vec::with_capacity(count);
        let mut left = MAX_CHAIN_BYTES;
        for _ in 0..count {
            let certificate = reader.bytes(left.min(MAX_CERTIFICATE_BYTES))?;
            left -= certificate.len();
            chain.push(Bytes::copy_from_slice(certificate));
        }
        let scheme = reader.u16()?;
        let signature = Bytes::copy_from_slice(reader.bytes(MAX_SIGNATURE_BYTES)?);
        Ok(Self { update, chain, scheme, signature })
    }
}
