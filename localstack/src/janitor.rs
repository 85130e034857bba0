//! A directory that goes when this process does, however it ends.
//!
//! Servers within this process have files too (a credentials file), and statics are never dropped: a shell waits for the end
//! of a pipe whose other end only this process holds, and then removes the directory.

use std::path::Path;
use std::process::Stdio;

use tempfile::TempDir;
use tokio::process::{Child, ChildStdin, Command};

use crate::error::{Context as _, Result};

const SCRIPT: &str = r#"trap '' HUP INT TERM; cat >/dev/null; rm -rf "$1""#;

/// A temporary directory and the shell that will remove it.
#[derive(Debug)]
pub(crate) struct Janitor {
    directory: std::path::PathBuf,
    pipe: Option<ChildStdin>,
    shell: Child,
}

impl Janitor {
    /// Makes a directory. Must be called on a tokio runtime.
    pub(crate) fn new(directory: TempDir) -> Result<Self> {
        let mut command = Command::new("/bin/sh");
        command.args(["-c", SCRIPT, "plastron-janitor"]).arg(directory.path());
        command.stdin(Stdio::piped()).stdout(Stdio::null()).stderr(Stdio::null()).process_group(0);
        let mut shell = command.spawn().context(|| format!("watch over {}", directory.path().display()))?;
        let pipe = shell.stdin.take();
        Ok(Self { directory: directory.keep(), pipe, shell })
    }

    /// The directory.
    pub(crate) fn directory(&self) -> &Path {
        &self.directory
    }

    /// Removes the directory and waits until it is gone.
    pub(crate) async fn finish(mut self) {
        drop(self.pipe.take());
        let _ = self.shell.wait().await;
    }
}
