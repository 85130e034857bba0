//! `plastron ls`: list objects by name.

use clap::Args;
use futures::StreamExt;

use crate::context::{Access, Context};
use crate::failure::Result;
use crate::output::json_line;
use crate::quantity::{printable, timestamp};
use crate::records::FileRecord;

/// Text is written in pieces of about this many bytes: memory stays bounded, and 100,000 names are not as many writes.
const PIECE: usize = 32 << 10;

const AFTER_HELP: &str = "\
Names come in the order of their bytes, each with the time it was created and its size in bytes. With --json each object is one
line: name, size, etag, created (RFC 3339).

Examples:
  plastron ls
  plastron ls backup/2026-
  plastron --json ls backup/ | jq -r 'select(.size > 1e9) | .name'";

/// Options of `ls`.
#[derive(Debug, Args)]
#[command(after_help = AFTER_HELP)]
pub(crate) struct Ls {
    /// List only names that begin with this
    #[arg(default_value = "", hide_default_value = true)]
    prefix: String,
}

impl Ls {
    /// Runs the command.
    pub(crate) async fn run(self, context: &Context) -> Result<()> {
        let store = context.open(Access::Read).await?;
        let mut entries = store.file_system().list(&self.prefix);
        let mut text = String::new();
        while let Some(entry) = entries.next().await {
            let entry = match entry {
                Ok(entry) => entry,
                Err(error) => {
                    // What is known so far comes before the error.
                    context.output.bytes(text).await?;
                    return Err(error.into());
                }
            };
            if context.output.is_json() {
                text += &json_line(&FileRecord::listed(&entry))?;
            } else {
                let created = timestamp(entry.created);
                text += &format!("{created:<30} {:>15} {}\n", entry.size, printable(&entry.name));
            }
            if text.len() >= PIECE {
                context.output.bytes(std::mem::take(&mut text)).await?;
            }
        }
        context.output.bytes(text).await
    }
}
