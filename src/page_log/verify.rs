//! Verifying a log: everything it is made of is read from the bucket, and every check there is is made.

use std::sync::Arc;

use plastron_cache::Priority;
use tokio::task::spawn_blocking;

use super::PageLogFault;
use super::codec::{Damage, IndexEntry, RawRecord, RunHeader, SegmentRef, decode_segment};
use super::durable::{Durable, Level};
use super::lsn::Lsn;
use super::objects::ObjectPlace;
use super::page_log::PageLog;
use super::record::{Key, RecordKind};
use super::run::{Run, run_place};
use super::shared::Shared;
use super::trims::Trims;

/// Faults that are kept; of a log that is damaged all over, the first are enough.
const MOST_FAULTS: usize = 1000;

/// What verifying a log found.
#[derive(Debug, Clone, Default)]
#[non_exhaustive]
pub struct LogVerification {
    /// Segments read.
    pub segments: u64,
    /// Index runs read.
    pub runs: u64,
    /// Records read, opened and unpacked.
    pub records: u64,
    /// Bytes read.
    pub bytes: u64,
    /// Everything that is wrong, 1,000 faults at the most; each names its object.
    pub faults: Vec<PageLogFault>,
}

impl LogVerification {
    /// Whether nothing is wrong.
    pub fn is_clean(&self) -> bool {
        self.faults.is_empty()
    }

    fn fault(&mut self, fault: PageLogFault) {
        if self.faults.len() < MOST_FAULTS {
            self.faults.push(fault);
        }
    }
}

impl PageLog {
    /// Reads everything that the log is made of from the bucket, past the cache, and checks it: every checksum and every authentication tag,
    /// that records and indexes agree in both directions, that every delta has what it builds on. Changes nothing, and goes on after a
    /// fault. What is not in the bucket yet is not looked at.
    pub async fn verify(&self) -> LogVerification {
        let (durable, trims, settled) = {
            let intake = self.shared.lock();
            (Arc::clone(intake.durable()), Arc::clone(intake.trims()), intake.settled())
        };
        let check = Verifier { shared: &self.shared, durable, trims, settled };
        let mut found = LogVerification::default();
        for run in &check.durable.runs {
            found.runs += 1;
            if let Err(fault) = check.run(run, &mut found).await {
                found.fault(fault);
            }
        }
        let segments: Vec<SegmentRef> = {
            let of_runs = check.durable.runs.iter().flat_map(|run| run.segments().iter().cloned());
            of_runs.chain(check.durable.segments.iter().map(|segment| segment.reference.clone())).collect()
        };
        for segment in &segments {
            found.segments += 1;
            if let Err(fault) = check.segment(segment, &mut found).await {
                found.fault(fault);
            }
        }
        let indexed: u64 = check.durable.runs.iter().map(|run| run.reference().entries).sum();
        tracing::info!(segments = found.segments, indexed, faults = found.faults.len(), "verified the page log");
        found
    }
}

/// A verification under way.
struct Verifier<'a> {
    shared: &'a Shared,
    durable: Arc<Durable>,
    trims: Arc<Trims>,
    settled: Lsn,
}

