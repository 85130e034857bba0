//! The strictly consistent checkpoint service, its protocol and its quorum client.
//!
//! For stores that neither list nor create conditionally with strict consistency, such as OpenStack Swift. One *instance* keeps, for each object URL of a store, one
//! value on disk; who may write the object may set the value. A *quorum client* makes one register of 1 to 9 instances, which is there as long as a majority is.
//! The protocol is that of ProxyFS's `ickptpkg`, completed: `docs/src/reference/ickpt-protocol.md`.
//!
//! | you want to | use |
//! | --- | --- |
//! | run an instance | the command `plastron-ickpt serve`, or [`Service`] |
//! | read and swap a value kept by a group | [`quorum::Quorum`] of [`quorum::HttpInstance`]s |
//! | know why a call was refused | [`Refusal`], [`Reason`] |
//! | read the formats | [`Record`], [`CheckPoint`], [`Stamp`], [`Members`] |
//! | know what instances decide, without input or output | [`look`], [`stage`], [`commit`], [`admit`] |
//!
//! # Layers
//! `value`, `storage_url`, `allow_list` and `address` are vocabulary; `checkpoint_store` decides and writes; `wire` speaks HTTP; `service` joins them;
//! `quorum` stands on `wire` and on the decisions, never on the service. `etcd` is a client of another strictly consistent store, for the crates above, and stands on
//! `wire` alone; `listener` takes connections within bounds, for `service` and for servers of the crates above. Features: `service` for instances, `command` for
//! the command, `etcd` for that client, `listener`.

mod address;
mod allow_list;
mod checkpoint_store;
mod conf;
mod error;
#[cfg(feature = "etcd")]
pub mod etcd;
#[doc(hidden)]
pub mod fuzzing;
#[cfg(feature = "listener")]
pub mod listener;
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
#[cfg(feature = "etcd")]
pub use wire::HttpStream;
pub use wire::{
    AddressRule, Answer, HttpClient, HttpClientOptions, Resolver, Resolving, SystemResolver, WireError, client_config,
    client_config_with_identity,
};
