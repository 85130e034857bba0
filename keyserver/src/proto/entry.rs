//! What the directory says of a name, and a change of it.

use super::message::Message;
use super::profile::Profile;
use super::realm::{MAX_NAME_BYTES, check_name};
use crate::digest::Domain;
use crate::encoding::{Reader, Writer};
use crate::policy::{AuthorizationPolicy, Signature, Signatures, SigningKey};
use crate::policy::{read_signatures, write_signatures};
use crate::{Digest, Result};

/// What the tree has at an index, by its [hash](Self::hash).
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Entry {
    /// The name's index.
    pub index: Digest,
    /// 0 for the first, and then strictly rising.
    pub version: u64,
    /// Who may change it.
    pub policy: AuthorizationPolicy,
    /// [Commitment](Profile::commitment) to the profile.
    pub commitment: Digest,
    /// Hash of the entry before; [`Digest::NONE`] for the first.
    pub previous: Digest,
}

impl Entry {
    /// The digest that stands in the tree of that realm.
    pub fn hash(&self, realm: &Digest) -> Digest {
        Domain::Entry.hash(&[&realm.0, &self.body()])
    }

    /// What those sign who make it the entry of its name.
    pub(crate) fn signed_digest(&self, realm: &Digest) -> Digest {
        Domain::SignEntry.hash(&[&realm.0, &self.body()])
    }

    /// What operators sign to admit a new name.
    pub(crate) fn admission_digest(&self, realm: &Digest) -> Digest {
        Domain::SignAdmission.hash(&[&realm.0, &self.body()])
    }

    /// An operator's signature that the name may be registered with this entry.
    pub fn admit(&self, realm: &Digest, operator: &SigningKey) -> Signature {
        operator.sign(&self.admission_digest(realm))
    }

    /// The entry, signed by `keys`.
    pub fn signed<'a>(self, realm: &Digest, keys: impl IntoIterator<Item = &'a SigningKey>) -> SignedEntry {
        let digest = self.signed_digest(realm);
        let signatures = keys.into_iter().map(|key| (key.public(), key.sign(&digest))).collect();
        SignedEntry { entry: self, signatures, admission: Signatures::new() }
    }
}

impl Message for Entry {
    const WHAT: &'static str = "entry";
    const KIND: u8 = 1;
    const MOST: usize = 16 << 10;

    fn write(&self, writer: &mut Writer) {
        writer.digest(&self.index).u64(self.version);
        self.policy.write(writer);
        writer.digest(&self.commitment).digest(&self.previous);
    }

    fn read(reader: &mut Reader<'_>) -> Result<Self> {
        Ok(Self {
            index: reader.digest()?,
            version: reader.u64()?,
            policy: AuthorizationPolicy::read(reader)?,
            commitment: reader.digest()?,
            previous: reader.digest()?,
        })
    }
}

/// An entry with what is to make it valid. Verifiers see this, and no name or profile.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SignedEntry {
    /// The entry.
    pub entry: Entry,
    /// Under the policy of the entry before, and its own.
    pub signatures: Signatures,
    /// By operators, for the first entry of a name; otherwise empty.
    pub admission: Signatures,
}

impl Message for SignedEntry {
    const WHAT: &'static str = "signed entry";
    const KIND: u8 = 2;
    const MOST: usize = 80 << 10;

    fn write(&self, writer: &mut Writer) {
        self.entry.write(writer);
        write_signatures(&self.signatures, writer);
        write_signatures(&self.admission, writer);
    }

    fn read(reader: &mut Reader<'_>) -> Result<Self> {
        Ok(Self {
            entry: Entry::read(reader)?,
            signatures: read_signatures(reader)?,
            admission: read_signatures(reader)?,
        })
    }
}

/// What a client asks for: a new entry of a name, with the profile that it commits to.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Update {
    /// The name.
    pub name: String,
    /// Its new entry.
    pub signed: SignedEntry,
    /// The profile.
    pub profile: Profile,
}

impl Message for Update {
    const WHAT: &'static str = "update";
    const KIND: u8 = 3;
    const MOST: usize = 192 << 10;

    fn write(&self, writer: &mut Writer) {
        writer.bytes(self.name.as_bytes());
        self.signed.write(writer);
        self.profile.write(writer);
    }

    fn read(reader: &mut Reader<'_>) -> Result<Self> {
        let name = reader.text(MAX_NAME_BYTES)?;
        check_name(&name).map_err(|error| reader.fault(error.to_string()))?;
        Ok(Self { name, signed: SignedEntry::read(reader)?, profile: Profile::read(reader)? })
    }
}
