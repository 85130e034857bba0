//! Gets of what is in memory, and the requests that other gets take.

use std::sync::Arc;

use plastron::page_log::PageLogOptions;

use super::bill::Bill;
use super::workload::{self, AtLsn, Latest, SMALL_PAGE, Written};
use super::{Amount, Place};
use crate::bench::meter::Meter;
use crate::bench::pairs::median;
use crate::bench::row::{Goal, Row, Unit};
use crate::failure::Result;
use crate::quantity;

/// Rows of one place.
pub(super) const ROWS: usize = 4;

/// Threads that get what is in memory.
const THREADS: usize = 2;

/// Gets a second, over all threads.
const GOAL: f64 = 1e6;

/// Every so many pages one is read to have all blocks of the index in memory: a block of 16 KiB has several times as many entries.
const STRIDE: usize = 64;

/// All rows of one place.
pub(super) async fn rows(place: &Place, amount: Amount, meter: &Meter, bill: &mut Bill) -> Result<Vec<Row>> {
    let pages = workload::pages(amount.read, SMALL_PAGE, 2);
    let bucket = workload::bucket(&place.options, "reads").await?;
    let written = Written::create(bucket.clone(), PageLogOptions::new()).await?;
    let lsns = written.put(&pages, pages.len()).await?;
    written.log.merge_indexes().await?;
    let size = quantity::bytes(SMALL_PAGE as u64);
    let mut rows = Vec::new();

    let log = written.reopen(PageLogOptions::new()).await?;
    let (at_lsn, latest) = (AtLsn { log: log.clone(), lsns: lsns.clone() }, Latest { log });
    let title = format!("warm get {size} at its LSN, threads: {THREADS}");
    meter.row(&title);
    rows.push(warm(title, place, amount, Arc::new(at_lsn), &pages).await?);
    let title = format!("warm get {size}, the latest, threads: {THREADS}");
    meter.row(&title);
    rows.push(warm(title, place, amount, Arc::new(latest), &pages).await?);

    let title = format!("cold get {size}, index warm");
    meter.row(&title);
    let reader = AtLsn { log: written.reopen(workload::forgetful()).await?, lsns: lsns.clone() };
    for page in (0..pages.len()).step_by(STRIDE) {
        workload::ReadPages::read(&reader, page).await?;
    }
    let before = bucket.stats();
    let work = workload::read_at_random(Arc::new(reader), &pages, 1, amount.cold, 3).await?;
    let after = bucket.stats();
    bill.read(work.amount, &before, &after);
    let requests = (after.requests_total() - before.requests_total()) as f64 / work.amount;
    rows.push(Row::alone(title, place.label, Unit::RequestsPerGet, requests, Goal::Exactly(1.0)));

    let title = format!("cold get {size}, index cold, at the most");
    meter.row(&title);
    let mut most = 0;
    for n in 0..amount.cold.min(50) {
        let log = written.reopen(workload::forgetful()).await?;
        let reader = AtLsn { log, lsns: lsns.clone() };
        let before = bucket.stats().requests_total();
        workload::ReadPages::read(&reader, (n * 997) % pages.len()).await?;
        most = most.max(bucket.stats().requests_total() - before);
    }
    rows.push(Row::alone(title, place.label, Unit::RequestsPerGet, most as f64, Goal::AtMost(2.0)));
    written.remove().await?;
    Ok(rows)
}

/// Gets from memory a second: the median of several times, the first thrown away.
async fn warm<R: workload::ReadPages>(
    title: String,
    place: &Place,
    amount: Amount,
    reader: Arc<R>,
    pages: &[bytes::Bytes],
) -> Result<Row> {
    for page in 0..pages.len() {
        reader.read(page).await?;
    }
    let mut rates = Vec::new();
    for time in 0..=amount.times {
        let work = workload::read_at_random(Arc::clone(&reader), pages, THREADS, amount.warm, time as u64).await?;
        rates.push(work.per_second());
    }
    let measured = median(rates.get(1..).unwrap_or_default());
    Ok(Row::alone(title, place.label, Unit::ReadsPerSecond, measured, Goal::AtLeast(GOAL)))
}
