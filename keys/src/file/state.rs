//! What a file module knows, and which keyring it hands out.

use super::keyring::Keyring;
use super::master_key::MasterKey;
use crate::envelope::KekId;
use crate::error::Fault;

/// A keyring and the bytes that it was read from or written to.
#[derive(Debug, Clone)]
pub(crate) struct Written {
    pub(crate) bytes: Vec<u8>,
    /// `None` if the master key does not fit any more, since the keyring was rewrapped.
    pub(crate) keyring: Option<Keyring>,
}

impl Written {
    fn revision_if_it_holds(&self, all: &Keyring) -> Option<u64> {
        self.keyring.as_ref().filter(|keyring| keyring.holds(all)).map(|keyring| keyring.revision)
    }
}

#[derive(Debug)]
pub(crate) struct State {
    pub(crate) master: MasterKey,
    /// Every key that was ever seen: of the file, of blobs, of this process.
    pub(crate) known: Option<Keyring>,
    /// The blob last loaded or completed.
    pub(crate) persisted: Option<Written>,
    /// What new data keys are wrapped by.
    pub(crate) in_force: Option<KekId>,
    /// The blob that waits to be completed.
    pub(crate) pending: Option<Pending>,
}

/// A blob on its way, and the key that it puts in force.
#[derive(Debug)]
pub(crate) struct Pending {
    pub(crate) written: Written,
    pub(crate) newest: KekId,
}

impl State {
    /// All keys of the file and of this process; `None` if there are none yet. The file's own settings prevail.
    pub(crate) fn joined(&self, on_disk: Option<&Written>) -> Result<Option<Keyring>, Fault> {
        let disk = on_disk.and_then(|written| written.keyring.as_ref());
        match (disk, &self.known) {
            (Some(disk), Some(known)) => {
                let mut joined = disk.clone();
                joined.join(known)?;
                Ok(Some(joined))
            }
            (Some(keyring), None) | (None, Some(keyring)) => Ok(Some(keyring.clone())),
            (None, None) => Ok(None),
        }
    }

    /// What is written already and holds `all`: the last blob, or the file if that is newer.
    pub(crate) fn usable(&self, all: &Keyring, on_disk: Option<&Written>) -> Option<Vec<u8>> {
        let of = |written: Option<&Written>| {
            written.and_then(|written| Some((written.revision_if_it_holds(all)?, written.bytes.clone())))
        };
        match (of(self.persisted.as_ref()), of(on_disk)) {
            (Some((blob, _)), Some((disk, bytes))) if disk > blob => Some(bytes),
            (Some((_, bytes)), _) | (None, Some((_, bytes))) => Some(bytes),
            (None, None) => None,
        }
    }
}
