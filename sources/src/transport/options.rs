//! What the transport is told when a bucket is opened.

use std::sync::Arc;

use crate::clock::{Clock, Entropy};
use crate::options::{BucketOptions, HedgeOptions, LimitOptions, RetryOptions, TimeoutOptions};
use crate::source::{Provider, Quirks};
use crate::stats::Stats;
use crate::transport::Signer;

/// How requests to one bucket are sent.
#[derive(Debug, Clone)]
pub(crate) struct TransportOptions {
    /// Whose protocol is spoken.
    pub(crate) provider: Provider,
    /// Where the bucket is, for messages; never with a secret.
    pub(crate) address: String,
    /// Bytes of one part: no answer is longer than a few of them.
    pub(crate) part_size: u64,
    /// Attempts, back-off and total deadline.
    pub(crate) retry: RetryOptions,
    /// Time-outs of one attempt.
    pub(crate) timeout: TimeoutOptions,
    /// Requests in flight, bandwidth.
    pub(crate) limits: LimitOptions,
    /// Second requests for slow reads.
    pub(crate) hedge: HedgeOptions,
    /// Time.
    pub(crate) clock: Arc<dyn Clock>,
    /// Randomness.
    pub(crate) entropy: Arc<dyn Entropy>,
    /// Adds authorization to each attempt; `None` where none is needed.
    pub(crate) signer: Option<Arc<dyn Signer>>,
    /// Where requests are counted.
    pub(crate) stats: Arc<Stats>,
    /// Where what is peculiar about the store is noted.
    pub(crate) quirks: Arc<Quirks>,
}

impl TransportOptions {
    /// The transport's share of `options`.
    pub(crate) fn new(
        options: &BucketOptions,
        address: String,
        signer: Option<Arc<dyn Signer>>,
        stats: Arc<Stats>,
    ) -> Self {
        Self {
            provider: options.provider,
            address,
            part_size: options.part_size,
            retry: options.retry,
            timeout: options.timeout,
            limits: options.limits,
            hedge: options.hedge,
            clock: Arc::clone(&options.clock),
            entropy: Arc::clone(&options.entropy),
            signer,
            stats,
            quirks: Arc::default(),
        }
    }
}
