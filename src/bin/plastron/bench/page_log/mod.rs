//! `plastron bench page-log`: what the page log costs, beside a bare client where there is one to compare with.
//!
//! * [`ingest`]: pages made durable, sealed and indexed, against the same bytes uploaded by `object_store`;
//! * [`reads`]: gets of what is in memory, and the requests of gets that are not;
//! * [`versions`]: a log of millions of page versions, opened and asked in a process of its own ([`opened`]);
//! * [`bill`]: requests and money.
//!
//! SlateDB, LMDB and SQLite are compared with in `benches/page-log`, by the same work ([`workload`]), since no user's build should hold them.

mod bill;
mod ingest;
mod opened;
mod reads;
mod versions;
pub(in crate::bench) mod workload;

use std::path::PathBuf;

use clap::{Args, ValueEnum};
use plastron::{BucketOptions, Provider};
use serde_json::json;

pub(super) use opened::Opened;

use super::meter::Meter;
use super::row::{self, Row};
use super::scratch::Scratch;
use crate::context::Context;
use crate::failure::{Failure, Result};
use bill::Bill;
use plastron::clock::{Entropy, SystemEntropy};

const AFTER_HELP: &str = "\
Writes are measured against object_store, which uploads the same bytes in objects of the same size, as many at once; the ratio is
the median of pairs that take turns. Reads and requests stand by themselves: their goals are numbers. The bill is what all of it would
cost by the list prices of the store that was given, of Amazon S3 if that is a directory or none.

A bucket in a directory is measured; with --store that store is as well. What is stored there has names that begin with
plastron-bench-, and is removed; if it is interrupted some may stay. A full run takes about ten minutes and 6 GiB in the scratch
directory. With --json the result is one object. SlateDB, LMDB and SQLite are measured by the package benches/page-log.

Examples:
  plastron bench page-log
  plastron bench page-log --only ingest,reads --json
  plastron --store 's3://my-bucket/scratch?region=eu-central-1' bench page-log --only ingest,reads
  plastron bench page-log --quick";

/// Options of `bench page-log`.
#[derive(Debug, Args)]
#[command(after_help = AFTER_HELP)]
pub(crate) struct BenchPageLog {
    /// Sizes so small that the numbers mean nothing: shows that everything works
    #[arg(long)]
    quick: bool,

    /// Exit with 1 if a goal is missed
    #[arg(long)]
    check: bool,

    /// Only these [default: all]
    #[arg(long, value_name = "PART", value_delimiter = ',')]
    only: Vec<Part>,

    /// Page versions of the large log [default: 20,000,000]
    #[arg(long, value_name = "COUNT", value_parser = clap::value_parser!(u64).range(1000..))]
    versions: Option<u64>,

    /// Where buckets of the benchmark's own are made, on a real disk for real numbers [default: TMPDIR]
    #[arg(long, value_name = "DIR")]
    scratch: Option<PathBuf>,
}

/// What belongs together.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
enum Part {
    /// Pages made durable
    Ingest,
    /// Gets from memory, and gets from the bucket
    Reads,
    /// A log of millions of page versions
    Versions,
}

/// How much of everything.
#[derive(Debug, Clone, Copy)]
struct Amount {
    /// Pages of 16 KiB that are written in one arm of a pair.
    written: usize,
    /// Pages of 4 KiB that are read.
    read: usize,
    /// Gets from memory in one arm, over all threads.
    warm: usize,
    /// Gets from the bucket.
    cold: usize,
    /// Page versions of the large log.
    versions: u64,
    /// Pairs, and times that what has no peer is measured.
    times: usize,
}

const FULL: Amount =
    Amount { written: 16 << 10, read: 8 << 10, warm: 4 << 20, cold: 500, versions: 20_000_000, times: 5 };
const QUICK: Amount = Amount { written: 64, read: 256, warm: 1 << 10, cold: 10, versions: 20_000, times: 1 };

/// A bucket that is measured.
struct Place {
    label: &'static str,
    options: BucketOptions,
}

impl BenchPageLog {
    /// Runs the command.
    pub(crate) async fn run(self, context: &Context) -> Result<()> {
        let mut amount = if self.quick { QUICK } else { FULL };
        amount.versions = self.versions.unwrap_or(amount.versions);
        let scratch = Scratch::make(self.scratch.clone()).await?;
        let places = places(context, &scratch).await?;
        let meter = Meter::start(&context.output, self.rows(places.len()));
        let (mut rows, mut bills) = (Vec::new(), Vec::new());
        for place in &places {
            let mut bill = Bill::of(place.label, place.options.provider);
            if self.wants(Part::Ingest) {
                rows.push(Box::pin(ingest::row(place, amount, &meter, &mut bill)).await?);
            }
            if self.wants(Part::Reads) {
                rows.extend(Box::pin(reads::rows(place, amount, &meter, &mut bill)).await?);
            }
            bills.push(bill);
        }
        if self.wants(Part::Versions) {
            rows.extend(Box::pin(versions::rows(&scratch, amount, &meter)).await?);
        }
        drop(meter);
        let record = json!({
            "quick": self.quick,
            "version": env!("CARGO_PKG_VERSION"),
            "rows": rows.iter().map(Row::record).collect::<Vec<_>>(),
            "bills": bills.iter().map(Bill::record).collect::<Vec<_>>(),
        });
        let text = || row::table(&rows) + &bills.iter().map(Bill::text).collect::<String>();
        context.output.result(&record, text).await?;
        let missed = rows.iter().filter(|row| row.met() == Some(false)).count();
        if self.check && missed > 0 {
            return Err(Failure::other(format!("goals missed: {missed}")));
        }
        Ok(())
    }

    fn wants(&self, part: Part) -> bool {
        self.only.is_empty() || self.only.contains(&part)
    }

    fn rows(&self, places: usize) -> usize {
        let each = [(Part::Ingest, places), (Part::Reads, places * reads::ROWS), (Part::Versions, versions::ROWS)];
        each.iter().filter(|(part, _)| self.wants(*part)).map(|(_, rows)| rows).sum()
    }
}

/// A directory, and the store that was given.
async fn places(context: &Context, scratch: &Scratch) -> Result<Vec<Place>> {
    let mut places = Vec::new();
    if context.has_store() {
        let mut options = context.options()?.bucket;
        options.prefix = format!("{}plastron-bench-{:016x}/", options.prefix, SystemEntropy::default().next_u64());
        places.push(Place { label: "store", options });
    }
    if places.first().is_none_or(|place| place.options.provider != Provider::Dir) {
        places.push(Place { label: "dir", options: scratch.bucket("bucket").await? });
    }
    Ok(places)
}
