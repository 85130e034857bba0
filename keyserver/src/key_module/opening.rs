//! Opening the wrap of this node in a blob that was checked.

use std::sync::Arc;

use plastron_keys::{Fault, Kek, KekId, SecretKey};

use super::kek_blob::{KekBlob, OlderKek};
use super::module::KeyserverModule;
use super::ring;
use super::view::Known;

impl KeyserverModule {
    /// The KEKs in a blob that was checked.
    pub(super) fn unwrap_keks(&self, blob: &KekBlob) -> Result<Vec<Known>, Fault> {
        let (node, realm) = (&self.settings.node, self.realm.id());
        let wrap = blob.wrap(node).ok_or_else(|| {
            Fault::Refused(format!(
                "generation {} of the keys is not wrapped to node {node}: at epoch {} it was no reader of cluster {}; what was written before it was revoked, older checkpoints have. If it is to read, operators list it, and the next checkpoint with new keys lets it in",
                blob.generation, blob.epoch.head.head.epoch, blob.cluster
            ))
        })?;
        let associated = blob.associated(&realm, node, &wrap.node);
        let kem = self.key.public().kem;
        let opened = kem.open(self.key.secret(), &wrap.encapsulation, KekBlob::INFO, &associated, &wrap.ciphertext);
        let secret = opened.and_then(|opened| SecretKey::from_slice(&opened)).ok_or_else(|| {
            Fault::Refused(format!(
                "generation {} of the keys is wrapped to another key than that of {}, or not at all; if the node's key was changed, the next checkpoint with new keys has the new one",
                blob.generation,
                self.settings.key_file.display()
            ))
        })?;
        let newest = Arc::new(Kek::new(KekId(blob.kek), secret));
        let older = ring::open(&newest, blob.nonce, &blob.sealed_associated(&realm), &blob.sealed)?;
        let mut known: Vec<Known> = blob
            .older
            .iter()
            .zip(older)
            .map(|(info, key)| Known { info: *info, kek: Arc::new(Kek::new(KekId(info.id), key)) })
            .collect();
        let info = OlderKek { generation: blob.generation, id: blob.kek, made_ms: blob.wrapped_ms };
        known.push(Known { info, kek: newest });
        Ok(known)
    }
}
