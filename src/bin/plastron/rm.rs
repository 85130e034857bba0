//! `plastron rm`: remove an object.

use clap::Args;
use serde_json::json;

use crate::context::{Access, Context};
use crate::failure::Result;
use crate::quantity::printable;

const AFTER_HELP: &str = "\
A name that does not exist is an error (exit code 3). With --json the result is one line: name, status (removed).

Examples:
  plastron rm db1/table-000001.wt
  plastron ls backup/2025- --json | jq -r .name | xargs -d '\\n' -n 1 plastron rm";

/// Options of `rm`.
#[derive(Debug, Args)]
#[command(after_help = AFTER_HELP)]
pub(crate) struct Rm {
    /// The object's name
    name: String,
}

impl Rm {
    /// Runs the command.
    pub(crate) async fn run(self, context: &Context) -> Result<()> {
        let store = context.open(Access::Write).await?;
        store.file_system().remove(&self.name).await?;
        let record = json!({ "name": self.name, "status": "removed" });
        context.output.result(&record, || format!("removed {}\n", printable(&self.name))).await
    }
}
