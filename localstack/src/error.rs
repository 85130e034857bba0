//! What can go wrong with a test server, with the log of the server that it went wrong with.

use std::fmt;
use std::sync::Arc;

use plastron_config::ErrorKind;

/// The result of anything the launcher does.
pub type Result<T, E = Error> = std::result::Result<T, E>;

/// A test server that could not be installed, started, asked or stopped. Cheap to clone: every test that waited for the
/// same server gets the same error.
#[derive(Clone)]
pub struct Error(Arc<Inner>);

struct Inner {
    kind: ErrorKind,
    message: String,
    log: Option<String>,
}

impl Error {
    /// An error of `kind`; the message says what was attempted and what to do.
    pub(crate) fn new(kind: ErrorKind, message: impl Into<String>) -> Self {
        Self(Arc::new(Inner { kind, message: message.into(), log: None }))
    }

    /// Something outside (a process, the network, the file system) did not do its part.
    pub(crate) fn unavailable(message: impl Into<String>) -> Self {
        Self::new(ErrorKind::Unavailable, message)
    }

    /// An error of the program around the launcher, for its command line.
    pub fn other(message: impl Into<String>) -> Self {
        Self::unavailable(message)
    }

    /// The same error with the end of a log.
    pub(crate) fn with_log(self, log: impl Into<String>) -> Self {
        let log = log.into();
        let log = if log.trim().is_empty() { None } else { Some(log) };
        Self(Arc::new(Inner { kind: self.0.kind, message: self.0.message.clone(), log }))
    }

    /// How coarse callers decide. `Unsupported` is special here: the server cannot exist on this machine (it has no Python
    /// 3.12, say), which a suite reports by name as not run.
    pub fn kind(&self) -> ErrorKind {
        self.0.kind
    }

    /// The end of the log of the server or installer, where there is one.
    pub fn log(&self) -> Option<&str> {
        self.0.log.as_deref()
    }

    /// What happened, without the log.
    pub fn message(&self) -> &str {
        &self.0.message
    }
}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0.message)?;
        if let Some(log) = &self.0.log {
            f.write_str("\n--- the end of its log ---\n")?;
            f.write_str(log.trim_end())?;
            f.write_str("\n--- end of log ---")?;
        }
        Ok(())
    }
}

impl fmt::Debug for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {self}", self.0.kind)
    }
}

impl std::error::Error for Error {}

/// Gives a failed system call its place in the story.
pub(crate) trait Context<T> {
    /// `what` completes "cannot …".
    fn context(self, what: impl FnOnce() -> String) -> Result<T>;
}

impl<T, E: fmt::Display> Context<T> for std::result::Result<T, E> {
    fn context(self, what: impl FnOnce() -> String) -> Result<T> {
        self.map_err(|error| Error::unavailable(format!("cannot {}: {error}", what())))
    }
}
