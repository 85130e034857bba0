//! So many writers at a time, for so long.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::Duration;

use futures::future::BoxFuture;
use plastron_ickpt::Result;
use plastron_sources::clock::{Clock as _, SystemClock};
use tokio::task::JoinSet;

use super::trouble;

/// One durable write after the other; gets the number of the write.
pub(crate) type Writer = Box<dyn FnMut(u64) -> BoxFuture<'static, Result<()>> + Send>;

/// Writes per second of so many `clients`.
pub(crate) async fn rate(clients: usize, length: Duration, writer: impl Fn(usize) -> Result<Writer>) -> Result<f64> {
    let (over, count) = (Arc::new(AtomicBool::new(false)), Arc::new(AtomicU64::new(0)));
    let mut tasks = JoinSet::new();
    let begin = SystemClock.monotonic();
    for client in 0..clients {
        let (mut write, over, count) = (writer(client)?, Arc::clone(&over), Arc::clone(&count));
        tasks.spawn(async move {
            let mut number = 0;
            while !over.load(Ordering::Relaxed) {
                number += 1;
                write(number).await?;
                count.fetch_add(1, Ordering::Relaxed);
            }
            Ok::<_, plastron_ickpt::Error>(())
        });
    }
    SystemClock.sleep(length).await;
    let done = count.load(Ordering::Relaxed);
    let took = SystemClock.monotonic().saturating_sub(begin);
    over.store(true, Ordering::Relaxed);
    while let Some(ended) = tasks.join_next().await {
        ended.map_err(trouble)??;
    }
    Ok(done as f64 / took.as_secs_f64())
}
