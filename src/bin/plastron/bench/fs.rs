//! `plastron bench fs`: runs the comparisons, and prints what they say.

use std::path::PathBuf;

use clap::{Args, ValueEnum};
use plastron::{BucketOptions, Provider};
use serde_json::json;

use super::bucket::Subject;
use super::latency::{self, Far};
use super::meter::Meter;
use super::row::{self, Row};
use super::scratch::Scratch;
use super::sizes::Sizes;
use super::transfers::{self, Transfers};
use super::{disk_hits, memory_hits, resident};
use crate::context::Context;
use crate::failure::{Failure, Result};

const AFTER_HELP: &str = "\
Every row compares Plastron with a bare peer that does the same work in the same process, in turn, three times at least. What is
printed are medians, and the median of the ratios of all pairs: above 1, Plastron is faster. Rates depend on the machine and its
neighbours; ratios are what can be compared.

A bucket in a directory and one in memory are always measured, with --store that store as well. It stores objects of its own
there, with names that begin with plastron-bench-, and removes them; if it is interrupted some may stay. A full run takes up
to five minutes, 5 GiB in the scratch directory, and with --store about 3 GiB of uploads. With --json the result is one object.

Examples:
  plastron bench fs
  plastron --store 's3://my-bucket/scratch?region=eu-central-1' bench fs --only transfers
  plastron bench fs --quick --json";

/// Options of `bench fs`.
#[derive(Debug, Args)]
#[command(after_help = AFTER_HELP)]
pub(crate) struct BenchFs {
    /// Sizes so small that the numbers mean nothing: shows that everything works
    #[arg(long)]
    quick: bool,

    /// Exit with 1 if a goal is missed
    #[arg(long)]
    check: bool,

    /// Only these comparisons [default: all]
    #[arg(long, value_name = "PART", value_delimiter = ',')]
    only: Vec<Part>,

    /// Where buckets and caches of the benchmark's own are made, on a real disk for real numbers [default: TMPDIR]
    #[arg(long, value_name = "DIR")]
    scratch: Option<PathBuf>,
}

/// Comparisons that belong together.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
enum Part {
    /// Objects in and out of buckets
    Transfers,
    /// Reads of what the cache has in memory
    Memory,
    /// Reads of what the cache has on disk
    Disk,
    /// Cold reads from far away
    Latency,
    /// The memory that a large read takes
    Resident,
}

impl BenchFs {
    /// Runs the command.
    pub(crate) async fn run(self, context: &Context) -> Result<()> {
        let sizes = if self.quick { &Sizes::QUICK } else { &Sizes::FULL };
        let scratch = Scratch::make(self.scratch.clone()).await?;
        let subjects = self.subjects(context, &scratch).await?;
        let measured = self.measure(context, sizes, &scratch, &subjects).await;
        let mut cleared = Ok(());
        for subject in &subjects {
            cleared = cleared.and(subject.clear().await);
        }
        let rows = measured?;
        cleared?;
        let record = json!({
            "quick": self.quick,
            "version": env!("CARGO_PKG_VERSION"),
            "sizes": sizes.record(),
            "rows": rows.iter().map(Row::record).collect::<Vec<_>>(),
        });
        context.output.result(&record, || row::table(&rows)).await?;
        let missed = rows.iter().filter(|row| row.met() == Some(false)).count();
        if self.check && missed > 0 {
            return Err(Failure::other(format!("goals missed: {missed}")));
        }
        Ok(())
    }

    fn wants(&self, part: Part) -> bool {
        self.only.is_empty() || self.only.contains(&part)
    }

    /// The store that was given, a directory and a bucket in memory, each provider once.
    async fn subjects(&self, context: &Context, scratch: &Scratch) -> Result<Vec<Subject>> {
        let mut subjects = Vec::new();
        if context.has_store() {
            subjects.push(Subject::given(context).await?);
        }
        if self.wants(Part::Transfers) {
            let given = subjects.first().map(|subject| subject.options.provider);
            if given != Some(Provider::Dir) {
                subjects.push(Subject::own(scratch.bucket("transfers").await?).await?);
            }
            if given != Some(Provider::Memory) {
                subjects.push(Subject::own(BucketOptions::new(Provider::Memory, "bench")).await?);
            }
        }
        Ok(subjects)
    }

    async fn measure(
        &self,
        context: &Context,
        sizes: &Sizes,
        scratch: &Scratch,
        subjects: &[Subject],
    ) -> Result<Vec<Row>> {
        let mut parts = vec![
            (Part::Transfers, transfers::ROWS * subjects.len()),
            (Part::Memory, memory_hits::ROWS),
            (Part::Disk, disk_hits::ROWS),
            (Part::Latency, latency::ROWS * (1 + usize::from(context.has_store()))),
            (Part::Resident, resident::ROWS),
        ];
        parts.retain(|(part, _)| self.wants(*part));
        let meter = Meter::start(&context.output, parts.iter().map(|(_, rows)| rows).sum());
        let mut rows = Vec::new();
        for (part, _) in parts {
            rows.extend(match part {
                Part::Transfers => {
                    let mut rows = Vec::new();
                    for subject in subjects {
                        rows.extend(
                            Box::pin(Transfers { subject, jobs: &context.jobs, sizes, meter: &meter }.rows()).await?,
                        );
                    }
                    rows
                }
                Part::Memory => Box::pin(memory_hits::rows(sizes, &meter)).await?,
                Part::Disk => Box::pin(disk_hits::rows(sizes, scratch, &meter)).await?,
                Part::Latency => Box::pin(far_rows(sizes, subjects, &meter)).await?,
                Part::Resident => Box::pin(resident::rows(sizes, scratch, &meter)).await?,
            });
        }
        Ok(rows)
    }
}

async fn far_rows(sizes: &Sizes, subjects: &[Subject], meter: &Meter) -> Result<Vec<Row>> {
    let mut rows = Far::near(sizes).await?.rows(sizes, meter).await?;
    for subject in subjects {
        if let Some(far) = Far::wire(subject, sizes).await? {
            rows.extend(far.rows(sizes, meter).await?);
        }
    }
    Ok(rows)
}
