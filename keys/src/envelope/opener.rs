//! Opening the records of one object, in any order.

use std::fmt;

use super::binding::Binding;
use super::data_key::DataKey;
use super::sealer::RecordCipher;
use crate::error::{Error, Result};

/// Decrypts the records of one object. Cheap to share; all calls are concurrent.
pub struct Opener(RecordCipher);

impl Opener {
    pub(crate) fn new(binding: Binding, key: &DataKey) -> Result<Self> {
        RecordCipher::new(binding, key).map(Self)
    }

    /// The object it opens.
    pub fn binding(&self) -> &Binding {
        &self.0.binding
    }

    /// Verifies and decrypts in place the record numbered `ordinal`: `sealed` is the payload with its tag behind it, `associated` the
    /// record's header as it was given to [`crate::Sealer::seal`]. Returns the payload, [`crate::TAG_BYTES`] shorter.
    ///
    /// # Errors
    /// `Corrupt` if any bit of payload, tag or header differs from what was sealed, or the record belongs to another place; the contents
    /// of `sealed` are then undefined, and no plaintext. `Invalid` for more than [`crate::MAX_ASSOCIATED_BYTES`] of header.
    pub fn open<'a>(&self, ordinal: u64, associated: &[u8], sealed: &'a mut [u8]) -> Result<&'a mut [u8]> {
        self.0
            .open(ordinal, associated, sealed)
            .map_err(|fault| Error::new("decrypt", format!("record {ordinal} of {}", self.0.binding), fault))
    }
}

impl fmt::Debug for Opener {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Opener({})", self.0.binding)
    }
}
