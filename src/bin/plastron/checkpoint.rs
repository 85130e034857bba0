//! `plastron checkpoint`: the checkpoints of a database.

use clap::{Args, Subcommand};
use plastron::checkpoint::CheckpointInfo;
use plastron::page_log::Lsn;
use serde_json::{Value, json};

use crate::context::{Access, Context};
use crate::failure::{Failure, Result};
use crate::quantity::{self, printable, timestamp};
use crate::table::{Align, Table};

const LIST_HELP: &str = "\
With --json each checkpoint is one line: sequence, epoch, lsn, turtle_page_lsn, metadata_lsn, kek_lsn, timestamp,
oldest_timestamp, written (RFC 3339), engine_metadata_bytes, checkpoint_string (null without a turtle page).

Examples:
  plastron checkpoint list
  plastron --json checkpoint list | jq -r .lsn";

const SHOW_HELP: &str = "\
Opens the checkpoint, so it needs the keys of an encrypted database. With --json the result is the line of `checkpoint list`,
and turtle_page, segments, runs, versions.

Examples:
  plastron checkpoint show
  plastron checkpoint show 42";

const VERIFY_HELP: &str = "\
Reads every record that the checkpoint reaches, past the cache, and checks it. Exits with 7 if anything is wrong; each fault is a line
that names its object. `plastron fsck` looks at everything else, too.

Examples:
  plastron checkpoint verify
  plastron --json checkpoint verify 42";

const RESTORE_HELP: &str = "\
Publishes an older checkpoint as the latest. The leader that there is, is fenced; what came after the checkpoint stays in the history as
long as retention keeps it, so this can be undone by another restore.

Examples:
  plastron checkpoint restore 42";

const CLONE_HELP: &str = "\
Makes a database of its own under another prefix of the same bucket, without copying anything. What it shares is kept for it in the
origin until `checkpoint release` says that the clone is gone.

Examples:
  plastron checkpoint clone 42 branches/test/";

const RELEASE_HELP: &str = "\
Says that the clone under a prefix is gone: what it shares is not kept for it any more.

Examples:
  plastron checkpoint release branches/test/";

/// Options of `checkpoint`.
#[derive(Debug, Args)]
pub(crate) struct Checkpoint {
    #[command(subcommand)]
    action: Action,
}

#[derive(Debug, Subcommand)]
enum Action {
    /// List what is retained, oldest first
    #[command(after_help = LIST_HELP)]
    List,
    /// Show one checkpoint
    #[command(after_help = SHOW_HELP)]
    Show {
        /// The sequence of its turtle [default: the latest]
        sequence: Option<u64>,
    },
    /// Check everything that one checkpoint reaches
    #[command(after_help = VERIFY_HELP)]
    Verify {
        /// The sequence of its turtle [default: the latest]
        sequence: Option<u64>,
    },
    /// Go back to an older checkpoint
    #[command(after_help = RESTORE_HELP)]
    Restore {
        /// The sequence of its turtle
        sequence: u64,
    },
    /// Make a database of its own out of a checkpoint, without copying
    #[command(after_help = CLONE_HELP)]
    Clone {
        /// The sequence of its turtle
        sequence: u64,
        /// The prefix of the new database in the same bucket
        prefix: String,
    },
    /// Say that a clone is gone
    #[command(after_help = RELEASE_HELP)]
    Release {
        /// The prefix of the clone
        prefix: String,
    },
}

/// A checkpoint as JSON.
pub(crate) fn record(info: &CheckpointInfo) -> Value {
    json!({
        "sequence": info.sequence,
        "epoch": info.epoch,
        "lsn": info.lsn.get(),
        "turtle_page_lsn": info.turtle_page_lsn.get(),
        "metadata_lsn": info.metadata_lsn.get(),
        "kek_lsn": info.kek_lsn.get(),
        "timestamp": info.timestamp,
        "oldest_timestamp": info.oldest_timestamp,
        "written": timestamp(info.written),
        "engine_metadata_bytes": info.engine_metadata.len(),
        "checkpoint_string": info.string().map(|string| string.to_string()),
    })
}

/// A checkpoint in one line.
pub(crate) fn line(info: &CheckpointInfo) -> String {
    format!("checkpoint {} at LSN {}, epoch {}, of {}\n", info.sequence, info.lsn, info.epoch, timestamp(info.written))
}

