//! What an entry point fails with: an `errno` for WiredTiger's code and a message for its operator.

use std::ffi::c_int;
use std::fmt;

use plastron_sources::ErrorKind;

/// A failed call: what WiredTiger gets, and what is printed through its message system.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Failure {
    /// The value to return, never 0.
    pub errno: c_int,
    /// What happened, on which file, and what to do.
    pub message: String,
}

impl Failure {
    /// A failure with `errno`.
    pub fn new(errno: c_int, message: impl Into<String>) -> Self {
        Self { errno, message: message.into() }
    }

    /// A bad argument.
    pub fn invalid(message: impl Into<String>) -> Self {
        Self::new(libc::EINVAL, message)
    }
}

impl fmt::Display for Failure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.message)
    }
}

/// The `errno` of each kind of error. `ENOENT` comes from a missing *object* alone: WiredTiger takes it for success in a flush, so a missing
/// bucket must never look like it, and does not ([`ErrorKind::Invalid`]).
pub fn errno_of(kind: ErrorKind) -> c_int {
    match kind {
        ErrorKind::NotFound => libc::ENOENT,
        ErrorKind::AlreadyExists => libc::EEXIST,
        ErrorKind::Unauthorized => libc::EACCES,
        ErrorKind::Invalid => libc::EINVAL,
        ErrorKind::Unsupported => libc::ENOTSUP,
        ErrorKind::Unavailable => libc::EAGAIN,
        ErrorKind::Corrupt => libc::EIO,
        ErrorKind::Conflict | ErrorKind::Fenced => libc::EBUSY,
        // A kind newer than this table: refuse rather than guess.
        _ => libc::EIO,
    }
}

impl From<plastron::Error> for Failure {
    fn from(error: plastron::Error) -> Self {
        Self::new(errno_of(error.kind()), error.to_string())
    }
}

impl From<plastron_sources::Error> for Failure {
    fn from(error: plastron_sources::Error) -> Self {
        Self::new(errno_of(error.kind()), error.to_string())
    }
}

impl From<plastron_config::Error> for Failure {
    fn from(error: plastron_config::Error) -> Self {
        Self::invalid(error.to_string())
    }
}
