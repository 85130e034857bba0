//! The `localstack` command: installs, starts and stops the servers Plastron is tested against.

mod arguments;
mod list;
mod run;
mod setup;
mod talk;

use std::process::ExitCode;

use clap::Parser as _;

use arguments::{Arguments, Task};
use talk::say;

fn main() -> ExitCode {
    let arguments = Arguments::parse();
    let runtime = match tokio::runtime::Builder::new_multi_thread().enable_all().build() {
        Ok(runtime) => runtime,
        Err(error) => {
            say(&format!("localstack: cannot start: {error}"));
            return ExitCode::FAILURE;
        }
    };
    // On the main thread: what is started here may be tied to the life of the thread that started it.
    match runtime.block_on(perform(arguments.task)) {
        Ok(code) => code,
        Err(error) => {
            say(&format!("localstack: {error}"));
            ExitCode::FAILURE
        }
    }
}

async fn perform(task: Task) -> plastron_localstack::Result<ExitCode> {
    match task {
        Task::List { json } => list::list(json),
        Task::Setup { servers } => setup::setup(&servers).await,
        Task::Run { servers, command } => run::run(&servers, &command).await,
    }
}