impl Checkpoint {
    /// Runs the command.
    pub(crate) async fn run(self, context: &Context) -> Result<()> {
        match self.action {
            Action::List => list(context).await,
            Action::Show { sequence } => show(context, sequence).await,
            Action::Verify { sequence } => verify(context, sequence).await,
            Action::Restore { sequence } => {
                let history = context.open(Access::Write).await?.history().await?;
                let info = history.restore(sequence).await.map_err(plastron::Error::from)?;
                context.output.result(&record(&info), || format!("restored: {}", line(&info))).await
            }
            Action::Clone { sequence, prefix } => {
                let history = context.open(Access::Write).await?.history().await?;
                let info = history.clone_to(sequence, &prefix).await.map_err(plastron::Error::from)?;
                context
                    .output
                    .result(&record(&info), || format!("cloned to {}: {}", printable(&prefix), line(&info)))
                    .await
            }
            Action::Release { prefix } => {
                let history = context.open(Access::Write).await?.history().await?;
                let released = history.release_clone(&prefix).await.map_err(plastron::Error::from)?;
                if released == 0 {
                    let message = format!("no clone under {} shares anything here", printable(&prefix));
                    return Err(Failure::of_kind(plastron::ErrorKind::NotFound, message));
                }
                context.output.result(&json!({ "released": released }), || format!("{released} pins removed\n")).await
            }
        }
    }
}

async fn list(context: &Context) -> Result<()> {
    let history = context.open(Access::Read).await?.history().await?;
    let infos = history.list().await.map_err(plastron::Error::from)?;
    if context.output.is_json() {
        for info in &infos {
            context.output.result(&record(info), String::new).await?;
        }
        return Ok(());
    }
    let right = Align::Right;
    let mut table = Table::new(&[
        ("sequence", right),
        ("epoch", right),
        ("LSN", right),
        ("timestamp", right),
        ("KEK page", right),
        ("written", Align::Left),
    ]);
    for info in &infos {
        let numbers = [info.sequence, info.epoch, info.lsn.get(), info.timestamp, info.kek_lsn.get()];
        table.row(numbers.iter().map(u64::to_string).chain([timestamp(info.written)]));
    }
    context.output.bytes(table.render()).await
}

/// The sequence that was given, or that of the latest.
pub(crate) async fn chosen(history: &plastron::checkpoint::History, sequence: Option<u64>) -> Result<u64> {
    match sequence {
        Some(sequence) => Ok(sequence),
        None => Ok(history.at_or_below(Lsn::MAX).await.map_err(plastron::Error::from)?.sequence),
    }
}

async fn show(context: &Context, sequence: Option<u64>) -> Result<()> {
    let history = context.open(Access::Read).await?.history().await?;
    let sequence = chosen(&history, sequence).await?;
    let info = history.get(sequence).await.map_err(plastron::Error::from)?;
    let opened = history.inspect(sequence).await.map_err(plastron::Error::from)?;
    let page = opened.turtle_page().await.map_err(plastron::Error::from)?.map(|page| page.to_string());
    let stats = opened.log().stats();
    let mut shown = record(&info);
    if let Some(fields) = shown.as_object_mut() {
        fields.insert("turtle_page".to_owned(), page.clone().into());
        fields.insert("segments".to_owned(), stats.segments.into());
        fields.insert("runs".to_owned(), stats.runs.into());
        fields.insert("versions".to_owned(), stats.versions.into());
    }
    let text = || {
        let page = page.as_deref().map_or_else(|| "none".to_owned(), |page| printable(page).into_owned());
        let string = info.string().map_or_else(|| "none".to_owned(), |string| string.to_string());
        format!(
            "sequence           {}\nepoch              {}\nwritten            {}\nLSN                {}\nmetadata at        {}\nKEK page at        {}\n\
             timestamp          {}\noldest timestamp   {}\nengine metadata    {}\nindex runs         {}\nsegments unmerged  {}\npage versions      {}\n\
             turtle page        {page}\ncheckpoint string  {string}\n",
            info.sequence,
            info.epoch,
            timestamp(info.written),
            info.lsn,
            info.metadata_lsn,
            info.kek_lsn,
            info.timestamp,
            info.oldest_timestamp,
            quantity::bytes(info.engine_metadata.len() as u64),
            stats.runs,
            stats.segments,
            stats.versions,
        )
    };
    context.output.result(&shown, text).await
}

async fn verify(context: &Context, sequence: Option<u64>) -> Result<()> {
    let history = context.open(Access::Read).await?.history().await?;
    let sequence = chosen(&history, sequence).await?;
    let opened = history.inspect(sequence).await.map_err(plastron::Error::from)?;
    crate::log::print_verification(context, &opened.log().verify().await).await
}
