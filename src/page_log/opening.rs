//! Opening what a state lists: the tails of its runs and of the segments that are in none.

use futures::stream::{self, StreamExt, TryStreamExt};
use plastron_cache::Priority;
use std::sync::Arc;

use super::PageLogFault;
use super::codec::{LogState, RunRef, SegmentRef, SegmentTail};
use super::durable::{Durable, LiveSegment};
use super::objects::{LogObjects, ObjectPlace};
use super::run::Run;

/// Tails that are read at once.
const AT_ONCE: usize = 16;

/// Opens all that `state` lists, with one request each; what `known` has is taken from there. The filters get what is in
/// `filter_room`, those of the newest runs first.
///
/// # Errors
/// `Corrupt` for what is not what was written, `NotFound` for what is gone; those of the bucket.
pub(crate) async fn open_durable(
    state: &LogState,
    known: &Durable,
    objects: &Arc<dyn LogObjects>,
    filter_room: &mut u64,
) -> Result<Durable, PageLogFault> {
    let segments = stream::iter(state.segments.clone())
        .map(|reference| open_segment(reference, known, Arc::clone(objects)))
        .buffered(AT_ONCE)
        .try_collect::<Vec<_>>()
        .await?;
    let mut runs = Vec::with_capacity(state.runs.len());
    for reference in state.runs.iter().rev() {
        runs.push(Arc::new(open_run(reference, known, &**objects, filter_room).await?));
    }
    runs.reverse();
    Ok(Durable { runs, segments })
}

async fn open_run(
    reference: &RunRef,
    known: &Durable,
    objects: &dyn LogObjects,
    filter_room: &mut u64,
) -> Result<Run, PageLogFault> {
    let same = |run: &&Arc<Run>| RunRef { limit: reference.limit, ..run.reference().clone() } == *reference;
    match known.runs.iter().find(same) {
        Some(run) => {
            *filter_room = filter_room.saturating_sub(run.filter_size());
            Ok(run.named(reference.clone()))
        }
        None => Run::open(reference.clone(), objects, filter_room).await,
    }
}

async fn open_segment(
    reference: SegmentRef,
    known: &Durable,
    objects: Arc<dyn LogObjects>,
) -> Result<Arc<LiveSegment>, PageLogFault> {
    let same = |live: &&Arc<LiveSegment>| SegmentRef { limit: reference.limit, ..live.reference.clone() } == reference;
    if let Some(live) = known.segments.iter().find(same) {
        return Ok(Arc::new(LiveSegment { reference, ..LiveSegment::clone(live) }));
    }
    let place = ObjectPlace { name: reference.object_name(), size: reference.size, priority: Priority::Index };
    let bytes = objects.read(&place, reference.index_offset..reference.size).await?;
    let damaged = |damage| PageLogFault::damaged(place.name.as_str(), damage);
    let tail = SegmentTail::decode(&bytes, reference.index_offset).map_err(damaged)?;
    let said = (tail.footer.first_lsn, tail.footer.last_lsn, tail.footer.records);
    if said != (reference.first_lsn, reference.last_lsn, reference.records) {
        return Err(PageLogFault::Corrupt {
            object: place.name,
            start: reference.index_offset,
            end: reference.size,
            check: "its footer is not that of the segment which the state of the log names".to_owned(),
        });
    }
    Ok(Arc::new(LiveSegment { reference, index: tail.index, trims: tail.trims }))
}
