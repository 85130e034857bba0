//! Creators who take turns.

use std::sync::Arc;
use std::time::Duration;

use object_store::path::Path;
use plastron_config::ErrorKind;

use super::claim::{Claim, Claimed};
use crate::bucket::{Bucket, OpenBucket};
use crate::clock::Clock;
use crate::source::LargeCreate;
use crate::testing::{Fate, FaultyStore, Op, SleepClock, busy, noise, options, unproved_over};
use crate::transport::test_clock::TestClock;

const LARGE: usize = 2 * (256 << 10) + 1;

fn open<C: Clock>(store: &FaultyStore, clock: &Arc<C>) -> OpenBucket {
    let mut options = options();
    options.clock = Arc::clone(clock) as _;
    options.retry.initial = Duration::from_millis(50);
    unproved_over(store, options, LargeCreate::Claimed)
}

async fn bucket<C: Clock>(store: &FaultyStore, clock: &Arc<C>) -> Bucket {
    Bucket::over(open(store, clock)).await.unwrap()
}

fn first_claim_of(key: &str) -> String {
    format!("_plastron/claims/{:08x}/{:020}", crc32c::crc32c(key.as_bytes()), 1)
}

async fn take(bucket: &Arc<OpenBucket>) -> Claim {
    match Claim::take(bucket, &Path::from("a")).await.unwrap() {
        Claimed::Mine(claim) => claim,
        Claimed::Taken => panic!("there is no object"),
    }
}

/// In time that only goes on when nobody has anything to do: a thread that this machine holds up is not a creator who stands still for a lease
/// in the middle of it, against whom a claim is no help.
#[tokio::test(start_paused = true)]
async fn one_of_24_wins_even_if_the_store_looks_at_no_condition() {
    for round in 0..40 {
        let store = FaultyStore::new();
        store.judge(|op, _, _| if op == Op::Complete { Fate::Overwrite } else { Fate::Go });
        let bucket = bucket(&store, &TestClock::shared()).await;
        store.is_far(20 << (round % 5), round);
        let racers = (0..24_u8).map(|racer| {
            let bucket = bucket.clone();
            tokio::spawn(async move { bucket.put("a", vec![racer; LARGE]).await.map(|_| racer) })
        });
        let results: Vec<_> = futures::future::join_all(racers).await.into_iter().map(Result::unwrap).collect();
        let winners: Vec<u8> = results.iter().filter_map(|result| result.as_ref().ok().copied()).collect();
        assert_eq!(winners.len(), 1, "round {round}");
        for error in results.iter().filter_map(|result| result.as_ref().err()) {
            assert_eq!(error.kind(), ErrorKind::AlreadyExists, "{error}");
        }
        assert!(bucket.get("a").await.unwrap().1 == vec![winners[0]; LARGE]);
        bucket.close().await;
        assert_eq!(store.open_uploads(), 0);
        assert_eq!(store.keys().await, ["a"], "claims are given back");
    }
}

#[tokio::test]
async fn a_claim_costs_two_requests_and_leaves_nothing() {
    let store = FaultyStore::new();
    let bucket = bucket(&store, &SleepClock::new()).await;
    bucket.put("a", noise(LARGE)).await.unwrap();
    assert_eq!((store.count(Op::Put), store.count(Op::Delete), store.count(Op::List)), (1, 1, 1), "one list opens");
    bucket.put("small", "one request is atomic").await.unwrap();
    assert_eq!(store.count(Op::Delete), 1);
    assert_eq!(store.keys().await, ["a", "small"]);
}

#[tokio::test]
async fn a_dead_creators_claim_is_taken_over_after_its_lease() {
    let (store, clock) = (FaultyStore::new(), SleepClock::new());
    let bucket = bucket(&store, &clock).await;
    store.plant(&first_claim_of("a"), "").await;
    bucket.put("a", noise(LARGE)).await.unwrap();
    let waited = clock.monotonic().as_secs();
    assert!((15..20).contains(&waited), "waited {waited} s");
    assert_eq!(store.keys().await, ["a"], "the dead creator's claim is removed as well");
}

