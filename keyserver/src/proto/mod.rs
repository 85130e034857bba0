//! What is signed, hashed, proposed, stored and sent, and its bytes.
//!
//! A [`Message`] has a body, which is what is hashed and signed (each under its own domain), and a framed form with magic, kind, version and checksum,
//! which is what lies in files and databases and goes over the network. There is one form only of each value. Byte tables:
//! `docs/src/formats/keyserver.md`.

mod authorities;
mod certified_registration;
mod entry;
mod epoch_head;
mod evidence;
mod history;
mod issuers;
mod log_entry;
mod lookup;
mod memory;
mod message;
mod profile;
mod realm;
mod registration;
mod snapshot_portion;
mod stream;

pub use authorities::{Authorities, AuthoritiesChange, Authority, MAX_CERTIFICATE_BYTES};
pub use certified_registration::{CertifiedRegistration, MAX_CHAIN, MAX_CHAIN_BYTES, MAX_SIGNATURE_BYTES};
pub use entry::{Entry, SignedEntry, Update};
pub use epoch_head::{EpochHead, SignedHead};
pub use evidence::{Evidence, Lie};
pub use history::{HistoryItem, HistoryPage};
pub use issuers::{Issuer, IssuerKey, IssuerPublicKey, Issuers, IssuersChange};
pub use log_entry::{LogEntry, MAX_LOG_ENTRY_BYTES, PolicyChange};
pub use lookup::{LookupAnswer, LookupRequest, MAX_POLICY_STEPS, PolicyStep, Quorum};
pub use memory::ClientMemory;
pub use message::Message;
pub use profile::{MAX_PROFILE_KEY_BYTES, MAX_PROFILE_KEYS, Profile};
pub(crate) use realm::check_name;
pub use realm::{MAX_NAME_BYTES, Realm, RealmPolicy};
pub use registration::{MAX_TOKEN_BYTES, Registration};
pub use snapshot_portion::SnapshotPortion;
pub use stream::{MAX_STREAM_ITEMS, StreamItem, StreamPage, StreamPosition};
