//! `plastron log`: the page log of a database, as its latest checkpoint has it.

use clap::{Args, Subcommand};
use plastron::ErrorKind;
use plastron::page_log::{LogVerification, Lsn};
use serde_json::json;

use crate::checkpoint::chosen;
use crate::context::{Access, Context};
use crate::failure::{Failure, Result};
use crate::quantity;

const STAT_HELP: &str = "\
With --json the result is one object: last_lsn, runs, segments (in no run yet), versions, index_entries (of each run).

Examples:
  plastron log stat
  plastron --json log stat --at 42";

const DUMP_HELP: &str = "\
Prints the records that a read of the page would use, newest first: kind, LSN, backlink, base, and where each is. With --json each is one
line: lsn, kind, backlink, base, object, offset, length.

Examples:
  plastron log dump 7 42
  plastron log dump 7 42 --lsn 1099511627801";

const VERIFY_HELP: &str = "\
Reads every record of the page log, past the cache, and checks it. Exits with 7 if anything is wrong.

Examples:
  plastron log verify";

/// Options of `log`.
#[derive(Debug, Args)]
pub(crate) struct Log {
    #[command(subcommand)]
    action: Action,
}

#[derive(Debug, Subcommand)]
enum Action {
    /// Show what it is made of
    #[command(after_help = STAT_HELP)]
    Stat {
        /// As this checkpoint has it: the sequence of its turtle [default: the latest]
        #[arg(long, value_name = "SEQUENCE")]
        at: Option<u64>,
    },
    /// Show where the records of one page are
    #[command(after_help = DUMP_HELP)]
    Dump {
        /// The table
        table: u64,
        /// The page
        page: u64,
        /// The LSN of its record [default: the latest]
        #[arg(long)]
        lsn: Option<u64>,
        /// As this checkpoint has it: the sequence of its turtle [default: the latest]
        #[arg(long, value_name = "SEQUENCE")]
        at: Option<u64>,
    },
    /// Check every record
    #[command(after_help = VERIFY_HELP)]
    Verify {
        /// As this checkpoint has it: the sequence of its turtle [default: the latest]
        #[arg(long, value_name = "SEQUENCE")]
        at: Option<u64>,
    },
}

impl Log {
    /// Runs the command.
    pub(crate) async fn run(self, context: &Context) -> Result<()> {
        let history = context.open(Access::Read).await?.history().await?;
        let (Action::Stat { at } | Action::Dump { at, .. } | Action::Verify { at }) = &self.action;
        let sequence = chosen(&history, *at).await?;
        let opened = history.inspect(sequence).await.map_err(plastron::Error::from)?;
        let log = opened.log();
        match self.action {
            Action::Stat { .. } => {
                let (stats, state) = (log.stats(), log.state());
                let entries: Vec<u64> = state.runs().iter().map(plastron::page_log::RunRef::entries).collect();
                let record = json!({
                    "checkpoint": sequence,
                    "last_lsn": stats.last_lsn.get(),
                    "runs": stats.runs,
                    "segments": stats.segments,
                    "versions": stats.versions,
                    "index_entries": entries,
                });
                let text = || {
                    format!(
                        "checkpoint         {sequence}\nlast LSN           {}\nindex runs         {} of {entries:?} page versions\nsegments unmerged  {}\npage versions      {}\n",
                        stats.last_lsn, stats.runs, stats.segments, stats.versions
                    )
                };
                context.output.result(&record, text).await
            }
            Action::Dump { table, page, lsn, .. } => {
                let lsn = lsn.map_or(Lsn::MAX, Lsn::new);
                let records = log.table(table).dump(page, lsn).await.map_err(plastron::Error::from)?;
                for record in records {
                    let kind = format!("{:?}", record.kind).to_lowercase();
                    let json = json!({
                        "lsn": record.lsn.get(),
                        "kind": kind,
                        "backlink": record.backlink.get(),
                        "base": record.base.get(),
                        "object": record.object,
                        "offset": record.offset,
                        "length": record.length,
                    });
                    context.output.result(&json, || format!("{record}\n")).await?;
                }
                Ok(())
            }
            Action::Verify { .. } => print_verification(context, &log.verify().await).await,
        }
    }
}

/// What verifying a log found, a line for each fault.
pub(crate) async fn print_verification(context: &Context, found: &LogVerification) -> Result<()> {
    let faults: Vec<String> = found.faults.iter().map(ToString::to_string).collect();
    let record = json!({
        "segments": found.segments,
        "runs": found.runs,
        "records": found.records,
        "bytes": found.bytes,
        "faults": faults,
    });
    let text = || {
        let mut text: String = faults.iter().map(|fault| format!("{fault}\n")).collect();
        text += &format!(
            "{} records in {} segments and {} index runs, {}: {} faults\n",
            found.records,
            found.segments,
            found.runs,
            quantity::bytes(found.bytes),
            faults.len()
        );
        text
    };
    context.output.result(&record, text).await?;
    match faults.len() {
        0 => Ok(()),
        count => Err(Failure::of_kind(ErrorKind::Corrupt, format!("{count} faults were found"))),
    }
}
