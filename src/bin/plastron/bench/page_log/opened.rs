//! `plastron bench page-log-open`: opens a log once and tells what that took: what `bench page-log` starts in a process of its own, so
//! that memory and processor time are those of the log.

use std::path::PathBuf;

use clap::Args;
use plastron::page_log::{LogState, Lsn, PageLog, PageLogOptions, PageLogParts};
use plastron::{Bucket, BucketOptions, Provider};
use serde_json::json;

use super::versions::scattered;
use super::workload::forgetful;
use crate::bench::content::Numbers;
use crate::bench::resident::peak_bytes;
use crate::bench::scratch::directory_bucket;
use crate::context::{Context, Stopwatch};
use crate::failure::{Failure, Result};

/// The table that all versions are of.
pub(super) const TABLE: u64 = 7;

/// Times that the log is opened anew for a get with nothing in memory.
const COLD_GETS: u64 = 10;

const AFTER_HELP: &str = "\
Examples:
  plastron bench page-log-open --bucket /srv/bucket --state state --versions 1000 --pages 100 --first-lsn 1099511627777 --gets 10";

/// Options of `bench page-log-open`.
#[derive(Debug, Args)]
#[command(after_help = AFTER_HELP)]
pub(crate) struct Opened {
    /// The directory that is the bucket
    #[arg(long, value_name = "DIR")]
    bucket: PathBuf,

    /// The log's state
    #[arg(long, value_name = "FILE")]
    state: PathBuf,

    /// Versions in the log
    #[arg(long)]
    versions: u64,

    /// Pages that they are of
    #[arg(long)]
    pages: u64,

    /// The LSN of the first
    #[arg(long)]
    first_lsn: u64,

    /// Pages to get
    #[arg(long)]
    gets: u64,
}

impl Opened {
    /// Runs the command.
    pub(crate) async fn run(self, context: &Context) -> Result<()> {
        let read = tokio::fs::read(&self.state).await;
        let encoded = read.map_err(|error| Failure::local("read", &self.state, &error))?;
        let state = LogState::decode(&encoded, "the state")?;
        let mut options: BucketOptions = directory_bucket(&self.bucket)?;
        debug_assert_eq!(options.provider, Provider::Dir);
        options.readonly = true;
        let bucket = Bucket::open(options).await.map_err(plastron::Error::from)?;
        let requests = || bucket.stats().requests_total();
        let open = async |log: PageLogOptions| {
            let mut parts = PageLogParts::new(bucket.clone());
            parts.options = log;
            PageLog::open_for_reading(parts, &state).await
        };

        let (before, cpu, watch) = (requests(), cpu_seconds().await?, Stopwatch::start());
        let log = open(forgetful()).await?;
        let (seconds, open_cpu, open_requests) =
            (watch.elapsed().as_secs_f64(), cpu_seconds().await? - cpu, requests() - before);

        let mut numbers = Numbers::new(11);
        let drawn: Vec<u64> = (0..self.gets).map(|_| numbers.below(self.versions)).collect();
        // The first time has the blocks of the index read that the second needs.
        let mut per_get = [0.0; 2];
        for requests_per_get in &mut per_get {
            let before = requests();
            for version in &drawn {
                self.get(&log, *version, Lsn::new(self.first_lsn + version), *version).await?;
            }
            *requests_per_get = (requests() - before) as f64 / drawn.len() as f64;
        }
        // The last version of each page is the latest.
        let last = |version: u64| (self.versions - 1 - version) / self.pages * self.pages + version;
        let drawn: Vec<u64> = drawn.iter().map(|version| version % self.pages).collect();
        let mut latest = 0.0;
        for _ in 0..2 {
            let before = requests();
            for version in &drawn {
                self.get(&log, *version, Lsn::MAX, last(*version)).await?;
            }
            latest = (requests() - before) as f64 / drawn.len() as f64;
        }
        drop(log);
        let peak = peak_bytes().await?;
        let mut cold = 0;
        for _ in 0..COLD_GETS {
            let log = open(forgetful()).await?;
            let (before, version) = (requests(), numbers.below(self.versions));
            self.get(&log, version, Lsn::new(self.first_lsn + version), version).await?;
            cold = cold.max(requests() - before);
        }
        let peak_mib = peak as f64 / f64::from(1 << 20);
        let record = json!({
            "runs": state.runs().len(),
            "segments": state.segments().len(),
            "open_requests": open_requests,
            "open_seconds": seconds,
            "open_cpu_seconds": open_cpu,
            "peak_resident_mib": peak_mib,
            "first_requests_per_get": per_get[0],
            "warm_requests_per_get": per_get[1],
            "latest_requests_per_get": latest,
            "cold_requests_at_most": cold,
        });
        let text = || format!("{open_requests} requests, {open_cpu:.2} s of processor time, {peak_mib:.0} MiB\n");
        context.output.result(&record, text).await
    }

    /// Gets the page of `version`, which must be `expected`.
    async fn get(&self, log: &PageLog, version: u64, lsn: Lsn, expected: u64) -> Result<()> {
        let chain = log.table(TABLE).get(scattered(version, self.pages), lsn).await?;
        let bytes = chain.records.first().map(|record| &record.bytes[..]);
        match bytes == Some(&expected.to_le_bytes()[..]) {
            true => Ok(()),
            false => Err(Failure::other(format!("version {version} is not what was put"))),
        }
    }
}

/// Processor time of this process so far, all threads, in steps of a hundredth of a second.
async fn cpu_seconds() -> Result<f64> {
    let unknown = || Failure::of_kind(plastron::ErrorKind::Unsupported, "the system does not tell the processor time");
    let stat = tokio::fs::read_to_string("/proc/self/stat").await.map_err(|_| unknown())?;
    // The name, in brackets, may hold anything; the 14th and 15th fields are user and system time, in ticks of USER_HZ (100).
    let fields: Vec<&str> = stat.rsplit(')').next().unwrap_or_default().split_whitespace().collect();
    let ticks = |at: usize| fields.get(at).and_then(|text| text.parse::<f64>().ok()).ok_or_else(unknown);
    Ok((ticks(11)? + ticks(12)?) / 100.0)
}
