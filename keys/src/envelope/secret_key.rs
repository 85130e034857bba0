//! 32 secret bytes.

use std::fmt;

use zeroize::Zeroize;

use crate::environment::KeyRandom;
use crate::error::Fault;

/// Bytes of every key here: all are AES-256 keys, or what such keys are derived from.
pub const KEY_BYTES: usize = 32;

/// A key of 256 bits that is overwritten when it is dropped and that never shows itself.
///
/// It lives on the heap in one place: moving it moves a pointer and leaves no copy behind.
pub struct SecretKey(Box<[u8; KEY_BYTES]>);

impl SecretKey {
    /// A fresh key.
    ///
    /// # Errors
    /// [`Fault::NoRandomness`].
    pub fn generate(random: &dyn KeyRandom) -> Result<Self, Fault> {
        let mut key = Self(Box::new([0; KEY_BYTES]));
        random.fill(key.0.as_mut_slice())?;
        Ok(key)
    }

    /// A copy of `bytes`, which the caller overwrites (or keeps in a [`zeroize::Zeroizing`]).
    pub fn copy_from(bytes: &[u8; KEY_BYTES]) -> Self {
        let mut key = Self(Box::new([0; KEY_BYTES]));
        key.0.copy_from_slice(bytes);
        key
    }

    /// A copy of `bytes` if they are [`KEY_BYTES`] in number.
    pub fn from_slice(bytes: &[u8]) -> Option<Self> {
        bytes.try_into().ok().map(Self::copy_from)
    }

    /// The key that `fill` writes into its place.
    pub(crate) fn written_by<E>(fill: impl FnOnce(&mut [u8; KEY_BYTES]) -> Result<(), E>) -> Result<Self, E> {
        let mut key = Self(Box::new([0; KEY_BYTES]));
        fill(&mut key.0)?;
        Ok(key)
    }

    /// The bytes themselves; hand them to a cipher and to nobody else.
    pub fn expose(&self) -> &[u8; KEY_BYTES] {
        &self.0
    }

    /// A copy, on purpose and in words.
    pub fn duplicate(&self) -> Self {
        Self::copy_from(&self.0)
    }

    /// Whether two keys are the same, in constant time.
    pub fn equals(&self, other: &Self) -> bool {
        aws_lc_rs::constant_time::verify_slices_are_equal(self.0.as_slice(), other.0.as_slice()).is_ok()
    }
}

impl Drop for SecretKey {
    fn drop(&mut self) {
        self.0.zeroize();
    }
}

impl fmt::Debug for SecretKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("[secret]")
    }
}
