//! The envelope cipher: how the payloads of page-log records are encrypted, and how their keys are kept.
//!
//! ```text
//! master key ──wraps──▶ KEK blob (the KEK page of a checkpoint)      the key module's own business
//! KEK ────────wraps──▶ data key (in the header of its segment)       WrappedKey
//! data key ───seals──▶ the payload of each record, in order          Sealer, Opener
//! ```
//!
//! Invariants:
//! * a [`Sealer`] comes with a data key that is fresh and belongs to one object; it counts the records itself, and a record's ordinal is
//!   its nonce, so no nonce is ever used twice under one key. What is read back later gives an [`Opener`], which cannot seal;
//! * associated data bind every record to its database, object and ordinal, and to the bytes of its header, so that no record opens
//!   in another place than the one it was written to;
//! * a wrapped data key is bound to its object in the same way.
//!
//! Bytes: `docs/src/formats/envelope.md`.

mod binding;
mod data_key;
mod derive;
mod opener;
mod sealer;
mod secret_key;
mod wrapped_key;

pub use binding::{Binding, SealedObject};
pub use data_key::DataKey;
pub(crate) use derive::Root;
pub use opener::Opener;
pub use sealer::{MAX_ASSOCIATED_BYTES, MAX_RECORDS, SealedRecord, Sealer, TAG_BYTES};
pub use secret_key::{KEY_BYTES, SecretKey};
pub use wrapped_key::{Kek, KekId, MAX_WRAPPED_KEY_BYTES, WrappedKey};
