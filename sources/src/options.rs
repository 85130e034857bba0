//! How a bucket is opened and treated: the builder behind the configuration string.
//!
//! The fields and their defaults are here; `options/configuration.rs` reads them from a configuration and owns the schema of the keys,
//! `options/validate.rs` says which values make sense together.

mod configuration;
mod validate;

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use crate::clock::{Clock, Entropy, SystemClock, SystemEntropy};
use crate::scrub::scrub;
use crate::secret::Secret;
use crate::source::Provider;

/// Everything needed to open a bucket. Made by [`BucketOptions::new`] and changed field by field, or read from a
/// configuration string by `BucketOptions::from_config`.
#[derive(Clone)]
#[non_exhaustive]
pub struct BucketOptions {
    /// Which provider.
    pub provider: Provider,
    /// Directory, bucket, `name;region`, or container: what the provider calls it.
    pub bucket: String,
    /// Put in front of every object name, as it stands (`db1/` or `db1_`); empty for none.
    pub prefix: String,
    /// `AK;SK[;session token]` for S3, a connection string for Azure, a service-account file for GCP; empty for the chain.
    pub auth_token: Secret,
    /// The service's URL, for S3- and GCS-compatible servers and for Azure without a connection string.
    pub endpoint: Option<String>,
    /// The region, for S3; wins over the one in `bucket`.
    pub region: Option<String>,
    /// S3 only: `endpoint/bucket/key` rather than `bucket.endpoint/key`. Default: true when `endpoint` is set.
    pub path_style: Option<bool>,
    /// Never write: no probe object at start, and every put and delete is refused with `Unsupported`.
    pub readonly: bool,
    /// Size of one upload part and of one download request of a large object, bytes. Default 8 MiB; 5 MiB at least.
    pub part_size: u64,
    /// Parts of one object in flight at once. Default 8.
    pub part_concurrency: usize,
    /// When the store is proved to honour conditional creates.
    pub probe: ProbeMode,
    /// What to do with objects that carry no checksums of Plastron's.
    pub checksums: ChecksumPolicy,
    /// Retries of one request.
    pub retry: RetryOptions,
    /// Time-outs of one attempt.
    pub timeout: TimeoutOptions,
    /// Bounds on the whole bucket.
    pub limits: LimitOptions,
    /// Second requests for slow reads.
    pub hedge: HedgeOptions,
    /// Time, for tests and simulations.
    pub clock: Arc<dyn Clock>,
    /// Randomness, for tests and simulations.
    pub entropy: Arc<dyn Entropy>,
}

impl BucketOptions {
    /// The defaults, for `bucket` at `provider`.
    pub fn new(provider: Provider, bucket: impl Into<String>) -> Self {
        Self {
            provider,
            bucket: bucket.into(),
            prefix: String::new(),
            auth_token: Secret::default(),
            endpoint: None,
            region: None,
            path_style: None,
            readonly: false,
            part_size: 8 << 20,
            part_concurrency: 8,
            probe: ProbeMode::Start,
            checksums: ChecksumPolicy::Available,
            retry: RetryOptions::default(),
            timeout: TimeoutOptions::default(),
            limits: LimitOptions::default(),
            hedge: HedgeOptions::default(),
            clock: Arc::new(SystemClock),
            entropy: Arc::new(SystemEntropy::default()),
        }
    }
}

/// An endpoint without what must not be shown; what is no URL may be anything.
fn shown(endpoint: &str) -> String {
    if endpoint.contains("://") { scrub(endpoint) } else { "[not a URL]".to_owned() }
}

/// Shows no secret, nor what may have been put into the endpoint by mistake.
impl fmt::Debug for BucketOptions {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("BucketOptions")
            .field("provider", &self.provider)
            .field("bucket", &self.bucket)
            .field("prefix", &self.prefix)
            .field("auth_token", &self.auth_token)
            .field("endpoint", &self.endpoint.as_deref().map(shown))
            .field("region", &self.region)
            .field("path_style", &self.path_style)
            .field("readonly", &self.readonly)
            .field("part_size", &self.part_size)
            .field("part_concurrency", &self.part_concurrency)
            .field("probe", &self.probe)
            .field("checksums", &self.checksums)
            .field("retry", &self.retry)
            .field("timeout", &self.timeout)
            .field("limits", &self.limits)
            .field("hedge", &self.hedge)
            .field("clock", &self.clock)
            .field("entropy", &self.entropy)
            .finish()
    }
}

/// When a store is proved to honour conditional creates, on which every guarantee stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
#[non_exhaustive]
pub enum ProbeMode {
    /// When the bucket is opened (unless it is opened read-only).
    #[default]
    Start,
    /// Before the first write.
    FirstWrite,
    /// Never: the caller knows the store.
    Off,
}

/// What to do with an object that carries no block checksums of Plastron's (it was written by another program).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
#[non_exhaustive]
pub enum ChecksumPolicy {
    /// Verify what can be verified; read the rest as it comes, and count it.
    #[default]
    Available,
    /// Refuse to read an object without checksums.
    Required,
}

/// Retries with exponential back-off and full jitter, for every request, reads and writes alike: creates are made safe to
/// repeat by the creation id each object carries.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub struct RetryOptions {
    /// Total time for one request with all its attempts. Default 60 s.
    pub deadline: Duration,
    /// Attempts at the most, the first one included. Default 12.
    pub attempts: u32,
    /// First pause. Default 50 ms.
    pub initial: Duration,
    /// Longest pause; a longer `Retry-After` is honoured up to the deadline. Default 5 s.
    pub max: Duration,
}

impl Default for RetryOptions {
    fn default() -> Self {
        Self {
            deadline: Duration::from_secs(60),
            attempts: 12,
            initial: Duration::from_millis(50),
            max: Duration::from_secs(5),
        }
    }
}

/// Time-outs of one attempt.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub struct TimeoutOptions {
    /// To connect. Default 5 s.
    pub connect: Duration,
    /// For a whole attempt: connect, send, first byte, last byte. Default 30 s.
    pub request: Duration,
}

impl Default for TimeoutOptions {
    fn default() -> Self {
        Self { connect: Duration::from_secs(5), request: Duration::from_secs(30) }
    }
}

/// Bounds on everything one opened bucket does at once.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub struct LimitOptions {
    /// Requests in flight. Default 128.
    pub requests: usize,
    /// Bytes a second, up and down together; 0 for no limit. Default 0.
    pub bandwidth: u64,
}

impl Default for LimitOptions {
    fn default() -> Self {
        Self { requests: 128, bandwidth: 0 }
    }
}

/// A second, identical request for a read that is slower than most; the first answer wins. Writes are never hedged.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub struct HedgeOptions {
    /// Whether to hedge at all. Default true.
    pub enabled: bool,
    /// Per cent of reads that may be hedged at the most. Default 5.
    pub budget_percent: u8,
    /// Never hedge earlier than this, however fast the store is. Default 20 ms.
    pub floor: Duration,
}

impl Default for HedgeOptions {
    fn default() -> Self {
        Self { enabled: true, budget_percent: 5, floor: Duration::from_millis(20) }
    }
}
