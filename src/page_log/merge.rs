//! Merging: indexes of segments, and runs that are not much larger, become one run.
//!
//! A run is taken into the merge as long as it is less than three times as large as all that is above it. So each run is at least
//! three times as large as the next one, their number grows with the logarithm of the page versions, and an entry is
//! written anew a few times in its life. Payloads are never touched. Where there would still be more of them than an opening log may
//! ask for, the smallest ones are merged as well: a large log writes its entries anew somewhat more often, and opens as fast as a small one.

use std::collections::HashMap;

use super::PageLogFault;
use super::codec::{IndexEntry, RunHeader, SegmentRef};
use super::durable::Durable;
use super::lsn::Lsn;
use super::merge_cursor::MergeCursor;
use super::objects::LogObjects;
use super::record::Key;
use super::run::Run;
use super::run_writer::RunWriter;
use super::trims::Trims;

/// How many times larger than all above it a run must be to be left alone.
const RATIO: u64 = 3;

/// Requests that opening all runs may take: with the few segments that wait for a merge, ten at the most for a log of any size.
const MOST_REQUESTS: usize = 7;

/// Bytes above which opening a run takes two requests: the bucket keeps the checksums of what it was given piece by piece, in more than
/// one part, in an object of their own.
const ONE_PART: u64 = 8 << 20;

/// Entries after which a merge lets others have the thread: about a millisecond.
const YIELD_ENTRIES: u32 = 4096;

/// What should be merged, if there is enough: all segments, and the runs that are not large enough to be left alone. `least` segments
/// are enough.
pub(crate) fn plan(durable: &Durable, least: usize) -> Option<Durable> {
    if durable.segments.is_empty() || durable.segments.len() < least {
        return None;
    }
    let segments = durable.segments.iter();
    let waiting =
        segments.map(|segment| Weight { entries: segment.index.len() as u64, bytes: segment.index.size() as u64 });
    let runs = durable.runs.iter().map(|run| Weight { entries: run.reference().entries, bytes: run.reference().size });
    let keep = kept(&runs.collect::<Vec<_>>(), waiting.sum());
    let runs = durable.runs.get(keep..).unwrap_or_default().to_vec();
    Some(Durable { runs, segments: durable.segments.clone() })
}

/// What an index weighs.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
struct Weight {
    entries: u64,
    bytes: u64,
}

impl std::iter::Sum for Weight {
    fn sum<I: Iterator<Item = Self>>(all: I) -> Self {
        all.fold(Self::default(), |sum, one| Self { entries: sum.entries + one.entries, bytes: sum.bytes + one.bytes })
    }
}

/// How many of `runs`, the oldest ones, a merge of what is `waiting` leaves alone.
fn kept(runs: &[Weight], waiting: Weight) -> usize {
    let (mut keep, mut merged) = (runs.len(), waiting);
    while let Some(run) = keep.checked_sub(1).and_then(|last| runs.get(last)) {
        let asked: usize = runs.iter().take(keep).chain([&merged]).map(|run| requests(run.bytes)).sum();
        if run.entries >= RATIO * merged.entries && asked <= MOST_REQUESTS {
            break;
        }
        merged = [merged, *run].into_iter().sum();
        keep -= 1;
    }
    keep
}

/// Requests that opening a run of `bytes` takes.
fn requests(bytes: u64) -> usize {
    if bytes > ONE_PART { 2 } else { 1 }
}

