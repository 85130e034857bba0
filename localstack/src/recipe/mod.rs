//! How each server is started and when it is ready: one file a server.

mod azurite;
mod etcd;
mod gcs;
mod localstack;
mod moto;
mod openbao;
mod seaweedfs;
mod swift;

use std::path::PathBuf;

use plastron_config::ErrorKind;
use plastron_sources::clock::{Clock as _, SystemClock};

use crate::error::{Error, Result};
use crate::folder::CacheFolder;
use crate::running::{Body, Running};
use crate::server::Server;

/// The pair of keys that servers are given where they take any.
pub(crate) const ACCESS_KEY: &str = "plastron-test";
/// See [`ACCESS_KEY`].
pub(crate) const SECRET_KEY: &str = "plastron-test-secret";
/// The region that S3 servers are told.
pub(crate) const REGION: &str = "us-east-1";

/// Starts `server` and waits until it answers. A server that lost its port to somebody else is started once more.
pub(crate) async fn start(server: Server, folder: &CacheFolder) -> Result<Running> {
    match start_once(server, folder).await {
        Err(error) if lost_its_port(&error) => start_once(server, folder).await,
        other => other,
    }
}

async fn start_once(server: Server, folder: &CacheFolder) -> Result<Running> {
    let before = SystemClock.monotonic();
    let (endpoint, body) = match server {
        Server::SeaweedFs => seaweedfs::start(folder).await,
        Server::Moto => moto::start(folder, false).await,
        Server::MotoAuth => moto::start(folder, true).await,
        Server::Azurite => azurite::start(folder).await,
        Server::Gcs => gcs::start(false).await,
        Server::Careless => gcs::start(true).await,
        Server::LocalStack => localstack::start(folder).await,
        Server::Swift => swift::start().await,
        Server::OpenBao => openbao::start(folder).await,
        Server::Etcd => etcd::start().await,
    }?;
    Ok(Running { endpoint, body, ready_after: SystemClock.monotonic().saturating_sub(before) })
}

fn lost_its_port(error: &Error) -> bool {
    let log = error.log().unwrap_or_default().to_lowercase();
    ["address already in use", "eaddrinuse"].iter().any(|sign| log.contains(sign))
}

/// `path` below the folder, or the error that says how to get it there.
fn installed(folder: &CacheFolder, server: Server, path: &str) -> Result<PathBuf> {
    let full = folder.join(path);
    if full.exists() {
        return Ok(full);
    }
    Err(not_installed(server, &full.display().to_string()))
}

/// The error for a server whose `missing` is missing.
pub(crate) fn not_installed(server: Server, missing: &str) -> Error {
    let command = format!("cargo run -p plastron-localstack -- setup {server}");
    Error::new(ErrorKind::Invalid, format!("{server} is not installed ({missing} is missing); run: {command}"))
}

/// `Process` as the body of a server.
impl From<crate::process::Process> for Body {
    fn from(process: crate::process::Process) -> Self {
        Self::Process(process)
    }
}
