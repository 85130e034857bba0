//! Gets from memory.

use std::path::Path;
use std::sync::Arc;

use bytes::Bytes;
use plastron::page_log::PageLogOptions;

use super::Amount;
use super::local::{create, local_store};
use super::meter::Meter;
use super::pairs::Pairs;
use super::row::{Goal, Row, Unit};
use super::slate::Slate;
use super::workload::{self, AtLsn, Latest, ReadPages, SMALL_PAGE};
use crate::failure::Result;

/// Threads.
const THREADS: usize = 2;

/// All rows.
pub(super) async fn rows(scratch: &Path, amount: Amount, meter: &Meter) -> Result<Vec<Row>> {
    let pages = workload::pages(amount.read, SMALL_PAGE, 2);
    let written = create(&scratch.join("warm-log"), PageLogOptions::new()).await?;
    let lsns = written.put(&pages, pages.len()).await?;
    written.log.merge_indexes().await?;
    let log = written.reopen(PageLogOptions::new()).await?;
    let (at_lsn, latest) = (Arc::new(AtLsn { log: log.clone(), lsns }), Arc::new(Latest { log }));

    let directory = scratch.join("warm-slate");
    tokio::fs::create_dir_all(&directory).await?;
    let slate = Slate::open("db", local_store(&directory)?).await?;
    slate.put(&pages, pages.len()).await?;
    slate.close_with_tables().await?;
    let slate = Arc::new(Slate::open("db", local_store(&directory)?).await?);

    touch(&*at_lsn, pages.len()).await?;
    touch(&*latest, pages.len()).await?;
    touch(&*slate, pages.len()).await?;
    let mut rows = Vec::new();
    let title = |how: &str| format!("warm get 4 KiB, {how}, threads: {THREADS}");
    rows.push(row(title("at its LSN"), at_lsn, &slate, &pages, amount, meter).await?);
    rows.push(row(title("the latest"), latest, &slate, &pages, amount, meter).await?);
    written.remove().await?;
    Ok(rows)
}

async fn touch<R: ReadPages>(reader: &R, pages: usize) -> Result<()> {
    for page in 0..pages {
        reader.read(page).await?;
    }
    Ok(())
}

async fn row<R: ReadPages>(
    title: String,
    ours: Arc<R>,
    slate: &Arc<Slate>,
    pages: &[Bytes],
    amount: Amount,
    meter: &Meter,
) -> Result<Row> {
    meter.row(&title);
    let pairs = Pairs::run(
        amount.plan(),
        meter,
        async |pair| workload::read_at_random(Arc::clone(&ours), pages, THREADS, amount.warm, pair as u64).await,
        async |pair| workload::read_at_random(Arc::clone(slate), pages, THREADS, amount.warm, pair as u64).await,
    )
    .await?;
    Ok(Row::compared(title, "dir", Unit::ReadsPerSecond, &pairs, "SlateDB", Goal::Ratio(1.0)))
}
