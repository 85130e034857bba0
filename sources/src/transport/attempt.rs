//! One attempt at a request: sign, send, read, judge, count. And, for a slow read, a second one beside it.

use std::pin::pin;
use std::sync::atomic::Ordering;
use std::time::Duration;

use futures::future::{Either, select};
use http::{HeaderMap, StatusCode};
use object_store::client::{HttpResponse, HttpResponseBody};

use super::answer::{Answer, Unreadable};
use super::exchange::Exchange;
use super::failure::{Cause, Failure};
use super::meaning::{Asked, Meaning};
use super::said::Said;
use super::scrub::Carried;
use super::service::Service;
use super::upload_checks::Agreement;
use crate::clock::Clock;
use crate::error::Fault;
use crate::source::Provider;
use crate::stats::{Event, Outcome, RequestKind, Stats};

/// What came of an attempt.
pub(super) enum Verdict {
    /// An answer for `object_store`.
    Answer(HttpResponse),
    /// A final fault.
    Refused(Fault),
    /// The credentials may have run out; the fault if they can't be renewed.
    Expired(Fault),
    /// The server doesn't take the checksum the request carried; the fault if that should not be the reason.
    ChecksumRefused(Fault),
    /// The provider has stored something else than was sent, under these headers.
    Damaged(Failure, HeaderMap),
    /// It failed in a way that may pass.
    Again(Failure),
}

impl Verdict {
    /// Whether there is nothing to be gained from a second attempt under way.
    fn is_final(&self) -> bool {
        matches!(self, Self::Answer(_) | Self::Refused(_))
    }
}

/// A verdict, and what to count.
struct Judged {
    verdict: Verdict,
    /// `None` where nothing was sent.
    outcome: Option<Outcome>,
    down: u64,
}

impl Service {
    /// One attempt; and if it is a read that takes longer than most, a second one, of which the first good answer counts. The other
    /// one is dropped, which closes its connection.
    pub(super) async fn attempt_or_two(&self, exchange: &Exchange, allowed: Duration, repeated: bool) -> Verdict {
        let shared = &*self.shared;
        let size = exchange.expected_down();
        if exchange.kind != RequestKind::Get || size == 0 {
            return self.attempt(exchange, allowed, repeated).await;
        }
        let clock = &*shared.options.clock;
        let delay = shared.hedging.delay(size);
        let begun = clock.monotonic();
        let verdict = match delay.filter(|delay| *delay < allowed) {
            None => self.attempt(exchange, allowed, repeated).await,
            Some(delay) => self.attempt_hedged(exchange, allowed, delay, repeated).await,
        };
        if matches!(verdict, Verdict::Answer(_)) {
            shared.hedging.record(size, clock.monotonic().saturating_sub(begun));
        }
        verdict
    }

    async fn attempt_hedged(&self, exchange: &Exchange, allowed: Duration, delay: Duration, repeated: bool) -> Verdict {
        let shared = &*self.shared;
        let first = pin!(self.attempt(exchange, allowed, repeated));
        let first = match select(first, shared.options.clock.sleep(delay)).await {
            Either::Left((verdict, _)) => return verdict,
            Either::Right(((), first)) => first,
        };
        // A second request needs a permit like any other, but is not worth waiting for one.
        let permit = shared.permits.try_acquire();
        if permit.is_err() || !shared.hedging.spend() {
            return first.await;
        }
        shared.options.stats.count(Event::Hedge);
        shared.bandwidth.settle(0, exchange.expected_down());
        let second = pin!(self.attempt(exchange, allowed.saturating_sub(delay), repeated));
        match select(first, second).await {
            Either::Left((verdict, second)) => {
                if verdict.is_final() {
                    verdict
                } else {
                    second.await
                }
            }
            Either::Right((verdict, first)) => {
                if verdict.is_final() {
                    shared.options.stats.count(Event::HedgeWon);
                    verdict
                } else {
                    first.await
                }
            }
        }
    }

    /// One attempt, which takes no longer than `allowed` and is counted however it ends.
    async fn attempt(&self, exchange: &Exchange, allowed: Duration, repeated: bool) -> Verdict {
        let options = &self.shared.options;
        let mut counted = Counted::begin(&options.stats, &*options.clock, exchange);
        let judged = pin!(self.exchange_once(exchange, repeated));
        match select(judged, options.clock.sleep(allowed)).await {
            Either::Left((judged, _)) => {
                counted.end(judged.outcome, judged.down);
                self.shared.bandwidth.settle(exchange.expected_down(), judged.down);
                judged.verdict
            }
            Either::Right(_) => {
                counted.end(Some(Outcome::TimedOut), 0);
                Verdict::Again(Failure::timed_out(allowed))
            }
        }
    }

