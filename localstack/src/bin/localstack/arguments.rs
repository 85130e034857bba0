//! What can be asked on the command line.

use std::ffi::OsString;
use std::path::PathBuf;

use clap::{Args, Parser, Subcommand};
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
        command: Vec<OsString>,
    },
    /// Start servers and leave them running until `localstack down`
    ///
    /// Prints the environment that leads to them, as a shell reads it. Without names, all servers that hold buckets.
    #[command(after_help = "Example:\n  eval \"$(localstack up seaweedfs)\"")]
    Up {
        /// Servers by name, see `localstack list`
        #[arg(value_name = "SERVER")]
        servers: Vec<Server>,
        #[command(flatten)]
        set: SetName,
        /// Write the environment to this file, one NAME='value' a line, instead of printing it
        #[arg(long, value_name = "FILE", conflicts_with = "json")]
        env_file: Option<PathBuf>,
        /// Print where each server is as JSON
        #[arg(long)]
        json: bool,
    },
    /// Stop what `localstack up` started
    Down {
        #[command(flatten)]
        set: SetName,
    },
    /// What `localstack up` started, and whether it answers
    Status {
        #[command(flatten)]
        set: SetName,
        /// As JSON
        #[arg(long)]
        json: bool,
    },
    /// What servers there are, and which are installed
    List {
        /// As JSON, one server a line
        #[arg(long)]
        json: bool,
    },
    /// Stand before a server and break its traffic, until interrupted
    ///
    /// The rules are read again on SIGHUP; what was done is printed at the end.
    #[command(
        after_help = "A file of rules:\n  { \"seed\": 7, \"rules\": [\n    { \"fault\": { \"latency\": { \"fixed_ms\": 30 } } },\n    { \"fault\": { \"status\": { \"code\": 503, \"retry_after_s\": 1 } }, \"when\": { \"method\": \"PUT\" }, \"probability\": 0.05 } ] }"
    )]
    Proxy {
        /// The server's http:// URL
        #[arg(long, value_name = "URL")]
        upstream: String,
        /// A JSON file of rules; none lets everything pass
        #[arg(long, value_name = "FILE")]
        rules: Option<PathBuf>,
        /// The loopback port to listen on; by default one that is free
        #[arg(long, default_value_t = 0)]
        port: u16,
    },
    /// What `up` leaves running
    #[command(hide = true)]
    Keep {
        /// Servers by name
        servers: Vec<Server>,
        #[command(flatten)]
        set: SetName,
    },
}

/// Several sets may be up at once.
#[derive(Debug, Args)]
pub(crate) struct SetName {
    /// Name of the set of servers, where there are several
    #[arg(long = "name", value_name = "NAME", default_value = "default")]
    pub(crate) name: String,
}
