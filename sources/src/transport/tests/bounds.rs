//! Requests in flight, bandwidth, cancellation.

use std::sync::Arc;
use std::time::Duration;

use futures::future::join_all;

use super::server::{Bed, Step, TestSigner, answer};
use crate::options::BucketOptions;
use crate::source::Provider;
use crate::stats::{Outcome, RequestKind};

fn bed(script: impl IntoIterator<Item = Step>, change: impl FnOnce(&mut BucketOptions)) -> Bed {
    Bed::with(Provider::S3, script, change, TestSigner::default())
}

fn put(bed: &Bed, length: usize) -> impl Future<Output = ()> {
    let body = vec![7; length];
    async move {
        bed.send("PUT", "http://host/bucket/key", &[], &body).await.unwrap();
    }
}

#[tokio::test(start_paused = true)]
async fn requests_in_flight_are_bounded() {
    let bed = bed([answer(200, "").after(Duration::from_secs(1))], |options| options.limits.requests = 4);
    join_all((0..20).map(|_| put(&bed, 1))).await;
    assert_eq!(bed.most_in_flight(), 4);
    assert_eq!(bed.now(), Duration::from_secs(5));
}

#[tokio::test(start_paused = true)]
async fn tokens_are_fetched_even_when_all_permits_are_taken() {
    let bed = Arc::new(bed([Step::Hang, answer(200, "{}")], |options| options.limits.requests = 1));
    let first = Arc::clone(&bed);
    let hanging = tokio::spawn(async move { first.get().await.is_ok() });
    tokio::task::yield_now().await;
    let token = bed.send("POST", "http://login/oauth2/v2.0/token", &[], b"grant").await;
    assert!(token.is_ok());
    assert_eq!(bed.stats().requests_of(RequestKind::Token), 1);
    hanging.abort();
}

#[tokio::test(start_paused = true)]
async fn bytes_a_second_are_bounded_up_and_down() {
    let bed = bed([answer(200, "")], |options| {
        options.limits.bandwidth = 1_000_000;
        options.retry.deadline = Duration::from_secs(1);
    });
    join_all((0..50).map(|_| put(&bed, 100_000))).await;
    // Five million bytes, a quarter of a second's worth of them at once. Waiting for bandwidth is no reason to give up.
    let elapsed = bed.now().as_secs_f64();
    assert!((4.7..4.8).contains(&elapsed), "{elapsed}");
    assert_eq!(bed.stats().bytes_up(), 5_000_000);
}

#[tokio::test(start_paused = true)]
async fn a_dropped_call_frees_its_permit_and_is_counted() {
    let bed = bed([Step::Hang, Step::Hang, answer(204, "")], |options| options.limits.requests = 1);
    for _ in 0..2 {
        let dropped = tokio::time::timeout(Duration::from_secs(1), bed.get()).await;
        assert!(dropped.is_err());
        assert_eq!(bed.in_flight(), 0);
    }
    bed.send("DELETE", "http://host/bucket/key", &[], b"").await.unwrap();
    let stats = bed.stats();
    assert_eq!((stats.outcome(Outcome::Cancelled), stats.outcome(Outcome::Ok)), (2, 1));
}

#[tokio::test(start_paused = true)]
async fn a_call_dropped_in_any_state_frees_its_permit() {
    // 503 and a pause, a hanging attempt, a wait for bandwidth: dropped at every tenth of a second.
    let script = [answer(503, "").after(Duration::from_millis(300)), Step::Hang];
    for tenths in 0..40 {
        let bed = bed(script.clone(), |options| {
            options.limits.requests = 1;
            options.limits.bandwidth = 100;
            options.timeout.request = Duration::from_secs(2);
        });
        let dropped = tokio::time::timeout(Duration::from_millis(tenths * 100 + 50), put(&bed, 60)).await;
        assert!(dropped.is_err());
        assert_eq!(bed.in_flight(), 0);
        let attempts = bed.attempts() as u64;
        assert_eq!(bed.stats().requests_total(), attempts, "{tenths}");
    }
}