    /// Signs, sends, reads and judges.
    async fn exchange_once(&self, exchange: &Exchange, repeated: bool) -> Judged {
        let shared = &*self.shared;
        let options = &shared.options;
        let mut request = exchange.request.clone();
        if let (Some(signer), true) = (&options.signer, exchange.kind != RequestKind::Token) {
            let sha256 = match options.provider {
                Provider::S3 => Some(exchange.sums.sha256().await),
                _ => None,
            };
            if let Err(fault) = signer.sign(&mut request, sha256).await {
                return Judged { verdict: Verdict::Refused(fault), outcome: None, down: 0 };
            }
        }
        let carried = Carried::by(&request);
        let uri = request.uri().clone();
        let response = match self.inner.execute(request).await {
            Ok(response) => response,
            Err(error) => return failed(Failure::of_connection(&error, &uri, &carried)),
        };
        shared.reached.store(true, Ordering::Relaxed);
        if let Some(server) = response.headers().get(http::header::SERVER).and_then(|server| server.to_str().ok()) {
            options.quirks.learn(server);
        }
        let status = response.status();
        let range = exchange.range.as_ref();
        let answer = match Answer::read(exchange.kind, range, shared.longest_answer, &shared.buffers, response).await {
            Ok(answer) => answer,
            Err(Unreadable::Broken(error)) => return failed(Failure::of_connection(&error, &uri, &carried)),
            Err(Unreadable::WrongLength(text)) => return failed(Failure::broken(text)),
            Err(Unreadable::TooLong(length)) => {
                let message = format!("an answer of {length} bytes, longer than anything asked for");
                return refused(Fault::Provider { status: status.as_u16(), code: String::new(), message }, 0);
            }
            Err(Unreadable::RangeIgnored) => {
                let text = "a part of an object was asked for and the whole came: it ignores ranges".to_owned();
                return refused(Fault::Incapable(text), 0);
            }
        };
        self.judge(exchange, answer, &carried, repeated).await
    }

    async fn judge(&self, exchange: &Exchange, answer: Answer, carried: &Carried, repeated: bool) -> Judged {
        let options = &self.shared.options;
        let down = answer.body.len() as u64;
        let status = answer.parts.status;
        let is_failure = !status.is_success() || hides_failure(options.provider, exchange.kind, &answer.body);
        let said = if is_failure { Said::read(&answer.parts.headers, &answer.body) } else { Said::default() };
        let asked = Asked {
            provider: options.provider,
            kind: exchange.kind,
            range: exchange.range.as_ref(),
            length: exchange.up(),
            repeated,
            carried,
            now: options.clock.wall(),
        };
        // A failure that came as a success is judged by its code.
        let status = if is_failure && status.is_success() { status_of(&said) } else { status };
        let meaning = asked.meaning(status, &answer.parts.headers, &said);
        if is_failure && self.shared.checks.is_refused(exchange.kind, exchange.sent, status, &said) {
            let fault = Fault::Provider {
                status: status.as_u16(),
                code: said.code_or(status),
                message: carried.scrub(&said.message),
            };
            return Judged { verdict: Verdict::ChecksumRefused(fault), outcome: Some(Outcome::Refused), down };
        }
        match meaning {
            Meaning::Answer(Outcome::Ok) => self.succeeded(exchange, answer, down).await,
            Meaning::Answer(outcome) => {
                // What is in the body nobody reads any more, and `object_store` would put it into its message.
                let response = HttpResponse::from_parts(answer.parts, HttpResponseBody::from(Vec::new()));
                Judged { verdict: Verdict::Answer(response), outcome: Some(outcome), down }
            }
            Meaning::AlreadyGone => {
                let mut response = HttpResponse::new(HttpResponseBody::from(Vec::new()));
                *response.status_mut() = StatusCode::NO_CONTENT;
                Judged { verdict: Verdict::Answer(response), outcome: Some(Outcome::NotFound), down }
            }
            Meaning::Refused(outcome, fault) => {
                Judged { verdict: Verdict::Refused(fault), outcome: Some(outcome), down }
            }
            Meaning::Expired(fault) => {
                Judged { verdict: Verdict::Expired(fault), outcome: Some(Outcome::Denied), down }
            }
            Meaning::Again(failure) => {
                if matches!(failure.cause, Cause::Damaged { .. }) {
                    options.stats.count(Event::UploadCorrupt);
                }
                Judged { outcome: Some(failure.outcome()), verdict: Verdict::Again(failure), down }
            }
        }
    }

