//! Buckets of immutable objects: S3, Azure Blob Storage, Google Cloud Storage, a directory, memory.
//!
//! A [`Bucket`] is one container of objects at one provider. Objects are written once, read many times, and never changed in
//! place. What the providers have in common is offered alike on all of them; what they promise differently is evened out here.
//!
//! # Opening
//! A bucket opens from a configuration string, a URL, or [`BucketOptions`]. Opening authenticates, proves that the bucket exists, and
//! proves that the store honours conditional creates, without which nothing here could be promised.
//!
//! ```
//! use plastron_sources::{Bucket, BucketOptions};
//!
//! # #[tokio::main(flavor = "current_thread")]
//! # async fn main() -> plastron_sources::Result<()> {
//! let options = BucketOptions::parse("source=memory_store")?;
//! // or: source=s3_store,bucket="pages;ap-southeast-2",bucket_prefix=db1/,auth_token="AK;SK"
//! // or: s3://pages/db1?region=ap-southeast-2, az://container, gs://bucket, file:///var/lib/pages
//! let bucket = Bucket::open(options).await?;
//!
//! bucket.put("greeting.txt", "Hello, turtle!").await?;
//! let object = bucket.open_object("greeting.txt").await?;
//! assert_eq!(object.read(7..13).await?, "turtle");
//! # Ok(())
//! # }
//! ```
//!
//! Each provider is a Cargo feature: `s3`, `azure`, `gcp`, and `aws-chain` for the AWS credential chain. `dir` and `memory` are
//! always there.
//!
//! # Creating
//! A create never replaces an object. The store decides that, in one atomic step, also for uploads in parts:
//!
//! ```
//! # use plastron_sources::{Bucket, BucketOptions, ErrorKind};
//! # #[tokio::main(flavor = "current_thread")]
//! # async fn main() -> plastron_sources::Result<()> {
//! # let bucket = Bucket::open(BucketOptions::parse("source=memory_store")?).await?;
//! bucket.put("root", "first").await?;
//! let error = bucket.put("root", "second").await.unwrap_err();
//! assert_eq!(error.kind(), ErrorKind::AlreadyExists);
//! assert_eq!(bucket.open_object("root").await?.read_all().await?, "first");
//! # Ok(())
//! # }
//! ```
//!
//! | bytes come from | call | held in memory |
//! | --- | --- | --- |
//! | memory | [`Bucket::put`] | nothing more |
//! | a file | [`Bucket::put_file`] | `part_size` × (`part_concurrency` + 1) |
//! | one by one | [`Bucket::writer`] | `part_size` × (`part_concurrency` + 1) |
//!
//! A create is safe to repeat: each carries a random id, so that one whose acknowledgement was lost is recognised and counts as done.
//! Dropping the future of a create leaves the object whole or absent, and what had been uploaded is removed in the
//! background; [`Bucket::close`] waits for that.
//!
//! # Reading
//! [`Bucket::open_object`] takes one HEAD request; the [`Object`] then knows size, etag and checksums, and every read is one or more ranged
//! GETs bound to that etag. Every block that Plastron wrote is verified against its CRC32C; one that fails is fetched once more and, if
//! it fails again, reported as [`ErrorKind::Corrupt`]. Ranges are exact, and a range past the end is `Invalid`.
//!
//! ```
//! # use plastron_sources::{Bucket, BucketOptions};
//! # #[tokio::main(flavor = "current_thread")]
//! # async fn main() -> plastron_sources::Result<()> {
//! # let bucket = Bucket::open(BucketOptions::parse("source=memory_store")?).await?;
//! let mut writer = bucket.writer("numbers").await?;
//! for number in 0..1000_u32 {
//!     writer.write(number.to_le_bytes().to_vec()).await?;
//! }
//! writer.finish().await?;
//!
//! let object = bucket.open_object("numbers").await?;
//! // Several ranges share requests where they are close together.
//! let ends = object.read_many(&[0..4, 3996..4000]).await?;
//! assert_eq!(ends[1][..], 999_u32.to_le_bytes());
//! # Ok(())
//! # }
//! ```
//!
//! [`Object::stream`] reads what is larger than memory.
//!
//! # Listing
//! Names come in the order of their bytes, page by page, in bounded memory, with any string as prefix:
//!
//! ```
//! # use plastron_sources::{Bucket, BucketOptions};
//! use futures::TryStreamExt;
//! use plastron_sources::ListOptions;
//!
//! # #[tokio::main(flavor = "current_thread")]
//! # async fn main() -> plastron_sources::Result<()> {
//! # let bucket = Bucket::open(BucketOptions::parse("source=memory_store")?).await?;
//! for name in ["2025/12", "2026/01", "2026/02", "readme"] {
//!     bucket.put(name, "").await?;
//! }
//! let months: Vec<_> = bucket.list("2026/", ListOptions::default()).try_collect().await?;
//! assert_eq!(months.len(), 2);
//! let mut top = bucket.list("", ListOptions::default().delimiter().start_after("2025/"));
//! assert_eq!(top.try_next().await?.map(|entry| entry.name().to_owned()).as_deref(), Some("2026/"));
//! # Ok(())
//! # }
//! ```
//!
//! # Errors
//! Every [`Error`] has a coarse, stable [`ErrorKind`] to act on, and a [`Fault`] that says precisely what happened. Its message says what
//! was attempted, on what, what went wrong and what to do about it; no message ever holds a key, a token or a signature. A missing
//! *bucket* is `Invalid`, never `NotFound`.
//!
//! # What it costs
//! [`Bucket::stats`] counts requests by kind and outcome, bytes, retries, hedged reads and corrupt reads, estimates what they cost, and
//! feeds the [`metrics`] facade. [`Bucket::probe`] tries out what a store can do; [`ProbeReport`] prints it as a table.
//!
//! # How it is built
//! The stores themselves are those of [`object_store`], over a transport of Plastron's own that signs, repeats, hedges, limits and counts
//! every request, and a directory store of Plastron's own. What stands here above them is what they lack: creates that
//! are conditional in every size and safe to repeat, verified ranges, exact names, ordered listings, typed faults. Formats:
//! `docs/src/formats/checksums.md`.

