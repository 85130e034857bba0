//! One server process that never outlives its launcher.
//!
//! Between the launcher and the server stands a shell ([`SUPERVISOR`]) that holds the reading end of a pipe. The launcher
//! holds the writing end and nobody else does, so the pipe ends when the launcher stops the server, drops it, exits, or is
//! killed in whatever way: then the shell ends the server with everything it started and removes its data. Should the shell
//! itself be killed, the kernel kills the server (`setpriv --pdeathsig`). Server and shell have process groups of their own,
//! so a Ctrl-C at the terminal reaches only the launcher, which stops them in order.

use std::ffi::OsString;
use std::path::{Path, PathBuf};
use std::process::Stdio;
use std::time::Duration;

use plastron_sources::clock::{Clock as _, SystemClock};
use tempfile::TempDir;
use tokio::io::{AsyncBufReadExt as _, BufReader};
use tokio::process::{Child, ChildStdin, Command};
use tokio::sync::watch;

use crate::error::{Context as _, Error, Result};

/// Arguments: the data directory, the log, then the server's command. Standard input: the launcher's pipe. Standard output:
/// one line `exit N` when the server has ended.
const SUPERVISOR: &str = include_str!("supervisor.sh");

/// How long the supervisor may take to end a server: one second of grace, then a kill, then the removal of its data.
const STOP_TIMEOUT: Duration = Duration::from_secs(30);

/// How much of a log an error carries, bytes.
const LOG_TAIL: usize = 8 << 10;

/// What to run.
pub(crate) struct ProcessSpec {
    pub(crate) name: &'static str,
    pub(crate) program: PathBuf,
    pub(crate) arguments: Vec<OsString>,
    /// The whole environment apart from `PATH`, `HOME`, `TMPDIR` and `LANG`.
    pub(crate) variables: Vec<(&'static str, OsString)>,
    /// Files outside its data directory that it leaves behind whatever it is told.
    pub(crate) litter: Vec<PathBuf>,
}

/// A data directory of a server to be: its supervisor removes it once the server has ended.
pub(crate) fn data_directory(name: &str) -> Result<TempDir> {
    tempfile::Builder::new()
        .prefix(&format!("plastron-{name}-"))
        .tempdir()
        .context(|| format!("make a directory for the data of {name}"))
}

/// A running server; dropping it stops it in the background.
pub(crate) struct Process {
    name: &'static str,
    log: PathBuf,
    pipe: Option<ChildStdin>,
    supervisor: Child,
    ended: watch::Receiver<Option<i32>>,
}

impl Process {
    /// Starts the server with `data` as its working directory, home and temporary directory.
    pub(crate) fn start(spec: ProcessSpec, data: TempDir) -> Result<Self> {
        let log = data.path().join("log");
        // As a file rather than an argument, so that `ps` stays readable.
        let script = data.path().join("supervisor");
        std::fs::write(&script, SUPERVISOR).context(|| format!("write {}", script.display()))?;
        let litter = data.path().join("litter");
        let paths: String = spec.litter.iter().map(|path| format!("{}\n", path.display())).collect();
        std::fs::write(&litter, paths).context(|| format!("write {}", litter.display()))?;
        let mut command = Command::new("/bin/sh");
        command
            .arg(&script)
            .arg(data.path())
            .arg(&log)
            .arg(&spec.program)
            .args(&spec.arguments)
            .current_dir(data.path())
            .env_clear()
            .env("PATH", std::env::var_os("PATH").unwrap_or_else(|| "/usr/local/bin:/usr/bin:/bin".into()))
            .env("HOME", data.path())
            .env("TMPDIR", data.path())
            .env("LANG", "C.UTF-8")
            .envs(spec.variables)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::null())
            .process_group(0);
        let mut supervisor = command.spawn().context(|| format!("start {} ({})", spec.name, spec.program.display()))?;
        // From here on the directory is the supervisor's to remove.
        let _ = data.keep();
        let pipe = supervisor.stdin.take();
        let (sender, ended) = watch::channel(None);
        if let Some(stdout) = supervisor.stdout.take() {
            tokio::spawn(async move {
                let mut line = String::new();
                let _ = BufReader::new(stdout).read_line(&mut line).await;
                let code = line.trim().strip_prefix("exit ").and_then(|code| code.parse().ok()).unwrap_or(-1);
                let _ = sender.send(Some(code));
            });
        }
        Ok(Self { name: spec.name, log, pipe, supervisor, ended })
    }

    /// Asks `ready` again and again until it is, the server ends, or time is up; the latter two are errors with the log.
    pub(crate) async fn wait_until_ready<F>(&mut self, limit: Duration, mut ready: impl FnMut() -> F) -> Result<()>
    where
        F: Future<Output = bool>,
    {
        let mut ended = self.ended.clone();
        let start = SystemClock.monotonic();
        let answering = async {
            while !ready().await {
                if SystemClock.monotonic().saturating_sub(start) > limit {
                    return false;
                }
                SystemClock.sleep(Duration::from_millis(20)).await;
            }
            true
        };
        let failure = tokio::select! {
            answers = answering => if answers { return Ok(()) } else { format!("{} was not ready in {} s", self.name, limit.as_secs()) },
            code = ended.wait_for(Option::is_some) => {
                let code = code.ok().and_then(|code| *code).unwrap_or(-1);
                format!("{} ended with exit code {code} before it was ready", self.name)
            }
        };
        Err(Error::unavailable(failure).with_log(log_tail(&self.log)))
    }

    /// The exit code, once the server has ended by itself.
    pub(crate) fn exit_code(&self) -> Option<i32> {
        *self.ended.borrow()
    }

    /// The end of what the server has printed.
    pub(crate) fn log_tail(&self) -> String {
        log_tail(&self.log)
    }

    /// Process id of the supervisor.
    pub(crate) fn supervisor_pid(&self) -> Option<u32> {
        self.supervisor.id()
    }

    /// Ends the server and waits until it and its data are gone.
    pub(crate) async fn stop(mut self) -> Result<()> {
        drop(self.pipe.take());
        tokio::select! {
            ended = self.supervisor.wait() => ended.map(|_| ()).context(|| format!("wait for {} to stop", self.name)),
            () = SystemClock.sleep(STOP_TIMEOUT) => {
                Err(Error::unavailable(format!("{} did not stop in {} s", self.name, STOP_TIMEOUT.as_secs())))
            }
        }
    }
}

/// The last part of a log, from the start of a line.
pub(crate) fn log_tail(path: &Path) -> String {
    let bytes = std::fs::read(path).unwrap_or_default();
    let tail = bytes.get(bytes.len().saturating_sub(LOG_TAIL)..).unwrap_or_default();
    let text = String::from_utf8_lossy(tail);
    match text.split_once('\n') {
        Some((_, rest)) if bytes.len() > LOG_TAIL => rest.to_owned(),
        _ => text.into_owned(),
    }
}
