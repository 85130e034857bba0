//! Buckets of immutable objects: S3, Azure Blob Storage, Google Cloud Storage, a directory, memory.
//!
//! A [`Bucket`] is one container of objects at one provider, opened from a configuration string or from [`BucketOptions`].
//! Objects are written once, read many times, and never changed in place.

mod bucket;
pub mod clock;
mod dir;
mod error;
mod memory;
mod options;
mod price;
mod secret;
mod source;
mod stats;

#[cfg(feature = "azure")]
mod azure;
#[cfg(feature = "gcp")]
mod gcp;
#[cfg(feature = "s3")]
mod s3;
#[cfg(feature = "http")]
#[allow(dead_code, unused_imports, reason = "the clouds that call it are being written")]
mod transport;

pub use bucket::Bucket;
pub use error::{Error, Fault, Result};
pub use options::{BucketOptions, ChecksumPolicy, HedgeOptions, LimitOptions, ProbeMode, RetryOptions, TimeoutOptions};
pub use plastron_config::ErrorKind;
pub use price::PriceTable;
pub use secret::Secret;
pub use source::Provider;
pub use stats::{Event, LatencySnapshot, Outcome, RequestKind, RequestSnapshot, Stats, StatsSnapshot};
