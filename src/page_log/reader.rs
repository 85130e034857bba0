//! Reading: from a page and an LSN to the records of its chain.
//!
//! The part of a chain that is in memory is walked under the log's lock, the rest in the list of objects that was in force at that
//! moment: what happens later, even that they leave the list, does not concern it.

use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;

use futures::future::try_join_all;

use super::PageLogFault;
use super::chain::{Chain, ChainRecord};
use super::codec::RawRecord;
use super::durable::{Durable, Level, Located};
use super::lsn::Lsn;
use super::objects::ObjectPlace;
use super::record::{Key, MAX_CHAIN, Record, RecordKind};
use super::shared::Shared;
use super::trims::Trims;
use plastron_cache::Priority;
use tokio::task::spawn_blocking;

/// Bytes of a record that is checked, opened and unpacked on the caller's thread: under a millisecond; more goes to a blocking thread.
const MAX_DECODED_HERE: u32 = 256 << 10;

/// One step of a chain: a record, or where it is.
#[derive(Debug, Clone)]
pub(crate) enum Step {
    Record(Arc<Record>),
    Located(Box<Located>),
}

impl Step {
    pub(crate) fn key(&self) -> Key {
        match self {
            Self::Record(record) => record.key,
            Self::Located(located) => located.entry.key,
        }
    }

    pub(crate) fn kind(&self) -> RecordKind {
        match self {
            Self::Record(record) => record.kind,
            Self::Located(located) => located.entry.kind,
        }
    }

    pub(crate) fn backlink(&self) -> Lsn {
        match self {
            Self::Record(record) => record.backlink,
            Self::Located(located) => located.entry.backlink,
        }
    }

    pub(crate) fn base(&self) -> Lsn {
        match self {
            Self::Record(record) => record.base,
            Self::Located(located) => located.entry.base,
        }
    }
}

/// The log as it was at one moment.
struct Snapshot {
    durable: Arc<Durable>,
    trims: Arc<Trims>,
    generation: u64,
    /// Nothing that is above it is in here.
    last: Lsn,
    /// The steps that were in memory, newest first.
    steps: Vec<Step>,
}

impl Shared {
    /// The chain of a page at exactly `lsn`, or the latest for [`Lsn::MAX`].
    pub(crate) async fn get(&self, table: u64, page: u64, lsn: Lsn, wait: Duration) -> Result<Chain, PageLogFault> {
        // A full page that was read lately needs neither lock nor index.
        let generation = self.generation.load(Ordering::Acquire);
        if let Some(record) = self.kept(generation, table, page, lsn)
            && record.kind == RecordKind::Full
            && (record.key.table, record.key.page) == (table, page)
        {
            return Ok(Chain::of(&record, std::iter::once(ChainRecord::from(&*record))));
        }
        let walked = self.walk(table, page, lsn, wait, true).await;
        let (steps, generation) = walked.map_err(PageLogFault::of_gone)?;
        let records = try_join_all(steps.into_iter().map(|step| self.record(step, generation))).await;
        let records = records.map_err(PageLogFault::of_gone)?;
        let missing = || PageLogFault::NotFound { table, page, lsn };
        let newest = records.first().ok_or_else(missing)?;
        if lsn == Lsn::MAX && newest.kind == RecordKind::Full {
            self.latest.keep(generation, newest);
        }
        Ok(Chain::of(newest, records.iter().map(|record| ChainRecord::from(&**record))))
    }

    /// The record with that LSN if it was read lately; of the latest, if that is known and nothing was put since.
    fn kept(&self, generation: u64, table: u64, page: u64, lsn: Lsn) -> Option<Arc<Record>> {
        if lsn != Lsn::MAX {
            return self.records.get(generation, lsn);
        }
        let last = Lsn::new(self.last.load(Ordering::Acquire));
        let known = self.latest.get(generation, &Key::new(table, page, lsn)).filter(|known| known.seen() >= last)?;
        known.record().or_else(|| self.records.get(generation, known.lsn()))
    }

