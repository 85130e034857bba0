//! The command line: what is global, and which commands there are. Each command's own options stand beside its code.

use std::ffi::OsString;

use clap::{ArgAction, Parser, Subcommand};

use crate::bench::Bench;
use crate::cat::Cat;
use crate::checkpoint::Checkpoint;
use crate::completions::Completions;
use crate::demo::Demo;
use crate::follow::Follow;
use crate::fsck::Fsck;
use crate::gc::Gc;
use crate::get::Get;
use crate::keys::Keys;
use crate::log::Log;
use crate::ls::Ls;
use crate::probe::Probe;
use crate::put::Put;
use crate::rm::Rm;
use crate::stat::Stat;

const ABOUT: &str = "\
Plastron keeps files, pages and checkpoints in a bucket - Amazon S3, Azure Blob Storage, Google Cloud Storage or a plain \
directory - behind a local cache. Objects are written once, read many times, and never overwritten; every byte read is checked.";

const AFTER_HELP: &str = "\
Examples:
  plastron demo
  export PLASTRON_STORE='s3://my-bucket/db1?region=eu-central-1'
  plastron probe
  plastron put data/ --prefix backup/
  plastron ls backup/
  plastron get --prefix backup/ restored/
  plastron --store file:///srv/bucket --json --stats cat backup/table.wt --range 0-4095

The store is a URL (file:///dir, s3://bucket/prefix?region=..., az://container/prefix, gs://bucket/prefix) or a configuration
string such as
  source=s3_store,bucket=\"pages;ap-southeast-2\",bucket_prefix=db1/,cache=(directory=/var/cache/plastron,size=10GB)
Give it in PLASTRON_STORE when it holds a secret: other users of a machine can read command lines.

Exit codes:
  0  done                                      5  unauthorized
  1  anything else                             6  unavailable: the same command may succeed later
  2  wrong usage, name, range or bucket        7  corrupt, or (demo) different
  3  not found                                 8  conflict, or fenced by another writer
  4  exists already                            9  unsupported
  130 interrupted (Ctrl-C), 141 the reader of standard output went away";

/// Everything on the command line.
#[derive(Debug, Parser)]
#[command(name = "plastron", version, about = ABOUT, after_help = AFTER_HELP, max_term_width = 120, arg_required_else_help = true)]
pub(crate) struct Arguments {
    /// The store: a URL or a configuration string.
    #[arg(long, global = true, env = "PLASTRON_STORE", hide_env_values = true, value_name = "STRING|URL")]
    pub(crate) store: Option<String>,

    /// Print results as JSON, one object a line; errors too, on standard error.
    #[arg(long, global = true)]
    pub(crate) json: bool,

    /// Afterwards print what it took on standard error: requests, bytes, retries, hit ratio, estimated cost.
    #[arg(long, global = true)]
    pub(crate) stats: bool,

    /// Say on standard error what happens; twice: every request; three times: everything.
    #[arg(long, short, global = true, action = ArgAction::Count)]
    pub(crate) verbose: u8,

    /// What to do.
    #[command(subcommand)]
    pub(crate) command: Command,
}

/// The commands.
#[derive(Debug, Subcommand)]
pub(crate) enum Command {
    /// Store files, or whole directories
    Put(Put),
    /// Fetch one object, or all under a prefix
    Get(Get),
    /// Write an object, or a range of it, to standard output
    Cat(Cat),
    /// List objects by name
    Ls(Ls),
    /// Show what is known about one object
    Stat(Stat),
    /// Remove an object
    Rm(Rm),
    /// Check all that Plastron needs from a bucket, and print what holds
    Probe(Probe),
    /// The main job on a real directory: leaders, a follower, a kill, a stall, garbage; every byte compared
    Demo(Demo),
    /// List, show, check, restore and clone checkpoints
    Checkpoint(Checkpoint),
    /// Look into the page log
    Log(Log),
    /// Show, rotate and rewrap keys
    Keys(Keys),
    /// Remove what no retained or pinned checkpoint reaches
    Gc(Gc),
    /// Check everything that checkpoints reach, and explain every fault
    Fsck(Fsck),
    /// Pick up checkpoints as they are completed
    Follow(Follow),
    /// Measure
    Bench(Bench),
    /// Print a completion script for a shell
    Completions(Completions),
}

/// Whether `--json` is among raw arguments: asked when they could not be parsed, so that even that failure is JSON.
pub(crate) fn asks_for_json(arguments: &[OsString]) -> bool {
    arguments.iter().skip(1).take_while(|argument| *argument != "--").any(|argument| argument == "--json")
}

/// `message`, an error of the argument parser, without any argument that may be a store string: the parser quotes what it
/// does not understand, and a store string in the wrong place may hold a secret.
pub(crate) fn without_store_strings(message: &str, arguments: &[OsString]) -> String {
    let mut message = message.to_owned();
    for argument in arguments.iter().skip(1).filter_map(|argument| argument.to_str()) {
        let value = match argument.split_once('=') {
            Some((option, value)) if option.starts_with('-') => value,
            _ => argument,
        };
        if value.contains('=') || value.contains("://") || value.contains(';') {
            message = message.replace(value, "[store string]");
        }
    }
    message
}

#[cfg(test)]
mod tests {
    use clap::CommandFactory;

    use super::*;

    fn raw(arguments: &[&str]) -> Vec<OsString> {
        arguments.iter().map(OsString::from).collect()
    }

    #[test]
    fn the_definition_is_consistent() {
        Arguments::command().debug_assert();
    }

    #[test]
    fn every_command_shows_examples() {
        fn check(command: &mut clap::Command, path: String) {
            if command.has_subcommands() {
                for sub in command.get_subcommands_mut() {
                    let path = format!("{path} {}", sub.get_name());
                    check(sub, path);
                }
            } else {
                let help = command.render_long_help().to_string();
                assert!(help.contains("Examples:\n"), "{path} has no examples:\n{help}");
            }
        }
        check(&mut Arguments::command(), "plastron".into());
    }

    #[test]
    fn json_is_seen_before_the_separator_only() {
        assert!(asks_for_json(&raw(&["plastron", "ls", "--json", "--bad"])));
        assert!(!asks_for_json(&raw(&["plastron", "cat", "--", "--json"])));
    }

    #[test]
    fn misplaced_store_strings_are_not_quoted() {
        let arguments = raw(&["plastron", "source=s3,auth_token=\"AK;hunter2\"", "ls"]);
        let error = Arguments::try_parse_from(&arguments).unwrap_err().to_string();
        assert!(error.contains("hunter2"), "clap quotes it: {error}");
        let message = without_store_strings(&error, &arguments);
        assert!(!message.contains("hunter2") && message.contains("[store string]"), "{message}");
        let arguments = raw(&["plastron", "--stroe=auth_token=hunter2", "ls"]);
        let error = Arguments::try_parse_from(&arguments).unwrap_err().to_string();
        assert!(!without_store_strings(&error, &arguments).contains("hunter2"));
    }
}
