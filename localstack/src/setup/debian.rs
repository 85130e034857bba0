//! Packages of the distribution, where we may install them.

use std::path::{Path, PathBuf};

use plastron_config::ErrorKind;

use super::command::{Commands, output};
use crate::error::{Error, Result};
use crate::recipe::not_installed;
use crate::server::Server;

/// The packages by server.
const PINS: &str = include_str!("../../pins/debian.txt");

/// Where Debian puts servers; `PATH` of an ordinary user may lack the latter.
const FOLDERS: [&str; 2] = ["/usr/bin", "/usr/sbin"];

/// How long another package manager at work is waited for, seconds.
const WAIT: &str = "-oDPkg::Lock::Timeout=300";

/// The packages of `server`.
pub(super) fn packages(server: &str) -> Vec<&'static str> {
    let mut lines = PINS.lines().filter_map(|line| line.split_once(':'));
    lines
        .find(|(name, _)| *name == server)
        .map(|(_, packages)| packages.split_whitespace().collect())
        .unwrap_or_default()
}

/// A program that a package brings.
pub(super) fn find(program: &str) -> Option<PathBuf> {
    FOLDERS.iter().map(|folder| Path::new(folder).join(program)).find(|path| path.exists())
}

/// The same for a server that is to be started.
///
/// # Errors
/// `Invalid` when it is not installed.
pub(crate) fn program(server: Server, program: &str) -> Result<PathBuf> {
    find(program).ok_or_else(|| not_installed(server, program))
}

/// Installs the packages of `server` unless their programs are there.
///
/// # Errors
/// Those of [`install`].
pub(super) async fn install_unless_there(commands: &Commands, server: &str, programs: &[&str]) -> Result<()> {
    if programs.iter().all(|program| find(program).is_some()) {
        return Ok(());
    }
    install(commands, &packages(server)).await
}

/// Installs packages with `apt-get` as root, or through `sudo` where it asks no password.
///
/// # Errors
/// `Unsupported` when this is no Debian or we are not allowed to; `Unavailable` with the log when it fails.
pub(super) async fn install(commands: &Commands, packages: &[&str]) -> Result<()> {
    let wish = format!("install these yourself: {}", packages.join(" "));
    if output("apt-get", &["--version"]).await.is_none() {
        return Err(Error::new(ErrorKind::Unsupported, format!("there is no apt-get here; {wish}")));
    }
    let root = output("id", &["-u"]).await.is_some_and(|id| id.trim() == "0");
    if !root && output("sudo", &["-n", "true"]).await.is_none() {
        return Err(Error::new(ErrorKind::Unsupported, format!("neither root nor sudo without a password; {wish}")));
    }
    // One apt-get at a time: two of ours would fail on each other's locks, and wait for anybody else's.
    let folder = commands.folder.clone();
    let lock = tokio::task::spawn_blocking(move || folder.lock("apt")).await;
    let _lock = lock.unwrap_or_else(|_| Err(Error::unavailable("the lock was not taken")))?;
    // Packages must not start their services: the launcher starts what it needs, where it wants it. `RUNLEVEL` is for init scripts;
    // with `SYSTEMD_OFFLINE` systemctl enables units but starts none (systemd's docs/ENVIRONMENT.md).
    let variables = [("DEBIAN_FRONTEND", "noninteractive"), ("RUNLEVEL", "1"), ("SYSTEMD_OFFLINE", "1")];
    let environment = ["env", "DEBIAN_FRONTEND=noninteractive", "RUNLEVEL=1", "SYSTEMD_OFFLINE=1"];
    let program = if root { "env" } else { "sudo" };
    let prefix: Vec<&str> =
        if root { environment[1..].to_vec() } else { ["-n"].into_iter().chain(environment).collect() };
    let update = ["apt-get", "update", "-q", WAIT];
    let install = ["apt-get", "install", "-q", "-y", "--no-install-recommends", WAIT];
    let directory = Path::new("/");
    // One source of packages that does not answer, or another apt-get that reads them now, fails the update and not the
    // installation; and if that fails too, the log that both write to says why.
    let updated = commands.run(program, prefix.iter().chain(&update), directory, &variables).await;
    let installed = commands.run(program, prefix.iter().chain(&install).chain(packages), directory, &variables).await;
    installed.map_err(|error| updated.err().unwrap_or(error))
}
