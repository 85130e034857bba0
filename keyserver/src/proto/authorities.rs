//! Whose client certificates admit names, and which names.

use bytes::Bytes;

use super::message::Message;
use crate::digest::Domain;
use crate::encoding::{Reader, Writer};
use crate::policy::{Signatures, SigningKey, read_signatures, write_signatures};
use crate::{Digest, Result};

const MAX_AUTHORITIES: usize = 16;
const MAX_TEXT_BYTES: usize = 256;
/// The most bytes of one certificate.
pub const MAX_CERTIFICATE_BYTES: usize = 8 << 10;

/// An authority whose certificates say who somebody is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Authority {
    /// What operators call it.
    pub label: String,
    /// What is put before a DNS name or a URI of a certificate to make it a name, such as `host/`.
    pub prefix: String,
    /// Its own certificate, in DER.
    pub certificate: Bytes,
}

/// All authorities whose certificates are taken. The generation rises by one with every change, so that no change can be replayed.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Authorities {
    /// 0 for none, which is so at first.
    pub generation: u64,
    /// They.
    pub authorities: Vec<Authority>,
}

impl Message for Authorities {
    const WHAT: &'static str = "list of authorities";
    const KIND: u8 = 26;
    const MOST: usize = 144 << 10;

    fn write(&self, writer: &mut Writer) {
        writer.u64(self.generation).count(self.authorities.len());
        for authority in &self.authorities {
            writer.bytes(authority.label.as_bytes()).bytes(authority.prefix.as_bytes()).bytes(&authority.certificate);
        }
    }

    fn read(reader: &mut Reader<'_>) -> Result<Self> {
        let generation = reader.u64()?;
        let count = reader.count(MAX_AUTHORITIES, 12)?;
        let mut authorities = Vec::with_capacity(count);
        for _ in 0..count {
            let (label, prefix) = (reader.text(MAX_TEXT_BYTES)?, reader.text(MAX_TEXT_BYTES)?);
            if label.is_empty() || !prefix.bytes().all(|byte| byte.is_ascii_graphic()) {
                return Err(reader.fault("an authority has a label, and its prefix is printable ASCII"));
            }
            let certificate = Bytes::copy_from_slice(reader.bytes(MAX_CERTIFICATE_BYTES)?);
            authorities.push(Authority { label, prefix, certificate });
        }
        Ok(Self { generation, authorities })
    }
}

/// The certificates of others are to be taken from now on.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct AuthoritiesChange {
    /// The whole new list.
    pub authorities: Authorities,
    /// By the operators.
    pub signatures: Signatures,
}

impl AuthoritiesChange {
    /// The change to `authorities` in that realm, signed by `operators`.
    pub fn signed<'a>(
        authorities: Authorities,
        realm: &Digest,
        operators: impl IntoIterator<Item = &'a SigningKey>,
    ) -> Self {
        let digest = Self::signed_digest(&authorities, realm);
        let signatures = operators.into_iter().map(|key| (key.public(), key.sign(&digest))).collect();
        Self { authorities, signatures }
    }

    pub(crate) fn signed_digest(authorities: &Authorities, realm: &Digest) -> Digest {
        Domain::SignAuthorities.hash(&[&realm.0, &authorities.body()])
    }
}

impl Message for AuthoritiesChange {
    const WHAT: &'static str = "change of authorities";
    const KIND: u8 = 27;
    const MOST: usize = 176 << 10;

    fn write(&self, writer: &mut Writer) {
        self.authorities.write(writer);
        write_signatures(&self.signatures, writer);
    }

    fn read(reader: &mut Reader<'_>) -> Result<Self> {
        Ok(Self { authorities: Authorities::read(reader)?, signatures: read_signatures(reader)? })
    }
}
