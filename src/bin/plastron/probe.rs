//! `plastron probe`: check all that Plastron needs from a bucket, and print what holds.

use std::time::Duration;

use clap::Args;
use plastron::{Bucket, BucketOptions, ErrorKind, ProbeOutcome, ProbeReport};
use serde_json::{Value, json};

use crate::context::Context;
use crate::failure::{Failure, Result};
use crate::quantity::printable;
use crate::table::{Align, Table};

const AFTER_HELP: &str = "\
It tries credentials, existence, conditional create for small and large objects, user metadata, ranges, listing and removal,
with small objects under _plastron/probe/ that it removes again; with readonly=true in the store string only what takes
no writing. It exits with 0 if all that was tried holds, else with the code of the first failure: 2 for a bucket that does
not exist, 5 for credentials, 6 for a store that cannot be reached, 9 for one that lacks something.

With --json the result is one object: store, provider, holds, checks (each with check, outcome, why).

Examples:
  plastron probe
  plastron --store 's3://my-bucket?region=eu-central-1' probe
  plastron probe --json | jq -r '.checks[] | select(.outcome != \"ok\") | .check'";

/// Long enough to be refused once more, which tells why.
const ASK_AGAIN: Duration = Duration::from_secs(10);

/// Options of `probe`.
#[derive(Debug, Args)]
#[command(after_help = AFTER_HELP)]
pub(crate) struct Probe {}

impl Probe {
    /// Runs the command.
    pub(crate) async fn run(self, context: &Context) -> Result<()> {
        let options = context.options()?.bucket;
        let report = ProbeReport::of(options.clone()).await;
        let failed = report.rows.iter().find(|row| row.outcome == ProbeOutcome::Failed);
        let holds = failed.is_none() && (options.readonly || report.holds());
        let checks: Vec<Value> = report
            .rows
            .iter()
            .map(|row| json!({ "check": row.check.as_str(), "outcome": row.outcome.as_str(), "why": row.why }))
            .collect();
        let record = json!({
            "store": report.address,
            "provider": report.provider.as_str(),
            "holds": holds,
            "checks": checks,
        });
        context.output.result(&record, || text(&report)).await?;
        match failed {
            Some(row) => {
                let message = format!("probe {}: {}: {}", report.address, row.check, row.why);
                Err(Failure::of_kind(why(options).await, message))
            }
            None if holds => Ok(()),
            None => {
                Err(Failure::of_kind(ErrorKind::Unsupported, format!("probe {}: not all was tried", report.address)))
            }
        }
    }
}

/// What kind of failure it is, which the report tells in words only: that of opening the bucket, if it can't be opened.
async fn why(mut options: BucketOptions) -> ErrorKind {
    options.readonly = true;
    options.retry.attempts = 1;
    options.retry.deadline = options.retry.deadline.min(ASK_AGAIN);
    match Bucket::open(options).await {
        Ok(_) => ErrorKind::Unsupported,
        Err(error) => error.kind(),
    }
}

fn text(report: &ProbeReport) -> String {
    let mut table = Table::new(&[("check", Align::Left), ("outcome", Align::Left), ("why", Align::Left)]);
    for row in &report.rows {
        table.row([row.check.to_string(), row.outcome.to_string(), printable(&row.why).into_owned()]);
    }
    format!("{}\n{}", printable(&report.address), table.render())
}
