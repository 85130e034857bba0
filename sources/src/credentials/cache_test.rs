//! The credential cache under a clock of its own and a source that counts.

use std::collections::VecDeque;
use std::sync::Mutex;
use std::sync::atomic::{AtomicUsize, Ordering};

use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use tokio::sync::Semaphore;

use super::cache::{CredentialCache, FetchCredential, Fetched, Lifetime};
use super::fake::{FakeClock, start};
use crate::clock::Clock;
use crate::error::Fault;

const MINUTE: Duration = Duration::from_secs(60);

/// Hands out `1`, `2`, `3`…, each valid for an hour from when it is fetched, as often as its gate lets it.
#[derive(Debug)]
struct Counting {
    clock: Arc<FakeClock>,
    fetches: AtomicUsize,
    gate: Semaphore,
    fail: Mutex<VecDeque<bool>>,
    fresh: Mutex<Vec<bool>>,
    life: fn(Duration) -> Lifetime,
}

fn an_hour(now: Duration) -> Lifetime {
    Lifetime::Until(start() + now + 60 * MINUTE)
}

impl Counting {
    fn over(clock: &Arc<FakeClock>, life: fn(Duration) -> Lifetime) -> (Arc<Self>, CredentialCache<usize>) {
        let source = Arc::new(Self {
            clock: Arc::clone(clock),
            fetches: AtomicUsize::new(0),
            gate: Semaphore::new(1_000_000),
            fail: Mutex::default(),
            fresh: Mutex::default(),
            life,
        });
        let cache = CredentialCache::new(Arc::clone(&source) as _, Arc::clone(clock) as _);
        (source, cache)
    }

    fn fetches(&self) -> usize {
        self.fetches.load(Ordering::SeqCst)
    }

    fn fail_next(&self, times: usize) {
        self.fail.lock().unwrap().extend(std::iter::repeat_n(true, times));
    }

    fn close(&self) {
        self.gate.forget_permits(usize::MAX >> 4);
    }

    fn open(&self) {
        self.gate.add_permits(1_000_000);
    }
}

#[async_trait]
impl FetchCredential<usize> for Counting {
    async fn fetch(&self, fresh: bool) -> Result<Fetched<usize>, Fault> {
        let number = self.fetches.fetch_add(1, Ordering::SeqCst) + 1;
        self.fresh.lock().unwrap().push(fresh);
        self.gate.acquire().await.unwrap().forget();
        if self.fail.lock().unwrap().pop_front() == Some(true) {
            return Err(Fault::NoCredentials { reason: format!("fetch {number} was told to fail") });
        }
        let now = self.clock.wall().duration_since(start()).unwrap();
        Ok(Fetched { credential: Arc::new(number), lifetime: (self.life)(now) })
    }
}

/// Lets spawned tasks run.
async fn settle() {
    for _ in 0..20 {
        tokio::task::yield_now().await;
    }
}

#[tokio::test]
async fn one_fetch_serves_a_hundred() {
    let clock = FakeClock::new();
    let (source, cache) = Counting::over(&clock, an_hour);
    source.close();
    let waiters: Vec<_> = (0..100)
        .map(|_| {
            tokio::spawn({
                let cache = cache.clone();
                async move { cache.get().await }
            })
        })
        .collect();
    settle().await;
    assert_eq!(source.fetches(), 1);
    source.open();
    for waiter in waiters {
        assert_eq!(*waiter.await.unwrap().unwrap(), 1);
    }
    assert_eq!(*cache.get().await.unwrap(), 1);
    assert_eq!(source.fetches(), 1);
}

#[tokio::test]
async fn a_failed_first_fetch_reaches_every_waiter_and_is_not_remembered() {
    let clock = FakeClock::new();
    let (source, cache) = Counting::over(&clock, an_hour);
    source.fail_next(1);
    source.close();
    let waiters: Vec<_> = (0..10)
        .map(|_| {
            tokio::spawn({
                let cache = cache.clone();
                async move { cache.get().await }
            })
        })
        .collect();
    settle().await;
    source.open();
    for waiter in waiters {
        let fault = waiter.await.unwrap().unwrap_err();
        assert_eq!(fault.to_string(), "no usable credentials: fetch 1 was told to fail");
    }
    assert_eq!(*cache.get().await.unwrap(), 2);
}

#[tokio::test]
async fn a_dropped_waiter_leaves_the_fetch_to_the_next() {
    let clock = FakeClock::new();
    let (source, cache) = Counting::over(&clock, an_hour);
    source.close();
    let waiter = tokio::spawn({
        let cache = cache.clone();
        async move { cache.get().await }
    });
    settle().await;
    waiter.abort();
    assert!(waiter.await.unwrap_err().is_cancelled());
    source.open();
    assert_eq!(*cache.get().await.unwrap(), 1);
    assert_eq!(source.fetches(), 1);
}

#[tokio::test]
async fn renewed_five_minutes_early_without_making_anybody_wait() {
    let clock = FakeClock::new();
    let (source, cache) = Counting::over(&clock, an_hour);
    assert_eq!(*cache.get().await.unwrap(), 1);
    clock.advance(55 * MINUTE - Duration::from_secs(1));
    assert_eq!(*cache.get().await.unwrap(), 1);
    settle().await;
    assert_eq!(source.fetches(), 1, "not due yet");
    source.close();
    clock.advance(Duration::from_secs(1));
    for _ in 0..10 {
        assert_eq!(*cache.get().await.unwrap(), 1, "the old one serves while the new one is fetched");
    }
    settle().await;
    assert_eq!(source.fetches(), 2, "one renewal for ten requests");
    source.open();
    settle().await;
    assert_eq!(*cache.get().await.unwrap(), 2);
    assert_eq!(source.fetches(), 2);
}

