//! Proposes an entry until somebody has seen it committed.
//!
//! Tries with doubling delay, for as long as it lives. It does not know when it is done: its owner watches the log, and drops it then. Each try has a
//! deadline; a proposal that is committed twice does nothing the second time.

use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use plastron_sources::clock::Clock;

use crate::log::ReplicatedLog;

/// How it tries.
#[derive(Debug, Clone, Copy)]
pub struct ProposerOptions {
    /// The first delay.
    pub first_delay: Duration,
    /// The longest.
    pub longest_delay: Duration,
    /// How long one try can take.
    pub deadline: Duration,
}

impl Default for ProposerOptions {
    fn default() -> Self {
        Self {
            first_delay: Duration::from_millis(500),
            longest_delay: Duration::from_secs(30),
            deadline: Duration::from_secs(10),
        }
    }
}

/// A proposal that goes on until this is dropped.
#[derive(Debug)]
pub struct Proposer(tokio::task::JoinHandle<()>);

impl Proposer {
    /// Starts to propose `entry`, at once.
    pub fn start(log: Arc<dyn ReplicatedLog>, clock: Arc<dyn Clock>, options: ProposerOptions, entry: Bytes) -> Self {
        Self(tokio::spawn(async move {
            let mut delay = options.first_delay;
            loop {
                let result = tokio::select! {
                    result = log.propose(entry.clone()) => result.map_err(|error| error.to_string()),
                    () = clock.sleep(options.deadline) => Err("the deadline passed".to_owned()),
                };
                if let Err(why) = result {
                    tracing::debug!(why, "a proposal failed, and is tried again");
                }
                clock.sleep(delay).await;
                delay = (delay * 2).min(options.longest_delay);
            }
        }))
    }
}

impl Drop for Proposer {
    fn drop(&mut self) {
        self.0.abort();
    }
}
