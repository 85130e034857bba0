//! Which pages a table has at an LSN.

use std::collections::BTreeMap;

use super::PageLogFault;
use super::lsn::Lsn;
use super::merge_cursor::MergeCursor;
use super::record::{Key, RecordKind};
use super::shared::Shared;

impl Shared {
    /// Up to `count` ids of pages of `table` above `after`, in order, whose newest record that is not above `lsn` is no tombstone, and
    /// after which to go on if there may be more.
    pub(crate) async fn page_ids(
        &self,
        table: u64,
        lsn: Lsn,
        after: Option<u64>,
        count: usize,
    ) -> Result<(Vec<u64>, Option<u64>), PageLogFault> {
        if lsn != Lsn::MAX {
            self.wait_readable(lsn, self.options.read_wait).await?;
        }
        let from = match after.map(|after| after.checked_add(1)) {
            None => 0,
            Some(Some(from)) => from,
            Some(None) => return Ok((Vec::new(), None)),
        };
        let from = Key::new(table, from, Lsn::NONE);
        // What is in memory, of no more pages than are asked for: newest LSN and kind of each. Above the horizon it is not known.
        let mut memory: BTreeMap<u64, (Lsn, RecordKind)> = BTreeMap::new();
        let mut horizon = u64::MAX;
        let (durable, trims) = {
            let intake = self.lock();
            for segment in intake.in_memory() {
                let mut pages = 0;
                let mut last = None;
                let records = segment.range(from).take_while(|record| record.key.table == table);
                for record in records.filter(|record| record.key.lsn <= lsn) {
                    let page = record.key.page;
                    if last != Some(page) {
                        if pages > count {
                            horizon = horizon.min(last.unwrap_or(0));
                            break;
                        }
                        pages += 1;
                        last = Some(page);
                    }
                    let newest = memory.entry(page).or_insert((record.key.lsn, record.kind));
                    if newest.0 < record.key.lsn {
                        *newest = (record.key.lsn, record.kind);
                    }
                }
            }
            (std::sync::Arc::clone(intake.durable()), std::sync::Arc::clone(intake.trims()))
        };
        let start = trims.start(table);
        let is_there = |(newest, kind): (Lsn, RecordKind)| kind != RecordKind::Discard && newest >= start;
        let mut cursor = MergeCursor::new(&durable, from);
        let mut found = Vec::new();
        let mut current: Option<(u64, (Lsn, RecordKind))> = None;
        loop {
            let next = cursor.next(&*self.objects).await?.map(|(_, entry)| entry);
            let next = next.filter(|entry| entry.key.table == table);
            // Pages that are in memory only, up to the next one of the bucket.
            let page = next.map(|entry| entry.key.page);
            if let Some((done, newest)) = current.filter(|(done, _)| page != Some(*done)) {
                let newest = memory.remove(&done).unwrap_or(newest);
                if is_there(newest) {
                    found.push(done);
                }
                current = None;
            }
            while let Some(first) = memory.first_entry().filter(|first| page.is_none_or(|page| *first.key() < page)) {
                let (page, newest) = first.remove_entry();
                if is_there(newest) {
                    found.push(page);
                }
            }
            let beyond = page.is_some_and(|page| page > horizon);
            if found.len() > count || page.is_none() || beyond {
                break;
            }
            if let Some(entry) = next.filter(|entry| entry.key.lsn <= lsn) {
                current = Some((entry.key.page, (entry.key.lsn, entry.kind)));
            }
        }
        found.retain(|page| *page <= horizon);
        let known_up_to = (horizon < u64::MAX).then_some(horizon);
        let next = if found.len() > count { found.get(count.saturating_sub(1)).copied() } else { known_up_to };
        found.truncate(count);
        Ok((found, next))
    }
}
