//! Hedged reads, ranges.

use std::time::Duration;

use object_store::client::HttpErrorKind;

use super::server::{Bed, Step, TestSigner, answer, error};
use crate::error::Fault;
use crate::source::Provider;
use crate::stats::{Event, Outcome};

fn ok(body: &str) -> Step {
    Step::Answer {
        status: 206,
        headers: vec![("content-range", "bytes 0-4/100".to_owned())],
        body: body.as_bytes().to_vec(),
    }
}

const FAST: Duration = Duration::from_millis(30);
const SLOW: Duration = Duration::from_secs(10);

/// A bucket whose reads took 30 ms so far, and a script for what comes.
async fn warm(budget_percent: u8, script: impl IntoIterator<Item = Step>) -> Bed {
    let reads = std::iter::repeat_n(ok("hello").after(FAST), 40);
    let change = |options: &mut crate::options::BucketOptions| options.hedge.budget_percent = budget_percent;
    let bed = Bed::with(Provider::S3, reads.chain(script), change, TestSigner::default());
    for _ in 0..40 {
        bed.get().await.unwrap();
    }
    bed
}

async fn body(bed: &Bed) -> bytes::Bytes {
    bed.get().await.unwrap().into_body().bytes().await.unwrap()
}

#[tokio::test(start_paused = true)]
async fn a_slow_read_is_overtaken() {
    let bed = warm(5, [ok("first").after(SLOW), ok("other").after(FAST)]).await;
    let begun = bed.now();
    assert_eq!(body(&bed).await, "other");
    // The 95th percentile of 30 ms, and 30 ms for the second request.
    assert_eq!(bed.now() - begun, FAST * 2);
    let stats = bed.stats();
    assert_eq!((stats.hedges(), stats.event(Event::HedgeWon)), (1, 1));
    // The slow one was dropped, and is counted: it may be billed.
    assert_eq!((stats.outcome(Outcome::Cancelled), stats.requests_total()), (1, 42));
    assert_eq!(bed.in_flight(), 0);
}

#[tokio::test(start_paused = true)]
async fn the_first_request_may_still_win() {
    let bed = warm(5, [ok("first").after(FAST + FAST / 2), ok("other").after(SLOW)]).await;
    assert_eq!(body(&bed).await, "first");
    let stats = bed.stats();
    assert_eq!((stats.hedges(), stats.event(Event::HedgeWon), stats.outcome(Outcome::Cancelled)), (1, 0, 1));
    assert_eq!(bed.in_flight(), 0);
}

#[tokio::test(start_paused = true)]
async fn a_failed_twin_is_waited_out() {
    let bed = warm(5, [ok("first").after(SLOW), Step::Fail(HttpErrorKind::Interrupted)]).await;
    assert_eq!(body(&bed).await, "first");
    assert_eq!(bed.stats().retries(), 0);
    let bed = warm(5, [Step::Fail(HttpErrorKind::Interrupted).after(FAST * 2), ok("other").after(SLOW)]).await;
    assert_eq!(body(&bed).await, "other");
    assert_eq!((bed.stats().retries(), bed.stats().event(Event::HedgeWon)), (0, 0));
    let bed = warm(5, [answer(500, "").after(FAST * 2), answer(500, "").after(SLOW), ok("third")]).await;
    assert_eq!(body(&bed).await, "third");
    assert_eq!(bed.stats().retries(), 1);
}

#[tokio::test(start_paused = true)]
async fn hedges_keep_to_their_budget() {
    let slow = std::iter::repeat_n([ok("first").after(SLOW), ok("other").after(FAST)], 10).flatten();
    let bed = warm(5, slow).await;
    for _ in 0..10 {
        bed.get().await.unwrap();
    }
    // Five per cent of 50 reads.
    assert_eq!(bed.stats().hedges(), 2);
    let none = warm(0, [ok("first").after(SLOW), ok("other").after(FAST)]).await;
    assert_eq!(body(&none).await, "first");
    assert_eq!(none.stats().hedges(), 0);
}

#[tokio::test(start_paused = true)]
async fn writes_are_never_hedged() {
    let bed = warm(100, [Step::Hang]).await;
    let write = bed.send("PUT", "http://host/bucket/key", &[], b"x").await;
    assert!(matches!(write, Err(Fault::Deadline { .. })));
    assert_eq!((bed.stats().hedges(), bed.most_in_flight()), (0, 1));
}

#[tokio::test(start_paused = true)]
async fn ranges_that_are_ignored_or_outside() {
    let ignored = Bed::new(Provider::S3, [answer(200, "the whole object")]).get().await;
    assert!(matches!(ignored, Err(Fault::Incapable(_))));
    let outside = Bed::new(Provider::S3, [answer(416, "").with("content-range", "bytes */3")]).get().await;
    assert!(matches!(outside, Err(Fault::Range { start: 0, end: 5, size: 3 })));
    let silent = Bed::new(Provider::S3, [error(416, "InvalidRange")]).get().await;
    assert!(matches!(silent, Err(Fault::Provider { status: 416, .. })));
}

#[tokio::test(start_paused = true)]
async fn an_endless_answer_is_not_swallowed() {
    let length = (65_u64 << 20).to_string();
    let bed = Bed::new(Provider::S3, [answer(200, "x").with("content-length", &length)]);
    let fault = bed.send("GET", "http://host/bucket?list-type=2", &[], b"").await.expect_err("it is too long");
    assert!(matches!(fault, Fault::Provider { status: 200, .. }), "{fault}");
    assert_eq!(bed.attempts(), 1);
}
