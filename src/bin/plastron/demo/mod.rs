//! `plastron demo`: store a real directory, drop the cache, read everything back cold and then warm, compare every byte.
//!
//! [`input`] finds what to store, [`play`] does it phase by phase, [`report`] prints what it took.

mod input;
mod play;
mod report;

use std::path::PathBuf;

use clap::Args;

use crate::context::Context;
use crate::failure::Result;
use input::Input;
use play::Play;

const AFTER_HELP: &str = "\
Without --store the bucket is a local directory, made for the demo and removed after it. With --store the objects get names that
begin with plastron-demo-, and are removed at the end unless --keep is given; if the demo is interrupted they stay. The
cache is always one of the demo's own, as large as the store string says.

It exits with 7 if a single byte differs. With --json the result is one object.

Examples:
  plastron demo
  plastron demo --input ~/pictures
  plastron --store 's3://my-bucket/scratch?region=eu-central-1' --json demo --input data/";

/// Options of `demo`.
#[derive(Debug, Args)]
#[command(after_help = AFTER_HELP)]
pub(crate) struct Demo {
    /// The directory to store [default: this checkout, the nearest parent with .git or Cargo.toml, without its .git and target]
    #[arg(long, value_name = "DIR")]
    input: Option<PathBuf>,

    /// Leave the objects in the bucket
    #[arg(long)]
    keep: bool,

    /// Files stored or read at once
    #[arg(long, value_name = "N", default_value_t = 16, value_parser = clap::value_parser!(u16).range(1..=256))]
    jobs: u16,
}

impl Demo {
    /// Runs the command.
    pub(crate) async fn run(self, context: &Context) -> Result<()> {
        let given = self.input;
        let input = tokio::task::spawn_blocking(move || Input::find(given)).await??;
        let play = Play::prepare(context, input, self.jobs.into()).await?;
        let outcome = play.run(context).await;
        let cleared = if self.keep && context.has_store() { Ok(()) } else { play.clear().await };
        let report = outcome?;
        context.output.result(&report.record(), || report.text()).await?;
        cleared?;
        report.verdict()
    }
}
