//! `plastron fsck`: reads everything that checkpoints reach, and explains every fault.

use clap::Args;
use plastron::ErrorKind;
use plastron::checkpoint::Inspector;
use serde_json::json;

use crate::context::{Access, Context};
use crate::failure::{Failure, Result};

const AFTER_HELP: &str = "\
Reads every record of the latest checkpoint past the cache: checksums, authentication tags, indexes, chains; its KEK page and turtle page; and
looks whether all that older and pinned checkpoints reach is there. Changes nothing. Exits with 7 if anything is wrong; each fault is
a line that names its object, its place and the check that failed.

With --json the result is one object: checkpoints, verified, pins, segments, runs, records, bytes, unreached_objects, unreached_bytes, faults.

Examples:
  plastron fsck
  plastron --json fsck --all";

/// Options of `fsck`.
#[derive(Debug, Args)]
#[command(after_help = AFTER_HELP)]
pub(crate) struct Fsck {
    /// Read every record of every checkpoint
    #[arg(long)]
    all: bool,
}

impl Fsck {
    /// Runs the command.
    pub(crate) async fn run(self, context: &Context) -> Result<()> {
        let volume = context.open(Access::Read).await?.volume().await?;
        let found = Inspector::new(volume).all(self.all).run().await.map_err(plastron::Error::from)?;
        let faults: Vec<String> = found.faults.iter().map(ToString::to_string).collect();
        let record = json!({
            "checkpoints": found.checkpoints,
            "verified": found.verified,
            "pins": found.pins,
            "segments": found.segments,
            "runs": found.runs,
            "records": found.records,
            "bytes": found.bytes,
            "unreached_objects": found.unreached_objects,
            "unreached_bytes": found.unreached_bytes,
            "faults": faults,
        });
        let text = || {
            let mut text: String = faults.iter().map(|fault| format!("{fault}\n")).collect();
            text += &format!("{found}\n");
            text
        };
        context.output.result(&record, text).await?;
        match faults.len() {
            0 => Ok(()),
            count => Err(Failure::of_kind(ErrorKind::Corrupt, format!("{count} faults were found"))),
        }
    }
}
