//! Making a blob: why, for whom, and of what.

use std::time::Duration;

use plastron_keys::{BlobAnswer, Fault};

use super::fault::fault;
use super::kek_blob::{KekBlob, MAX_OLDER_KEKS, Wrap};
use super::look::{Looked, look};
use super::memory_file::exhausted;
use super::module::{KeyserverModule, Order};
use super::ring;
use super::view::{Carried, Known};
use super::wrap_memory::WrapMemory;
use crate::Signature;
use crate::proto::Message as _;

impl KeyserverModule {
    /// A fresh KEK, whose generation is above all that this node has seen or made; that it is made is on disk before it is.
    pub(super) fn generate(&self) -> Result<Known, Fault> {
        let next = |memory: &mut WrapMemory| {
            memory.generation = memory.generation.checked_add(1).ok_or_else(exhausted)?;
            Ok(memory.generation)
        };
        let (generation, _) = self.memory.change(next)?;
        Known::generate(generation, self.now_ms(), &*self.environment.random)
    }

    /// A database without keys must be one that this node has seen none of.
    pub(super) fn check_new(&self, memory: &WrapMemory) -> Result<(), Fault> {
        if memory.ring.is_none() {
            return Ok(());
        }
        Err(Fault::Refused(format!(
            "{} says that this node has seen keys of the database, and the database shows none; somebody shows an empty bucket, or this is another database: name another directory in config=(memory=…)",
            self.settings.memory.display()
        )))
    }

