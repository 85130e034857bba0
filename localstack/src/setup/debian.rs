//! Packages of the distribution, where we may install them.

use std::path::Path;

use plastron_config::ErrorKind;

use super::command::{Commands, output};
use crate::error::{Error, Result};

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
    // Packages must not start their services: the launcher starts what it needs, where it wants it.
    let variables = [("DEBIAN_FRONTEND", "noninteractive"), ("RUNLEVEL", "1")];
    let environment = ["env", "DEBIAN_FRONTEND=noninteractive", "RUNLEVEL=1"];
    let program = if root { "env" } else { "sudo" };
    let prefix: Vec<&str> =
        if root { environment[1..].to_vec() } else { ["-n"].into_iter().chain(environment).collect() };
    let update = ["apt-get", "update", "-q"];
    let install = ["apt-get", "install", "-q", "-y", "--no-install-recommends"];
    let directory = Path::new("/");
    commands.run(program, prefix.iter().chain(&update), directory, &variables).await?;
    commands.run(program, prefix.iter().chain(&install).chain(packages), directory, &variables).await
}