mod blocking;
mod bucket;
mod buffers;
pub mod clock;
mod create;
mod creation_id;
#[cfg(feature = "http")]
#[cfg_attr(
    not(all(feature = "s3", feature = "aws-chain", feature = "azure", feature = "gcp")),
    allow(dead_code, unused_imports, reason = "each cloud uses its share of it")
)]
mod credentials;
mod dir;
mod error;
pub mod failpoint;
mod fault_of;
#[doc(hidden)]
pub mod fuzzing;
mod list;
mod memory;
mod name;
mod object_info;
mod options;
mod payload;
mod price;
mod probe;
mod read;
mod scrub;
mod secret;
mod source;
mod stats;
mod sums;
#[cfg(test)]
mod testing;

#[cfg(feature = "azure")]
mod azure;
#[cfg(feature = "gcp")]
mod gcp;
#[cfg(feature = "s3")]
mod s3;
#[cfg(feature = "http")]
mod transport;

pub use bucket::Bucket;
pub use create::{AheadWriter, ObjectWriter};
pub use error::{Error, Fault, Result};
pub use list::{ListEntry, ListOptions, ListedObject};
pub use name::{MAX_NAME_BYTES, check_name};
pub use object_info::{Checksums, ObjectInfo};
pub use options::{BucketOptions, ChecksumPolicy, HedgeOptions, LimitOptions, ProbeMode, RetryOptions, TimeoutOptions};
pub use payload::Payload;
pub use plastron_config::ErrorKind;
pub use price::PriceTable;
pub use probe::{ProbeCheck, ProbeOutcome, ProbeReport, ProbeRow};
pub use read::Object;
pub use secret::Secret;
pub use source::Provider;
pub use stats::{Event, LatencySnapshot, Outcome, RequestKind, RequestSnapshot, Stats, StatsSnapshot};
