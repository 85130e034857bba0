//! Waiting transient trouble out.
//!
//! WiredTiger panics when a flush fails, and takes a failed read for damage. So every call on an open bucket is tried again while it
//! fails for a reason that may pass, up to `retry=(deadline=…)`.

use std::future::Future;
use std::sync::Arc;
use std::time::Duration;

use plastron::ErrorKind;
use plastron::clock::{Clock, Entropy, SystemClock, SystemEntropy};
use plastron_sources::Fault;

/// How long it is tried again where the failure says no more than that it may pass: bytes that fail their checksum (something on the
/// way may spoil them for a while, but what is spoilt in the bucket stays so), answers that mean nothing to us or that a store which was
/// proved when it was opened can't mean (a request that was spoilt on its way gets such), and refused credentials of a bucket that was opened with them (they may be on their way to
/// be renewed). WiredTiger waits under a lock meanwhile.
const DOUBT_DEADLINE: Duration = Duration::from_secs(30);

/// The first pause between two rounds, doubled up to the longest: the bucket has made its own pauses before.
const FIRST_PAUSE: Duration = Duration::from_millis(100);
const LONGEST_PAUSE: Duration = Duration::from_secs(2);

/// How long trouble is waited out, and by which clock.
#[derive(Debug, Clone)]
pub(crate) struct Patience {
    deadline: Duration,
    clock: Arc<dyn Clock>,
    entropy: Arc<dyn Entropy>,
}

impl Patience {
    /// Patience up to `deadline`, by the machine's clock.
    pub(crate) fn new(deadline: Duration) -> Self {
        Self { deadline, clock: Arc::new(SystemClock), entropy: Arc::new(SystemEntropy::default()) }
    }

    /// Does `work`, and does it again while it fails for reasons that may pass, up to the deadline. Then the last failure is returned.
    pub(crate) async fn wait<T, F>(&self, mut work: impl FnMut() -> F) -> plastron::Result<T>
    where
        F: Future<Output = plastron::Result<T>>,
    {
        let begin = self.clock.monotonic();
        let mut pause = FIRST_PAUSE;
        loop {
            let error = match work().await {
                Ok(done) => return Ok(done),
                Err(error) => error,
            };
            let Some(deadline) = self.deadline_for(&error) else { return Err(error) };
            let spent = self.clock.monotonic().saturating_sub(begin);
            if spent.saturating_add(pause) >= deadline {
                return Err(error);
            }
            tracing::warn!(%error, spent_s = spent.as_secs(), "trying again");
            // Up to half of the pause is drawn, so that those who failed together do not come back together.
            let drawn = pause.mul_f64(0.5 + 0.5 * (self.entropy.next_u64() as f64 / u64::MAX as f64));
            self.clock.sleep(drawn).await;
            pause = pause.saturating_mul(2).min(LONGEST_PAUSE);
        }
    }

    /// How long `error` is waited out; `None` for one that cannot pass.
    fn deadline_for(&self, error: &plastron::Error) -> Option<Duration> {
        let strange = |fault: &Fault| matches!(fault, Fault::Provider { .. } | Fault::Incapable(_));
        let unknown = matches!(error.fault(), plastron::Fault::Bucket(inner) if strange(inner.fault()));
        match error.kind() {
            ErrorKind::Corrupt | ErrorKind::Unauthorized => Some(self.deadline.min(DOUBT_DEADLINE)),
            _ if unknown => Some(self.deadline.min(DOUBT_DEADLINE)),
            _ => error.is_retryable().then_some(self.deadline),
        }
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Mutex;
    use std::time::SystemTime;

    use plastron::clock::Sleep;
    use plastron_sources::Error;

    use super::*;

    /// A clock that moves only when somebody sleeps.
    #[derive(Debug, Default)]
    struct Slept(Mutex<Duration>);

    impl Clock for Slept {
        fn monotonic(&self) -> Duration {
            *self.0.lock().unwrap()
        }

        fn wall(&self) -> SystemTime {
            SystemTime::UNIX_EPOCH
        }

        fn sleep(&self, duration: Duration) -> Sleep {
            *self.0.lock().unwrap() += duration;
            Box::pin(std::future::ready(()))
        }
    }

    /// Fails with `fault` until `passes` have passed; returns the outcome and the rounds and the time it took.
    fn wait(deadline: u64, fault: &Fault, passes: Duration) -> (plastron::Result<()>, u32, Duration) {
        let clock = Arc::new(Slept::default());
        let patience = Patience {
            deadline: Duration::from_secs(deadline),
            clock: Arc::<Slept>::clone(&clock),
            entropy: Arc::new(SystemEntropy::default()),
        };
        let mut rounds = 0;
        let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
        let outcome = runtime.block_on(patience.wait(|| {
            rounds += 1;
            let over = clock.monotonic() >= passes;
            let fault = fault.clone();
            async move { if over { Ok(()) } else { Err(Error::new("put", "object", fault).into()) } }
        }));
        (outcome, rounds, clock.monotonic())
    }

    fn busy() -> Fault {
        Fault::Busy { status: 503, code: "SlowDown".to_owned(), message: String::new() }
    }

    fn corrupt() -> Fault {
        Fault::Corrupt { what: "object".to_owned(), start: 0, end: 1, check: "crc32c".to_owned() }
    }

    fn strange() -> Fault {
        Fault::Provider { status: 400, code: "400".to_owned(), message: String::new() }
    }

    #[test]
    fn what_passes_is_waited_out() {
        let (outcome, rounds, _) = wait(300, &busy(), Duration::from_secs(20));
        assert!(outcome.is_ok() && rounds > 5, "{rounds}");
        let expired = Fault::Expired { code: "ExpiredToken".to_owned() };
        for fault in [corrupt(), strange(), expired] {
            let (outcome, _, _) = wait(300, &fault, Duration::from_secs(20));
            assert!(outcome.is_ok(), "{fault:?}");
        }
    }

    #[test]
    fn what_does_not_pass_is_told_after_the_deadline_and_not_later() {
        for (fault, limit) in [(busy(), 60), (corrupt(), 30), (strange(), 30)] {
            let (outcome, _, spent) = wait(60, &fault, Duration::MAX);
            assert!(outcome.is_err());
            let limit = Duration::from_secs(limit);
            assert!(spent <= limit && spent + LONGEST_PAUSE + LONGEST_PAUSE > limit, "{fault:?}: {spent:?}");
        }
    }

    #[test]
    fn what_cannot_pass_is_told_at_once() {
        for fault in [Fault::NoSuchObject, Fault::NoSuchBucket, Fault::ObjectExists] {
            let (outcome, rounds, spent) = wait(60, &fault, Duration::MAX);
            assert!(outcome.is_err());
            assert_eq!((rounds, spent), (1, Duration::ZERO), "{fault:?}");
        }
    }
}
