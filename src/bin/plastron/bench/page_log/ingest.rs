//! Pages made durable, against the same bytes uploaded by `object_store` alone.
//!
//! Both sides begin with pages in memory and end when all of them are in the bucket. The peer uploads objects as large as a segment, as
//! many at once as the log does. The log seals every page with AES-256-GCM, takes checksums and writes an index besides.

use bytes::{Bytes, BytesMut};
use futures::TryStreamExt;
use futures::stream::{self, StreamExt};
use plastron::page_log::PageLogOptions;

use super::bill::Bill;
use super::workload::{self, LARGE_PAGE, Written};
use super::{Amount, Place};
use crate::bench::bare::Bare;
use crate::bench::meter::Meter;
use crate::bench::pairs::{Pairs, Plan, Work};
use crate::bench::row::{Goal, Row, Unit};
use crate::context::Stopwatch;
use crate::failure::Result;
use crate::quantity;

/// What of the bare upload's speed should be left.
const GOAL: f64 = 0.6;

/// The row; the requests of its first arm go on the bill.
pub(super) async fn row(place: &Place, amount: Amount, meter: &Meter, bill: &mut Bill) -> Result<Row> {
    let bytes = (amount.written * LARGE_PAGE) as u64;
    let title = format!("ingest {} of {}", quantity::bytes(bytes), quantity::bytes(LARGE_PAGE as u64));
    meter.row(&title);
    let pages = workload::pages(amount.written, LARGE_PAGE, 1);
    let bill = std::cell::RefCell::new(bill);
    let ours = async |pair| {
        let bucket = workload::bucket(&place.options, &format!("ingest-{pair}")).await?;
        let written = Written::create(bucket.clone(), PageLogOptions::new()).await?;
        let before = bucket.stats();
        let work = written.ingest(&pages, pages.len()).await?;
        bill.borrow_mut().wrote(bytes, &before, &bucket.stats());
        written.remove().await?;
        Ok(work)
    };
    let peer = async |pair| bare(place, &pages, pair).await;
    let plan = Plan { least: amount.times, most: amount.times, budget: Default::default(), warm_up: true };
    let pairs = Pairs::run(plan, meter, ours, peer).await?;
    Ok(Row::compared(title, place.label, Unit::MibPerSecond, &pairs, "object_store", Goal::Ratio(GOAL)))
}

async fn bare(place: &Place, pages: &[Bytes], pair: usize) -> Result<Work> {
    let (options, log) = (place.options.clone(), PageLogOptions::new());
    let bare = Bare::open(&options).await?;
    let each = usize::try_from(log.segment_size).unwrap_or(usize::MAX) / LARGE_PAGE;
    let objects: Vec<(String, Bytes)> = pages
        .chunks(each)
        .enumerate()
        .map(|(number, pages)| {
            let mut object = BytesMut::with_capacity(pages.len() * LARGE_PAGE);
            pages.iter().for_each(|page| object.extend_from_slice(page));
            (format!("bare-{pair}/{number}"), object.freeze())
        })
        .collect();
    let watch = Stopwatch::start();
    let puts = objects.iter().map(|(name, object)| bare.put(name, object.clone()));
    stream::iter(puts).buffer_unordered(log.uploads).try_collect::<Vec<()>>().await?;
    let work = workload::mib(pages, watch.elapsed());
    for (name, _) in &objects {
        bare.delete(name).await?;
    }
    Ok(work)
}