impl Verifier<'_> {
    /// Every byte of a run.
    async fn run(&self, run: &Run, found: &mut LogVerification) -> Result<(), PageLogFault> {
        let reference = run.reference();
        let place = run_place(reference);
        let objects = &*self.shared.objects;
        let corrupt = |start: u64, end: u64, check: String| PageLogFault::Corrupt {
            object: place.name.clone(),
            start,
            end,
            check,
        };
        let damaged = |damage| PageLogFault::damaged(place.name.as_str(), damage);
        let header_bytes = super::codec::RUN_HEADER_BYTES as u64;
        let bytes = objects.read_afresh(&place, 0..header_bytes.min(reference.size)).await?;
        let header = RunHeader::decode(&bytes).map_err(damaged)?;
        if (header.database, header.epoch, header.number) != (reference.database, reference.epoch, reference.number) {
            return Err(corrupt(0, header_bytes, "its header is that of another run".to_owned()));
        }
        let mut room = u64::MAX;
        let afresh = Run::open_afresh(reference.clone(), objects, &mut room).await?;
        found.bytes += reference.size;
        let (mut entries, mut last) = (0, None);
        for number in 0..afresh.blocks() {
            let block = afresh.block_afresh(number, objects).await?;
            for entry in block.iter() {
                let entry = entry.map_err(damaged)?;
                let (key, end) = (entry.key, entry.offset + u64::from(entry.length));
                entries += 1;
                let segment = afresh.segments().get(entry.segment as usize);
                let fits = segment.is_some_and(|segment| {
                    segment.index_offset >= end && (segment.first_lsn..=segment.last_lsn).contains(&key.lsn)
                });
                if !fits || last.is_some_and(|last| last >= key) || !afresh.may_have(key.table, key.page) {
                    let check = format!("the entry of page {} of table {} at LSN {}", key.page, key.table, key.lsn);
                    return Err(corrupt(header_bytes, reference.tail_offset, check));
                }
                last = Some(key);
            }
        }
        if entries != reference.entries {
            let check = format!("it has {entries} entries where its footer counts {}", reference.entries);
            return Err(corrupt(header_bytes, reference.size, check));
        }
        Ok(())
    }

    /// Every byte of a segment, and that everything in it is found.
    async fn segment(&self, segment: &SegmentRef, found: &mut LogVerification) -> Result<(), PageLogFault> {
        let place = ObjectPlace { name: segment.object_name(), size: segment.size, priority: Priority::Data };
        let bytes = self.shared.objects.read_afresh(&place, 0..segment.size).await?;
        found.bytes += bytes.len() as u64;
        let damaged = |damage| PageLogFault::damaged(place.name.as_str(), damage);
        let opener = self.shared.openers.get(segment, &self.shared.keys).await?;
        // Checking, opening and unpacking a whole segment takes many milliseconds.
        let decoding = spawn_blocking(move || {
            let decoded = decode_segment(&bytes)?;
            let opened = decoded.records.iter().map(|(_, raw)| raw.clone().open(opener.as_deref()));
            let damages: Vec<Damage> = opened.filter_map(Result::err).collect();
            Ok((decoded, damages))
        });
        let decoded = decoding.await.map_err(|_| PageLogFault::Closed { operation: "verify" })?;
        let (decoded, damages) = decoded.map_err(damaged)?;
        let (header, footer) = (&decoded.header, &decoded.tail.footer);
        let same = header.identity == segment.identity
            && header.key == segment.key
            && (footer.first_lsn, footer.last_lsn) == (segment.first_lsn, segment.last_lsn);
        if !same {
            return Err(PageLogFault::Corrupt {
                object: place.name,
                start: 0,
                end: segment.size,
                check: "its header or footer is not that of the segment which the log names".to_owned(),
            });
        }
        damages.into_iter().for_each(|damage| found.fault(damaged(damage)));
        for (offset, raw) in decoded.records {
            found.records += 1;
            if let Err(fault) = self.record(segment, offset, &raw).await {
                found.fault(fault);
            }
        }
        Ok(())
    }

    /// That a record is found where it is, and that what it builds on is there.
    async fn record(&self, segment: &SegmentRef, offset: u64, raw: &RawRecord) -> Result<(), PageLogFault> {
        let (key, kind) = (raw.key(), raw.kind());
        if kind == RecordKind::Trim || self.is_hidden(segment, &key) {
            return Ok(());
        }
        let entry = self.entry(&key).await?.filter(|(name, entry)| {
            *name == segment.object_name() && (entry.offset, entry.length) == (offset, raw.length())
        });
        if entry.is_none() {
            return Err(PageLogFault::Corrupt {
                object: segment.object_name(),
                start: offset,
                end: offset + u64::from(raw.length()),
                check: format!("the index does not lead to its record of page {} of table {}", key.page, key.table),
            });
        }
        let before = Key { lsn: raw.backlink(), ..key };
        let needed = kind == RecordKind::Delta && before.lsn >= self.trims.start(key.table);
        if needed && self.entry(&before).await?.is_none() {
            return Err(PageLogFault::BrokenChain {
                table: key.table,
                page: key.page,
                lsn: key.lsn,
                reason: format!("there is no record at its backlink {}", before.lsn),
            });
        }
        Ok(())
    }

    /// Whether the record was abandoned, or may have been left out of the indexes because of a trim.
    fn is_hidden(&self, segment: &SegmentRef, key: &Key) -> bool {
        let level = self.durable.level_of(key.lsn);
        key.lsn > segment.limit || level.is_none() || key.lsn < self.trims.up_to(self.settled).start(key.table)
    }

    /// The index entry with this key, and its segment's name.
    async fn entry(&self, key: &Key) -> Result<Option<(String, IndexEntry)>, PageLogFault> {
        let found = match self.durable.level_of(key.lsn) {
            None => None,
            Some(Level::Segment(segment)) => segment.floor(key)?,
            Some(Level::Run(run)) => run.floor(key, &self.shared.blocks, &*self.shared.objects).await?,
        };
        let found = found.filter(|located| located.entry.key == *key);
        Ok(found.map(|located| (located.segment.object_name(), located.entry)))
    }
}
