//! The key blob of the module. Byte table: `docs/src/formats/key-blobs.md`.

use super::kem::Kem;
use super::node_key::NodeKey;
use super::proof::{EpochProof, NameProof};
use super::readers::{MAX_READERS, read_id};
use crate::digest::Domain;
use crate::encoding::{Reader, Writer};
use crate::proto::Message;
use crate::{Digest, PublicKey, Result, Signature};

/// The most older KEKs of a blob: 640 KB of them.
pub const MAX_OLDER_KEKS: usize = 10_000;
/// An encapsulation of X-Wing has 1,120 bytes.
const MAX_ENCAPSULATION_BYTES: usize = 2048;
/// Far below what a wrap has: it holds proofs besides.
const SMALLEST_WRAP_BYTES: usize = 5 + 4 + CIPHERTEXT_BYTES;
/// A KEK and a tag.
const CIPHERTEXT_BYTES: usize = 32 + 16;

/// A KEK, wrapped to the readers of one epoch, with the proof of who they were.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct KekBlob {
    /// Whose readers they are.
    pub cluster: String,
    /// Random; the same for all blobs of a database.
    pub ring: [u8; 16],
    /// The number of the KEK, from 1; strictly rising.
    pub generation: u64,
    /// The KEK's name.
    pub kek: [u8; 16],
    /// When it was wrapped, by the leader's clock, in milliseconds since 1970.
    pub wrapped_ms: u64,
    /// Id of the node that made and signed the blob.
    pub leader: String,
    /// The epoch.
    pub epoch: EpochProof,
    /// The list of readers at that epoch.
    pub readers: NameProof,
    /// By id, ascending. Listed nodes that were not registered, or have no usable key, have none.
    pub wraps: Vec<Wrap>,
    /// The KEKs before, oldest first.
    pub older: Vec<OlderKek>,
    /// Random, for the sealing of those.
    pub nonce: [u8; 12],
    /// Their keys in the same order, encrypted under a key that follows from the KEK, and the tag.
    pub sealed: Vec<u8>,
    /// The leader's, on all of this.
    pub signature: Signature,
}

/// The KEK, wrapped to one node.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Wrap {
    /// The node's id.
    pub id: String,
    /// Its entry and keys at the epoch.
    pub node: NameProof,
    /// What the node's private key makes the wrapping key of.
    pub encapsulation: Vec<u8>,
    /// The KEK and a tag.
    pub ciphertext: [u8; CIPHERTEXT_BYTES],
}

/// What is known of a KEK without having it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct OlderKek {
    /// Its number.
    pub generation: u64,
    /// Its name.
    pub id: [u8; 16],
    /// When it was made, in milliseconds since 1970.
    pub made_ms: u64,
}

impl OlderKek {
    const BYTES: usize = 32;
}

impl KekBlob {
    /// HPKE's `info`.
    pub(super) const INFO: &'static [u8] = b"plastron keyserver 1: KEK";

    /// What the wrap to a node is bound to.
    pub(super) fn associated(&self, realm: &Digest, id: &str, node: &NameProof) -> Vec<u8> {
        let head = &self.epoch.head.head;
        let mut writer = Writer::new();
        writer.digest(realm).bytes(self.cluster.as_bytes()).array(&self.ring).u64(self.generation).array(&self.kek);
        writer.u64(head.epoch).digest(&head.digest()).bytes(id.as_bytes()).digest(&node.entry.hash(realm));
        writer.finish()
    }

    /// What the sealed older keys are bound to.
    pub(super) fn sealed_associated(&self, realm: &Digest) -> Vec<u8> {
        let mut writer = Writer::new();
        writer.digest(realm).array(&self.ring).u64(self.generation).array(&self.kek);
        self.write_older(&mut writer);
        writer.finish()
    }

    fn write_older(&self, writer: &mut Writer) {
        writer.count(self.older.len());
        for older in &self.older {
            writer.u64(older.generation).array(&older.id).u64(older.made_ms);
        }
    }

