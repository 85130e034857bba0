//! What all requests of one bucket share, and how one of them runs its course.

use std::sync::Arc;
use std::sync::atomic::AtomicBool;

use async_trait::async_trait;
use object_store::client::{HttpClient, HttpError, HttpRequest, HttpResponse, HttpService};
use tokio::sync::Semaphore;

use super::attempt::Verdict;
use super::bandwidth::Bandwidth;
use super::course::Course;
use super::exchange::Exchange;
use super::fault::Refused;
use super::hedge::Hedging;
use super::options::TransportOptions;
use super::upload_checks::UploadChecks;
use crate::buffers::Buffers;
use crate::error::Fault;
use crate::stats::{Event, RequestKind};

/// The longest answer, bytes, where parts are small: listings have a few hundred KiB, coalesced reads a few parts.
const LONGEST_ANSWER: u64 = 64 << 20;

/// Bounds and memory of one bucket, shared by all its clients.
#[derive(Debug)]
pub(super) struct Shared {
    pub(super) options: TransportOptions,
    pub(super) permits: Semaphore,
    pub(super) bandwidth: Bandwidth,
    pub(super) hedging: Hedging,
    pub(super) checks: UploadChecks,
    /// Whether the endpoint has ever answered.
    pub(super) reached: AtomicBool,
    /// The longest answer that is taken, bytes.
    pub(super) longest_answer: u64,
    /// What large answers are read into.
    pub(super) buffers: Arc<Buffers>,
}

impl Shared {
    /// For a bucket that is being opened.
    pub(super) fn new(options: TransportOptions) -> Self {
        Self {
            permits: Semaphore::new(options.limits.requests.clamp(1, Semaphore::MAX_PERMITS)),
            bandwidth: Bandwidth::new(options.limits.bandwidth, Arc::clone(&options.clock)),
            hedging: Hedging::new(options.hedge),
            checks: UploadChecks::new(options.provider),
            reached: AtomicBool::new(false),
            longest_answer: LONGEST_ANSWER.max(options.part_size.saturating_mul(2)),
            buffers: Arc::default(),
            options,
        }
    }
}

/// An HTTP client that signs, bounds, repeats, hedges, checks and counts.
#[derive(Debug)]
pub(super) struct Service {
    pub(super) inner: HttpClient,
    pub(super) shared: Arc<Shared>,
}

#[async_trait]
impl HttpService for Service {
    async fn call(&self, request: HttpRequest) -> Result<HttpResponse, HttpError> {
        let options = &self.shared.options;
        let resign = options.signer.is_some();
        let exchange = Exchange::new(options.provider, request, resign, &self.shared.checks).await;
        // Requests for tokens are made while another request holds a permit, and may not wait for one themselves. The semaphore is
        // never closed, so there always is one in the end; it is given back when this future ends or is dropped.
        let _permit = match exchange.kind {
            RequestKind::Token => None,
            _ => self.shared.permits.acquire().await.ok(),
        };
        self.run(exchange).await.map_err(Refused::into_http)
    }
}

impl Service {
    /// Attempt after attempt, until there is an answer, a verdict, or no time left.
    async fn run(&self, mut exchange: Exchange) -> Result<HttpResponse, Fault> {
        let Shared { options, bandwidth, checks, reached, .. } = &*self.shared;
        let mut course = Course::new(options.retry, options.timeout, &*options.clock);
        let mut renewed = false;
        // Each kind of request can lose its checksum only once; the bound is for a server that contradicts itself.
        let mut concessions = 2_u32;
        loop {
            course.hold_back(bandwidth.take(exchange.up() + exchange.expected_down()).await);
            let Some(allowed) = course.attempt() else {
                options.stats.count(Event::GaveUp);
                return Err(course.out_of_time(exchange.kind));
            };
            let failure = match self.attempt_or_two(&exchange, allowed, course.repeats()).await {
                Verdict::Answer(response) => return Ok(response),
                Verdict::Refused(fault) => return Err(fault),
                Verdict::Expired(fault) => {
                    if renewed || !self.renew(&course).await {
                        return Err(fault);
                    }
                    renewed = true;
                    continue;
                }
                Verdict::ChecksumRefused(fault) => {
                    if concessions == 0 {
                        return Err(fault);
                    }
                    concessions -= 1;
                    exchange.prepare(checks).await;
                    continue;
                }
                Verdict::Damaged(failure, headers) => {
                    options.stats.count(Event::UploadCorrupt);
                    if !exchange.replace_damaged(&headers) {
                        // A repeated create would find the damaged object, and take it for its own.
                        return Err(course.give_up_damaged(failure, exchange.kind));
                    }
                    exchange.prepare(checks).await;
                    failure
                }
                Verdict::Again(failure) => failure,
            };
            let kind = exchange.kind.as_str();
            let text = failure.text.clone();
            let reached = reached.load(std::sync::atomic::Ordering::Relaxed);
            let pause = match course.pause(failure, exchange.kind, reached, &*options.entropy) {
                Ok(pause) => pause,
                Err(fault) => {
                    options.stats.count(Event::GaveUp);
                    return Err(fault);
                }
            };
            tracing::debug!(
                bucket = options.address,
                kind,
                failure = text,
                ?pause,
                "a request failed and is sent again"
            );
            options.stats.count(Event::Retry);
            options.clock.sleep(pause).await;
        }
    }

    /// Has the signer drop its credentials, within the time that is left.
    async fn renew(&self, course: &Course<'_>) -> bool {
        let options = &self.shared.options;
        let Some(signer) = &options.signer else { return false };
        let timer = options.clock.sleep(course.left().min(options.timeout.request));
        let renewed = match futures::future::select(signer.renew(), timer).await {
            futures::future::Either::Left((renewed, _)) => renewed,
            futures::future::Either::Right(_) => false,
        };
        if renewed {
            tracing::info!(bucket = options.address, "the credentials had run out and were renewed");
            options.stats.count(Event::Renewal);
        }
        renewed
    }
}
