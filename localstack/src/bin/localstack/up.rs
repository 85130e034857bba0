//! `localstack up`, and the keeper it leaves behind.

use std::fmt::Write as _;
use std::io::Write as _;
use std::path::Path;
use std::process::{ExitCode, Stdio};

use plastron_localstack::{Error, Result, Server};
use tokio::io::{AsyncBufReadExt as _, BufReader};
use tokio::process::Command;
use tokio::signal::unix::{SignalKind, signal};

use crate::run::start;
use crate::setup::install;
use crate::state::{Place, State};
use crate::talk::{print, say};

/// What the keeper prints when all servers answer.
const READY: &str = "ready";

pub(crate) async fn up(servers: &[Server], set: &str, env_file: Option<&Path>, json: bool) -> Result<ExitCode> {
    let place = Place::new(set)?;
    if let Some(state) = place.read()? {
        let there: Vec<Server> = state.endpoints().iter().map(|endpoint| endpoint.server).collect();
        if servers.iter().any(|server| !there.contains(server)) {
            let names: Vec<_> = there.iter().map(|server| server.name()).collect();
            return Err(Error::other(format!(
                "the set {set:?} is up with {}; stop it first: localstack down --name {set}",
                names.join(", ")
            )));
        }
        return tell(&state, env_file, json);
    }
    // Here rather than in the keeper, so that its progress is seen.
    install(if servers.is_empty() { &Server::BUCKETS } else { servers }).await?;
    let failed = |error: std::io::Error| Error::other(format!("cannot start the keeper: {error}"));
    let log = std::fs::File::create(place.log()).map_err(failed)?;
    let mut keeper = Command::new(std::env::current_exe().map_err(failed)?)
        .arg("keep")
        .args(["--name", set])
        .args(servers.iter().map(|server| server.name()))
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .stderr(log)
        .spawn()
        .map_err(failed)?;
    let mut line = String::new();
    if let Some(output) = keeper.stdout.take() {
        BufReader::new(output).read_line(&mut line).await.map_err(failed)?;
    }
    let said = std::fs::read_to_string(place.log()).unwrap_or_default();
    if line.trim() != READY {
        let _ = keeper.wait().await;
        return Err(Error::other(format!("the servers did not start:\n{}", said.trim_end())));
    }
    say(said.trim_end());
    match place.read()? {
        Some(state) => tell(&state, env_file, json),
        None => Err(Error::other(format!("the servers ended right after their start; see {}", place.log().display()))),
    }
}

/// Holds servers until it is told to stop.
pub(crate) async fn keep(servers: &[Server], set: &str) -> Result<ExitCode> {
    // Away from the terminal of `up`: neither its Ctrl-C nor its end is meant for the servers.
    let _ = rustix::process::setsid();
    let mut terminate =
        signal(SignalKind::terminate()).map_err(|error| Error::other(format!("cannot wait for signals: {error}")))?;
    let place = Place::new(set)?;
    let Some(lock) = place.try_lock()? else {
        return Err(Error::other(format!("the set {set:?} is being started by somebody else")));
    };
    let servers = start(servers).await?;
    place.write(&State { keeper: std::process::id(), variables: servers.variables() })?;
    let mut output = std::io::stdout();
    let _ = writeln!(output, "{READY}").and_then(|()| output.flush());
    terminate.recv().await;
    place.clear();
    let stopped = servers.stop().await;
    drop(lock);
    stopped.map(|()| ExitCode::SUCCESS)
}

fn tell(state: &State, env_file: Option<&Path>, json: bool) -> Result<ExitCode> {
    if json {
        print(&as_json(state).to_string());
        return Ok(ExitCode::SUCCESS);
    }
    let mut text = String::new();
    for (name, value) in &state.variables {
        let export = if env_file.is_some() { "" } else { "export " };
        // A quote within single quotes: close, an escaped quote, open.
        let _ = writeln!(text, "{export}{name}='{}'", value.replace('\'', r"'\''"));
    }
    match env_file {
        None => print(text.trim_end()),
        Some(file) => {
            std::fs::write(file, text)
                .map_err(|error| Error::other(format!("cannot write {}: {error}", file.display())))?;
        }
    }
    Ok(ExitCode::SUCCESS)
}

/// Each server by its name, and the whole environment.
pub(crate) fn as_json(state: &State) -> serde_json::Value {
    let mut servers = serde_json::Map::new();
    for endpoint in state.endpoints() {
        let value = serde_json::json!({
            "url": endpoint.url,
            "region": endpoint.region,
            "access_key": endpoint.access_key,
            "secret_key": endpoint.secret_key,
            "credentials_file": endpoint.credentials_file,
            "other_urls": endpoint.other_urls,
            "store": endpoint.store_string("BUCKET", ""),
        });
        servers.insert(endpoint.server.name().to_owned(), value);
    }
    serde_json::json!({ "servers": servers, "environment": state.variables })
}
