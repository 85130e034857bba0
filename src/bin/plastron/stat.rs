//! `plastron stat`: what is known about one object.

use clap::Args;
use plastron::{Checksums, ObjectInfo};
use serde_json::json;

use crate::context::{Access, Context};
use crate::failure::Result;
use crate::quantity::{self, printable, timestamp};

const AFTER_HELP: &str = "\
With --json the result is one line: name, size, etag, created (RFC 3339), checksums (null for an object that another program
wrote, else block_size in bytes and crc32c of the whole in hexadecimal, null if the object was streamed).

Examples:
  plastron stat db1/table-000001.wt
  plastron --json stat db1/table-000001.wt | jq -r .checksums.crc32c";

/// Options of `stat`.
#[derive(Debug, Args)]
#[command(after_help = AFTER_HELP)]
pub(crate) struct Stat {
    /// The object's name
    name: String,
}

impl Stat {
    /// Runs the command.
    pub(crate) async fn run(self, context: &Context) -> Result<()> {
        let store = context.open(Access::Read).await?;
        let info = store.file_system().stat(&self.name).await?;
        let checksums = match info.checksums {
            Checksums::Blocks { block, crc32c, .. } => {
                Some(json!({ "block_size": block, "crc32c": crc32c.map(|crc| format!("{crc:08x}")) }))
            }
            _ => None,
        };
        let record = json!({
            "name": info.name,
            "size": info.size,
            "etag": info.etag,
            "created": timestamp(info.created),
            "checksums": checksums,
        });
        context.output.result(&record, || text(&info)).await
    }
}

fn text(info: &ObjectInfo) -> String {
    let checksums = match info.checksums {
        Checksums::Blocks { block, crc32c, .. } => {
            let whole = crc32c.map_or_else(String::new, |crc| format!(", whole {crc:08x}"));
            format!("CRC32C of every {}{whole}", quantity::bytes(block.into()))
        }
        _ => "none: not written by Plastron, reads are not verified".to_owned(),
    };
    let exact = if info.size < 1024 { String::new() } else { format!(" ({} bytes)", info.size) };
    format!(
        "name       {}\nsize       {}{exact}\netag       {}\ncreated    {}\nchecksums  {checksums}\n",
        printable(&info.name),
        quantity::bytes(info.size),
        printable(&info.etag),
        timestamp(info.created),
    )
}
