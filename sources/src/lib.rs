//! Buckets of immutable objects: S3, Azure Blob Storage, Google Cloud Storage, a directory, memory.
//!
//! A [`Bucket`] is one container of objects at one provider, opened from a configuration string or from [`BucketOptions`].
//! Objects are written once, read many times, and never changed in place.

mod bucket;
pub mod clock;
mod create;
mod creation_id;
mod dir;
mod error;
mod fault_of;
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
#[allow(dead_code, unused_imports, reason = "the clouds that call it are being written")]
mod transport;

pub use bucket::Bucket;
pub use create::ObjectWriter;
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
