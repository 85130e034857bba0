//! The `localstack` command: installs, starts and stops the servers Plastron is tested against.

mod arguments;
mod down;
mod list;
mod proxy;
mod run;
mod setup;
mod state;
mod talk;
mod up;

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
        Task::Up { servers, set, env_file, json } => up::up(&servers, &set.name, env_file.as_deref(), json).await,
        Task::Keep { servers, set } => up::keep(&servers, &set.name).await,
        Task::Down { set } => down::down(&set.name).await,
        Task::Status { set, json } => down::status(&set.name, json).await,
        Task::Proxy { upstream, rules, port } => proxy::proxy(&upstream, rules.as_deref(), port).await,
    }
}
