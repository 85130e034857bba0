//! `localstack run`: servers for the time of one command.

use std::collections::BTreeMap;
use std::ffi::OsString;
use std::process::ExitCode;

use plastron_localstack::{Error, Result, Server, ServerSet, Setup};
use tokio::process::Command;
use tokio::signal::unix::{SignalKind, signal};

use crate::setup::install;
use crate::talk::say;

pub(crate) async fn run(servers: &[Server], command: &[OsString]) -> Result<ExitCode> {
    let set = start(servers).await?;
    let status = execute(command, set.variables(), &set.stale_variables()).await;
    for (server, code) in set.ended() {
        say(&format!("{server} ended by itself with exit code {code} while the command ran; the end of its log:"));
        say(&set.log(server));
    }
    set.stop().await?;
    status
}

/// Installs and starts what was asked for, or all servers with buckets that can be on this machine.
pub(crate) async fn start(servers: &[Server]) -> Result<ServerSet> {
    let wanted = if servers.is_empty() { &Server::BUCKETS[..] } else { servers };
    let missing = install(wanted).await?;
    let mut not_run = BTreeMap::new();
    for (server, error) in missing {
        if !servers.is_empty() || !Setup::cannot_be_here(&error) {
            return Err(error);
        }
        not_run.insert(server, error);
    }
    let able: Vec<Server> = wanted.iter().copied().filter(|server| !not_run.contains_key(server)).collect();
    let set = ServerSet::start(&able, not_run).await?;
    for running in set.running() {
        let endpoint = running.endpoint();
        let seconds = running.ready_after().as_secs_f64();
        say(&format!("{:<12} {} ready after {seconds:.2} s", endpoint.server.name(), endpoint.url));
    }
    Ok(set)
}

async fn execute(command: &[OsString], variables: BTreeMap<String, String>, stale: &[String]) -> Result<ExitCode> {
    let Some((program, arguments)) = command.split_first() else { return Ok(ExitCode::SUCCESS) };
    let name = program.to_string_lossy().into_owned();
    let failed = |error: std::io::Error| Error::other(format!("cannot run {name}: {error}"));
    let mut child = bound_to_us(program);
    // Inside another `run`, servers that are not asked for here stay the outer one's.
    stale.iter().for_each(|name| _ = child.env_remove(name));
    let mut child = child.args(arguments).envs(variables).spawn().map_err(failed)?;
    let mut interrupt = signal(SignalKind::interrupt()).map_err(failed)?;
    let mut terminate = signal(SignalKind::terminate()).map_err(failed)?;
    let status = loop {
        tokio::select! {
            status = child.wait() => break status.map_err(failed)?,
            // A Ctrl-C reaches the command as well: wait for what it makes of it.
            _ = interrupt.recv() => {}
            _ = terminate.recv() => {
                if let Some(process) = child.id().and_then(|id| rustix::process::Pid::from_raw(id.cast_signed())) {
                    let _ = rustix::process::kill_process(process, rustix::process::Signal::TERM);
                }
            }
        }
    };
    let code = status.code().or_else(|| {
        use std::os::unix::process::ExitStatusExt as _;
        status.signal().map(|signal| 128 + signal)
    });
    Ok(ExitCode::from(code.and_then(|code| u8::try_from(code).ok()).unwrap_or(1)))
}

/// A command that the kernel ends when this process is killed, where there is a `setpriv` to arrange that.
fn bound_to_us(program: &OsString) -> Command {
    let setpriv = std::path::Path::new("/usr/bin/setpriv");
    if !setpriv.exists() {
        return Command::new(program);
    }
    let mut command = Command::new(setpriv);
    command.args(["--pdeathsig", "TERM", "--"]).arg(program);
    command
}
