//! Plastron: a storage layer that lets a database engine keep its files in a cloud bucket — Amazon S3, Azure Blob Storage, Google
//! Cloud Storage or a plain directory — behind a local cache, opened by one configuration string.
//!
//! ```
//! use plastron::FileSystem;
//!
//! # #[tokio::main]
//! # async fn main() -> Result<(), plastron::Error> {
//! let files = FileSystem::open("source=memory_store,bucket=example").await?;
//! let mut writer = files.create("table-1.wt").await?;
//! writer.write("hello, turtle").await?;
//! writer.close().await?; // only now is it visible, to everyone
//!
//! let file = files.open_file("table-1.wt").await?;
//! assert_eq!(&file.read(7..13).await?[..], b"turtle");
//! # Ok(())
//! # }
//! ```
//!
//! # Where to start
//! | you have | use |
//! | --- | --- |
//! | an asynchronous program | [`FileSystem::open`], then [`FileSystem`], [`FileHandle`], [`FileWriter`] |
//! | a synchronous engine | [`blocking::FileSystem`], which brings its own threads; reads of what the cache has never leave yours |
//! | a runtime, and threads that are not on it | [`FileHandle::read_at`] on those threads |
//! | settings in a program rather than in a string | [`StoreOptions`], [`BucketOptions`], [`CacheOptions`] |
//! | an engine with pages of its own | [`Store::leader`], [`Store::follower`], [`page_log`], [`checkpoint`] |
//! | a shell | the `plastron` command |
//!
//! # What is promised
//! * **Write once, read many.** A file appears whole or not at all, is never overwritten, and of any number of creators exactly one
//!   wins: the store decides, in one atomic step, on every provider and for every size.
//! * **Verified.** Every byte that Plastron wrote is checked against a CRC32C taken when it was written, whether it comes from the bucket
//!   or from the cache. A flipped bit is healed or reported, never returned.
//! * **Bounded.** Queues, memory, retries and waits have limits, and every limit is a setting.
//! * **Discreet.** No key, token or signed address appears in an error, a log line or a `Debug` print.
//!
//! The book in `docs/` has all of them, and what is not promised (`docs/src/semantics.md`).
//!
//! # Errors
//! Every operation returns [`Error`]. Its [`kind`](Error::kind) is one of nine and stable, for programs; its message says what
//! was attempted, on which object, what went wrong and what to do.
//!
//! # Features
//! `ickpt` and `etcd` are the registries beside the bucket itself;
//! `s3`, `azure`, `gcp` are the providers beside `dir` and `memory`; `aws-chain` finds AWS credentials where the AWS tools do;
//! `keyserver` is the key module of that name; `command` builds the `plastron` command. All are on by default.

pub mod blocking;
pub mod checkpoint;
mod error;
mod file_system;
mod key_modules;
pub mod page_log;
mod registries;
mod registry_options;
mod store;
mod store_stats;

pub use error::{Error, Fault, Result};
pub use file_system::{FileHandle, FileSystem, FileWriter};
pub use key_modules::key_modules;
pub use plastron_cache::{Cache, CacheOptions, CacheStats};
pub use plastron_config::{Config, Error as ConfigError, ErrorKind, Schema};
pub use plastron_keys::KeyManagement;
pub use plastron_registry::CheckpointString;
pub use plastron_sources::{
    Bucket, BucketOptions, Checksums, Event, ListEntry, ListOptions, ListedObject, ObjectInfo, Outcome, Payload,
    PriceTable, ProbeCheck, ProbeOutcome, ProbeReport, ProbeRow, Provider, RequestKind, Secret, StatsSnapshot, clock,
};
pub use registry_options::{RegistryName, RegistryOptions};
pub use store::{KeySettings, Store, StoreOptions};
pub use store_stats::StoreStats;

#[cfg(doctest)]
#[doc = include_str!("../README.md")]
struct Readme;
