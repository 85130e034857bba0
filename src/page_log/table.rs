//! A handle to one table of a page log.

use std::time::Duration;

use bytes::Bytes;

use super::PageLogFault;
use super::chain::{Chain, ChainRecord};
use super::intake::Draft;
use super::lsn::Lsn;
use super::page_log::PageLog;
use super::put_args::PutArgs;
use super::record::{Key, MAX_PAGE_BYTES, PageFlags, RecordKind};

/// Page ids that are looked up at once.
const IDS_AT_ONCE: usize = 4096;

/// A handle to one table. Cheap to clone; all calls are concurrent.
#[derive(Debug, Clone)]
pub struct TableHandle {
    log: PageLog,
    table: u64,
    /// Whether it may write a table that engines may not.
    own: bool,
}

impl TableHandle {
    pub(crate) fn new(log: PageLog, table: u64, own: bool) -> Self {
        Self { log, table, own }
    }

    fn check_table(&self) -> Result<(), PageLogFault> {
        if self.own { Ok(()) } else { self.log.shared.check_table(self.table) }
    }

    /// The table.
    pub fn id(&self) -> u64 {
        self.table
    }

    /// The log.
    pub fn log(&self) -> &PageLog {
        &self.log
    }

    /// Writes a full page or a delta. It is readable here when this returns, and durable when the durable LSN has reached what it
    /// returns. Waits while the log's memory is used up. The same backlink may be given twice: the later LSN is the page's.
    ///
    /// # Errors
    /// `Invalid` for args that contradict themselves or the log, a chain of more than 33 records, more than 64 MiB, and a table that is not
    /// the engine's; `Unsupported` for a log that is opened for reading or closed; why the log has failed.
    pub async fn put(&self, page: u64, args: PutArgs, bytes: impl Into<Bytes>) -> Result<Lsn, PageLogFault> {
        self.check_table()?;
        let (payload, table) = (bytes.into(), self.table);
        if payload.len() > MAX_PAGE_BYTES {
            return Err(PageLogFault::PageTooLarge { table, page, bytes: payload.len() });
        }
        let PutArgs { delta, base, backlink, flags } = args;
        let kind = if delta { RecordKind::Delta } else { RecordKind::Full };
        let draft = Draft { table, page, kind, backlink, base, flags, payload };
        self.log.shared.append(draft).await
    }

    /// Writes a tombstone: the page is gone from here on, and readable at earlier LSNs. `backlink` is the LSN of its record before, or
    /// none.
    ///
    /// # Errors
    /// As [`TableHandle::put`].
    pub async fn discard(&self, page: u64, backlink: Lsn) -> Result<Lsn, PageLogFault> {
        self.check_table()?;
        let (kind, table) = (RecordKind::Discard, self.table);
        let (flags, payload) = (PageFlags::NONE, Bytes::new());
        self.log.shared.append(Draft { table, page, kind, backlink, base: Lsn::NONE, flags, payload }).await
    }

    /// The page as it was put at exactly `lsn`, or as it is now for [`Lsn::MAX`]: its full page, and the deltas on top of it. Waits for an LSN
    /// that can't be read here yet, as long as the option `read_wait` says. An image in the victim cache is taken out and returned.
    ///
    /// # Errors
    /// `NotFound` if there is no such record, or it is a tombstone, or was trimmed; `Unavailable` for an LSN that did not become readable
    /// in time; `Corrupt` for a chain that is broken and bytes that are not what was written; `Invalid` for a chain of more than
    /// 33 records; those of the bucket and the key module.
    pub async fn get(&self, page: u64, lsn: Lsn) -> Result<Chain, PageLogFault> {
        self.get_within(page, lsn, self.log.shared.options.read_wait).await
    }

    /// As [`TableHandle::get`], with another time to wait.
    ///
    /// # Errors
    /// As [`TableHandle::get`].
    pub async fn get_within(&self, page: u64, lsn: Lsn, wait: Duration) -> Result<Chain, PageLogFault> {
        match self.log.shared.victims.take(self.table, page, lsn) {
            Some(image) => Ok(image),
            None => self.get_from_log(page, lsn, wait).await,
        }
    }

    /// As [`TableHandle::get_within`], past the victim cache.
    ///
    /// # Errors
    /// As [`TableHandle::get`].
    pub async fn get_from_log(&self, page: u64, lsn: Lsn, wait: Duration) -> Result<Chain, PageLogFault> {
        self.log.shared.get(self.table, page, lsn, wait).await
    }

    /// The ids of all pages whose newest record that is not above `lsn` is no tombstone, in order. Waits as `get` does for an LSN that can't be
    /// read here yet. For tables that are larger than memory
    /// there is [`TableHandle::page_ids_after`].
    ///
    /// # Errors
    /// As [`TableHandle::get`].
    pub async fn page_ids(&self, lsn: Lsn) -> Result<Vec<u64>, PageLogFault> {
        let (mut ids, mut next) = self.page_ids_after(lsn, None, IDS_AT_ONCE).await?;
        while next.is_some() {
            let (more, then) = self.page_ids_after(lsn, next, IDS_AT_ONCE).await?;
            ids.extend(more);
            next = then;
        }
        Ok(ids)
    }

    /// The first of these ids above `after`, `count` at the most, and after which id to go on if there may be more.
    ///
    /// # Errors
    /// As [`TableHandle::get`].
    pub async fn page_ids_after(
        &self,
        lsn: Lsn,
        after: Option<u64>,
        count: usize,
    ) -> Result<(Vec<u64>, Option<u64>), PageLogFault> {
        self.log.shared.page_ids(self.table, lsn, after, count.max(1)).await.map_err(PageLogFault::of_gone)
    }

    /// Whether there is a victim cache.
    pub fn victim_cache_available(&self) -> bool {
        self.log.shared.victims.is_available()
    }

    /// Keeps the full image of a page as it is at `lsn`, all deltas applied, in memory. `args` are what `get` is to say of it.
    pub fn victim_put(&self, page: u64, lsn: Lsn, args: PutArgs, image: impl Into<Bytes>) {
        let record = ChainRecord { lsn, bytes: image.into(), flags: args.flags };
        let chain = Chain { records: vec![record], lsn, base: args.base, backlink: args.backlink };
        self.log.shared.victims.put(Key::new(self.table, page, lsn), chain);
    }

    /// Whether such an image is there.
    pub fn victim_has(&self, page: u64, lsn: Lsn) -> bool {
        self.log.shared.victims.has(self.table, page, lsn)
    }

    /// Removes such an image; says whether there was one.
    pub fn victim_delete(&self, page: u64, lsn: Lsn) -> bool {
        self.log.shared.victims.take(self.table, page, lsn).is_some()
    }
}
