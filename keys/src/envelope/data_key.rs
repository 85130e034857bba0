//! The key of one object's payloads.

use crate::environment::KeyRandom;
use crate::error::Fault;

use super::secret_key::{KEY_BYTES, SecretKey};

/// The AES-256 key of one object. It is made fresh for each object and exists outside memory only wrapped by a KEK.
///
/// Key modules see it to wrap it and give it back when they unwrap it; everybody else sees a [`crate::Sealer`] or [`crate::Opener`].
#[derive(Debug)]
pub struct DataKey(SecretKey);

impl DataKey {
    /// A fresh key. Only the crate makes them, together with the one [`crate::Sealer`] that may use it.
    pub(crate) fn generate(random: &dyn KeyRandom) -> Result<Self, Fault> {
        SecretKey::generate(random).map(Self)
    }

    /// What a module unwrapped.
    pub fn from_secret(key: SecretKey) -> Self {
        Self(key)
    }

    /// The bytes themselves, for a module to wrap.
    pub fn expose(&self) -> &[u8; KEY_BYTES] {
        self.0.expose()
    }
}
