//! `plastron bench`: measure this machine, this bucket, this configuration, side by side with what stands beneath.
//!
//! A number by itself says little about a program and much about the machine, so every row of `bench fs` is a comparison: Plastron
//! and a bare peer do the same work in the same process, one after the other, several times over ([`pairs`]), and what counts is
//! the median of the ratios ([`row`]). The comparisons, by section:
//!
//! * [`transfers`]: objects in and out of buckets, against `object_store` ([`bare`]);
//! * [`memory_hits`] and [`disk_hits`]: reads from the cache, against `moka` and `pread`;
//! * [`latency`]: cold reads from far away, with read-ahead against without;
//! * [`resident`]: what memory a large read takes, measured in a process of its own.
//!
//! [`page_log`] measures the page log, and [`wiredtiger`] does the same for real WiredTiger on the extension.
//!
//! How large and how often is in [`sizes`]; `docs/performance.md` has the results and says what they mean.

mod bare;
mod bucket;
mod content;
mod delay_line;
mod disk_hits;
mod fs;
mod latency;
mod memory_hits;
mod meter;
mod page_log;
mod pairs;
mod resident;
mod row;
mod scratch;
mod sizes;
mod transfers;
mod wiredtiger;

use clap::{Args, Subcommand};

use crate::context::Context;
use crate::failure::Result;
use fs::BenchFs;
use page_log::{BenchPageLog, Opened};
use resident::Resident;
use wiredtiger::BenchWiredTiger;

/// Options of `bench`.
#[derive(Debug, Args)]
#[command(arg_required_else_help = true)]
pub(crate) struct Bench {
    /// What to measure.
    #[command(subcommand)]
    what: What,
}

/// What can be measured.
#[derive(Debug, Subcommand)]
enum What {
    /// The file system, side by side with what stands beneath it
    Fs(BenchFs),
    /// Real WiredTiger on the extension, side by side with WiredTiger and with `object_store`
    #[command(name = "wiredtiger")]
    WiredTiger(BenchWiredTiger),
    /// The page log: ingest, gets, a log of millions of page versions, requests and money
    PageLog(BenchPageLog),
    /// Open a log once and tell what that took: what `bench page-log` starts in a process of its own
    #[command(hide = true)]
    PageLogOpen(Opened),
    /// Read an object once and tell the peak of resident memory: what `bench fs` starts in a process of its own
    #[command(hide = true)]
    Resident(Resident),
}

impl Bench {
    /// Runs the command.
    pub(crate) async fn run(self, context: &Context) -> Result<()> {
        match self.what {
            What::Fs(fs) => Box::pin(fs.run(context)).await,
            What::WiredTiger(wiredtiger) => Box::pin(wiredtiger.run(context)).await,
            What::PageLog(page_log) => Box::pin(page_log.run(context)).await,
            What::PageLogOpen(opened) => Box::pin(opened.run(context)).await,
            What::Resident(resident) => Box::pin(resident.run(context)).await,
        }
    }
}
