//! Following a register: polls with back-off.

use std::time::Duration;

use futures::stream::{self, BoxStream, StreamExt};
use plastron_sources::clock::Entropy;

use super::register_registry::RegisterRegistry;
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
    let share = (entropy.next_u64() >> 32) as u32;
    wait * 3 / 4 + (wait / 2).mul_f64(f64::from(share) / f64::from(u32::MAX))
}

struct Watch {
    registry: RegisterRegistry,
    last: u64,
    wait: Option<Duration>,
    over: bool,
}

pub(super) fn watch(registry: RegisterRegistry, last: u64) -> BoxStream<'static, Result<Versioned>> {
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
            match self.registry.newest().await {
                Ok(Some((_, found))) if found.version.sequence > self.last => {
                    self.last = found.version.sequence;
                    self.wait = Some(polling.least);
                    if let Some(content) = found.turtle.content {
                        return Some(Ok(Versioned { version: found.version, content }));
                    }
                }
                Ok(_) => {}
                Err(fault) => {
                    self.over = !fault.kind().is_retryable();
                    return Some(Err(self.registry.error("watch", fault)));
                }
            }
        }
        None
    }
}