/// Merges `inputs` into one run. None if nothing is left of them: everything was abandoned or trimmed.
///
/// # Errors
/// `Corrupt` for an input; those of the bucket. Nothing has appeared then.
pub(crate) async fn merge(
    inputs: &Durable,
    header: RunHeader,
    block_size: u64,
    trims: &Trims,
    filter_room: &mut u64,
    objects: &dyn LogObjects,
) -> Result<Option<Run>, PageLogFault> {
    let mut cursor = MergeCursor::new(inputs, Key::new(0, 0, Lsn::NONE));
    let mut segments = SegmentTable::default();
    let mut writer: Option<RunWriter> = None;
    let mut count = 0_u32;
    while let Some((number, entry)) = cursor.next(objects).await? {
        // Nothing of this waits while the blocks are at hand, and there may be billions of entries.
        count = count.wrapping_add(1);
        if count.is_multiple_of(YIELD_ENTRIES) {
            tokio::task::yield_now().await;
        }
        if entry.key.lsn < trims.start(entry.key.table) {
            continue;
        }
        let entry = segments.renumber(inputs, number, entry)?;
        let writer = match &mut writer {
            Some(writer) => writer,
            none => none.insert(RunWriter::begin(header, block_size, objects).await?),
        };
        writer.push(&entry).await?;
    }
    let Some(writer) = writer else { return Ok(None) };
    let (first, last) = span(inputs);
    let (reference, tail) = writer.finish(&segments.table, first, last).await?;
    Run::from_tail(reference, tail, filter_room).map(Some)
}

/// The first and the last LSN of all inputs.
fn span(inputs: &Durable) -> (Lsn, Lsn) {
    let runs = inputs.runs.iter().map(|run| (run.reference().first_lsn, run.reference().last_lsn()));
    let segments = inputs.segments.iter().map(|segment| (segment.reference.first_lsn, segment.reference.last_lsn()));
    runs.chain(segments).fold((Lsn::MAX, Lsn::NONE), |(first, last), (from, to)| (first.min(from), last.max(to)))
}

/// The segments of the new run: those that something is left of.
#[derive(Default)]
struct SegmentTable {
    table: Vec<SegmentRef>,
    /// By the number of an input and of a segment in it.
    numbers: HashMap<(usize, u32), u32>,
}

impl SegmentTable {
    /// The entry of input `number`, with its segment's number in the new table.
    fn renumber(&mut self, inputs: &Durable, number: usize, entry: IndexEntry) -> Result<IndexEntry, PageLogFault> {
        let segment = match self.numbers.get(&(number, entry.segment)) {
            Some(known) => *known,
            None => {
                let reference = match number.checked_sub(inputs.runs.len()) {
                    None => {
                        let run = inputs.runs.get(number);
                        // What was abandoned is not in the new run, whose own limit does not say so any more.
                        run.and_then(|run| {
                            let segment = run.segments().get(entry.segment as usize)?;
                            Some(SegmentRef { limit: segment.limit.min(run.reference().limit), ..segment.clone() })
                        })
                    }
                    Some(at) => inputs.segments.get(at).map(|segment| segment.reference.clone()),
                };
                let reference = reference.ok_or_else(|| PageLogFault::Corrupt {
                    object: "an index that is being merged".to_owned(),
                    start: entry.offset,
                    end: entry.offset,
                    check: format!("an entry of segment {}, which it does not have", entry.segment),
                })?;
                let place = self.table.len() as u32;
                self.table.push(reference);
                self.numbers.insert((number, entry.segment), place);
                place
            }
        };
        Ok(IndexEntry { segment, ..entry })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn opening_a_log_of_any_size_takes_few_requests_and_entries_are_rewritten_seldom() {
        // Four segments of 16 MiB of pages of 16 KiB at a time, up to 20 million versions.
        let waiting = Weight { entries: 4096, bytes: 4096 * 24 };
        let (mut runs, mut rewritten, mut written) = (Vec::<Weight>::new(), 0, 0);
        while written < 20_000_000 {
            let keep = kept(&runs, waiting);
            let merged: Weight = runs.drain(keep..).chain([waiting]).sum();
            rewritten += merged.entries;
            written += waiting.entries;
            runs.push(merged);
            assert!(runs.iter().map(|run| requests(run.bytes)).sum::<usize>() <= MOST_REQUESTS, "{runs:?}");
            assert!(runs.is_sorted_by(|older, newer| older.entries >= RATIO * newer.entries), "{runs:?}");
        }
        assert_eq!(runs.iter().copied().sum::<Weight>().entries, written);
        assert!(rewritten / written <= 16, "each entry was written {} times", rewritten / written);
    }
}
