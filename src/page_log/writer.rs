//! The background task that seals segments by age, has them encoded as they fill, uploads them several at once, and hands them over in order.

use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;

use bytes::Bytes;
use futures::future::BoxFuture;
use futures::stream::{FuturesUnordered, StreamExt};
use plastron_cache::Priority;
use plastron_config::ErrorKind;
use plastron_sources::failpoint::{Failpoint, reach};

use super::PageLogFault;
use super::codec::{EncodedSegment, SegmentIdentity};
use super::durable::LiveSegment;
use super::early::{Draft, Early};
use super::intake::UploadJob;
use super::lsn::Lsn;
use super::memory_segment::MemorySegment;
use super::objects::{LogObjectAhead, ObjectPlace};
use super::record::Record;
use super::shared::Shared;

/// Between two attempts to upload while the store is unavailable, first and longest. The bucket has tried for its own deadline before.
const FIRST_PAUSE: Duration = Duration::from_millis(100);
const LONGEST_PAUSE: Duration = Duration::from_secs(10);

/// How long a segment that is in the bucket may wait to enter the cache before it counts as durable.
const LONGEST_ADMISSION: Duration = Duration::from_millis(100);

type Uploads = FuturesUnordered<BoxFuture<'static, (u64, Result<LiveSegment, PageLogFault>)>>;

/// Runs until the log is dropped or has failed.
pub(crate) async fn run_writer(shared: Arc<Shared>) {
    let mut uploads = Uploads::new();
    let mut early = None;
    // The first LSN of a segment that could not be encoded early: its upload will say why.
    let mut refused = Lsn::NONE;
    loop {
        start_uploads(&shared, &mut uploads, &mut early);
        if let Some(failed) = early.take_if(|early| early.has_failed()) {
            refused = failed.first();
        }
        encode_early(&shared, uploads.len(), refused, &mut early);
        let deadline = seal_deadline(&shared);
        let old = async {
            match deadline {
                Some(pause) => shared.options.clock.sleep(pause).await,
                None => std::future::pending().await,
            }
        };
        tokio::select! {
            () = shared.wake_writer.notified() => {}
            () = old => shared.lock().seal(),
            () = encoded(&mut early) => {}
            Some(done) = uploads.next(), if !uploads.is_empty() => match done {
                (sequence, Ok(live)) => {
                    let freed = shared.lock().uploaded(sequence, live);
                    shared.give_back(freed);
                    shared.announce();
                    shared.wake_merger.notify_one();
                }
                // What was abandoned need not be there, and may have been removed as garbage.
                (sequence, Err(fault)) if !shared.lock().is_sealed(sequence) => {
                    tracing::warn!(%fault, "a segment that was abandoned meanwhile could not be written");
                }
                (_, Err(fault)) => {
                    shared.fail(fault);
                    return;
                }
            },
        }
    }
}

/// Starts as many uploads as may run, and seals what puts wait for. The upload of the segment that was encoded early takes that over.
fn start_uploads(shared: &Arc<Shared>, uploads: &mut Uploads, early: &mut Option<Early>) {
    let mut intake = shared.lock();
    if shared.starving.load(Ordering::Relaxed) > 0 && !intake.has_sealed() {
        intake.seal();
    }
    while uploads.len() < shared.options.uploads_at_once()
        && let Some(job) = intake.next_upload()
    {
        let draft = early.take_if(|early| early.is_of(&job.segment, shared));
        let shared = Arc::clone(shared);
        uploads.push(Box::pin(async move { (job.sequence, upload(shared, job, draft).await) }));
    }
}

/// Has the open segment encoded as it fills, as far as the memory for encoded copies goes; gives up what is of no use any more.
fn encode_early(shared: &Arc<Shared>, uploads: usize, refused: Lsn, early: &mut Option<Early>) {
    let chunk = shared.options.chunk();
    let void = {
        let intake = shared.lock();
        // A sealed one that waits for its upload goes first, and there is one draft only.
        let segment = intake.waiting().unwrap_or(intake.open());
        let void = early.take_if(|early| !early.is_of(segment, shared));
        match early {
            Some(early) if early.wants(segment, chunk) => early.feed(segment),
            Some(_) => {}
            None if segment.bytes() >= chunk
                && segment.first_lsn() != Some(refused)
                && intake.waiting().is_none()
                && intake.failure().is_none()
                && uploads < shared.options.encoded_at_once() =>
            {
                let sequence = intake.next_sequence();
                let identity = SegmentIdentity { database: shared.database, epoch: shared.epoch, sequence };
                *early = Early::begin(shared, identity, segment);
            }
            None => {}
        }
        void
    };
    drop(void);
}

/// Ends when some of what was handed over is encoded.
async fn encoded(early: &mut Option<Early>) {
    match early {
        Some(early) => early.encoded().await,
        None => std::future::pending().await,
    }
}

/// In how long the open segment is to be sealed.
fn seal_deadline(shared: &Shared) -> Option<Duration> {
    let intake = shared.lock();
    let open = intake.open();
    if open.is_empty() {
        return None;
    }
    let options = &shared.options;
    let age = if open.is_awaited() { options.flush_age.min(options.segment_age) } else { options.segment_age };
    Some((open.since() + age).saturating_sub(options.clock.monotonic()))
}

