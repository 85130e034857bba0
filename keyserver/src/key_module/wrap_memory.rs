//! What a node remembers of a database's keys, so that nobody can take it back. No secret is in it.

use std::collections::BTreeMap;

use super::members::{Member, Members};
use super::readers::{MAX_READERS, read_id};
use crate::encoding::{Reader, Writer};
use crate::proto::{Message, Realm};
use crate::{Digest, Error, Result};

/// A node's memory.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct WrapMemory {
    /// The realm.
    pub realm: Digest,
    /// The cluster.
    pub cluster: String,
    /// The database's ring of KEKs, once a published checkpoint has shown it.
    pub ring: Option<[u8; 16]>,
    /// The highest generation that was made here, or seen.
    pub generation: u64,
    /// Somebody wants a KEK above this generation.
    pub wanted: u64,
    /// The newest epoch that was seen, and who could read at it.
    pub members: Members,
}

impl WrapMemory {
    /// Of who knows nothing yet.
    pub fn new(realm: &Realm, cluster: &str) -> Self {
        Self {
            realm: realm.id(),
            cluster: cluster.to_owned(),
            ring: None,
            generation: 0,
            wanted: 0,
            members: Members::NOBODY,
        }
    }

    /// Takes note of an epoch that was looked up.
    ///
    /// # Errors
    /// `Invalid`, kind and all, if anything went back: what is known stays.
    pub(super) fn see(&mut self, members: &Members) -> Result<()> {
        if let Some(back) = self.members.went_back(members) {
            return Err(Error::Unverified(crate::Unverified::Back { what: back }));
        }
        self.members = members.clone();
        Ok(())
    }

    /// Takes note of a blob that was checked: it may be older than what is known, but not of another history.
    pub(super) fn see_blob(&mut self, ring: [u8; 16], generation: u64, members: &Members) -> Result<()> {
        if members.epoch >= self.members.epoch {
            self.see(members)?;
        }
        if self.ring.is_some_and(|known| known != ring) {
            let why = "it is of another database; name another memory in config=(memory=…), one for each database";
            return Err(Error::Invalid { what: "node's memory", why: why.to_owned() });
        }
        self.ring = Some(ring);
        self.generation = self.generation.max(generation);
        Ok(())
    }
}

impl Message for WrapMemory {
    const WHAT: &'static str = "node's memory";
    const KIND: u8 = 25;
    const MOST: usize = 32 << 10;

    fn write(&self, writer: &mut Writer) {
        writer.digest(&self.realm).bytes(self.cluster.as_bytes());
        writer.option(self.ring.as_ref(), |ring, writer| {
            writer.array(ring);
        });
        writer.u64(self.generation).u64(self.wanted);
        let members = &self.members;
        writer.u64(members.epoch).digest(&members.head).u64(members.version).count(members.nodes.len());
        for (id, member) in &members.nodes {
            writer.bytes(id.as_bytes()).u64(member.version).digest(&member.key);
        }
    }

    fn read(reader: &mut Reader<'_>) -> Result<Self> {
        let (realm, cluster) = (reader.digest()?, read_id(reader)?);
        let ring = reader.option(Reader::array)?;
        let (generation, wanted) = (reader.u64()?, reader.u64()?);
        let (epoch, head, version) = (reader.u64()?, reader.digest()?, reader.u64()?);
        let count = reader.count(MAX_READERS, 45)?;
        let mut nodes = BTreeMap::new();
        for _ in 0..count {
            let id = read_id(reader)?;
            if nodes.last_key_value().is_some_and(|(last, _)| *last >= id) {
                return Err(reader.fault("the members are not in ascending order"));
            }
            nodes.insert(id, Member { version: reader.u64()?, key: reader.digest()? });
        }
        let members = Members { epoch, head, version, nodes };
        Ok(Self { realm, cluster, ring, generation, wanted, members })
    }
}
