//! The command line.

use std::path::PathBuf;

use clap::{Args, Parser, Subcommand};

/// The strictly consistent checkpoint service, and its quorum client.
#[derive(Debug, Parser)]
#[command(
    name = "plastron-ickpt",
    version,
    after_help = "Examples:
  plastron-ickpt serve --conf ickpt.conf
  plastron-ickpt serve --conf ickpt.conf ICKPT.IPAddr=127.0.0.1 ICKPT.Port=33123
  export ICKPT_TOKEN=AUTH_tk… ICKPT_STORAGE_URL=https://swift.example.org/v1/AUTH_db/volume/checkpoint
  export ICKPT_URLS=http://a:33123,http://b:33123,http://c:33123
  plastron-ickpt put checkpoint.txt
  plastron-ickpt get
  plastron-ickpt status"
)]
pub(crate) struct Arguments {
    /// More about what happens, on standard error.
    #[arg(short, long, global = true, action = clap::ArgAction::Count)]
    pub(crate) verbose: u8,
    #[command(subcommand)]
    pub(crate) command: Command,
}

#[derive(Debug, Subcommand)]
pub(crate) enum Command {
    /// Runs one instance until SIGTERM, SIGINT, or POST /stop on the metrics port.
    Serve(Serve),
    /// Writes the checkpoint to standard output, or to a file.
    Get(Get),
    /// Sets the checkpoint, whatever it was before.
    Put(Put),
    /// Deletes the checkpoint.
    Delete(Delete),
    /// Says what each instance has.
    Status(Status),
    /// Makes instances members that lost their disk; all of them must run.
    Reseed(Reseed),
    /// Commits per second of one instance, and of one etcd on the same disk in the same run.
    Bench(Bench),
}

/// One instance.
#[derive(Debug, Args)]
#[command(after_help = "Examples:
  plastron-ickpt serve --conf ickpt.conf
  plastron-ickpt serve --conf ickpt.conf ICKPT.Port=0 ICKPT.DataBasePath=/var/lib/ickpt

When it serves, it prints one line to standard output: 'serves ADDRESS instance IDENTITY', and 'metrics ADDRESS' if MetricsPort is set.")]
pub(crate) struct Serve {
    /// The configuration; its section is [ICKPT].
    #[arg(long, value_name = "FILE")]
    pub(crate) conf: PathBuf,
    /// Settings that win over the file's.
    #[arg(value_name = "Section.Key=value")]
    pub(crate) overrides: Vec<String>,
}

/// Which instances, which checkpoint, and who asks.
#[derive(Debug, Args)]
pub(crate) struct Group {
    /// The instances: 1, 3, 5, 7 or 9; always all of a group.
    #[arg(long = "url", value_name = "URL", env = "ICKPT_URLS", value_delimiter = ',', required = true)]
    pub(crate) urls: Vec<String>,
    /// The object in the store that stands for the checkpoint.
    #[arg(long, value_name = "URL", env = "ICKPT_STORAGE_URL")]
    pub(crate) storage_url: String,
    /// A file with the store's token in its first line; else the variable ICKPT_TOKEN. (Never on the command line, which others can read.)
    #[arg(long, value_name = "FILE")]
    pub(crate) token_file: Option<PathBuf>,
    /// Certificate authority of the instances, PEM, besides those of the machine.
    #[arg(long, value_name = "FILE", env = "ICKPT_CA")]
    pub(crate) ca: Option<PathBuf>,
    /// Certificate to show to the instances, PEM.
    #[arg(long, value_name = "FILE", env = "ICKPT_CERT", requires = "key")]
    pub(crate) cert: Option<PathBuf>,
    /// Its private key, PEM.
    #[arg(long, value_name = "FILE", env = "ICKPT_KEY", requires = "cert")]
    pub(crate) key: Option<PathBuf>,
    /// Deadline of each call to an instance, as 10s or 500ms.
    #[arg(long, value_name = "DURATION", default_value = "10s", value_parser = plastron_ickpt::go_duration)]
    pub(crate) timeout: std::time::Duration,
}

#[derive(Debug, Args)]
#[command(after_help = "Example:\n  plastron-ickpt get --out checkpoint.txt\n\nThe exit code is 3 if there is none.")]
pub(crate) struct Get {
    #[command(flatten)]
    pub(crate) group: Group,
    /// Where to; the file is replaced.
    #[arg(long, value_name = "FILE")]
    pub(crate) out: Option<PathBuf>,
}

#[derive(Debug, Args)]
#[command(after_help = "Examples:\n  plastron-ickpt put checkpoint.txt\n  printf v1 | plastron-ickpt put -")]
pub(crate) struct Put {
    #[command(flatten)]
    pub(crate) group: Group,
    /// Its content, up to 64 KiB; `-` is standard input.
    #[arg(value_name = "FILE")]
    pub(crate) file: PathBuf,
}

#[derive(Debug, Args)]
#[command(after_help = "Example:\n  plastron-ickpt delete")]
pub(crate) struct Delete {
    #[command(flatten)]
    pub(crate) group: Group,
}

#[derive(Debug, Args)]
#[command(
    after_help = "Example:\n  plastron-ickpt status\n\nA line for each instance: its URL, its identity, the version it has, the epoch it promised. The exit code is 5 if they have no majority."
)]
pub(crate) struct Status {
    #[command(flatten)]
    pub(crate) group: Group,
}

#[derive(Debug, Args)]
#[command(
    after_help = "Example, after the instance at b lost its disk and was started with a new one:\n  plastron-ickpt reseed"
)]
pub(crate) struct Reseed {
    #[command(flatten)]
    pub(crate) group: Group,
}

#[derive(Debug, Args)]
#[command(after_help = "Example:
  plastron-ickpt bench --dir /var/tmp

A commit is PUT and POST, each of which asks a store twice; the store is a stand-in in this process. etcd's is one put, over gRPC. All three share this machine.")]
pub(crate) struct Bench {
    /// Folder on the disk that is measured.
    #[arg(long, value_name = "DIR", default_value = ".")]
    pub(crate) dir: PathBuf,
    /// Clients at a time, each with a checkpoint of its own.
    #[arg(long, value_name = "N,…", default_value = "1,16,64,256", value_delimiter = ',')]
    pub(crate) clients: Vec<usize>,
    /// Whether each client has a connection of its own, as processes have, or all share some by HTTP/2; or one after the other.
    #[arg(long, value_name = "HOW", value_enum, default_value = "own,shared", value_delimiter = ',')]
    pub(crate) connections: Vec<Connections>,
    /// Seconds of each measurement.
    #[arg(long, value_name = "N", default_value_t = 5)]
    pub(crate) seconds: u64,
    /// Measurements of each, in turns; medians are compared.
    #[arg(long, value_name = "N", default_value_t = 3)]
    pub(crate) rounds: usize,
    /// The program etcd.
    #[arg(long, value_name = "FILE", default_value = "etcd")]
    pub(crate) etcd: PathBuf,
}

/// How clients reach what they measure.
#[derive(Debug, Clone, Copy, PartialEq, Eq, clap::ValueEnum)]
pub(crate) enum Connections {
    /// A connection for each client.
    Own,
    /// Few connections for all, on each of which many calls run at a time.
    Shared,
}

impl std::fmt::Display for Connections {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.pad(match self {
            Self::Own => "own",
            Self::Shared => "shared",
        })
    }
}
