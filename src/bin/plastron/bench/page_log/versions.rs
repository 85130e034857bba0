//! A log of millions of page versions: what opening it takes, and whether gets are still what they were.

use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use bytes::Bytes;
use plastron::page_log::{LogState, Lsn, PageLogOptions, PageLogParts, PutArgs};
use plastron::{Bucket, BucketOptions};
use serde_json::Value;

use super::Amount;
use super::opened::TABLE;
use crate::bench::meter::Meter;
use crate::bench::row::{Goal, Row, Unit};
use crate::bench::scratch::Scratch;
use crate::failure::{Failure, Result};

/// Rows.
pub(super) const ROWS: usize = 6;

/// Bytes of a version: enough to tell them apart. How large pages are is of no matter to an index.
const VERSION_BYTES: usize = 8;

/// Versions of each page.
const VERSIONS_OF_PAGE: u64 = 4;

/// What opening may cost.
const MOST_REQUESTS: f64 = 10.0;
const MOST_CPU_SECONDS: f64 = 1.0;
const MOST_MIB: f64 = 256.0;

/// All rows.
pub(super) async fn rows(scratch: &Scratch, amount: Amount, meter: &Meter) -> Result<Vec<Row>> {
    let what = format!("{} page versions", grouped(amount.versions));
    meter.row(&format!("{what}: writing them"));
    let options = scratch.bucket("versions").await?;
    let (bucket, state) = (PathBuf::from(&options.bucket), scratch.path("versions.state"));
    let first = write(options, amount.versions, &state).await?;
    meter.row(&format!("{what}: opening them"));
    let answer = measure(&bucket, &state, amount, first).await?;
    let rows = [
        ("open", Unit::Requests, "open_requests", Goal::AtMost(MOST_REQUESTS)),
        ("open, processor time", Unit::Seconds, "open_cpu_seconds", Goal::AtMost(MOST_CPU_SECONDS)),
        ("peak resident memory", Unit::Mib, "peak_resident_mib", Goal::Below(MOST_MIB)),
        ("get, index warm", Unit::RequestsPerGet, "warm_requests_per_get", Goal::Exactly(1.0)),
        ("get, index cold, at the most", Unit::RequestsPerGet, "cold_requests_at_most", Goal::AtMost(2.0)),
        ("get the latest, index warm", Unit::RequestsPerGet, "latest_requests_per_get", Goal::None),
    ];
    let row = |(title, unit, key, goal): (&str, Unit, &str, Goal)| {
        let number = answer.get(key).and_then(Value::as_f64);
        let number = number.ok_or_else(|| Failure::other(format!("it did not tell {key}")))?;
        Ok(Row::alone(format!("{what}: {title}"), "dir", unit, number, goal))
    };
    let rows = rows.into_iter().map(row).collect::<Result<Vec<_>>>();
    let _ = tokio::fs::remove_dir_all(&bucket).await;
    rows
}

/// Writes so many versions, and the log's state into the file `state`. Returns the first LSN; the others follow without gaps.
async fn write(options: BucketOptions, versions: u64, state: &Path) -> Result<Lsn> {
    let bucket = Bucket::open(options).await.map_err(plastron::Error::from)?;
    let mut parts = PageLogParts::new(bucket);
    parts.options = PageLogOptions::new();
    let log = plastron::page_log::PageLog::open(parts, &LogState::new(1), 1).await?;
    let (table, pages) = (log.table(TABLE), (versions / VERSIONS_OF_PAGE).max(1));
    let mut first = Lsn::NONE;
    for version in 0..versions {
        // In no order that the index has.
        let page = scattered(version, pages);
        let bytes = version.to_le_bytes();
        let lsn = table.put(page, PutArgs::full(), Bytes::copy_from_slice(&bytes[..VERSION_BYTES])).await?;
        if version == 0 {
            first = lsn;
        }
    }
    log.flush_now(log.last_lsn()).await?;
    let encoded = log.state().encode();
    log.close().await?;
    tokio::fs::write(state, encoded).await.map_err(|error| Failure::local("write", state, &error))?;
    Ok(first)
}

/// The page of a version.
pub(super) fn scattered(version: u64, pages: u64) -> u64 {
    // A prime that is no divisor of any count of pages that is asked for: all pages come once before one comes again.
    version.wrapping_mul(2_654_435_761) % pages
}

/// Runs `bench page-log-open`.
async fn measure(bucket: &Path, state: &Path, amount: Amount, first: Lsn) -> Result<Value> {
    let failed = |error: &dyn std::fmt::Display| Failure::other(format!("cannot run this program again: {error}"));
    let mut command = Command::new(std::env::current_exe().map_err(|error| failed(&error))?);
    let (versions, pages) = (amount.versions, (amount.versions / VERSIONS_OF_PAGE).max(1));
    command.args(["bench", "page-log-open", "--json", "--bucket"]).arg(bucket).arg("--state").arg(state);
    for (option, number) in
        [("--versions", versions), ("--pages", pages), ("--first-lsn", first.get()), ("--gets", amount.cold as u64)]
    {
        command.arg(option).arg(number.to_string());
    }
    command.env_remove("PLASTRON_STORE").stdin(Stdio::null()).stderr(Stdio::piped());
    let done = tokio::task::spawn_blocking(move || command.output()).await?.map_err(|error| failed(&error))?;
    if !done.status.success() {
        return Err(failed(&String::from_utf8_lossy(&done.stderr).trim()));
    }
    serde_json::from_slice(&done.stdout).map_err(|error| failed(&error))
}

/// 20000000 as 20,000,000.
fn grouped(number: u64) -> String {
    let digits = number.to_string();
    let mut text = String::new();
    for (at, digit) in digits.chars().enumerate() {
        if at > 0 && (digits.len() - at).is_multiple_of(3) {
            text.push(',');
        }
        text.push(digit);
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn all_pages_come_before_one_comes_again() {
        for pages in [250, 5_000, 5_000_000] {
            let mut seen = vec![false; pages as usize];
            (0..pages).for_each(|version| seen[scattered(version, pages) as usize] = true);
            assert!(seen.iter().all(|seen| *seen), "{pages}");
        }
        assert_eq!((grouped(20_000_000), grouped(999)), ("20,000,000".to_owned(), "999".to_owned()));
    }
}
