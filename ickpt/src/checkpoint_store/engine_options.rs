//! What the engine may hold, and for how long.

use std::sync::Arc;
use std::time::Duration;

use plastron_sources::clock::Clock;

/// What the engine is told.
#[derive(Debug, Clone)]
#[non_exhaustive]
pub struct EngineOptions {
    /// How long something staged may wait for its POST.
    pub transaction_timeout: Duration,
    /// Operations staged at a time.
    pub max_staged_entries: usize,
    /// Calls that wait.
    pub max_waiting: usize,
    /// The clock.
    pub clock: Arc<dyn Clock>,
}

impl EngineOptions {
    /// Ten seconds, 4,096 staged, 4,096 waiting.
    pub fn new(clock: Arc<dyn Clock>) -> Self {
        Self { transaction_timeout: Duration::from_secs(10), max_staged_entries: 4096, max_waiting: 4096, clock }
    }
}
