//! The nine kinds every Plastron error falls into.
//!
//! Callers decide on the kind; people read the message. The set is stable: engines map it to their own codes (WiredTiger's
//! extension maps it to `errno`, the command to its exit codes), so a new kind is a breaking change for them.

use std::fmt;
use std::io;

/// What went wrong, coarsely enough to act on.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum ErrorKind {
    /// The named thing is not there. A missing *bucket* is [`ErrorKind::Invalid`], never this.
    NotFound,
    /// The name is taken; nothing was written.
    AlreadyExists,
    /// Somebody else changed what this operation was based on; read again and decide.
    Conflict,
    /// A newer writer took over: this one can never write again.
    Fenced,
    /// The credentials are missing, wrong, expired, or do not permit the operation.
    Unauthorized,
    /// Bytes were read that fail their checksum or cannot be decoded.
    Corrupt,
    /// The request itself is wrong: configuration, name, range, or a bucket that does not exist.
    Invalid,
    /// The other side cannot be reached or is overloaded; the same call may succeed later.
    Unavailable,
    /// The operation is not offered here.
    Unsupported,
}

impl ErrorKind {
    /// The kind's name in lower case with underscores, as it stands in JSON output and metric labels.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::NotFound => "not_found",
            Self::AlreadyExists => "already_exists",
            Self::Conflict => "conflict",
            Self::Fenced => "fenced",
            Self::Unauthorized => "unauthorized",
            Self::Corrupt => "corrupt",
            Self::Invalid => "invalid",
            Self::Unavailable => "unavailable",
            Self::Unsupported => "unsupported",
        }
    }

    /// Whether the same call may succeed later without anybody changing anything.
    pub const fn is_retryable(self) -> bool {
        matches!(self, Self::Unavailable)
    }
}

impl fmt::Display for ErrorKind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

/// What a failure of the local file system is. Whatever has no kind of its own may pass: the disk is full, or broken for now.
impl From<io::ErrorKind> for ErrorKind {
    fn from(kind: io::ErrorKind) -> Self {
        match kind {
            io::ErrorKind::NotFound => Self::NotFound,
            io::ErrorKind::AlreadyExists => Self::AlreadyExists,
            io::ErrorKind::PermissionDenied => Self::Unauthorized,
            io::ErrorKind::InvalidInput
            | io::ErrorKind::InvalidFilename
            | io::ErrorKind::NotADirectory
            | io::ErrorKind::IsADirectory => Self::Invalid,
            io::ErrorKind::Unsupported => Self::Unsupported,
            _ => Self::Unavailable,
        }
    }
}