#[tokio::test]
async fn a_short_life_is_renewed_at_its_half() {
    let clock = FakeClock::new();
    let (source, cache) = Counting::over(&clock, |now| Lifetime::Until(start() + now + 4 * MINUTE));
    assert_eq!(*cache.get().await.unwrap(), 1);
    clock.advance(2 * MINUTE - Duration::from_secs(1));
    let _ = cache.get().await;
    settle().await;
    assert_eq!(source.fetches(), 1);
    clock.advance(Duration::from_secs(1));
    let _ = cache.get().await;
    settle().await;
    assert_eq!(*cache.get().await.unwrap(), 2);
}

#[tokio::test]
async fn the_old_one_serves_until_it_really_ends() {
    let clock = FakeClock::new();
    let (source, cache) = Counting::over(&clock, an_hour);
    assert_eq!(*cache.get().await.unwrap(), 1);
    source.fail_next(usize::MAX >> 50);
    clock.advance(55 * MINUTE);
    let _ = cache.get().await;
    settle().await;
    assert_eq!(source.fetches(), 2);
    // Ten seconds of quiet, then one more try, again and again.
    for seconds in 1..300 {
        clock.advance(Duration::from_secs(1));
        assert_eq!(*cache.get().await.unwrap(), 1, "{seconds} s into the last five minutes");
        settle().await;
        assert_eq!(source.fetches(), 2 + seconds / 10);
    }
    clock.advance(Duration::from_secs(1));
    let fault = cache.get().await.unwrap_err();
    assert!(matches!(fault, Fault::NoCredentials { .. }), "{fault:?}");
}

#[tokio::test]
async fn an_ended_one_is_waited_for() {
    let clock = FakeClock::new();
    let (source, cache) = Counting::over(&clock, an_hour);
    assert_eq!(*cache.get().await.unwrap(), 1);
    clock.advance(61 * MINUTE);
    assert_eq!(*cache.get().await.unwrap(), 2);
    assert_eq!(source.fetches(), 2);
}

#[tokio::test]
async fn renew_drops_once_for_all_who_failed_together() {
    let clock = FakeClock::new();
    let (source, cache) = Counting::over(&clock, an_hour);
    assert_eq!(*cache.get().await.unwrap(), 1);
    for _ in 0..50 {
        cache.renew();
    }
    assert_eq!(*cache.get().await.unwrap(), 2);
    // Stragglers of the same failure.
    clock.advance(Duration::from_secs(4));
    cache.renew();
    assert_eq!(*cache.get().await.unwrap(), 2);
    assert_eq!(*source.fresh.lock().unwrap(), [false, true], "the second one went past the source's cache");
    // This one failed with the new one.
    clock.advance(Duration::from_secs(1));
    cache.renew();
    assert_eq!(*cache.get().await.unwrap(), 3);
}

#[tokio::test]
async fn a_renewal_that_fails_is_tried_again_and_still_fresh() {
    let clock = FakeClock::new();
    let (source, cache) = Counting::over(&clock, an_hour);
    assert_eq!(*cache.get().await.unwrap(), 1);
    cache.renew();
    source.fail_next(1);
    assert!(cache.get().await.is_err());
    assert_eq!(*cache.get().await.unwrap(), 3);
    assert_eq!(*source.fresh.lock().unwrap(), [false, true, true]);
}

#[tokio::test]
async fn a_source_with_its_own_cache_is_asked_every_minute() {
    let clock = FakeClock::new();
    let (source, cache) = Counting::over(&clock, |_| Lifetime::Asked);
    for minute in 1..=10 {
        assert_eq!(*cache.get().await.unwrap(), minute.max(2) - 1);
        settle().await;
        assert_eq!(*cache.get().await.unwrap(), minute);
        clock.advance(MINUTE);
    }
    source.fail_next(1);
    assert_eq!(*cache.get().await.unwrap(), 10);
    settle().await;
    assert_eq!(*cache.get().await.unwrap(), 10, "what a source handed out serves until it hands out another");
}

#[tokio::test]
async fn an_open_ended_one_is_never_asked_for_again() {
    let clock = FakeClock::new();
    let (source, cache) = Counting::over(&clock, |_| Lifetime::Open);
    for _ in 0..100 {
        assert_eq!(*cache.get().await.unwrap(), 1);
        clock.advance(1_000 * MINUTE);
        settle().await;
    }
    assert_eq!(source.fetches(), 1);
}

#[tokio::test]
async fn a_source_that_hangs_is_given_up() {
    let clock = FakeClock::new();
    let (source, cache) = Counting::over(&clock, an_hour);
    source.close();
    let waiter = tokio::spawn({
        let cache = cache.clone();
        async move { cache.get().await }
    });
    settle().await;
    clock.advance(Duration::from_secs(29));
    settle().await;
    assert!(!waiter.is_finished());
    clock.advance(Duration::from_secs(1));
    assert_eq!(
        waiter.await.unwrap().unwrap_err().to_string(),
        "cannot reach the source of credentials: no answer within 30 s; check the endpoint, the network and the proxy settings"
    );
    source.open();
    assert_eq!(*cache.get().await.unwrap(), 2);
}

#[tokio::test]
async fn the_cache_is_freed_while_a_fetch_runs() {
    let clock = FakeClock::new();
    let (source, cache) = Counting::over(&clock, an_hour);
    source.close();
    let waiter = tokio::spawn({
        let cache = cache.clone();
        async move { cache.get().await }
    });
    settle().await;
    waiter.abort();
    let _ = waiter.await;
    assert_eq!(Arc::strong_count(&source), 3, "the test, the cache, the fetch");
    drop(cache);
    assert_eq!(Arc::strong_count(&source), 1);
}
