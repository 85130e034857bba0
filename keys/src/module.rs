//! The interface that every key module implements: WiredTiger's key-management interface, and what an envelope needs besides.
//!
//! ```text
//! load_key_blob(blob)               a checkpoint is loaded: at start-up, at a follower's pick-up, at step-up
//! get_key_blob() ─┬─ Unchanged      a checkpoint is written: the KEK page of the last one is used again, nothing more is called
//!                 └─ Changed(blob)  the blob is written as the KEK page …
//! get_key_complete(Persisted{lsn})  … and is in force from now on
//! get_key_complete(Failed{..})      … or could not be written, and what was in force before still is
//! terminate()                       nothing is called any more
//! ```
//!
//! [`crate::KeyManagement`] is the only caller. It serialises these five, keeps their order, and calls them on threads where blocking is
//! allowed. Modules check the order too: they may be driven by others.

use std::fmt;
use std::time::SystemTime;

use plastron_config::{Config, Schema};

use crate::envelope::{Binding, DataKey, WrappedKey};
use crate::environment::KeyEnvironment;
use crate::error::Fault;

/// Most bytes of a key blob: it is written as one page.
pub const MAX_KEY_BLOB_BYTES: usize = 16 << 20;

/// What [`KeyModule::get_key_blob`] answers.
#[derive(Clone, PartialEq, Eq)]
pub enum BlobAnswer {
    /// `has_changes` is false: the blob that was last loaded or completed holds all there is.
    Unchanged,
    /// `has_changes` is true: this is to be written, 1 byte to [`MAX_KEY_BLOB_BYTES`].
    Changed(Vec<u8>),
}

impl fmt::Debug for BlobAnswer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Unchanged => f.write_str("Unchanged"),
            Self::Changed(blob) => write!(f, "Changed({} bytes)", blob.len()),
        }
    }
}

/// What became of a changed blob.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Completion {
    /// It is written, at this LSN (greater than 0).
    Persisted {
        /// `returned_lsn` of the interface.
        lsn: u64,
    },
    /// It is not, for this reason; the checkpoint fails.
    Failed {
        /// In words, for the module's log.
        reason: String,
    },
}

/// A key-management module.
pub trait KeyModule: fmt::Debug + Send + Sync + 'static {
    /// The name it is opened by: `none`, `mock`, `file`, `plugin`.
    fn name(&self) -> &str;

    /// Takes the blob of the checkpoint that is being loaded; 1 byte to [`MAX_KEY_BLOB_BYTES`]. The same blob may come again, and an older
    /// one (a restore, a follower that moves back). Keys of other blobs that were loaded stay readable.
    ///
    /// # Errors
    /// [`Fault::Corrupt`] for a blob that is damaged, [`Fault::Unsupported`] for a newer one, [`Fault::WrongMasterKey`], [`Fault::State`]
    /// between `get_key_blob` and `get_key_complete`. Nothing has changed then.
    fn load_key_blob(&self, blob: &[u8]) -> Result<(), Fault>;

    /// Whether the keys have changed since the last blob that was loaded or completed, and the new blob if so.
    ///
    /// # Errors
    /// [`Fault::State`] if an earlier changed blob was not completed; whatever keeps the module from making a new key.
    fn get_key_blob(&self) -> Result<BlobAnswer, Fault>;

    /// What became of the blob that `get_key_blob` gave.
    ///
    /// # Errors
    /// [`Fault::State`] if there is none. If the module fails to take note of a persisted blob, the checkpoint fails, and the next
    /// `get_key_blob` gives a blob again.
    fn get_key_complete(&self, completion: &Completion) -> Result<(), Fault>;

    /// The end. Not called twice, and nothing is called after it.
    ///
    /// # Errors
    /// Whatever keeps the module from ending in order; it is over nevertheless.
    fn terminate(&self) -> Result<(), Fault> {
        Ok(())
    }

    /// The module's part in the envelope; `None` for a module that carries blobs only, so that payloads are written as they come.
    fn data_keys(&self) -> Option<&dyn DataKeyWrapper>;

    /// What people do to its keys; `None` if there is no such thing.
    fn keyring(&self) -> Option<&dyn Keyring> {
        None
    }
}

/// Wrapping and unwrapping of data keys by the KEK in force. All calls are concurrent and may block.
///
/// The interface of WiredTiger carries blobs and leaves encryption to the engine; a storage layer that encrypts needs this one thing more
/// of the module. It asks for the operation and not for the key, so that a KEK need never leave the module (a library, a device, a service).
pub trait DataKeyWrapper: Send + Sync {
    /// Wraps a fresh data key of the object `binding` by the KEK in force: the one of the blob last loaded or completed or, as long as there is
    /// none, the one that the first blob will hold.
    ///
    /// # Errors
    /// Whatever keeps the module from it.
    fn wrap(&self, key: &DataKey, binding: &Binding) -> Result<WrappedKey, Fault>;

    /// The data key in `wrapped`, by whichever KEK wrapped it.
    ///
    /// # Errors
    /// [`Fault::UnknownKek`] if no blob that was loaded holds the KEK; [`Fault::Corrupt`] if `wrapped` was changed or belongs to another object.
    fn unwrap(&self, wrapped: &WrappedKey, binding: &Binding) -> Result<DataKey, Fault>;
}

/// What people do to the keys of a module.
pub trait Keyring: Send + Sync {
    /// All keys, oldest first.
    ///
    /// # Errors
    /// Whatever keeps the module from reading them.
    fn show(&self) -> Result<Vec<KeyInfo>, Fault>;

    /// Makes a new KEK, which the next checkpoint puts in force.
    ///
    /// # Errors
    /// Whatever keeps the module from it; nothing has changed then.
    fn rotate(&self) -> Result<(), Fault>;

    /// Wraps all KEKs anew by the master key that `config` names, in the words of the module's own configuration; settings that do not
    /// name a master key are refused. The KEKs stay the same, and so does all data.
    ///
    /// # Errors
    /// Whatever keeps the module from it; nothing has changed then.
    fn rewrap(&self, config: &Config) -> Result<(), Fault>;
}

/// What is known of one KEK; nothing of it is secret.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct KeyInfo {
    /// Its id, in hexadecimal.
    pub id: String,
    /// Its number among the keys of its keyring, from 1.
    pub generation: u32,
    /// When it was made.
    pub created: SystemTime,
    /// Whether new data keys are wrapped by it.
    pub in_force: bool,
}

impl KeyInfo {
    /// What is known of a KEK.
    pub fn new(id: String, generation: u32, created: SystemTime, in_force: bool) -> Self {
        Self { id, generation, created, in_force }
    }
}

/// Opens modules of one name.
pub trait KeyModuleFactory: fmt::Debug + Send + Sync + 'static {
    /// The `name` of `key_management=(name=…)`.
    fn name(&self) -> &'static str;

    /// What may stand in its `config=(…)`.
    fn schema(&self) -> Schema;

    /// Opens a module; `config` has been checked against the schema. May block.
    ///
    /// # Errors
    /// Whatever is wrong with the configuration or the keys it names. Nothing has been written then.
    fn open(&self, config: &Config, environment: &KeyEnvironment) -> Result<Box<dyn KeyModule>, Fault>;
}