    /// The steps of a page's chain, newest first, and the generation of which they are. With `kept`, records that were read lately stand
    /// for themselves.
    pub(crate) async fn walk(
        &self,
        table: u64,
        page: u64,
        lsn: Lsn,
        wait: Duration,
        kept: bool,
    ) -> Result<(Vec<Step>, u64), PageLogFault> {
        if lsn != Lsn::MAX {
            self.wait_readable(lsn, wait).await?;
        }
        let key = Key::new(table, page, lsn);
        let Snapshot { durable, trims, generation, last, mut steps } = self.snapshot(&key);
        let kept = kept.then_some(generation);
        if steps.is_empty() {
            let found = match lsn {
                Lsn::MAX => self.latest(&durable, &key, kept, last).await?,
                _ => self.exact(&durable, &key, kept).await?,
            };
            let start = trims.start(table);
            let found = found.ok_or(match lsn < start {
                true => PageLogFault::Trimmed { table, page, lsn, start },
                false => PageLogFault::NotFound { table, page, lsn },
            })?;
            steps.push(found);
        }
        loop {
            let Some(step) = steps.last() else { return Err(PageLogFault::NotFound { table, page, lsn }) };
            let Some(next) = following(step, steps.first(), steps.len(), &trims)? else {
                return Ok((steps, generation));
            };
            let found = self.exact(&durable, &next, kept).await?;
            steps.push(
                found.ok_or_else(|| broken(step.key(), format!("there is no record at its backlink {}", next.lsn)))?,
            );
        }
    }

    /// Looks into memory, and takes note of the rest as it is now.
    fn snapshot(&self, key: &Key) -> Snapshot {
        let intake = self.lock();
        let mut steps: Vec<Step> = Vec::new();
        let top = intake.in_memory().find_map(|segment| match key.lsn {
            Lsn::MAX => segment.floor(key),
            _ => segment.get(key),
        });
        let mut next = top.map(Arc::clone);
        while let Some(record) = next.take() {
            steps.push(Step::Record(record));
            let following = steps.last().map(|step| following(step, steps.first(), steps.len(), intake.trims()));
            if let Some(Ok(Some(key))) = following {
                next = intake.in_memory().find_map(|segment| segment.get(&key)).map(Arc::clone);
            }
        }
        let (durable, trims) = (Arc::clone(intake.durable()), Arc::clone(intake.trims()));
        Snapshot { durable, trims, generation: intake.generation(), last: intake.last(), steps }
    }

    /// Waits until `lsn` can be read here, which on the leader is when it was given.
    pub(crate) async fn wait_readable(&self, lsn: Lsn, wait: Duration) -> Result<(), PageLogFault> {
        if self.lock().last() >= lsn {
            return Ok(());
        }
        let mut changes = self.readable.subscribe();
        let mut sleep = self.options.clock.sleep(wait);
        loop {
            let readable = self.lock().last();
            if readable >= lsn {
                return Ok(());
            }
            tokio::select! {
                biased;
                Ok(()) = changes.changed() => {}
                () = &mut sleep => return Err(PageLogFault::NotYet { lsn, readable, waited: wait }),
            }
        }
    }

    /// The record with exactly this key.
    async fn exact(&self, durable: &Durable, key: &Key, kept: Option<u64>) -> Result<Option<Step>, PageLogFault> {
        if let Some(record) = kept.and_then(|generation| self.records.get(generation, key.lsn)) {
            return Ok((record.key == *key).then_some(Step::Record(record)));
        }
        let found = match durable.level_of(key.lsn) {
            None => None,
            Some(Level::Segment(segment)) => segment.floor(key)?,
            Some(Level::Run(run)) => run.floor(key, &self.blocks, &*self.objects).await?,
        };
        let found = found.filter(|located| located.entry.key == *key);
        Ok(found.map(|located| Step::Located(Box::new(located))))
    }

    /// The page's newest record in the bucket; in memory there is none, and none above `last`. With `kept`, what is known of it is not
    /// searched for again.
    async fn latest(
        &self,
        durable: &Durable,
        key: &Key,
        kept: Option<u64>,
        last: Lsn,
    ) -> Result<Option<Step>, PageLogFault> {
        let known = kept.and_then(|generation| self.latest.get(generation, key));
        let seen = known.as_ref().map_or(Lsn::NONE, |known| known.seen());
        let mut found = None;
        for segment in durable.segments.iter().rev().take_while(|segment| segment.reference.last_lsn() > seen) {
            if let Some(located) = segment.floor(key)? {
                found = Some(located);
                break;
            }
        }
        for run in durable.runs.iter().rev().take_while(|run| run.reference().last_lsn() > seen) {
            if found.is_some() {
                break;
            }
            if run.may_have(key.table, key.page) {
                found = run.floor(key, &self.blocks, &*self.objects).await?;
            }
        }
        let found = match (found, &known) {
            (Some(located), _) => Some(Step::Located(Box::new(located))),
            (None, Some(known)) => self.exact(durable, &Key { lsn: known.lsn(), ..*key }, kept).await?,
            (None, None) => None,
        };
        if let (Some(step), Some(generation)) = (&found, kept) {
            self.latest.note(generation, &step.key(), last, known.as_deref());
        }
        Ok(found)
    }

