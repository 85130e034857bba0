//! What is proposed to the replicated log.

use super::authorities::AuthoritiesChange;
use super::certified_registration::CertifiedRegistration;
use super::entry::Update;
use super::issuers::IssuersChange;
use super::message::Message;
use super::realm::{MAX_NAME_BYTES, RealmPolicy};
use super::registration::Registration;
use crate::digest::Domain;
use crate::encoding::{HEADER_BYTES, Reader, Writer};
use crate::policy::{PublicKey, Signature, Signatures, SigningKey};
use crate::policy::{read_signatures, write_signatures};
use crate::{Digest, Result};

/// The most bytes of a log entry in its framed form.
pub const MAX_LOG_ENTRY_BYTES: usize = LogEntry::MOST + 64;

/// One entry of the log. Whatever is in it, all replicas do the same with it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum LogEntry {
    /// A name gets a new entry, with the next epoch.
    Update(Box<Update>),
    /// What has come so far makes an epoch.
    Delimiter {
        /// The epoch that it is to make.
        epoch: u64,
        /// When, in milliseconds since 1970.
        issued_ms: u64,
    },
    /// A replica, or a verifier, signs the head of an epoch.
    HeadSignature {
        /// The epoch.
        epoch: u64,
        /// Whose.
        key: PublicKey,
        /// The signature.
        signature: Signature,
    },
    /// From the next epoch's end on, others run the realm.
    PolicyChange(Box<PolicyChange>),
    /// A new name, whose owner shows an identity token.
    Registration(Box<Registration>),
    /// From now on, other issuers of tokens are believed.
    Issuers(Box<IssuersChange>),
    /// A new name, whose owner shows a client certificate.
    Certified(Box<CertifiedRegistration>),
    /// From now on, certificates of other authorities are taken.
    Authorities(Box<AuthoritiesChange>),
}

impl LogEntry {
    /// The name that a framed entry may register, read without the rest: the entry may be a wrong one, or garbage.
    pub(crate) fn may_register(framed: &[u8]) -> Option<&str> {
        let mut reader = Reader::new(Self::WHAT, framed);
        reader.slice(HEADER_BYTES).ok()?;
        // An update, or what begins with one.
        let has_update = matches!(reader.u8().ok()?, 0 | 4 | 6);
        let name = reader.bytes(MAX_NAME_BYTES).ok().filter(|_| has_update)?;
        let (_index, version) = (reader.digest().ok()?, reader.u64().ok()?);
        std::str::from_utf8(name).ok().filter(|_| version == 0)
    }
}

impl Message for LogEntry {
    const WHAT: &'static str = "log entry";
    const KIND: u8 = 9;
    const MOST: usize = CertifiedRegistration::MOST + 1;

    fn write(&self, writer: &mut Writer) {
        match self {
            Self::Update(update) => update.write(writer.u8(0)),
            Self::Delimiter { epoch, issued_ms } => {
                writer.u8(1).u64(*epoch).u64(*issued_ms);
            }
            Self::HeadSignature { epoch, key, signature } => {
                writer.u8(2).u64(*epoch).array(key.as_bytes()).array(&signature.0);
            }
            Self::PolicyChange(change) => change.write(writer.u8(3)),
            Self::Registration(registration) => registration.write(writer.u8(4)),
            Self::Issuers(change) => change.write(writer.u8(5)),
            Self::Certified(registration) => registration.write(writer.u8(6)),
            Self::Authorities(change) => change.write(writer.u8(7)),
        }
    }

    fn read(reader: &mut Reader<'_>) -> Result<Self> {
        match reader.u8()? {
            0 => Ok(Self::Update(Box::new(Update::read(reader)?))),
            1 => Ok(Self::Delimiter { epoch: reader.u64()?, issued_ms: reader.u64()? }),
            2 => {
                let epoch = reader.u64()?;
                let key = PublicKey::named(reader.array()?);
                let key = key.ok_or_else(|| reader.fault("a key is not in its canonical encoding"))?;
                Ok(Self::HeadSignature { epoch, key, signature: Signature(reader.array()?) })
            }
            3 => Ok(Self::PolicyChange(Box::new(PolicyChange::read(reader)?))),
            4 => Ok(Self::Registration(Box::new(Registration::read(reader)?))),
            5 => Ok(Self::Issuers(Box::new(IssuersChange::read(reader)?))),
            6 => Ok(Self::Certified(Box::new(CertifiedRegistration::read(reader)?))),
            7 => Ok(Self::Authorities(Box::new(AuthoritiesChange::read(reader)?))),
            other => Err(reader.fault(format!("{other} is no sort of log entry"))),
        }
    }
}

/// Other people are to run the realm. The generation is one more than that of the policy in force, which is what it is signed under.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PolicyChange {
    /// The new policy.
    pub policy: RealmPolicy,
    /// By the operators so far.
    pub signatures: Signatures,
}

impl PolicyChange {
    /// The change to `policy` in that realm, signed by `operators`.
    pub fn signed<'a>(
        policy: RealmPolicy,
        realm: &Digest,
        operators: impl IntoIterator<Item = &'a SigningKey>,
    ) -> Self {
        let digest = Self::signed_digest(&policy, realm);
        let signatures = operators.into_iter().map(|key| (key.public(), key.sign(&digest))).collect();
        Self { policy, signatures }
    }

    pub(crate) fn signed_digest(policy: &RealmPolicy, realm: &Digest) -> Digest {
        Domain::SignPolicyChange.hash(&[&realm.0, &policy.body()])
    }
}

impl Message for PolicyChange {
    const WHAT: &'static str = "policy change";
    const KIND: u8 = 10;
    const MOST: usize = 72 << 10;

    fn write(&self, writer: &mut Writer) {
        self.policy.write(writer);
        write_signatures(&self.signatures, writer);
    }

    fn read(reader: &mut Reader<'_>) -> Result<Self> {
        Ok(Self { policy: RealmPolicy::read(reader)?, signatures: read_signatures(reader)? })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_that_is_to_be_registered_is_read_from_the_start_of_an_entry() {
        let golden = |file: &str| std::fs::read(std::path::Path::new("tests/fixtures").join(file)).unwrap();
        let bytes = golden("log-entry-update-1.bin");
        let LogEntry::Update(update) = LogEntry::from_bytes(&bytes).unwrap() else { panic!("an update") };
        let named = |version| {
            let mut update = (*update).clone();
            update.signed.entry.version = version;
            LogEntry::Update(Box::new(update)).to_bytes()
        };
        assert_eq!(LogEntry::may_register(&named(0)), Some(update.name.as_str()));
        assert_eq!(LogEntry::may_register(&named(1)), None);
        let delimiter = LogEntry::Delimiter { epoch: 1, issued_ms: 2 }.to_bytes();
        assert_eq!(LogEntry::may_register(&delimiter), None);
        // Cut anywhere, it is one or it is none.
        let first = named(0);
        for length in 0..first.len() {
            assert!(LogEntry::may_register(&first[..length]).is_none_or(|name| name == update.name));
        }
    }
}
