//! Python environments with pinned packages.

use std::path::{Path, PathBuf};

use plastron_config::ErrorKind;

use super::command::{Commands, output};
use super::debian;
use crate::error::{Context as _, Error, Result};

/// Prints the version if everything an environment needs is there.
const PROBE: &str = "import sys, ssl, venv, ensurepip; print(sys.version_info[0] * 100 + sys.version_info[1])";

/// Makes `directory` a virtual environment with what `pins` lists, of a Python not older than `oldest` (3.12 is 312).
///
/// # Errors
/// `Unsupported` when there is no such Python, `Unavailable` with the log when pip fails.
pub(super) async fn install(commands: &Commands, directory: &Path, pins: &str, oldest: u32) -> Result<()> {
    let mut python = find(oldest).await;
    if python.is_none() && oldest <= 311 {
        // Debian splits Python: `ensurepip` comes with python3-venv.
        debian::install(commands, &["python3", "python3-venv"]).await?;
        python = find(oldest).await;
    }
    let python = python.ok_or_else(|| {
        let version = format!("{}.{}", oldest / 100, oldest % 100);
        Error::new(ErrorKind::Unsupported, format!("no Python {version} or later on PATH or under ~/.pyenv/versions"))
    })?;
    commands.run(&python, [Path::new("-m"), Path::new("venv"), directory], Path::new("/"), &[]).await?;
    let requirements = directory.join("requirements.txt");
    tokio::fs::write(&requirements, pins).await.context(|| format!("write {}", requirements.display()))?;
    let pip =
        ["-m", "pip", "install", "--no-input", "--disable-pip-version-check", "--no-deps", "-r", "requirements.txt"];
    commands.run(directory.join("bin/python"), pip, directory, &[]).await
}

/// A Python that can make environments: the newest first that the pins were proved on.
async fn find(oldest: u32) -> Option<PathBuf> {
    let named = ["python3.13", "python3.12", "python3.11", "python3.10", "python3", "/usr/bin/python3"];
    let mut candidates: Vec<PathBuf> = named.iter().map(PathBuf::from).collect();
    if let Some(home) = std::env::var_os("HOME") {
        let mut versions: Vec<PathBuf> = std::fs::read_dir(Path::new(&home).join(".pyenv/versions"))
            .map(|entries| entries.flatten().map(|entry| entry.path().join("bin/python3")).collect())
            .unwrap_or_default();
        versions.sort();
        candidates.extend(versions.into_iter().rev());
    }
    for candidate in candidates {
        let version = output(&candidate, &["-c", PROBE]).await.and_then(|version| version.trim().parse::<u32>().ok());
        // Pins are for Pythons that exist today: a later one may lack wheels.
        if version.is_some_and(|version| (oldest..=313).contains(&version)) {
            return Some(candidate);
        }
    }
    None
}
