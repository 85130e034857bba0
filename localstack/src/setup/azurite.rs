//! Azurite, by npm from a lock file.

use std::path::Path;

use super::command::{Commands, output};
use super::debian;
use crate::error::{Context as _, Result};

pub(super) const MANIFEST: &str = include_str!("../../pins/azurite/package.json");
pub(super) const LOCK: &str = include_str!("../../pins/azurite/package-lock.json");

/// Installs into `directory` exactly what the lock file names; no package's install script is run.
///
/// # Errors
/// `Unsupported` when there is no Node and none can be installed, `Unavailable` with the log when npm fails.
pub(super) async fn install(commands: &Commands, directory: &Path) -> Result<()> {
    if output("npm", &["--version"]).await.is_none() || output("node", &["--version"]).await.is_none() {
        debian::install(commands, &["nodejs", "npm"]).await?;
    }
    for (name, text) in [("package.json", MANIFEST), ("package-lock.json", LOCK)] {
        let path = directory.join(name);
        tokio::fs::write(&path, text).await.context(|| format!("write {}", path.display()))?;
    }
    let ci = ["ci", "--omit=optional", "--ignore-scripts", "--no-audit", "--no-fund", "--loglevel=warn"];
    commands.run("npm", ci, directory, &[("npm_config_update_notifier", "false")]).await
}
