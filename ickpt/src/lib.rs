//! The strictly consistent checkpoint service, its protocol and its quorum client.

mod address;
mod allow_list;
mod checkpoint_store;
mod conf;
mod error;
#[doc(hidden)]
pub mod fuzzing;
pub mod protocol;
pub mod quorum;
mod refusal;
#[cfg(feature = "service")]
mod service;
#[cfg(feature = "service")]
#[doc(hidden)]
pub mod stand_in;
mod storage_url;
mod value;
mod wire;

pub use address::{NamedBy, may_be_store};
pub use allow_list::AllowList;
#[cfg(feature = "service")]
pub use checkpoint_store::{CheckpointStore, Database, EngineOptions};
pub use checkpoint_store::{Content, LastCommit, Operation, Record, Slot, Staged, Write, commit, look, stage};
pub use conf::{ConfFile, Settings, TlsFiles, go_duration};
pub use error::{Error, Fault, Result};
pub use plastron_config::ErrorKind;
pub use refusal::{Reason, Refusal};
#[cfg(feature = "service")]
pub use service::{Running, Service, Stopper, Token};
pub use storage_url::{MAX_STORAGE_URL_BYTES, Origin, Scheme, StorageUrl};
pub use value::{
    CHECK_POINT_BYTES, CheckPoint, Epoch, Held, InstanceId, MAX_MEMBERS, MAX_VALUE_BYTES, Members, Stamp, admit,
};
pub use wire::{
    AddressRule, Answer, HttpClient, HttpClientOptions, Resolver, Resolving, SystemResolver, WireError, client_config,
    client_config_with_identity,
};
