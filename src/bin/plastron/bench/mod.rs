//! `plastron bench`: measure this machine, this bucket, this configuration.

mod fs;

use clap::{Args, Subcommand};

use crate::context::Context;
use crate::failure::Result;
use fs::BenchFs;

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
    /// The file system: storing, reading cold, reading from the cache
    Fs(BenchFs),
}

impl Bench {
    /// Runs the command.
    pub(crate) async fn run(self, context: &Context) -> Result<()> {
        match self.what {
            What::Fs(fs) => fs.run(context).await,
        }
    }
}
