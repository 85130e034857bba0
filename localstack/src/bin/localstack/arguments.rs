//! What can be asked on the command line.

use clap::{Parser, Subcommand};
use plastron_localstack::Server;

/// Installs, starts and stops the servers Plastron is tested against, all on 127.0.0.1.
#[derive(Debug, Parser)]
#[command(name = "localstack", version, arg_required_else_help = true)]
pub(crate) struct Arguments {
    #[command(subcommand)]
    pub(crate) task: Task,
}

#[derive(Debug, Subcommand)]
pub(crate) enum Task {
    /// Install servers into $PLASTRON_CACHE/localstack ($HOME/.cache/plastron/localstack); at once when they are there
    ///
    /// Without names, all servers. A server that cannot be on this machine is named, and is no failure unless it was asked for.
    Setup {
        /// Servers by name, see `localstack list`
        #[arg(value_name = "SERVER")]
        servers: Vec<Server>,
    },
    /// Start servers, run a command that finds them in its environment, stop them, and exit as the command did
    ///
    /// Without names, all servers that hold buckets; those that cannot be on this machine are named and left out. What is
    /// not installed yet is installed first.
    #[command(after_help = "Example:\n  localstack run seaweedfs moto -- cargo test --test conformance")]
    Run {
        /// Servers by name, see `localstack list`
        #[arg(value_name = "SERVER")]
        servers: Vec<Server>,
        /// The command and its arguments, after `--`
        #[arg(last = true, required = true, value_name = "COMMAND")]
        command: Vec<std::ffi::OsString>,
    },
    /// What servers there are, and which are installed
    List {
        /// As JSON
        #[arg(long)]
        json: bool,
    },
}
