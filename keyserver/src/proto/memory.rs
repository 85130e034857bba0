//! What a client remembers of a realm between its calls, so that nobody can take it back in time.

use super::message::Message;
use super::realm::{Realm, RealmPolicy};
use crate::encoding::{Reader, Writer};
use crate::{Digest, Result};

/// The newest head that the client has accepted, and the policy that it was signed under.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ClientMemory {
    /// The realm's identity.
    pub realm: Digest,
    /// Epoch of the head; 0 for none yet.
    pub epoch: u64,
    /// Digest of the head; [`Digest::NONE`] for none yet.
    pub head: Digest,
    /// The policy.
    pub policy: RealmPolicy,
}

impl ClientMemory {
    /// Of who knows nothing but the realm.
    pub fn new(realm: &Realm) -> Self {
        Self { realm: realm.id(), epoch: 0, head: Digest::NONE, policy: realm.policy.clone() }
    }
}

impl Message for ClientMemory {
    const WHAT: &'static str = "client's memory";
    const KIND: u8 = 15;
    const MOST: usize = 48 << 10;

    fn write(&self, writer: &mut Writer) {
        writer.digest(&self.realm).u64(self.epoch).digest(&self.head);
        self.policy.write(writer);
    }

    fn read(reader: &mut Reader<'_>) -> Result<Self> {
        Ok(Self {
            realm: reader.digest()?,
            epoch: reader.u64()?,
            head: reader.digest()?,
            policy: RealmPolicy::read(reader)?,
        })
    }
}
