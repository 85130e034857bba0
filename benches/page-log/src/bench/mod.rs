//! The comparisons.

#[path = "../../../../src/bin/plastron/bench/content.rs"]
mod content;
mod far;
mod lmdb;
mod local;
mod meter;
#[path = "../../../../src/bin/plastron/bench/pairs.rs"]
mod pairs;
#[path = "../../../../src/bin/plastron/bench/row.rs"]
#[allow(dead_code, reason = "the command has more kinds of rows")]
mod row;
mod slate;
mod sqlite;
mod warm;
#[path = "../../../../src/bin/plastron/bench/page_log/workload.rs"]
mod workload;

use std::path::PathBuf;
use std::time::Duration;

use serde_json::json;

use crate::failure::Result;
use meter::Meter;
use row::Row;

/// What was asked for.
#[derive(Debug, Default)]
pub(crate) struct Plan {
    /// Small sizes.
    pub(crate) quick: bool,
    /// For programs.
    pub(crate) json: bool,
    /// Only these parts.
    pub(crate) only: Vec<String>,
    /// Where files are made.
    pub(crate) scratch: Option<PathBuf>,
}

/// How much of everything.
#[derive(Debug, Clone, Copy)]
struct Amount {
    /// Pages of 16 KiB that are written in one arm, locally.
    local: usize,
    /// The same behind a latency.
    far: usize,
    /// Pages to a synced commit.
    commit: usize,
    /// Pages of 4 KiB that are read.
    read: usize,
    /// Gets from memory in one arm, over all threads.
    warm: usize,
    /// Gets from the bucket in one arm.
    cold: usize,
    /// Pairs.
    pairs: usize,
}

const FULL: Amount =
    Amount { local: 8_000, far: 32_000, commit: 1_000, read: 8 << 10, warm: 1 << 18, cold: 200, pairs: 5 };
const QUICK: Amount = Amount { local: 64, far: 64, commit: 16, read: 256, warm: 1 << 10, cold: 8, pairs: 1 };

impl Amount {
    fn plan(self) -> pairs::Plan {
        pairs::Plan { least: self.pairs, most: self.pairs, budget: Duration::ZERO, warm_up: true }
    }
}

/// Runs the comparisons; what to print.
pub(crate) async fn run(plan: Plan) -> Result<String> {
    let amount = if plan.quick { QUICK } else { FULL };
    let parent = plan.scratch.clone().unwrap_or_else(std::env::temp_dir);
    let scratch = tempfile::Builder::new().prefix("plastron-bench-").tempdir_in(parent)?;
    let wants = |part: &str| plan.only.is_empty() || plan.only.iter().any(|wanted| wanted == part);
    let meter = Meter;
    let mut rows = Vec::new();
    if wants("local") {
        rows.extend(Box::pin(local::rows(scratch.path(), amount, &meter)).await?);
    }
    if wants("warm") {
        rows.extend(Box::pin(warm::rows(scratch.path(), amount, &meter)).await?);
    }
    if wants("far") {
        rows.extend(Box::pin(far::ingest_rows(amount, &meter)).await?);
    }
    if wants("cold") {
        rows.extend(Box::pin(far::cold_rows(amount, &meter)).await?);
    }
    if plan.json {
        let rows: Vec<_> = rows.iter().map(Row::record).collect();
        return Ok(format!("{}\n", json!({ "quick": plan.quick, "rows": rows })));
    }
    Ok(row::table(&rows))
}