    fn write_signed(&self, writer: &mut Writer) {
        writer.bytes(self.cluster.as_bytes()).array(&self.ring).u64(self.generation).array(&self.kek);
        writer.u64(self.wrapped_ms).bytes(self.leader.as_bytes());
        self.epoch.write(writer);
        self.readers.write(writer);
        writer.count(self.wraps.len());
        for wrap in &self.wraps {
            writer.bytes(wrap.id.as_bytes());
            wrap.node.write(writer);
            writer.bytes(&wrap.encapsulation).array(&wrap.ciphertext);
        }
        self.write_older(writer);
        writer.array(&self.nonce).bytes(&self.sealed);
    }

    fn signed_digest(&self, realm: &Digest) -> Digest {
        let mut writer = Writer::new();
        self.write_signed(&mut writer);
        Domain::SignKekBlob.hash(&[&realm.0, &writer.finish()])
    }

    /// Signs all of it, as the leader whose key that is.
    pub fn sign(&mut self, realm: &Digest, key: &NodeKey) {
        self.signature = key.signing().sign(&self.signed_digest(realm));
    }

    pub(super) fn is_signed_by(&self, realm: &Digest, key: &PublicKey) -> bool {
        key.verifies(&self.signed_digest(realm), &self.signature)
    }

    /// The wrap to a node.
    pub fn wrap(&self, id: &str) -> Option<&Wrap> {
        self.wraps.iter().find(|wrap| wrap.id == id)
    }
}

impl Message for KekBlob {
    const WHAT: &'static str = "blob of KEKs";
    const KIND: u8 = 24;
    /// Below what a KEK page takes. 128 readers with profiles of the usual size have 0.1 MB.
    const MOST: usize = 12 << 20;

    fn write(&self, writer: &mut Writer) {
        self.write_signed(writer);
        writer.array(&self.signature.0);
    }

    fn read(reader: &mut Reader<'_>) -> Result<Self> {
        let cluster = read_id(reader)?;
        let (ring, generation, kek) = (reader.array()?, reader.u64()?, reader.array()?);
        let (wrapped_ms, leader) = (reader.u64()?, read_id(reader)?);
        let epoch = EpochProof::read(reader)?;
        let readers = NameProof::read(reader)?;
        let count = reader.count(MAX_READERS, SMALLEST_WRAP_BYTES)?;
        let mut wraps: Vec<Wrap> = Vec::new();
        for _ in 0..count {
            let id = read_id(reader)?;
            if wraps.last().is_some_and(|last| last.id >= id) {
                return Err(reader.fault("the wraps are not in ascending order of their readers"));
            }
            let node = NameProof::read(reader)?;
            let encapsulation = reader.bytes(MAX_ENCAPSULATION_BYTES)?.to_vec();
            wraps.push(Wrap { id, node, encapsulation, ciphertext: reader.array()? });
        }
        let count = reader.count(MAX_OLDER_KEKS, OlderKek::BYTES)?;
        let mut older: Vec<OlderKek> = Vec::with_capacity(count);
        for _ in 0..count {
            let (generation, id, made_ms) = (reader.u64()?, reader.array()?, reader.u64()?);
            if older.last().is_some_and(|last| (last.generation, last.id) >= (generation, id)) {
                return Err(reader.fault("the older KEKs are not in ascending order"));
            }
            older.push(OlderKek { generation, id, made_ms });
        }
        if generation == 0 || older.last().is_some_and(|last| last.generation >= generation) {
            return Err(reader.fault("the generation is not above those of the older KEKs"));
        }
        let nonce = reader.array()?;
        let sealed = reader.bytes(count * 32 + 16)?;
        if sealed.len() != count * 32 + 16 {
            return Err(reader.fault(format!(
                "{count} sealed KEKs have {} bytes, not {}",
                count * 32 + 16,
                sealed.len()
            )));
        }
        let (sealed, signature) = (sealed.to_vec(), Signature(reader.array()?));
        Ok(Self {
            cluster,
            ring,
            generation,
            kek,
            wrapped_ms,
            leader,
            epoch,
            readers,
            wraps,
            older,
            nonce,
            sealed,
            signature,
        })
    }
}

impl Wrap {
    /// How the node's key is wrapped to, if its profile has one.
    pub fn kem(&self) -> Option<Kem> {
        super::node_public::NodePublic::of(&self.node.profile).ok().map(|public| public.kem)
    }
}
