//! A realm: one directory, and what everybody who uses it has to know beforehand.

use super::message::Message;
use crate::digest::Domain;
use crate::encoding::{Reader, Writer};
use crate::policy::AuthorizationPolicy;
use crate::vrf::VrfPublic;
use crate::{Digest, Error, Result};

/// The most bytes of a name.
pub const MAX_NAME_BYTES: usize = 256;

/// A name is 1 to 256 bytes of printable ASCII without blanks: there is one spelling of each.
pub(crate) fn check_name(name: &str) -> Result<()> {
    if name.is_empty() || name.len() > MAX_NAME_BYTES || !name.bytes().all(|byte| byte.is_ascii_graphic()) {
        let why = format!("it is 1 to {MAX_NAME_BYTES} printable ASCII characters without blanks");
        return Err(Error::Invalid { what: "name", why });
    }
    Ok(())
}

/// Who runs the realm at one time.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RealmPolicy {
    /// Rises by one with every change, so that no change can be replayed.
    pub generation: u64,
    /// Whose signatures make a head the keyserver's.
    pub replicas: AuthorizationPolicy,
    /// Whose ratifications count, and how many it takes for those who ask for them; none if the realm has no verifiers.
    pub verifiers: Option<AuthorizationPolicy>,
    /// Who admits names and changes this policy.
    pub operators: AuthorizationPolicy,
}

impl RealmPolicy {
    /// The digest that heads name it by.
    pub fn digest(&self) -> Digest {
        Domain::Policy.hash(&[&self.body()])
    }

    /// Checks that no replica is a verifier: one who checks himself checks nothing.
    ///
    /// # Errors
    /// `Invalid`.
    pub fn check(&self) -> Result<()> {
        let both = self.verifiers.iter().flat_map(|verifiers| verifiers.keys()).find(|key| self.replicas.has(key));
        match both {
            Some(key) => {
                let why = format!("{key} is both replica and verifier; give the verifier a key of its own");
                Err(Error::Invalid { what: Self::WHAT, why })
            }
            None => Ok(()),
        }
    }
}

impl Message for RealmPolicy {
    const WHAT: &'static str = "realm policy";
    const KIND: u8 = 5;
    const MOST: usize = 40 << 10;

    fn write(&self, writer: &mut Writer) {
        writer.u64(self.generation);
        self.replicas.write(writer);
        writer.option(self.verifiers.as_ref(), AuthorizationPolicy::write);
        self.operators.write(writer);
    }

    fn read(reader: &mut Reader<'_>) -> Result<Self> {
        let policy = Self {
            generation: reader.u64()?,
            replicas: AuthorizationPolicy::read(reader)?,
            verifiers: reader.option(AuthorizationPolicy::read)?,
            operators: AuthorizationPolicy::read(reader)?,
        };
        policy.check().map_err(|error| reader.fault(error.to_string()))?;
        Ok(policy)
    }
}

/// What clients, verifiers and replicas are given beforehand, in a file that is not secret but must be the right one.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Realm {
    /// For people.
    pub name: String,
    /// 32 random bytes: no two realms are alike.
    pub nonce: [u8; 32],
    /// Checks the indices of names.
    pub index_key: VrfPublic,
    /// When it was made, in milliseconds since 1970: heads are later.
    pub created_ms: u64,
    /// How much later than the one before a head is at least, in milliseconds.
    pub shortest_epoch_ms: u64,
    /// How long after its issue a head is fresh, in milliseconds.
    pub lifetime_ms: u64,
    /// Who runs it at first.
    pub policy: RealmPolicy,
}

impl Realm {
    /// The realm's identity, which is in every hash and signature.
    pub fn id(&self) -> Digest {
        Domain::Realm.hash(&[&self.body()])
    }
}

impl Message for Realm {
    const WHAT: &'static str = "realm";
    const KIND: u8 = 6;
    const MOST: usize = 48 << 10;

    fn write(&self, writer: &mut Writer) {
        writer.bytes(self.name.as_bytes()).array(&self.nonce).array(&self.index_key.to_bytes());
        writer.u64(self.created_ms).u64(self.shortest_epoch_ms).u64(self.lifetime_ms);
        self.policy.write(writer);
    }

    fn read(reader: &mut Reader<'_>) -> Result<Self> {
        let name = reader.text(MAX_NAME_BYTES)?;
        check_name(&name).map_err(|error| reader.fault(error.to_string()))?;
        let nonce = reader.array()?;
        let index_key = VrfPublic::from_bytes(&reader.array()?).map_err(|error| reader.fault(error.to_string()))?;
        Ok(Self {
            name,
            nonce,
            index_key,
            created_ms: reader.u64()?,
            shortest_epoch_ms: reader.u64()?,
            lifetime_ms: reader.u64()?,
            policy: RealmPolicy::read(reader)?,
        })
    }
}