    /// A success, if the provider has what was sent.
    async fn succeeded(&self, exchange: &Exchange, mut answer: Answer, down: u64) -> Judged {
        let checks = &self.shared.checks;
        let headers = &answer.parts.headers;
        let agreement = checks.compare(exchange.kind, &exchange.request, &exchange.sums, headers).await;
        if let Agreement::Different(text) = agreement {
            let failure = Failure { cause: Cause::Damaged { length: exchange.up() }, text, retry_after: None };
            let verdict = Verdict::Damaged(failure, answer.parts.headers);
            return Judged { verdict, outcome: Some(Outcome::Broken), down };
        }
        if exchange.kind == RequestKind::Complete {
            answer.body = without_words_of_failure(answer.body);
        }
        Judged { verdict: Verdict::Answer(answer.into_response()), outcome: Some(Outcome::Ok), down }
    }
}

fn failed(failure: Failure) -> Judged {
    Judged { outcome: Some(failure.outcome()), verdict: Verdict::Again(failure), down: 0 }
}

fn refused(fault: Fault, down: u64) -> Judged {
    Judged { verdict: Verdict::Refused(fault), outcome: Some(Outcome::Refused), down }
}

/// Whether a success may be a failure: S3 answers what takes long with 200 before it is done. A batch of deletes reports failures
/// one by one; a batch in which nothing but failures came back is one.
fn hides_failure(provider: Provider, kind: RequestKind, body: &[u8]) -> bool {
    if provider == Provider::Azure {
        return false;
    }
    match kind {
        RequestKind::Complete | RequestKind::Copy => Said::is_error_document(body),
        RequestKind::Delete => contains(body, b"<Error>") && !contains(body, b"<Deleted>"),
        _ => false,
    }
}

/// The status that goes with a failure that came as a success.
fn status_of(said: &Said) -> StatusCode {
    match said.code.as_str() {
        "PreconditionFailed" => StatusCode::PRECONDITION_FAILED,
        "NoSuchKey" | "NoSuchUpload" => StatusCode::NOT_FOUND,
        "AccessDenied" => StatusCode::FORBIDDEN,
        "InternalError" | "" => StatusCode::INTERNAL_SERVER_ERROR,
        _ => StatusCode::BAD_REQUEST,
    }
}

/// `object_store` takes a completed upload for a failed one if `InternalError` or `SlowDown` stands anywhere in the answer, even in
/// the object's name. All it reads is the ETag, so in that case that is all it gets.
fn without_words_of_failure(body: bytes::Bytes) -> bytes::Bytes {
    if !contains(&body, b"InternalError") && !contains(&body, b"SlowDown") {
        return body;
    }
    let text = String::from_utf8_lossy(&body);
    let etag = text.split_once("<ETag>").and_then(|(_, rest)| rest.split_once("</ETag>")).map_or("", |(etag, _)| etag);
    let root = "CompleteMultipartUploadResult";
    format!("<{root}><ETag>{etag}</ETag></{root}>").into()
}

fn contains(body: &[u8], words: &[u8]) -> bool {
    body.windows(words.len()).any(|window| window == words)
}

/// Counts one request, however it ends: a future that is dropped counts as cancelled.
struct Counted<'a> {
    stats: &'a Stats,
    clock: &'a dyn Clock,
    kind: RequestKind,
    up: u64,
    begun: Duration,
    counted: bool,
}

impl<'a> Counted<'a> {
    fn begin(stats: &'a Stats, clock: &'a dyn Clock, exchange: &Exchange) -> Self {
        Self { stats, clock, kind: exchange.kind, up: exchange.up(), begun: clock.monotonic(), counted: false }
    }

    fn end(&mut self, outcome: Option<Outcome>, down: u64) {
        self.counted = true;
        if let Some(outcome) = outcome {
            let latency = self.clock.monotonic().saturating_sub(self.begun);
            self.stats.record(self.kind, outcome, self.up, down, latency);
        }
    }
}

impl Drop for Counted<'_> {
    fn drop(&mut self) {
        if !self.counted {
            self.end(Some(Outcome::Cancelled), 0);
        }
    }
}
