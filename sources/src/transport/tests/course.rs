//! Attempts, pauses, deadlines.

use std::time::Duration;

use object_store::client::HttpErrorKind;
use proptest::prelude::*;

use super::server::{Bed, Step, TestSigner, answer, error};
use crate::error::Fault;
use crate::source::Provider;
use crate::stats::{Event, Outcome, RequestKind};

fn ok() -> Step {
    Step::Answer { status: 206, headers: vec![("content-range", "bytes 0-4/100".to_owned())], body: b"hello".to_vec() }
}

fn secs(seconds: u64) -> Duration {
    Duration::from_secs(seconds)
}

#[tokio::test(start_paused = true)]
async fn what_passes_is_tried_again_with_a_new_signature() {
    let cut = Step::Cut {
        status: 206,
        headers: vec![("content-range", "bytes 0-4/100".to_owned())],
        body: b"hello".to_vec(),
        after: 3,
    };
    let short = Step::Answer {
        status: 206,
        headers: vec![("content-range", "bytes 0-4/100".to_owned())],
        body: b"hel".to_vec(),
    };
    let cases = [
        (Step::Fail(HttpErrorKind::Request), Outcome::Broken),
        (Step::Fail(HttpErrorKind::Interrupted), Outcome::Broken),
        (Step::Fail(HttpErrorKind::Connect), Outcome::Broken),
        (Step::Fail(HttpErrorKind::Unknown), Outcome::Broken),
        (Step::Fail(HttpErrorKind::Timeout), Outcome::TimedOut),
        (Step::Hang, Outcome::TimedOut),
        (cut, Outcome::Broken),
        (short, Outcome::Broken),
        (answer(408, ""), Outcome::Failed),
        (answer(429, ""), Outcome::Throttled),
        (answer(500, ""), Outcome::Failed),
        (answer(502, "<html>bad gateway</html>"), Outcome::Failed),
        (answer(503, ""), Outcome::Throttled),
        (answer(504, ""), Outcome::Failed),
        (answer(520, ""), Outcome::Failed),
        (error(400, "RequestTimeout"), Outcome::Failed),
        (error(503, "SlowDown"), Outcome::Throttled),
        (error(500, "InternalError"), Outcome::Failed),
        (error(409, "OperationAborted"), Outcome::Failed),
    ];
    for (step, outcome) in cases {
        let bed = Bed::new(Provider::S3, [step.clone(), ok()]);
        let response = bed.get().await.unwrap();
        assert_eq!(response.into_body().bytes().await.unwrap(), "hello", "{step:?}");
        let seen = bed.seen();
        assert_eq!(seen.len(), 2, "{step:?}");
        for (number, seen) in seen.iter().enumerate() {
            let signatures: Vec<_> = seen.headers.get_all("authorization").iter().collect();
            let signature = format!("plantedsignature{number}");
            assert!(signatures.len() == 1 && signatures[0].to_str().unwrap().contains(&signature), "{signatures:?}");
        }
        let stats = bed.stats();
        assert_eq!((stats.retries(), stats.outcome(outcome), stats.outcome(Outcome::Ok)), (1, 1, 1), "{step:?}");
        assert_eq!(stats.requests_of(RequestKind::Get), 2);
        assert_eq!(stats.latency().count(), 2);
    }
}

#[tokio::test(start_paused = true)]
async fn what_does_not_pass_is_tried_once() {
    for step in
        [error(400, "InvalidArgument"), answer(405, ""), answer(501, ""), error(403, "AccessDenied"), answer(505, "")]
    {
        let bed = Bed::new(Provider::S3, [step.clone(), ok()]);
        bed.get().await.expect_err("it is refused");
        assert_eq!(bed.attempts(), 1, "{step:?}");
        assert_eq!(bed.now(), Duration::ZERO);
    }
}

#[tokio::test(start_paused = true)]
async fn pauses_double_up_to_their_limit() {
    let bed = Bed::with(Provider::S3, [answer(500, "")], |options| options.retry.max = secs(1), TestSigner::default());
    bed.get().await.expect_err("it never answers");
    // The test's randomness draws the longest pause every time: 50, 100, 200, 400, 800 ms, and then 1 s.
    let times: Vec<_> = bed.seen().iter().map(|seen| seen.at.as_millis()).collect();
    assert_eq!(times[..8], [0, 50, 150, 350, 750, 1550, 2550, 3550]);
    assert_eq!(times.len(), 12);
}

#[tokio::test(start_paused = true)]
async fn the_provider_says_when_to_come_back() {
    let bed = Bed::new(Provider::S3, [answer(503, "").with("retry-after", "7"), ok()]);
    bed.get().await.unwrap();
    assert_eq!(bed.now(), secs(7));
    // The test's calendar begins on 2026-01-01.
    let bed = Bed::new(Provider::S3, [answer(429, "").with("retry-after", "Thu, 01 Jan 2026 00:00:42 GMT"), ok()]);
    bed.get().await.unwrap();
    assert_eq!(bed.now(), secs(42));
}

