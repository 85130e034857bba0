//! Who may say that somebody owns an address, and with which keys.

use bytes::Bytes;

use super::message::Message;
use crate::digest::Domain;
use crate::encoding::{Reader, Writer};
use crate::policy::{Signatures, SigningKey, read_signatures, write_signatures};
use crate::{Digest, Error, Result};

const MAX_ISSUERS: usize = 16;
const MAX_KEYS: usize = 32;
const MAX_TEXT_BYTES: usize = 256;
const MAX_KEY_ID_BYTES: usize = 128;
/// RSA keys of 2,048 to 8,192 bits.
const MODULUS_BYTES: std::ops::RangeInclusive<usize> = 256..=1024;
const MAX_EXPONENT_BYTES: usize = 4;

/// A key that an issuer signs with.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum IssuerPublicKey {
    /// For RS256.
    Rsa {
        /// Big-endian, 256 to 1,024 bytes without zeros in front.
        modulus: Bytes,
        /// Big-endian, 1 to 4 bytes without zeros in front.
        exponent: Bytes,
    },
    /// For ES256: 4, x and y.
    P256([u8; 65]),
    /// For EdDSA.
    Ed25519([u8; 32]),
}

/// A key with the name that tokens call it by.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct IssuerKey {
    /// `kid`; empty if the issuer has none.
    pub id: String,
    /// The key.
    pub key: IssuerPublicKey,
}

impl IssuerKey {
    /// Checks the bounds.
    ///
    /// # Errors
    /// `Invalid`.
    pub fn check(&self) -> Result<()> {
        let bounded = |bytes: &Bytes, lengths: std::ops::RangeInclusive<usize>| {
            lengths.contains(&bytes.len()) && bytes.first() != Some(&0)
        };
        let right = match &self.key {
            IssuerPublicKey::Rsa { modulus, exponent } => {
                bounded(modulus, MODULUS_BYTES) && bounded(exponent, 1..=MAX_EXPONENT_BYTES)
            }
            IssuerPublicKey::P256(point) => point.first() == Some(&4),
            IssuerPublicKey::Ed25519(_) => true,
        };
        if right && self.id.len() <= MAX_KEY_ID_BYTES {
            return Ok(());
        }
        let why = format!("RSA has 2,048 to 8,192 bits, a point is uncompressed, a name has {MAX_KEY_ID_BYTES} bytes");
        Err(Error::Invalid { what: "issuer's key", why })
    }

    fn write(&self, writer: &mut Writer) {
        writer.bytes(self.id.as_bytes());
        match &self.key {
            IssuerPublicKey::Rsa { modulus, exponent } => writer.u8(0).bytes(modulus).bytes(exponent),
            IssuerPublicKey::P256(point) => writer.u8(1).array(point),
            IssuerPublicKey::Ed25519(key) => writer.u8(2).array(key),
        };
    }

    fn read(reader: &mut Reader<'_>) -> Result<Self> {
        let id = reader.text(MAX_KEY_ID_BYTES)?;
        let key = match reader.u8()? {
            0 => IssuerPublicKey::Rsa {
                modulus: Bytes::copy_from_slice(reader.bytes(*MODULUS_BYTES.end())?),
                exponent: Bytes::copy_from_slice(reader.bytes(MAX_EXPONENT_BYTES)?),
            },
            1 => IssuerPublicKey::P256(reader.array()?),
            2 => IssuerPublicKey::Ed25519(reader.array()?),
            other => return Err(reader.fault(format!("{other} is no sort of key"))),
        };
        let key = Self { id, key };
        key.check().map_err(|error| reader.fault(error.to_string()))?;
        Ok(key)
    }
}

/// Somebody whose word is taken.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Issuer {
    /// `iss` of its tokens, a URL.
    pub issuer: String,
    /// `aud` of tokens that are meant for this realm.
    pub audience: String,
    /// What is put before an address to make it a name, such as `person/`.
    pub prefix: String,
    /// Its keys.
    pub keys: Vec<IssuerKey>,
}

/// All whose word is taken. The generation rises by one with every change, so that no change can be replayed.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Issuers {
    /// 0 for none, which is so at first.
    pub generation: u64,
    /// They.
    pub issuers: Vec<Issuer>,
}

impl Message for Issuers {
    const WHAT: &'static str = "list of issuers";
    const KIND: u8 = 19;
    const MOST: usize = 128 << 10;

    fn write(&self, writer: &mut Writer) {
        writer.u64(self.generation).count(self.issuers.len());
        for issuer in &self.issuers {
            for text in [&issuer.issuer, &issuer.audience, &issuer.prefix] {
                writer.bytes(text.as_bytes());
            }
            writer.count(issuer.keys.len());
            issuer.keys.iter().for_each(|key| key.write(writer));
        }
    }

    fn read(reader: &mut Reader<'_>) -> Result<Self> {
        let generation = reader.u64()?;
        let count = reader.count(MAX_ISSUERS, 16)?;
        let mut issuers = Vec::with_capacity(count);
        for _ in 0..count {
            let (issuer, audience) = (reader.text(MAX_TEXT_BYTES)?, reader.text(MAX_TEXT_BYTES)?);
            let prefix = reader.text(MAX_TEXT_BYTES)?;
            if issuer.is_empty() || audience.is_empty() || !prefix.bytes().all(|byte| byte.is_ascii_graphic()) {
                return Err(reader.fault("an issuer and its audience are not empty, and its prefix is printable ASCII"));
            }
            let count = reader.count(MAX_KEYS, 37)?;
            let keys = (0..count).map(|_| IssuerKey::read(reader)).collect::<Result<_>>()?;
            issuers.push(Issuer { issuer, audience, prefix, keys });
        }
        Ok(Self { generation, issuers })
    }
}

/// Others are to be believed from now on.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct IssuersChange {
    /// The whole new list.
    pub issuers: Issuers,
    /// By the operators.
    pub signatures: Signatures,
}

impl IssuersChange {
    /// The change to `issuers` in that realm, signed by `operators`.
    pub fn signed<'a>(issuers: Issuers, realm: &Digest, operators: impl IntoIterator<Item = &'a SigningKey>) -> Self {
        let digest = Self::signed_digest(&issuers, realm);
        let signatures = operators.into_iter().map(|key| (key.public(), key.sign(&digest))).collect();
        Self { issuers, signatures }
    }

    pub(crate) fn signed_digest(issuers: &Issuers, realm: &Digest) -> Digest {
        Domain::SignIssuers.hash(&[&realm.0, &issuers.body()])
    }
}

impl Message for IssuersChange {
    const WHAT: &'static str = "change of issuers";
    const KIND: u8 = 20;
    const MOST: usize = 160 << 10;

    fn write(&self, writer: &mut Writer) {
        self.issuers.write(writer);
        write_signatures(&self.signatures, writer);
    }

    fn read(reader: &mut Reader<'_>) -> Result<Self> {
        Ok(Self { issuers: Issuers::read(reader)?, signatures: read_signatures(reader)? })
    }
}
