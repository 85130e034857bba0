//! What memory it takes to read a large object with a small cache.
//!
//! Peak memory belongs to a process, so each measurement has one of its own: this command, run again as `bench resident`, which opens
//! the bucket, reads the object from front to back and tells the peak that the system recorded.

use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use bytes::Bytes;
use clap::Args;
use plastron::{CacheOptions, Store, StoreOptions};
use serde_json::{Value, json};

use super::content;
use super::meter::Meter;
use super::row::{Goal, Row, Unit};
use super::scratch::{Scratch, directory_bucket};
use super::sizes::Sizes;
use crate::context::{Context, Stopwatch};
use crate::failure::{Failure, Result};
use crate::quantity;

/// Rows.
pub(super) const ROWS: usize = 2;

/// The cache's memory.
const MEMORY_BYTES: u64 = 64 << 20;

/// What all of the process should stay below, MiB.
const GOAL_MIB: f64 = 200.0;

/// Bytes of one read.
const READ_BYTES: u64 = 1 << 20;

/// Bytes of one write of the object that is read.
const WRITE_BYTES: u64 = 8 << 20;

const AFTER_HELP: &str = "\
Examples:
  plastron bench resident --bucket /srv/bucket --object large --json";

/// Options of `bench resident`.
#[derive(Debug, Args)]
#[command(after_help = AFTER_HELP)]
pub(crate) struct Resident {
    /// The directory that is the bucket
    #[arg(long, value_name = "DIR")]
    bucket: PathBuf,

    /// The object's name
    #[arg(long, value_name = "NAME")]
    object: String,

    /// Where the cache is on disk [default: in memory only]
    #[arg(long, value_name = "DIR")]
    cache: Option<PathBuf>,
}

impl Resident {
    /// Runs the command.
    pub(crate) async fn run(self, context: &Context) -> Result<()> {
        let mut options = StoreOptions::new(directory_bucket(&self.bucket)?);
        options.bucket.readonly = true;
        let mut cache = CacheOptions::new();
        cache.memory = MEMORY_BYTES;
        cache.directory = self.cache;
        options.cache = Some(cache);
        let store = context.open_with(options).await?;
        let file = store.file_system().open_file(&self.object).await?;
        let watch = Stopwatch::start();
        for start in (0..file.size()).step_by(READ_BYTES as usize) {
            std::hint::black_box(file.read(start..file.size().min(start + READ_BYTES)).await?);
        }
        let (seconds, peak) = (watch.elapsed().as_secs_f64(), peak_bytes().await?);
        let record = json!({ "bytes": file.size(), "seconds": seconds, "peak_resident_bytes": peak });
        let text = || format!("{} read, at most {} resident\n", quantity::bytes(file.size()), quantity::bytes(peak));
        context.output.result(&record, text).await
    }
}

/// The most memory that this process has had at once.
pub(super) async fn peak_bytes() -> Result<u64> {
    let unknown =
        || Failure::of_kind(plastron::ErrorKind::Unsupported, "the system does not tell the peak of resident memory");
    let status = tokio::fs::read_to_string("/proc/self/status").await.map_err(|_| unknown())?;
    let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:"));
    let kib = line.and_then(|line| line.trim().strip_suffix("kB")).and_then(|number| number.trim().parse::<u64>().ok());
    kib.map(|kib| kib * 1024).ok_or_else(unknown)
}

/// All rows: without and with a cache on disk.
pub(super) async fn rows(sizes: &Sizes, scratch: &Scratch, meter: &Meter) -> Result<Vec<Row>> {
    let title = format!("peak memory, read {} with memory=64MB", quantity::bytes(sizes.huge));
    meter.row(&format!("{title}: storing it"));
    let options = scratch.bucket("resident").await?;
    let bucket = PathBuf::from(&options.bucket);
    write(options, sizes.huge).await?;
    let mut rows = Vec::new();
    for (place, cache) in [("memory only", None), ("with disk", Some(scratch.path("resident-cache")))] {
        if !rows.is_empty() {
            meter.row(&format!("{title}, {place}"));
        }
        let peak = measure(&bucket, cache.as_deref()).await?;
        rows.push(Row::alone(title.clone(), place, Unit::Mib, peak as f64 / f64::from(1 << 20), Goal::Below(GOAL_MIB)));
        if let Some(cache) = cache {
            // It is large; what comes next may need the room.
            let _ = tokio::fs::remove_dir_all(&cache).await;
        }
    }
    let _ = tokio::fs::remove_dir_all(&bucket).await;
    Ok(rows)
}

/// Stores the object, not whole in memory.
async fn write(options: plastron::BucketOptions, size: u64) -> Result<()> {
    let mut options = StoreOptions::new(options);
    options.cache = None;
    let store = Store::open_with(options).await?;
    let mut writer = store.file_system().create("huge").await?;
    let piece: Bytes = content::bytes(WRITE_BYTES.min(size), 6);
    while writer.written() < size {
        let length = usize::try_from(size - writer.written()).unwrap_or(usize::MAX).min(piece.len());
        writer.write(piece.slice(..length)).await?;
    }
    writer.close().await?;
    Ok(())
}

/// Runs `bench resident` and returns the peak, bytes.
async fn measure(bucket: &Path, cache: Option<&Path>) -> Result<u64> {
    let failed = |error: &dyn std::fmt::Display| Failure::other(format!("cannot run this program again: {error}"));
    let mut command = Command::new(std::env::current_exe().map_err(|error| failed(&error))?);
    command.args(["bench", "resident", "--json", "--object", "huge", "--bucket"]).arg(bucket);
    if let Some(cache) = cache {
        command.arg("--cache").arg(cache);
    }
    command.env_remove("PLASTRON_STORE").stdin(Stdio::null()).stderr(Stdio::piped());
    let done = tokio::task::spawn_blocking(move || command.output()).await?.map_err(|error| failed(&error))?;
    if !done.status.success() {
        return Err(failed(&String::from_utf8_lossy(&done.stderr).trim()));
    }
    let answer: Value = serde_json::from_slice(&done.stdout).map_err(|error| failed(&error))?;
    answer
        .get("peak_resident_bytes")
        .and_then(serde_json::Value::as_u64)
        .ok_or_else(|| failed(&"it did not tell the peak"))
}
