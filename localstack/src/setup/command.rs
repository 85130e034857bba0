//! One command of an installation: its output goes to a log, its time is bounded, and it ends with the launcher.

use std::ffi::OsStr;
use std::path::{Path, PathBuf};
use std::process::Stdio;
use std::time::Duration;

use plastron_sources::clock::{Clock as _, SystemClock};
use tokio::process::Command;

use crate::error::{Context as _, Error, Result};
use crate::folder::CacheFolder;
use crate::process::log_tail;

/// A package index that is slow today may take minutes; nothing here takes more than two on a usual line.
const LIMIT: Duration = Duration::from_secs(20 * 60);

/// The commands of one component's installation.
pub(super) struct Commands {
    pub(super) folder: CacheFolder,
    log: PathBuf,
}

impl Commands {
    /// Commands whose output goes to a log of this name in `folder`, which starts anew.
    pub(super) fn new(folder: CacheFolder, log: &str) -> Result<Self> {
        let log = folder.join(log);
        std::fs::write(&log, "").context(|| format!("write {}", log.display()))?;
        Ok(Self { folder, log })
    }

    /// Runs a program in `directory`; anything but exit code 0 is an error with the end of the log.
    pub(super) async fn run(
        &self,
        program: impl AsRef<OsStr>,
        arguments: impl IntoIterator<Item = impl AsRef<OsStr>>,
        directory: &Path,
        variables: &[(&str, &str)],
    ) -> Result<()> {
        let mut command = Command::new(program.as_ref());
        command.args(arguments).current_dir(directory).envs(variables.iter().copied());
        let text = format!("{:?}", command.as_std()).replace('"', "");
        let failed = |why: &str| {
            let message = format!("{why}: {text} (whole log: {})", self.log.display());
            Error::unavailable(message).with_log(log_tail(&self.log))
        };
        let append = || std::fs::OpenOptions::new().append(true).open(&self.log).context(|| "open the log".into());
        command.stdin(Stdio::null()).stdout(append()?).stderr(append()?).kill_on_drop(true);
        let mut child = command.spawn().map_err(|error| failed(&format!("cannot run ({error})")))?;
        tokio::select! {
            status = child.wait() => match status {
                Ok(status) if status.success() => Ok(()),
                Ok(status) => Err(failed(&format!("failed with {status}"))),
                Err(error) => Err(failed(&format!("cannot wait ({error})"))),
            },
            () = SystemClock.sleep(LIMIT) => Err(failed(&format!("not done after {} min", LIMIT.as_secs() / 60))),
        }
    }
}

/// The standard output of a short command, if it ends with exit code 0.
pub(super) async fn output(program: impl AsRef<OsStr>, arguments: &[&str]) -> Option<String> {
    let output = Command::new(program).args(arguments).stdin(Stdio::null()).kill_on_drop(true).output().await.ok()?;
    output.status.success().then(|| String::from_utf8_lossy(&output.stdout).into_owned())
}
