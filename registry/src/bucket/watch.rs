//! Following: polls with back-off.
//!
//! Asking for the next number alone would cost less, and be wrong: it may have been removed, and an orphan may stand in its place. So
//! every poll lists.

use std::time::Duration;

use futures::stream::{self, BoxStream, StreamExt};
use plastron_sources::clock::Entropy;

use super::registry::{BucketRegistry, Found};
use crate::error::Result;
use crate::version::Versioned;

/// How often to ask.
#[derive(Debug, Clone, Copy)]
pub(super) struct Polling {
    least: Duration,
    most: Duration,
}

impl Polling {
    pub(super) fn new(least: Duration, most: Duration) -> Self {
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
pub(super) fn jittered(wait: Duration, entropy: &dyn Entropy) -> Duration {
    let share = (entropy.next_u64() >> 32) as u32 >> 1;
    // 0.75 to 1.25, in 2³² parts.
    wait * 3 / 4 + (wait / 2).mul_f64(f64::from(share) / f64::from(u32::MAX >> 1))
}

struct Watch {
    registry: BucketRegistry,
    last: u64,
    wait: Option<Duration>,
    over: bool,
}

pub(super) fn watch(registry: BucketRegistry, last: u64) -> BoxStream<'static, Result<Versioned>> {
    let watch = Watch { registry, last, wait: None, over: false };
    stream::unfold(watch, |mut watch| async move { Some((watch.next().await?, watch)) }).boxed()
}

impl Watch {
    /// Waits for news; none after an error that won't pass.
    async fn next(&mut self) -> Option<Result<Versioned>> {
        while !self.over {
            let polling = self.registry.polling;
            if let Some(wait) = self.wait {
                self.registry.clock.sleep(jittered(wait, &*self.registry.entropy)).await;
            }
            self.wait = Some(self.wait.map_or(polling.least, |wait| (wait * 3 / 2).min(polling.most)));
            match self.registry.newest(self.last).await {
                Ok(None) => {}
                Ok(Some(Found { object, version, .. })) => {
                    self.last = version.sequence;
                    self.wait = Some(polling.least);
                    if let Some(content) = object.content {
                        return Some(Ok(Versioned { version, content }));
                    }
                }
                Err((at, fault)) => {
                    self.over = !fault.kind().is_retryable();
                    return Some(Err(self.registry.error("watch", at, fault)));
                }
            }
        }
        None
    }
}
