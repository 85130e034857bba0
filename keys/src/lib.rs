//! Pluggable key management, and the envelope cipher.
//!
//! A key module keeps the key-encryption keys (KEKs) of a database. It hands them out as an opaque *blob*, wrapped by itself, which is written
//! with each checkpoint that changes it and given back when a checkpoint is loaded; and it wraps the *data key* of each object with
//! the KEK in force. Modules are opened by name: `key_management=(name=…,early_load=true,config=(…))`.
//!
//! ```
//! use plastron_config::Config;
//! use plastron_keys::{Binding, KeyBlob, KeyManagement};
//!
//! # #[tokio::main(flavor = "current_thread")]
//! # async fn main() -> Result<(), Box<dyn std::error::Error>> {
//! let keys = KeyManagement::open(&Config::parse("name=mock")?).await?;
//!
//! // The page log, for each segment: a fresh data key, or none.
//! let binding = Binding::segment([7; 16], 1, 42);
//! if let Some(mut cipher) = keys.new_cipher(binding).await? {
//!     let mut payload = b"a page".to_vec();
//!     let sealed = cipher.sealer.seal(b"the record's header", &mut payload)?;
//!     payload.extend(sealed.tag);
//!
//!     // A reader, who has the wrapped key from the segment's header.
//!     let opener = keys.opener(binding, cipher.wrapped).await?;
//!     assert_eq!(opener.open(sealed.ordinal, b"the record's header", &mut payload)?, b"a page");
//! }
//!
//! // A checkpoint.
//! match keys.get_key_blob().await? {
//!     KeyBlob::Unchanged => {} // the KEK page of the last one is used again
//!     KeyBlob::Changed(pending) => {
//!         let lsn = 17; // write `pending.blob()` as a KEK page
//!         keys.get_key_complete(pending, Ok(lsn)).await?;
//!     }
//! }
//! keys.terminate().await?;
//! # Ok(())
//! # }
//! ```
//!
//! # Where to look
//!
//! | you want to | use |
//! | --- | --- |
//! | use keys in a store | [`KeyManagement`] |
//! | encrypt and decrypt records | [`KeyManagement::new_cipher`], [`KeyManagement::opener`] |
//! | write a module in C | [`plugin`], `include/plastron_key_management.h` |
//! | write a module in Rust | [`KeyModule`], [`KeyModuleFactory`], [`KeyModules::with`] |

mod envelope;
mod environment;
mod error;
mod file;
#[doc(hidden)]
pub mod fuzzing;
mod kek_page;
mod key_management;
mod mock;
mod module;
mod modules;
mod none;
pub mod plugin;
mod replaced_file;

pub use envelope::{
    Binding, DataKey, KEY_BYTES, Kek, KekId, MAX_ASSOCIATED_BYTES, MAX_RECORDS, MAX_WRAPPED_KEY_BYTES, Opener,
    SealedObject, SealedRecord, Sealer, SecretKey, TAG_BYTES, WrappedKey,
};
pub use environment::{KeyClock, KeyEnvironment, KeyRandom, SystemKeyClock, SystemKeyRandom, Variables};
pub use error::{Error, Fault, Result};
pub use file::FileModule;
pub use kek_page::{KEK_PAGE_HEADER_BYTES, KekPage};
pub use key_management::{KeyBlob, KeyManagement, ObjectCipher, PendingBlob};
pub use mock::MockModule;
pub use module::{
    BlobAnswer, Completion, DataKeyWrapper, KeyInfo, KeyModule, KeyModuleFactory, Keyring, MAX_KEY_BLOB_BYTES,
};
pub use modules::KeyModules;
pub use none::NoneModule;
pub use plastron_config::ErrorKind;
pub use replaced_file::{LockedFile, ReplacedFile, read_private};
