//! `localstack down` and `localstack status`.

use std::process::ExitCode;
use std::time::Duration;

use plastron_localstack::{Error, Result};
use tokio::net::TcpStream;

use crate::state::Place;
use crate::talk::{print, say};
use crate::up::as_json;

/// Longer than the slowest server takes to stop.
const PATIENCE: Duration = Duration::from_secs(60);

pub(crate) async fn down(set: &str) -> Result<ExitCode> {
    let place = Place::new(set)?;
    let Some(state) = place.read()? else {
        say(&format!("the set {set:?} is not up"));
        return Ok(ExitCode::SUCCESS);
    };
    // The keeper holds the lock, so this number is still its own.
    let keeper = rustix::process::Pid::from_raw(state.keeper.cast_signed());
    let keeper = keeper.ok_or_else(|| Error::other("the keeper has no process id"))?;
    rustix::process::kill_process(keeper, rustix::process::Signal::TERM)
        .map_err(|error| Error::other(format!("cannot stop the keeper (process {}): {error}", state.keeper)))?;
    let ended = async {
        while place.try_lock()?.is_none() {
            pause(Duration::from_millis(20)).await;
        }
        Ok(ExitCode::SUCCESS)
    };
    tokio::select! {
        ended = ended => ended,
        () = pause(PATIENCE) => Err(Error::other(format!("the keeper (process {}) did not end in {} s", state.keeper, PATIENCE.as_secs()))),
    }
}

pub(crate) async fn status(set: &str, json: bool) -> Result<ExitCode> {
    let place = Place::new(set)?;
    let state = place.read()?;
    if json {
        print(&state.as_ref().map_or(serde_json::json!({ "servers": {} }), as_json).to_string());
        return Ok(ExitCode::SUCCESS);
    }
    let Some(state) = state else {
        print(&format!("the set {set:?} is not up"));
        return Ok(ExitCode::SUCCESS);
    };
    for endpoint in state.endpoints() {
        let address = endpoint.url.split('/').nth(2).unwrap_or_default();
        let answers = if TcpStream::connect(address).await.is_ok() { "answers" } else { "does not answer" };
        print(&format!("{:<12} {answers:<15} {}", endpoint.server.name(), endpoint.url));
    }
    Ok(ExitCode::SUCCESS)
}

async fn pause(time: Duration) {
    use plastron_sources::clock::{Clock as _, SystemClock};
    SystemClock.sleep(time).await;
}