    /// The record of a step.
    pub(crate) async fn record(&self, step: Step, generation: u64) -> Result<Arc<Record>, PageLogFault> {
        let located = match step {
            Step::Record(record) => return Ok(record),
            Step::Located(located) => located,
        };
        if let Some(record) = self.records.get(generation, located.entry.key.lsn) {
            return Ok(record);
        }
        let record = Arc::new(self.fetch(&located).await?);
        self.records.insert(generation, Arc::clone(&record));
        Ok(record)
    }

    /// Reads a record from its segment.
    async fn fetch(&self, located: &Located) -> Result<Record, PageLogFault> {
        let Located { segment, entry } = located;
        let name = segment.object_name();
        let place = ObjectPlace { name, size: segment.size, priority: Priority::Data };
        let damaged = |damage| PageLogFault::damaged(place.name.as_str(), damage);
        let range = entry.offset..entry.offset + u64::from(entry.length);
        let corrupt = |check: &str| PageLogFault::Corrupt {
            object: place.name.clone(),
            start: range.start,
            end: range.end,
            check: check.to_owned(),
        };
        if entry.length == 0 || range.end > segment.index_offset {
            return Err(corrupt("its index leads to where no records are"));
        }
        let bytes = self.objects.read(&place, range.clone()).await?;
        let opener = self.openers.get(segment, &self.keys).await?;
        let (wanted, start) = ((entry.key, entry.kind, entry.backlink, entry.base), range.start);
        let decode = move || {
            let raw = RawRecord::decode(&bytes, start)?;
            match (raw.key(), raw.kind(), raw.backlink(), raw.base()) == wanted {
                true => raw.open(opener.as_deref()).map(Some),
                false => Ok(None),
            }
        };
        let record = match entry.length > MAX_DECODED_HERE {
            true => spawn_blocking(decode).await.map_err(|_| PageLogFault::Closed { operation: "get" })?,
            false => decode(),
        };
        record.map_err(damaged)?.ok_or_else(|| corrupt("the record is not the one of its index"))
    }
}

/// The key of the record that `step` builds on, or none if it is a full page.
fn following(step: &Step, top: Option<&Step>, count: usize, trims: &Trims) -> Result<Option<Key>, PageLogFault> {
    let Key { table, page, lsn } = step.key();
    let start = trims.start(table);
    if lsn < start {
        return Err(PageLogFault::Trimmed { table, page, lsn, start });
    }
    let top = top.unwrap_or(step);
    match step.kind() {
        RecordKind::Full if count == 1 || top.base() == lsn => return Ok(None),
        RecordKind::Full => {
            return Err(broken(top.key(), format!("its full page is {lsn}, and its base {}", top.base())));
        }
        RecordKind::Discard if count == 1 => return Err(PageLogFault::Discarded { table, page, lsn }),
        RecordKind::Discard | RecordKind::Trim => {
            return Err(broken(top.key(), format!("it builds on a tombstone at {lsn}")));
        }
        RecordKind::Delta => {}
    }
    if count >= MAX_CHAIN {
        return Err(PageLogFault::ChainTooLong { table, page, lsn: top.key().lsn });
    }
    let next = step.backlink();
    if next >= lsn || next < step.base() || step.base() != top.base() {
        return Err(broken(step.key(), format!("its backlink is {next} and its base {}", step.base())));
    }
    if next < start {
        return Err(PageLogFault::Trimmed { table, page, lsn: next, start });
    }
    Ok(Some(Key::new(table, page, next)))
}

fn broken(key: Key, reason: String) -> PageLogFault {
    PageLogFault::BrokenChain { table: key.table, page: key.page, lsn: key.lsn, reason }
}
