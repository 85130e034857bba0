//! The `plastron-ickpt` command: the service, and its quorum client. Results go to standard output, everything else to standard error.

mod arguments;
mod bench;
mod client;
mod serve;

use std::process::ExitCode;

use clap::Parser as _;
use plastron_ickpt::{Error, ErrorKind};

use crate::arguments::{Arguments, Command};

fn main() -> ExitCode {
    let arguments = Arguments::parse();
    let level = match arguments.verbose {
        0 => tracing::Level::INFO,
        1 => tracing::Level::DEBUG,
        _ => tracing::Level::TRACE,
    };
    tracing_subscriber::fmt().with_max_level(level).with_writer(std::io::stderr).with_ansi(false).init();
    let runtime = match tokio::runtime::Builder::new_multi_thread().enable_all().build() {
        Ok(runtime) => runtime,
        Err(error) => {
            tracing::error!(%error, "there can't be threads");
            return ExitCode::FAILURE;
        }
    };
    let result = runtime.block_on(async {
        match arguments.command {
            Command::Serve(serve) => serve::run(serve).await,
            Command::Get(get) => client::get(get).await,
            Command::Put(put) => client::put(put).await,
            Command::Delete(delete) => client::delete(delete).await,
            Command::Status(status) => client::status(status).await,
            Command::Bench(bench) => bench::run(bench).await,
            Command::Reseed(reseed) => client::reseed(reseed).await,
        }
    });
    match result {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            tracing::error!("{error}");
            ExitCode::from(code(&error))
        }
    }
}

/// What scripts are told; the numbers are in `docs/src/operations/ickpt.md`.
fn code(error: &Error) -> u8 {
    match error.kind() {
        ErrorKind::Invalid => 2,
        ErrorKind::NotFound => 3,
        ErrorKind::Unauthorized => 4,
        ErrorKind::Unavailable => 5,
        ErrorKind::Conflict | ErrorKind::Fenced => 6,
        ErrorKind::Corrupt => 7,
        _ => 1,
    }
}
