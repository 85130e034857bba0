//! The `plastron-keyserver` command: makes, serves and verifies a realm, and asks it.
//!
//! A thin layer over the library: arguments in [`arguments`], a replica's file in [`configuration`], files of a realm's directory in [`files`], keys in [`key_file`], what talks to a replica in
//! [`asking`], what operators do in [`operating`], the nodes of a cluster in [`cluster`], what runs until it is stopped in [`running`]. Results go to stdout, as text or with `--json` as one JSON object; all else goes to stderr.

mod arguments;
mod asking;
mod cluster;
mod configuration;
mod files;
mod key_file;
mod making;
mod operating;
mod running;

use std::io::Write as _;
use std::process::ExitCode;

use clap::Parser as _;
use plastron_keyserver::Result;

use crate::arguments::{Arguments, Command};

/// What a command says: for people, and for programs.
struct Answer {
    text: String,
    json: serde_json::Value,
}

fn main() -> ExitCode {
    let arguments = Arguments::parse();
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build();
    let result = match runtime {
        Ok(runtime) => runtime.block_on(run(&arguments)),
        Err(error) => Err(files::failed("starting the runtime")(error)),
    };
    let (mut stdout, mut stderr) = (std::io::stdout(), std::io::stderr());
    let written = match result {
        Ok(answer) if arguments.json => writeln!(stdout, "{}", answer.json),
        Ok(answer) => writeln!(stdout, "{}", answer.text),
        Err(error) => {
            // Nobody may be left to read it.
            let _ = if arguments.json {
                let json =
                    serde_json::json!({ "error": { "kind": error.kind().as_str(), "message": error.to_string() } });
                writeln!(stderr, "{json}")
            } else {
                writeln!(stderr, "plastron-keyserver: {error}")
            };
            return ExitCode::FAILURE;
        }
    };
    if written.is_ok() { ExitCode::SUCCESS } else { ExitCode::FAILURE }
}

async fn run(arguments: &Arguments) -> Result<Answer> {
    let directory = &arguments.directory;
    match &arguments.command {
        Command::Init(init) => making::init(directory, init),
        Command::Serve(serve) => running::serve(directory, serve).await,
        Command::Verify(verify) => running::verify(directory, verify).await,
        Command::Register(change) => asking::register(directory, change).await,
        Command::Update(change) => asking::update(directory, change).await,
        Command::Lookup(lookup) => asking::lookup(directory, lookup).await,
        Command::History(history) => asking::history(directory, history).await,
        Command::Audit(audit) => making::audit(directory, audit),
        Command::Issuer(issuer) => operating::issuer(directory, issuer).await,
        Command::Authority(authority) => operating::authority(directory, authority).await,
        Command::Policy(policy) => operating::policy(directory, policy).await,
        Command::Join(join) => operating::join(directory, join).await,
        Command::Snapshot(snapshot) => operating::snapshot(directory, snapshot),
        Command::Retire(retire) => operating::retire(directory, retire).await,
        Command::NodeKey(make) => cluster::node_key(make),
        Command::RegisterNode(register) => cluster::register(directory, register).await,
        Command::Readers(readers) => cluster::readers(directory, readers).await,
        Command::Revoke(revoke) => cluster::revoke(directory, revoke).await,
        Command::Status(status) => asking::status(directory, status).await,
    }
}