/// Encodes and uploads one segment, of which `early` has a part.
async fn upload(shared: Arc<Shared>, job: UploadJob, early: Option<Early>) -> Result<LiveSegment, PageLogFault> {
    let identity = SegmentIdentity { database: shared.database, epoch: shared.epoch, sequence: job.sequence };
    let name = identity.object_name();
    let failed = |fault: PageLogFault| PageLogFault::Failed {
        object: name.clone(),
        kind: fault.kind(),
        source: Arc::new(fault),
    };
    let begun = match early {
        Some(early) => early.draft().await,
        None => None,
    };
    let (encoded, ahead) = encode(&shared, &job.segment, identity, begun).await.map_err(failed)?;
    let EncodedSegment { pieces, segment, index, trims } = encoded;
    let place = ObjectPlace { name: name.clone(), size: segment.size, priority: Priority::Data };
    reach(Failpoint::SegmentBefore);
    create(&shared, &place, &pieces, ahead).await.map_err(failed)?;
    reach(Failpoint::SegmentAfter);
    tracing::debug!(object = %name, bytes = segment.size, records = segment.records, "wrote a segment");
    if shared.options.write_through {
        // What the cache does not take soon it goes without: a slow disk is no reason to make those wait who wait for the bucket.
        let longest = shared.options.clock.sleep(LONGEST_ADMISSION);
        futures::future::select(shared.objects.admit(&place, pieces), longest).await;
    }
    Ok(LiveSegment { reference: segment, index, trims })
}

/// An object of which some pieces are written, and how many.
type Written = (Box<dyn LogObjectAhead>, usize);

/// Encodes what `begun` has not of a segment; a large one is written as it is encoded.
async fn encode(
    shared: &Shared,
    segment: &Arc<MemorySegment>,
    identity: SegmentIdentity,
    begun: Option<(Draft, usize)>,
) -> Result<(EncodedSegment, Option<Written>), PageLogFault> {
    let chunk = shared.options.chunk();
    let (mut draft, mut at) = match begun {
        Some(begun) => begun,
        None => {
            let first = segment.first_lsn().unwrap_or_default();
            (Draft::begin(shared, identity, first, segment.bytes() >= 2 * chunk).await?, 0)
        }
    };
    while draft.outlet.is_some()
        && let Some(records) = chunk_of(segment.records().get(at..).unwrap_or_default(), chunk)
    {
        at += records.len();
        draft = draft.add(records.to_vec()).await?;
    }
    let Draft { mut encoder, outlet } = draft;
    let segment = Arc::clone(segment);
    let encoding = tokio::task::spawn_blocking(move || {
        let rest = segment.records().get(at..).unwrap_or_default();
        rest.iter().try_for_each(|record| encoder.push(record))?;
        encoder.finish()
    });
    let written = async {
        match outlet {
            Some(outlet) => outlet.close().await,
            None => None,
        }
    };
    let (encoded, written) = futures::future::join(encoding, written).await;
    Ok((encoded.unwrap_or(Err(PageLogFault::Closed { operation: "write" }))?, written))
}

/// The first of `records` whose payloads have `chunk` bytes together; none if all of them have not.
fn chunk_of(records: &[Arc<Record>], chunk: u64) -> Option<&[Arc<Record>]> {
    let mut bytes = 0;
    let end = records.iter().position(|record| {
        bytes += record.payload.len() as u64;
        bytes >= chunk
    });
    records.get(..=end?)
}

/// Creates the object; tries again, with growing pauses, as long as the store is unavailable and the deadline has not passed.
async fn create(
    shared: &Shared,
    place: &ObjectPlace,
    pieces: &[Bytes],
    mut ahead: Option<Written>,
) -> Result<(), PageLogFault> {
    let (clock, name) = (&shared.options.clock, place.name.as_str());
    let begun = clock.monotonic();
    let mut pause = FIRST_PAUSE;
    let mut unsure = false;
    loop {
        let created = match ahead.take() {
            Some((ahead, written)) => ahead.create(pieces.get(written..).unwrap_or_default().to_vec()).await,
            None => shared.objects.create(name, pieces.to_vec()).await,
        };
        let Err(error) = created else { return Ok(()) };
        let late = clock.monotonic().saturating_sub(begun) >= shared.options.upload_deadline;
        match error.kind() {
            // An attempt whose answer was lost may have made it.
            ErrorKind::AlreadyExists if unsure => match is_there(shared, place, pieces).await {
                Ok(true) => return Ok(()),
                Err(again) if again.kind() == ErrorKind::Unavailable && !late => {}
                // Whose it is was not found out in time.
                Err(again) if again.kind() == ErrorKind::Unavailable => return Err(again.into()),
                // Collected between the two requests, as happens to a leader that was overtaken. One attempt leaves one object at the most, so this ends.
                Err(again) if again.kind() == ErrorKind::NotFound => {}
                _ => return Err(error.into()),
            },
            ErrorKind::Unavailable if !late => unsure = true,
            _ => return Err(error.into()),
        }
        tracing::warn!(object = name, %error, "a segment could not be written yet; trying again");
        clock.sleep(pause).await;
        pause = (pause * 2).min(LONGEST_PAUSE);
    }
}

/// Whether the object has exactly these bytes.
async fn is_there(shared: &Shared, place: &ObjectPlace, pieces: &[Bytes]) -> plastron_sources::Result<bool> {
    let found = shared.objects.read_afresh(place, 0..place.size).await?;
    let mut rest = &found[..];
    let same = |piece: &Bytes| rest.strip_prefix(&piece[..]).map(|after| rest = after).is_some();
    Ok(pieces.iter().all(same) && rest.is_empty())
}
