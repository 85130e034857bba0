//! The background task that seals segments by age, uploads them several at once, and hands them over in order.

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
use super::codec::{Compression, EncodedSegment, SegmentIdentity, encode_segment};
use super::durable::LiveSegment;
use super::intake::UploadJob;
use super::lsn::Lsn;
use super::objects::ObjectPlace;
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
    loop {
        start_uploads(&shared, &mut uploads);
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

/// Starts as many uploads as may run, and seals what puts wait for.
fn start_uploads(shared: &Arc<Shared>, uploads: &mut Uploads) {
    let mut intake = shared.lock();
    if shared.starving.load(Ordering::Relaxed) > 0 && !intake.has_sealed() {
        intake.seal();
    }
    while uploads.len() < shared.options.uploads_at_once()
        && let Some(job) = intake.next_upload()
    {
        let shared = Arc::clone(shared);
        uploads.push(Box::pin(async move { (job.sequence, upload(shared, job).await) }));
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

/// Encodes and uploads one segment.
async fn upload(shared: Arc<Shared>, job: UploadJob) -> Result<LiveSegment, PageLogFault> {
    let identity = SegmentIdentity { database: shared.database, epoch: shared.epoch, sequence: job.sequence };
    let name = identity.object_name();
    let failed = |fault: PageLogFault| PageLogFault::Failed {
        object: name.clone(),
        kind: fault.kind(),
        source: Arc::new(fault),
    };
    // Read before the key is made: a KEK that comes into force in between is not claimed for a key under the old one.
    let kek_lsn = Lsn::new(shared.kek_lsn.load(Ordering::Acquire));
    let cipher = shared.keys.new_cipher(identity.binding()).await.map_err(|error| failed(error.into()))?;
    let level = shared.options.compression;
    let encoding = tokio::task::spawn_blocking(move || {
        let mut compression = Compression::new(level)
            .map_err(|error| PageLogFault::Options(format!("page_log.compression_level {level:?}: {error}")))?;
        encode_segment(job.segment.records(), identity, cipher.map(|cipher| (cipher, kek_lsn)), &mut compression)
    });
    let encoded = encoding.await.map_err(|_| PageLogFault::Closed { operation: "write" })?;
    let EncodedSegment { pieces, segment, index, trims } = encoded.map_err(failed)?;
    let place = ObjectPlace { name: name.clone(), size: segment.size, priority: Priority::Data };
    reach(Failpoint::SegmentBefore);
    create(&shared, &place, &pieces).await.map_err(failed)?;
    reach(Failpoint::SegmentAfter);
    tracing::debug!(object = %name, bytes = segment.size, records = segment.records, "wrote a segment");
    if shared.options.write_through {
        // What the cache does not take soon it goes without: a slow disk is no reason to make those wait who wait for the bucket.
        let longest = shared.options.clock.sleep(LONGEST_ADMISSION);
        futures::future::select(shared.objects.admit(&place, pieces), longest).await;
    }
    Ok(LiveSegment { reference: segment, index, trims })
}

/// Creates the object; tries again, with growing pauses, as long as the store is unavailable and the deadline has not passed.
async fn create(shared: &Shared, place: &ObjectPlace, pieces: &[Bytes]) -> Result<(), PageLogFault> {
    let (clock, name) = (&shared.options.clock, place.name.as_str());
    let begun = clock.monotonic();
    let mut pause = FIRST_PAUSE;
    let mut unsure = false;
    loop {
        let Err(error) = shared.objects.create(name, pieces.to_vec()).await else { return Ok(()) };
        let late = clock.monotonic().saturating_sub(begun) >= shared.options.upload_deadline;
        match error.kind() {
            // An attempt whose answer was lost may have made it.
            ErrorKind::AlreadyExists if unsure => match is_there(shared, place, pieces).await {
                Ok(true) => return Ok(()),
                Err(again) if again.kind() == ErrorKind::Unavailable && !late => {}
                // Whose it is was not found out in time.
                Err(again) if again.kind() == ErrorKind::Unavailable => return Err(again.into()),
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
