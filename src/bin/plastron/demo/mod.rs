//! `plastron demo`: the main job on a real directory.
//!
//! [`input`] finds what to store. [`database`] plays an engine on it: leaders and a follower in processes of their own, one of which is
//! killed and one stalled. [`files`] is the smaller play, files in and out through the cache; [`files_report`] prints what it took.

mod database;
mod files;
mod files_report;
mod input;

use std::path::PathBuf;

use clap::{Args, ValueEnum};

use crate::context::Context;
use crate::failure::Result;
use database::Setting;
use database::role::Role;
use files::Files;
use input::Input;

const AFTER_HELP: &str = "\
A leader loads the directory as pages and deltas and completes checkpoints, with a key rotation between; a follower in another
process picks them up and compares every page with the files. The leader is stopped, a second one takes over and is killed in the
middle of its work, a third goes on; the first is let go again and finds itself fenced. Garbage is collected, and
everything is inspected. What happened and what it cost is printed.

Without --store the bucket is a local directory, made for the demo and removed after it. With --store everything stands under
a prefix of its own that begins with plastron-demo-, and is removed at the end unless --keep is given; if the demo is interrupted it
stays. A store string without key_management gets a keyring of the demo's own.

With --keys keyserver the demo starts a keyserver (a replica with a verifier, on a port of its own on this machine), and every process is a node
with a key of its own, to which the database's keys are wrapped. Another reader, the guest, is revoked after the first checkpoint: it still
reads what it could read before, and nothing that comes after. At the end every wrap is verified once more, offline.
With --registry the registry is another one than the store string says: bucket, or the settings of one, as they stand in the brackets of
registry=(…). It must keep nothing yet under that key or URL, and forgets the demo at the end. With --step every act waits for Enter.

With --files it only stores the files as objects, drops the cache, reads everything back cold and then warm, and compares.

It exits with 7 if a single byte differs, or anything is not as it should be. With --json the result is one object.

Examples:
  plastron demo
  plastron demo --input ~/pictures
  plastron demo --keys keyserver
  plastron demo --files
  plastron --store 's3://my-bucket/scratch?region=eu-central-1' --json demo --input data/
  plastron demo --registry bucket
  plastron demo --registry 'name=etcd,endpoints=[\"http://127.0.0.1:2379\"]'
  plastron demo --registry 'name=ickpt,urls=[\"http://a:33123\",\"http://b:33123\",\"http://c:33123\"],storage_url=\"https://swift/v1/AUTH_db/volume/checkpoint\",auth_token=…'

A token or password is better kept out of the arguments, which other users see: name the registry in PLASTRON_STORE then, and say
--registry ickpt, or nothing.";

/// Who keeps the demo's keys.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum DemoKeys {
    /// A keyring file of the demo's own
    File,
    /// A keyserver of the demo's own
    #[cfg(feature = "keyserver")]
    Keyserver,
}

/// Options of `demo`.
#[derive(Debug, Args)]
#[command(after_help = AFTER_HELP)]
pub(crate) struct Demo {
    /// The directory to store [default: this checkout, the nearest parent with .git or Cargo.toml, without its .git and target]
    #[arg(long, value_name = "DIR")]
    input: Option<PathBuf>,

    /// Only store files and read them back
    #[arg(long)]
    files: bool,

    /// Who keeps the keys, unless the store string says
    #[arg(long, value_enum, default_value_t = DemoKeys::File, conflicts_with = "files")]
    keys: DemoKeys,

    /// Who knows the latest checkpoint: bucket, ickpt or etcd, which takes the settings from the store string, or the settings themselves
    #[arg(long, value_name = "NAME|SETTINGS", conflicts_with = "files")]
    registry: Option<String>,

    /// Wait for Enter before each act
    #[arg(long, conflicts_with = "files")]
    step: bool,

    /// Leave everything in the bucket
    #[arg(long)]
    keep: bool,

    /// Files stored or read at once, with --files
    #[arg(long, value_name = "N", default_value_t = 16, value_parser = clap::value_parser!(u16).range(1..=256))]
    jobs: u16,

    /// What this process plays in a demo that another one directs
    #[arg(long, hide = true, value_enum)]
    role: Option<Role>,

    /// Whether the directory is a checkout, of which history and build products are left out
    #[arg(long, hide = true, requires = "role")]
    checkout: bool,
}

impl Demo {
    /// Runs the command.
    pub(crate) async fn run(self, context: &Context) -> Result<()> {
        let (given, checkout) = (self.input, self.checkout);
        let input = tokio::task::spawn_blocking(move || Input::find(given, checkout)).await??;
        if let Some(role) = self.role {
            return Box::pin(role.play(context, input)).await;
        }
        let keep = self.keep && context.has_store();
        if !self.files {
            let setting = Setting { registry: self.registry, keys: self.keys, step: self.step, keep };
            return Box::pin(database::direct(context, input, setting)).await;
        }
        let play = Files::prepare(context, input, self.jobs.into()).await?;
        let outcome = play.run(context).await;
        let cleared = if keep { Ok(()) } else { play.clear().await };
        let report = outcome?;
        context.output.result(&report.record(), || report.text()).await?;
        cleared?;
        report.verdict()
    }
}