#[tokio::test]
async fn who_waits_sees_the_object_appear() {
    let (store, clock) = (FaultyStore::new(), SleepClock::new());
    let bucket = bucket(&store, &clock).await;
    store.plant(&first_claim_of("a"), "").await;
    let planter = store.clone();
    store.judge(move |op, _, count| {
        if op == Op::List && count == 3 {
            let planter = planter.clone();
            tokio::spawn(async move { planter.plant("a", "theirs").await });
        }
        Fate::Go
    });
    assert_eq!(bucket.put("a", noise(LARGE)).await.unwrap_err().kind(), ErrorKind::AlreadyExists);
    assert!(clock.monotonic() < Duration::from_secs(15));
    bucket.close().await;
    assert_eq!(store.open_uploads(), 0);
}

#[tokio::test]
async fn a_claim_that_is_always_renewed_is_waited_for_only_so_long() {
    let (store, clock) = (FaultyStore::new(), SleepClock::new());
    let holder = Arc::new(open(&store, &clock));
    let mut claim = take(&holder).await;
    let (_never, request) = tokio::sync::oneshot::channel::<()>();
    let holding = tokio::spawn(async move { claim.hold(request).await });
    // Creators of "a" who share the clock, so that their waiting makes the holder renew.
    let waiting = bucket(&store, &clock).await;
    let error = waiting.put("a", noise(LARGE)).await.unwrap_err();
    assert!(error.kind() == ErrorKind::Unavailable && error.to_string().contains("held _plastron/claims/"), "{error}");
    holding.abort();
}

#[tokio::test]
async fn a_slow_request_renews_and_all_generations_go() {
    let (store, clock) = (FaultyStore::new(), SleepClock::new());
    let holder = Arc::new(open(&store, &clock));
    let mut claim = take(&holder).await;
    let slow = async {
        while clock.monotonic() < Duration::from_secs(60) {
            tokio::task::yield_now().await;
        }
        "done"
    };
    assert_eq!(claim.hold(slow).await.unwrap(), "done");
    let claims = store.keys().await;
    assert!(claims.len() >= 10, "{claims:?}");
    claim.release().await;
    assert_eq!(store.keys().await, [""; 0]);
}

#[tokio::test]
async fn a_claim_that_cannot_be_renewed_is_lost() {
    let (store, clock) = (FaultyStore::new(), SleepClock::new());
    let holder = Arc::new(open(&store, &clock));
    let mut claim = take(&holder).await;
    // Once does no harm.
    store.once(Op::Put, 1, Fate::Fail(busy()));
    let until = clock.monotonic() + Duration::from_secs(12);
    let slow = async {
        while clock.monotonic() < until {
            tokio::task::yield_now().await;
        }
    };
    claim.hold(slow).await.unwrap();
    store.judge(|op, _, _| if op == Op::Put { Fate::Fail(busy()) } else { Fate::Go });
    let fault = claim.hold(std::future::pending::<()>()).await.unwrap_err();
    assert!(fault.to_string().contains("could not be renewed"), "{fault}");
}

#[tokio::test]
async fn a_claim_is_given_back_when_the_look_after_it_fails() {
    let store = FaultyStore::new();
    let bucket = bucket(&store, &SleepClock::new()).await;
    // The first look is for the name, before anything is uploaded.
    store.once(Op::Head, 1, Fate::Fail(busy()));
    assert_eq!(bucket.put("a", noise(LARGE)).await.unwrap_err().kind(), ErrorKind::Unavailable);
    assert_eq!(store.keys().await, [""; 0]);
}

#[tokio::test]
async fn a_lost_acknowledgement_of_a_claim_is_no_loss() {
    let store = FaultyStore::new();
    let bucket = bucket(&store, &SleepClock::new()).await;
    store.once(Op::Put, 0, Fate::Lose(busy()));
    bucket.put("a", noise(LARGE)).await.unwrap();
    assert_eq!(store.keys().await, ["a"]);
}