#[tokio::test(start_paused = true)]
async fn a_pause_beyond_the_deadline_is_not_waited_for() {
    let bed = Bed::new(Provider::S3, [error(503, "SlowDown").with("retry-after", "61"), ok()]);
    let fault = bed.get().await.expect_err("there is no time");
    assert_eq!(bed.now(), Duration::ZERO);
    assert_eq!(
        fault.to_string(),
        "gave up after 1 attempts in 0ns (deadline 60s); the last answer: 503 SlowDown: A message."
    );
    assert!(matches!(fault, Fault::Deadline { attempts: 1, .. }));
}

#[tokio::test(start_paused = true)]
async fn attempts_are_counted_out() {
    let bed =
        Bed::with(Provider::S3, [error(503, "SlowDown")], |options| options.retry.attempts = 3, TestSigner::default());
    let fault = bed.get().await.expect_err("it never answers");
    assert_eq!((bed.attempts(), bed.stats().event(Event::GaveUp)), (3, 1));
    assert_eq!(fault.to_string(), "the provider answers 503 SlowDown: A message. (after 3 attempts)");
}

#[tokio::test(start_paused = true)]
async fn a_server_that_hangs_costs_the_deadline_and_no_more() {
    let bed = Bed::with(
        Provider::S3,
        [Step::Hang],
        |options| {
            options.retry.deadline = secs(50);
            options.timeout.request = secs(20);
        },
        TestSigner::default(),
    );
    let fault = bed.get().await.expect_err("it never answers");
    assert!(bed.now() <= secs(50), "{:?}", bed.now());
    assert!(matches!(fault, Fault::Deadline { attempts: 3, .. }), "{fault}");
    assert_eq!(bed.stats().outcome(Outcome::TimedOut), 3);
}

#[tokio::test(start_paused = true)]
async fn an_endpoint_that_never_answered_is_given_up_sooner_than_one_that_did() {
    let refused = [Step::Fail(HttpErrorKind::Connect)];
    let bed = Bed::new(Provider::S3, refused.clone());
    let fault = bed.get().await.expect_err("nobody is there");
    assert!(bed.now() <= secs(5), "{:?}", bed.now());
    assert_eq!(
        fault.to_string(),
        "cannot reach host: the line went dead; check the endpoint, the network and the proxy settings"
    );
    let bed = Bed::new(Provider::S3, refused);
    bed.reach();
    bed.get().await.expect_err("nobody is there any more");
    assert!(bed.now() > secs(20), "{:?}", bed.now());
    assert_eq!(bed.attempts(), 12);
}

#[tokio::test(start_paused = true)]
async fn without_credentials_nothing_is_sent() {
    let fault = Fault::NoCredentials { reason: "none".to_owned() };
    let signer = TestSigner { fault: Some(fault), ..TestSigner::default() };
    let bed = Bed::with(Provider::S3, [ok()], |_| {}, signer);
    assert!(matches!(bed.get().await, Err(Fault::NoCredentials { .. })));
    assert_eq!((bed.attempts(), bed.stats().requests_total()), (0, 0));
}

/// Anything a server may do, with latencies from none to longer than any time-out.
fn any_step() -> impl Strategy<Value = Step> {
    let step = prop_oneof![
        Just(ok()),
        Just(Step::Hang),
        Just(Step::Fail(HttpErrorKind::Connect)),
        Just(Step::Fail(HttpErrorKind::Interrupted)),
        Just(answer(500, "")),
        Just(error(400, "ExpiredToken")),
        (0_u64..100).prop_map(|seconds| answer(503, "").with("retry-after", &seconds.to_string())),
        Just(Step::Cut { status: 206, headers: vec![], body: b"hello".to_vec(), after: 2 }),
        Just(error(403, "AccessDenied")),
    ];
    (step, 0_u64..50_000).prop_map(|(step, millis)| step.after(Duration::from_millis(millis)))
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(200))]

    /// Whatever the server does, a request ends within its deadline, as a success or as a typed fault, and what is counted is what
    /// the server saw.
    #[test]
    fn every_request_ends_in_time(
        script in prop::collection::vec(any_step(), 1..12),
        deadline in 1_u64..120, request in 1_u64..40, attempts in 1_u32..15,
        renewable: bool,
    ) {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().start_paused(true).build().unwrap();
        runtime.block_on(async {
            let signer = TestSigner { renewable, ..TestSigner::default() };
            let change = |options: &mut crate::options::BucketOptions| {
                options.retry.deadline = secs(deadline);
                options.retry.attempts = attempts;
                options.timeout.request = secs(request);
            };
            let bed = Bed::with(Provider::S3, script, change, signer);
            let result = bed.get().await;
            // Tokio's clock counts milliseconds, and rounds timers up.
            prop_assert!(bed.now() <= secs(deadline) + Duration::from_millis(20), "{:?}", bed.now());
            prop_assert_eq!(bed.in_flight(), 0);
            if let Ok(response) = result {
                prop_assert_eq!(response.into_body().bytes().await.unwrap(), "hello");
            }
            prop_assert_eq!(bed.stats().requests_total(), bed.attempts() as u64);
            // The attempt after a renewal comes on top.
            prop_assert!(bed.attempts() <= attempts as usize + 1);
            Ok(())
        })?;
    }
}
