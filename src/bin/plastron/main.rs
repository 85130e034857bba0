//! The `plastron` command: files in and out of a bucket, and the care of the database in it, from the shell.
//!
//! It is a thin client of the `plastron` library: parsing in [`arguments`] and beside each command, results and errors through
//! [`output`], exit codes in [`exit`]. What it promises to scripts (JSON shapes, exit codes, which stream says what) is
//! written in `docs/src/reference/command.md` and tested in `tests/command/` by running the binary.

mod arguments;
#[cfg(feature = "keyserver")]
mod audit;
mod bench;
mod cat;
mod checkpoint;
mod completions;
mod context;
mod demo;
mod destination;
mod exit;
mod failure;
mod follow;
mod fsck;
mod gc;
mod get;
mod jobs;
mod keys;
mod log;
mod ls;
mod output;
mod pieces;
mod probe;
mod progress;
mod put;
mod quantity;
mod records;
mod rm;
mod same;
mod standard_input;
mod stat;
mod statistics;
mod table;
mod tally;
mod upload_budget;
mod verbose;
mod walk;

use std::ffi::OsString;
use std::process::ExitCode;
use std::time::Duration;

use clap::Parser;
use clap::error::ErrorKind as ParseError;
use tokio::signal;

use crate::arguments::{Arguments, Command, asks_for_json, without_store_strings};
use crate::context::Context;
use crate::exit::Exit;
use crate::failure::{Failure, Result};
use crate::output::Output;

/// How long the process waits at its end for what still runs on other threads (a write to a slow pipe, say).
const LAST_WAIT: Duration = Duration::from_secs(1);

fn main() -> ExitCode {
    ExitCode::from(run().code())
}

fn run() -> Exit {
    let raw: Vec<OsString> = std::env::args_os().collect();
    let arguments = match Arguments::try_parse_from(&raw) {
        Ok(arguments) => arguments,
        Err(error) => return refuse(&error, &raw),
    };
    let output = Output::new(arguments.json, arguments.verbose > 0);
    verbose::start(arguments.verbose);
    let runtime = match tokio::runtime::Builder::new_multi_thread().enable_all().build() {
        Ok(runtime) => runtime,
        Err(error) => {
            output.failure(&Failure::other(format!("cannot start threads: {error}")));
            return Exit::Other;
        }
    };
    let context = Context::new(output.clone(), arguments.store, arguments.stats);
    let result = runtime.block_on(async {
        let result = tokio::select! {
            result = dispatch(arguments.command, &context) => result,
            () = interrupted() => Err(Failure::interrupted()),
        };
        // Whatever was interrupted has been dropped by now, which gives up its uploads; that takes requests of its own.
        context.settle().await;
        context.report();
        result
    });
    drop(context);
    runtime.shutdown_timeout(LAST_WAIT);
    match result {
        Ok(()) => Exit::Ok,
        Err(failure) => {
            if failure.exit() != Exit::OutputClosed {
                output.failure(&failure);
            }
            failure.exit()
        }
    }
}

async fn dispatch(command: Command, context: &Context) -> Result<()> {
    match command {
        Command::Put(put) => Box::pin(put.run(context)).await,
        Command::Get(get) => Box::pin(get.run(context)).await,
        Command::Cat(cat) => Box::pin(cat.run(context)).await,
        Command::Ls(ls) => Box::pin(ls.run(context)).await,
        Command::Stat(stat) => Box::pin(stat.run(context)).await,
        Command::Rm(rm) => Box::pin(rm.run(context)).await,
        Command::Probe(probe) => Box::pin(probe.run(context)).await,
        Command::Demo(demo) => Box::pin(demo.run(context)).await,
        Command::Checkpoint(checkpoint) => Box::pin(checkpoint.run(context)).await,
        Command::Log(log) => Box::pin(log.run(context)).await,
        Command::Keys(keys) => Box::pin(keys.run(context)).await,
        Command::Gc(gc) => Box::pin(gc.run(context)).await,
        Command::Fsck(fsck) => Box::pin(fsck.run(context)).await,
        Command::Follow(follow) => Box::pin(follow.run(context)).await,
        Command::Bench(bench) => Box::pin(bench.run(context)).await,
        Command::Completions(completions) => Box::pin(completions.run(context)).await,
    }
}

/// Says what is wrong with the arguments, or prints the help that was asked for.
fn refuse(error: &clap::Error, raw: &[OsString]) -> Exit {
    let asked_for = matches!(error.kind(), ParseError::DisplayHelp | ParseError::DisplayVersion);
    if asked_for {
        // Closed output is not worth a word here.
        let _ = error.print();
        return Exit::Ok;
    }
    let message = without_store_strings(&error.render().to_string(), raw);
    if asks_for_json(raw) {
        let line = message.lines().next().unwrap_or_default();
        Output::new(true, false).failure(&Failure::usage(line.strip_prefix("error: ").unwrap_or(line)));
    } else {
        Output::new(false, false).note(message.trim_end());
    }
    Exit::Invalid
}

/// Ends when the user or the system asks the process to stop.
async fn interrupted() {
    #[cfg(unix)]
    {
        if let Ok(mut terminate) = signal::unix::signal(signal::unix::SignalKind::terminate()) {
            tokio::select! {
                Ok(()) = signal::ctrl_c() => return,
                Some(()) = terminate.recv() => return,
                else => {}
            }
        }
    }
    #[cfg(not(unix))]
    {
        if signal::ctrl_c().await.is_ok() {
            return;
        }
    }
    // No signals can be had: the system's own handling stays.
    std::future::pending().await
}
