//! Checking a blob again, offline: of the realm's file and the blob alone.
//!
//! What it cannot tell without a reader's private key is whether the encapsulations hold the KEK at all: a leader that wraps garbage locks out its readers, and
//! lets nobody in.

use std::collections::BTreeSet;

use super::kek_blob::{KekBlob, OlderKek};
use super::kem::Kem;
use super::members::{Member, Members};
use super::names::{node_name, readers_name};
use super::node_public::NodePublic;
use super::readers::Readers;
use crate::proto::{Quorum, Realm};
use crate::{CLOCK_SKEW_MS, Digest, Unverified};

/// Why a blob, or one of its wraps, is refused.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum WrapFault {
    /// Something is not proved.
    #[error("{name} is not proved: {why}")]
    Proof {
        /// The name.
        name: String,
        /// Why not.
        why: Unverified,
    },
    /// The entry has no list.
    #[error("{name} has no list of readers at that epoch: {why}")]
    List {
        /// The name.
        name: String,
        /// Why not.
        why: String,
    },
    /// Somebody else.
    #[error("the KEK is wrapped to node {id}, which is no reader at that epoch")]
    NotListed {
        /// The node.
        id: String,
    },
    /// No key.
    #[error("the KEK is wrapped to node {id}, which has no key at that epoch: {why}")]
    NoKey {
        /// The node.
        id: String,
        /// Why not.
        why: String,
    },
    /// A stranger.
    #[error("the blob was made by node {id}, which is no reader at that epoch")]
    Leader {
        /// The node.
        id: String,
    },
    /// Not signed.
    #[error("the blob is not signed by the key that node {id} has at that epoch")]
    Signature {
        /// The node.
        id: String,
    },
    /// Wrapped by an epoch that was over.
    #[error("the head of epoch {epoch} was {age_ms} ms old when it was wrapped by, and holds for {lifetime_ms} ms")]
    Expired {
        /// The epoch.
        epoch: u64,
        /// Its age then.
        age_ms: u64,
        /// How long it holds.
        lifetime_ms: u64,
    },
    /// Wrapped before the epoch was.
    #[error("it was wrapped {ahead_ms} ms before the head of epoch {epoch} was issued")]
    Early {
        /// The epoch.
        epoch: u64,
        /// How long.
        ahead_ms: u64,
    },
}

/// A wrap, as it is proved.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ReaderWrap {
    /// The node.
    pub id: String,
    /// Version of its entry.
    pub version: u64,
    /// Hash of its entry.
    pub entry: Digest,
    /// How it is wrapped to; none if the profile has no key.
    pub kem: Option<Kem>,
    /// Names the key that is wrapped to; none if the profile has no key.
    pub key: Option<Digest>,
}

/// What a blob says, and what of it does not hold.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Examination {
    /// The cluster.
    pub cluster: String,
    /// The KEK's name.
    pub kek: [u8; 16],
    /// Its generation.
    pub generation: u64,
    /// When it was wrapped, in milliseconds since 1970, as the leader says.
    pub wrapped_ms: u64,
    /// The epoch that says who the readers are.
    pub epoch: u64,
    /// Digest of its head.
    pub head: Digest,
    /// Version of the list's entry.
    pub version: u64,
    /// The node that made the blob.
    pub leader: String,
    /// Who can unwrap it.
    pub readers: Vec<ReaderWrap>,
    /// Nodes that are listed, and were not wrapped to: not registered then, or without a usable key.
    pub without: Vec<String>,
    /// The KEKs before, which whoever unwraps this one has too.
    pub older: Vec<OlderKek>,
    /// What does not hold; with nothing here, all of the above is proved.
    pub faults: Vec<WrapFault>,
}

impl Examination {
    /// Those that it is wrapped to.
    pub fn members(&self) -> Members {
        let member =
            |reader: &ReaderWrap| Some((reader.id.clone(), Member { version: reader.version, key: reader.key? }));
        let nodes = self.readers.iter().filter_map(member).collect();
        Members { epoch: self.epoch, head: self.head, version: self.version, nodes }
    }
}

/// Checks every part of `blob` against the realm: that the epoch's head bears the signatures of a quorum, that list and nodes stand in its tree, that only listed
/// nodes are wrapped to, that the leader was one of them and signed it all, in the lifetime of the head.
pub fn examine(realm: &Realm, quorum: &Quorum, blob: &KekBlob) -> Examination {
    let id = realm.id();
    let head = &blob.epoch.head.head;
    let mut faults = Vec::new();
    let name = readers_name(&blob.cluster);
    if let Err(why) = blob.readers.check(realm, &blob.epoch, quorum, name.clone()) {
        faults.push(WrapFault::Proof { name: name.clone(), why });
    }
    let listed: BTreeSet<String> = match Readers::of(&blob.readers.profile) {
        Ok(readers) => readers.ids().iter().cloned().collect(),
        Err(error) => {
            faults.push(WrapFault::List { name, why: error.to_string() });
            BTreeSet::new()
        }
    };
    let mut readers = Vec::new();
    for wrap in &blob.wraps {
        let name = node_name(&blob.cluster, &wrap.id);
        if let Err(why) = wrap.node.check(realm, &blob.epoch, quorum, name.clone()) {
            faults.push(WrapFault::Proof { name, why });
        }
        if !listed.contains(&wrap.id) {
            faults.push(WrapFault::NotListed { id: wrap.id.clone() });
        }
        let public = NodePublic::of(&wrap.node.profile);
        if let Err(error) = &public {
            faults.push(WrapFault::NoKey { id: wrap.id.clone(), why: error.to_string() });
        }
        let public = public.ok();
        if wrap.id == blob.leader {
            let signed = public.as_ref().is_some_and(|public| blob.is_signed_by(&id, &public.signing));
            if !signed {
                faults.push(WrapFault::Signature { id: wrap.id.clone() });
            }
        }
        readers.push(ReaderWrap {
            id: wrap.id.clone(),
            version: wrap.node.entry.version,
            entry: wrap.node.entry.hash(&id),
            kem: public.as_ref().map(|public| public.kem),
            key: public.as_ref().map(NodePublic::key_hash),
        });
    }
    if blob.wrap(&blob.leader).is_none() {
        faults.push(WrapFault::Leader { id: blob.leader.clone() });
    }
    let (epoch, lifetime_ms) = (head.epoch, realm.lifetime_ms);
    let age_ms = blob.wrapped_ms.saturating_sub(head.issued_ms);
    let ahead_ms = head.issued_ms.saturating_sub(blob.wrapped_ms);
    if age_ms > lifetime_ms {
        faults.push(WrapFault::Expired { epoch, age_ms, lifetime_ms });
    }
    if ahead_ms > CLOCK_SKEW_MS {
        faults.push(WrapFault::Early { epoch, ahead_ms });
    }
    let without = listed.into_iter().filter(|id| blob.wrap(id).is_none()).collect();
    Examination {
        cluster: blob.cluster.clone(),
        kek: blob.kek,
        generation: blob.generation,
        wrapped_ms: blob.wrapped_ms,
        epoch,
        head: head.digest(),
        version: blob.readers.entry.version,
        leader: blob.leader.clone(),
        readers,
        without,
        older: blob.older.clone(),
        faults,
    }
}
