//! The leader's garbage: collected when it is asked to, and by itself every now and then.

use std::sync::Arc;

use tokio::task::JoinHandle;

use super::collector::Collector;
use super::leader::Inner;

/// The background, which ends with the last clone of the leader.
pub(super) struct Collecting(Option<JoinHandle<()>>);

impl Collecting {
    /// Begins to collect for `inner`, if its volume says how often.
    pub(super) fn start(inner: &Arc<Inner>) -> Self {
        let interval = inner.volume.retention.interval;
        Self((!interval.is_zero()).then(|| tokio::spawn(collect_by_itself(Arc::downgrade(inner)))))
    }

    pub(super) fn stop(&self) {
        self.0.iter().for_each(JoinHandle::abort);
    }
}

impl Drop for Collecting {
    fn drop(&mut self) {
        self.stop();
    }
}

impl Inner {
    /// A collector that knows what this leader needs. Taken between two publishes: a turtle that is on its way may name what the log has
    /// superseded since.
    pub(super) async fn collector(&self) -> Collector {
        let publishing = self.publishing.lock().await;
        let collector = Collector::new(self.volume.clone());
        match publishing.unknown {
            None => collector.beside(self.log.in_use()),
            Some(_) => collector,
        }
    }
}

/// Collects garbage every now and then, until the leader is gone.
async fn collect_by_itself(leader: std::sync::Weak<Inner>) {
    loop {
        let Some(inner) = leader.upgrade() else { return };
        let (clock, interval) = (Arc::clone(inner.volume.clock()), inner.volume.retention.interval);
        drop(inner);
        clock.sleep(interval).await;
        let Some(inner) = leader.upgrade() else { return };
        match inner.collector().await.run().await {
            Ok(report) => {
                tracing::info!(removed = report.removed_objects, bytes = report.removed_bytes, "collected garbage")
            }
            Err(fault) => tracing::warn!(%fault, "garbage could not be collected; trying again later"),
        }
    }
}
