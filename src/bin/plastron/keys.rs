//! `plastron keys`: the keys of a database.

use clap::{Args, Subcommand};
use plastron::checkpoint::History;
use plastron::{Config, KeyManagement};
use serde_json::json;

use crate::context::{Access, Context};
use crate::failure::Result;
use crate::quantity::timestamp;

const SHOW_HELP: &str = "\
Nothing of it is secret. In force is the key of the latest checkpoint, for which the bucket is asked; none is before the first one. With
--json each key is one line: id, generation, created (RFC 3339), in_force.

Examples:
  plastron keys show";

const ROTATE_HELP: &str = "\
Makes a new key-encryption key, which the next checkpoint puts in force. What was written before stays readable.

Examples:
  plastron keys rotate";

const REWRAP_HELP: &str = "\
Wraps all key-encryption keys anew by another master key, in the words of the module's own config=(...). They stay the same, and so does all
data. The store string has to name the new master key from then on.

Examples:
  plastron keys rewrap 'key_file=/etc/plastron/new-master-key'";

/// Options of `keys`.
#[derive(Debug, Args)]
pub(crate) struct Keys {
    #[command(subcommand)]
    action: Action,
}

#[derive(Debug, Subcommand)]
enum Action {
    /// Show which keys there are
    #[command(after_help = SHOW_HELP)]
    Show,
    /// Make a new key
    #[command(after_help = ROTATE_HELP)]
    Rotate,
    /// Wrap all keys by another master key
    #[command(after_help = REWRAP_HELP)]
    Rewrap {
        /// The new master key, as the module's config=(...) names it
        config: String,
    },
    /// Check who every retained key was wrapped to, offline
    #[cfg(feature = "keyserver")]
    #[command(after_help = crate::audit::HELP)]
    Audit(crate::audit::Audit),
}

impl Keys {
    /// Runs the command.
    pub(crate) async fn run(self, context: &Context) -> Result<()> {
        #[cfg(feature = "keyserver")]
        if let Action::Audit(audit) = self.action {
            return audit.run(context).await;
        }
        match self.action {
            #[cfg(feature = "keyserver")]
            Action::Audit(_) => Ok(()),
            Action::Show => {
                let volume = context.open(Access::Read).await?.volume().await?;
                let keys = volume.keys.clone();
                History::new(volume).load_keys().await.map_err(plastron::Error::from)?;
                for key in keys.show().await.map_err(plastron::Error::from)? {
                    let record = json!({
                        "id": key.id,
                        "generation": key.generation,
                        "created": timestamp(key.created),
                        "in_force": key.in_force,
                    });
                    let force = if key.in_force { ", in force" } else { "" };
                    let text =
                        || format!("{} generation {} of {}{force}\n", key.id, key.generation, timestamp(key.created));
                    context.output.result(&record, text).await?;
                }
                Ok(())
            }
            Action::Rotate => {
                beside(context).await?.rotate().await.map_err(plastron::Error::from)?;
                let text = || "a new key was made; the next checkpoint puts it in force\n".to_owned();
                context.output.result(&json!({ "rotated": true }), text).await
            }
            Action::Rewrap { config } => {
                let config = Config::parse(&config).map_err(plastron::Error::from)?;
                beside(context).await?.rewrap(&config).await.map_err(plastron::Error::from)?;
                let text = || "all keys were wrapped anew; name the new master key in the store string\n".to_owned();
                context.output.result(&json!({ "rewrapped": true }), text).await
            }
        }
    }
}

/// The keys alone: they are beside the bucket, which is not asked.
async fn beside(context: &Context) -> Result<KeyManagement> {
    Ok(context.options()?.key_management.open().await?)
}