    /// Why the next blob must be another one; none if the one there is will do, whoever may read.
    pub(super) fn need(&self, order: &Order, memory: &WrapMemory) -> Option<&'static str> {
        let Some(carried) = &order.carried else { return Some("there is no KEK yet") };
        let view = self.view();
        if !view.unpublished.is_subset(&carried.ids) {
            return Some("data was written with a KEK that no blob has yet");
        }
        if view.exposed {
            return Some("the KEK in force went to a node that is no reader any more");
        }
        if memory.wanted >= carried.generation {
            return Some("another KEK was asked for");
        }
        let age = Duration::from_millis(self.now_ms().saturating_sub(carried.made_ms));
        let old = self.settings.rotate_after.is_some_and(|after| age >= after);
        old.then_some("the KEK in force is older than rotate_after")
    }

    /// Looks up who may read, and takes note of it.
    pub(super) fn look(&self, order: &mut Order) -> Result<Looked, Fault> {
        let client = self.client.as_ref().ok_or_else(|| {
            Fault::Config(
                "there are no servers in config=(…); a node that leads needs the addresses of the keyserver's replicas"
                    .into(),
            )
        })?;
        order.tried_ms = Some(self.now_ms());
        // What the client has seen goes there before anything comes of it.
        self.memory.make_directory()?;
        let (cluster, quorum) = (&self.settings.cluster, &self.settings.quorum);
        let looked = look(client, cluster, quorum, &self.clock, self.settings.deadline).map_err(fault)?;
        self.memory.change(|memory| memory.see(&looked.members))?;
        order.looked_ms = Some(self.now_ms());
        self.view().check_exposure(&looked.members);
        for (id, why) in &looked.without {
            tracing::warn!(node = %id, why, "a reader that is listed gets no KEK");
        }
        Ok(looked)
    }

    /// Whether somebody should look again.
    pub(super) fn is_due(&self, order: &Order) -> bool {
        let now = self.now_ms();
        // A clock that went back makes it due.
        let waited = |since: u64| now.checked_sub(since).map(Duration::from_millis);
        order.tried_ms.and_then(waited).is_none_or(|waited| waited >= self.settings.check_after)
    }

    /// Whether checkpoints may go on with the KEK in force although nobody could look.
    pub(super) fn goes_on(&self, order: &Order, failed: Fault) -> Result<(), Fault> {
        let since = order.looked_ms.or(order.carried.as_ref().map(|carried| carried.made_ms)).unwrap_or(0);
        let waited = Duration::from_millis(self.now_ms().saturating_sub(since));
        match self.settings.unchecked_for {
            Some(longest) if waited > longest => Err(failed),
            _ => {
                let why = failed.to_string();
                tracing::warn!(
                    why,
                    "the list of readers could not be looked up; the KEK in force stays, and nothing is wrapped anew"
                );
                Ok(())
            }
        }
    }

    /// The ring of the database's KEKs; a new one for a new database.
    fn ring(&self, order: &mut Order) -> Result<[u8; 16], Fault> {
        if let Some(ring) = order.ring {
            return Ok(ring);
        }
        self.check_new(&self.memory.load()?)?;
        let mut ring = [0; 16];
        self.environment.random.fill(&mut ring)?;
        order.ring = Some(ring);
        Ok(ring)
    }

    /// A blob with a KEK for those that were looked up.
    pub(super) fn make(&self, order: &mut Order, looked: Looked, why: &'static str) -> Result<BlobAnswer, Fault> {
        let (node, cluster) = (&self.settings.node, &self.settings.cluster);
        let here = looked.nodes.get(node).filter(|(public, _)| public == self.key.public());
        if here.is_none() {
            return Err(Fault::Refused(format!(
                "node {node} is no reader of cluster {cluster} at epoch {}, or is registered with another key than that of {}; operators register it with plastron-keyserver register-node, and list it with plastron-keyserver readers",
                looked.members.epoch,
                self.settings.key_file.display()
            )));
        }
        let ring = self.ring(order)?;
        let realm = self.realm.id();
        let mut view = self.view();
        // One that nobody else has can be handed out.
        let newest = match view.newest_fresh() {
            Some(fresh) => fresh,
            None => self.generate()?,
        };
        let older: Vec<Known> = view.all().into_iter().filter(|known| known.kek.id() != newest.kek.id()).collect();
        if older.len() > MAX_OLDER_KEKS {
            return Err(Fault::State(format!(
                "the database has {} KEKs, and no more fit; rotate less often",
                older.len() + 1
            )));
        }
        let mut nonce = [0; 12];
        self.environment.random.fill(&mut nonce)?;
        let mut blob = KekBlob {
            cluster: cluster.clone(),
            ring,
            generation: newest.info.generation,
            kek: newest.info.id,
            wrapped_ms: self.now_ms(),
            leader: node.clone(),
            epoch: looked.epoch,
            readers: looked.readers,
            wraps: Vec::new(),
            older: older.iter().map(|known| known.info).collect(),
            nonce,
            sealed: Vec::new(),
            signature: Signature([0; 64]),
        };
        for (id, (public, proof)) in looked.nodes {
            let associated = blob.associated(&realm, &id, &proof);
            let secret = newest.kek.secret().expose();
            let (encapsulation, ciphertext) =
                public.kem.seal(public.wrapping(), KekBlob::INFO, &associated, secret, &*self.environment.random)?;
            let ciphertext = <[u8; 48]>::try_from(ciphertext)
                .map_err(|_| Fault::Stopped("HPKE gave a ciphertext of another size".into()))?;
            blob.wraps.push(Wrap { id, node: proof, encapsulation, ciphertext });
        }
        let secrets = older.iter().map(|known| known.kek.secret());
        blob.sealed = ring::seal(&newest.kek, nonce, &blob.sealed_associated(&realm), secrets)?;
        blob.sign(&realm, &self.key);
        let bytes = blob.to_bounded_bytes().map_err(fault)?;
        let id = newest.kek.id();
        let ids = older.iter().map(|known| known.kek.id()).chain([id]).collect();
        order.pending = Some(Carried {
            newest: id,
            generation: blob.generation,
            made_ms: blob.wrapped_ms,
            members: looked.members,
            ids,
        });
        view.hand_out(newest);
        tracing::info!(kek = %id, generation = blob.generation, epoch = blob.epoch.head.head.epoch, readers = blob.wraps.len(), why, "a KEK was wrapped to the readers");
        Ok(BlobAnswer::Changed(bytes))
    }
}
