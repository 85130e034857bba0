//! `plastron gc`: removes what no retained or pinned checkpoint reaches.

use clap::Args;
use plastron::checkpoint::Collector;
use serde_json::json;

use crate::context::{Access, Context};
use crate::failure::Result;
use crate::quantity::printable;

const AFTER_HELP: &str = "\
Any process may collect while a leader writes and followers read. What retention keeps, the latest checkpoint says; nothing younger than
retention=(window=...) is removed, nor what the leader of now may still need. The leader itself knows more about its own
garbage: retention=(interval=...) has it collect by itself.

With --json the result is one object with the counts and bytes of what was removed and of what is reached, and the names.

Examples:
  plastron gc --dry-run
  plastron --json gc | jq .removed_bytes";

/// Options of `gc`.
#[derive(Debug, Args)]
#[command(after_help = AFTER_HELP)]
pub(crate) struct Gc {
    /// Remove nothing; say what would be removed
    #[arg(long)]
    dry_run: bool,
}

impl Gc {
    /// Runs the command.
    pub(crate) async fn run(self, context: &Context) -> Result<()> {
        let access = if self.dry_run { Access::Read } else { Access::Write };
        let volume = context.open(access).await?.volume().await?;
        let report = Collector::new(volume).dry_run(self.dry_run).run().await.map_err(plastron::Error::from)?;
        let record = json!({
            "dry_run": report.dry_run,
            "removed_objects": report.removed_objects,
            "removed_bytes": report.removed_bytes,
            "removed_turtles": report.removed_turtles,
            "removed_segments": report.removed_segments,
            "removed_runs": report.removed_runs,
            "removed_keks": report.removed_keks,
            "removed_pins": report.removed_pins,
            "reached_objects": report.reached_objects,
            "reached_bytes": report.reached_bytes,
            "spared_objects": report.spared_objects,
            "spared_bytes": report.spared_bytes,
            "retained_checkpoints": report.retained_checkpoints,
            "pins": report.pins,
            "names": report.names,
        });
        let text = || {
            let mut text = String::new();
            if report.dry_run {
                text.extend(report.names.iter().map(|name| format!("{}\n", printable(name))));
            }
            text + &format!("{report}\n")
        };
        context.output.result(&record, text).await
    }
}
