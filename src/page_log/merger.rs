//! The background task that merges indexes, and the same at once for those who ask.

use std::sync::Arc;
use std::time::Duration;

use super::PageLogFault;
use super::codec::RunHeader;
use super::merge::{merge, plan};
use super::shared::Shared;

/// After a merge that failed. It is tried again for ever: without it the log works, and only opening it gets slower.
const PAUSE: Duration = Duration::from_secs(5);

/// Runs until the log is dropped, or takes nothing more.
pub(crate) async fn run_merger(shared: Arc<Shared>) {
    loop {
        match merge_once(&shared, shared.options.run_segments).await {
            Ok(true) => {}
            Ok(false) => shared.wake_merger.notified().await,
            Err(_) if shared.lock().failure().is_some() => return,
            Err(fault) => {
                tracing::warn!(%fault, "indexes could not be merged; trying again later");
                shared.options.clock.sleep(PAUSE).await;
            }
        }
    }
}

/// Merges what should be merged, if there are `least` segments. Says whether there was anything to do.
///
/// # Errors
/// Those of [`merge`]; everything is as it was then.
pub(crate) async fn merge_once(shared: &Shared, least: usize) -> Result<bool, PageLogFault> {
    let _one = shared.merging.lock().await;
    let (inputs, trims, number, mut room) = {
        let mut intake = shared.lock();
        if let Some(fault) = intake.failure() {
            return Err(fault.clone());
        }
        let Some(inputs) = plan(intake.durable(), least) else { return Ok(false) };
        // A trim that may still be abandoned takes nothing away.
        let trims = intake.trims().up_to(intake.settled());
        let kept = intake.durable().runs.len() - inputs.runs.len();
        let room = shared.filter_room(intake.durable().runs.get(..kept).unwrap_or_default());
        (inputs, trims, intake.next_run(), room)
    };
    let header = RunHeader { database: shared.database, epoch: shared.epoch, number };
    let size = shared.options.index_block_size;
    let run = merge(&inputs, header, size, &trims, &mut room, &*shared.objects).await?;
    if let Some(run) = &run {
        let reference = run.reference();
        tracing::debug!(object = %reference.object_name(), entries = reference.entries, "wrote an index run");
    }
    let replaced = shared.lock().replace(&inputs, run.map(Arc::new));
    if !replaced {
        tracing::info!(number, "an index run came too late, after an abandon; it is not used");
    }
    Ok(true)
}
