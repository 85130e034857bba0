//! Indices of names, and their proofs, which are made when they are first asked for and kept in a cache of bounded size.
//!
//! A change needs the index alone, which is less than half of the work of a proof. Index and proof of a name never change, so what is in here is
//! never wrong.

use moka::sync::Cache;

use crate::Digest;
use crate::vrf::{VrfProof, VrfSecret};

/// About what an index takes with its proof, its name and the cache's own books.
const EACH_BYTES: u64 = 512;

/// Proofs that were asked for lately.
#[derive(Clone)]
pub(crate) struct ProofCache(Cache<String, (Digest, VrfProof)>);

impl std::fmt::Debug for ProofCache {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("ProofCache")
    }
}

impl ProofCache {
    /// A cache of about `bytes` bytes.
    pub(crate) fn new(bytes: u64) -> Self {
        Self(Cache::new(bytes / EACH_BYTES))
    }

    /// The index of `name`: known already if somebody has just looked it up to register it.
    pub(crate) fn index(&self, secret: &VrfSecret, name: &str) -> Digest {
        self.0.get(name).map_or_else(|| secret.index(name), |(index, _)| index)
    }

    /// The index of `name`, and the proof.
    pub(crate) fn prove(&self, secret: &VrfSecret, name: &str) -> (Digest, VrfProof) {
        if let Some(known) = self.0.get(name) {
            return known;
        }
        let proved = secret.prove(name);
        self.0.insert(name.to_owned(), proved);
        proved
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_cached_is_what_the_key_gives_and_no_more_is_kept_than_there_is_room_for() {
        let secret = VrfSecret::from_random(&[7; 64]).unwrap();
        let cache = ProofCache::new(4 * EACH_BYTES);
        for round in 0..2 {
            for name in ["a", "b", "c"] {
                assert_eq!(cache.index(&secret, name), secret.index(name), "{round}");
                assert_eq!(cache.prove(&secret, name), secret.prove(name), "{round}");
            }
        }
        assert_eq!(cache.0.get("b"), Some(secret.prove("b")));
        for number in 0..50 {
            cache.prove(&secret, &number.to_string());
        }
        cache.0.run_pending_tasks();
        assert!(cache.0.entry_count() <= 4);
    }
}
