//! Following a registry that can only be asked: polls with back-off.

use std::time::Duration;

use async_trait::async_trait;
use bytes::Bytes;
use futures::stream::{self, BoxStream, StreamExt};
use plastron_sources::clock::{Clock, Entropy};

use crate::error::Result;
use crate::version::{Version, Versioned};

/// How often to ask.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Polling {
    least: Duration,
    most: Duration,
}

impl Polling {
    pub(crate) fn new(least: Duration, most: Duration) -> Self {
        // A poll a millisecond is what a store of one process takes.
        let least = least.max(Duration::from_millis(1));
        Self { least, most: most.max(least) }
    }
}

impl Default for Polling {
    fn default() -> Self {
        Self::new(Duration::from_millis(200), Duration::from_secs(10))
    }
}

/// `wait`, a quarter more or less, so that many who wait don't ask at the same time.
pub(crate) fn jittered(wait: Duration, entropy: &dyn Entropy) -> Duration {
    let share = (entropy.next_u64() >> 32) as u32 >> 1;
    // 0.75 to 1.25, in 2³¹ parts.
    wait * 3 / 4 + (wait / 2).mul_f64(f64::from(share) / f64::from(u32::MAX >> 1))
}

/// A registry that is polled.
#[async_trait]
pub(crate) trait Polled: Send + Sync + 'static {
    /// The newest turtle if its number is above `after`, and its content; none of that for a turtle that only took over.
    async fn newest_above(&self, after: u64) -> Result<Option<(Version, Option<Bytes>)>>;

    /// How often.
    fn polling(&self) -> Polling;

    /// By which clock, and with which chance.
    fn time(&self) -> (&dyn Clock, &dyn Entropy);
}

struct Watch<P> {
    polled: P,
    last: u64,
    wait: Option<Duration>,
    over: bool,
}

/// Everything that `polled` has above number `last`, as it comes.
pub(crate) fn watch(polled: impl Polled, last: u64) -> BoxStream<'static, Result<Versioned>> {
    let watch = Watch { polled, last, wait: None, over: false };
    stream::unfold(watch, |mut watch| async move { Some((watch.next().await?, watch)) }).boxed()
}

impl<P: Polled> Watch<P> {
    /// Waits for news; none after an error that won't pass.
    async fn next(&mut self) -> Option<Result<Versioned>> {
        while !self.over {
            let polling = self.polled.polling();
            if let Some(wait) = self.wait {
                let (clock, entropy) = self.polled.time();
                clock.sleep(jittered(wait, entropy)).await;
            }
            self.wait = Some(self.wait.map_or(polling.least, |wait| (wait * 3 / 2).min(polling.most)));
            match self.polled.newest_above(self.last).await {
                Ok(None) => {}
                Ok(Some((version, content))) => {
                    self.last = version.sequence;
                    self.wait = Some(polling.least);
                    if let Some(content) = content {
                        return Some(Ok(Versioned { version, content }));
                    }
                }
                Err(error) => {
                    self.over = !error.is_retryable();
                    return Some(Err(error));
                }
            }
        }
        None
    }
}
