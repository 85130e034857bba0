//! What can go wrong in the keyserver: a coarse, stable kind over what precisely happened.
//!
//! Every message says what was attempted, on what, and what to do. No name's profile, no private key and no token is ever in one.

use plastron_config::ErrorKind;

use crate::{Refusal, Unverified};

/// The result of whatever the keyserver does.
pub type Result<T, E = Error> = std::result::Result<T, E>;

/// A failure.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// Bytes that cannot be what was written.
    #[error("{what} is corrupt at byte {offset}: {check}; get it again from where it came, or restore it")]
    Corrupt {
        /// What was read.
        what: &'static str,
        /// Where the check failed.
        offset: usize,
        /// Which check, and what it found.
        check: String,
    },
    /// A format that is newer than this program.
    #[error("{what} has version {version}, and this program knows {known}; use a newer program")]
    Unsupported {
        /// What was read.
        what: &'static str,
        /// The version found.
        version: u8,
        /// The newest version known.
        known: u8,
    },
    /// What was given cannot be.
    #[error("{what}: {why}")]
    Invalid {
        /// What was given.
        what: &'static str,
        /// Why it cannot be, and what can.
        why: String,
    },
    /// An update that breaks a rule of the directory.
    #[error("update refused: {0}")]
    Refused(#[from] Refusal),
    /// An answer that is not proved.
    #[error("answer refused: {0}")]
    Unverified(#[from] Unverified),
    /// There is no such thing.
    #[error("{what} is not there: {why}")]
    NotFound {
        /// What was looked for.
        what: &'static str,
        /// Which one, and why it may be missing.
        why: String,
    },
    /// The local database failed.
    #[error("{operation} in the local database failed; look at its disk: {source}")]
    Storage {
        /// What was done.
        operation: &'static str,
        /// What the database said.
        source: Box<dyn std::error::Error + Send + Sync>,
    },
    /// The replicated log failed.
    #[error("{operation} in the replicated log failed, try again: {why}")]
    Log {
        /// What was done.
        operation: &'static str,
        /// What the log said.
        why: String,
    },
    /// A request to a keyserver failed.
    #[error("{operation} at {address} failed: {why}")]
    Request {
        /// What was asked.
        operation: &'static str,
        /// Whom.
        address: String,
        /// What came back.
        why: String,
    },
    /// A replica said no.
    #[error("{address} says: {message}")]
    Remote {
        /// The coarse kind, by the status that came.
        kind: ErrorKind,
        /// Whose answer it is.
        address: String,
        /// What it said, which need not be true.
        message: String,
    },
    /// The replicas lied.
    #[error("the replicas lied: {0}; keep the evidence, and tell everybody")]
    Lie(crate::Proven),
    /// It took too long.
    #[error("{what} took longer than {seconds} s; it may still happen: look it up, then try again")]
    Timeout {
        /// What was waited for.
        what: &'static str,
        /// The deadline.
        seconds: u64,
    },
    /// More was asked than is served at once.
    #[error("{what}: too much at once, at most {most}; try again in a moment")]
    Overloaded {
        /// What there was too much of.
        what: &'static str,
        /// The bound.
        most: usize,
    },
    /// Somebody without a certificate, where one is needed.
    #[error("{what} needs a client certificate of this replica's authority, and none was shown")]
    Certificate {
        /// What was asked for.
        what: &'static str,
    },
    /// It was stopped.
    #[error("{0} was stopped")]
    Stopped(&'static str),
}

impl Error {
    /// The coarse kind, to act on.
    pub fn kind(&self) -> ErrorKind {
        match self {
            Self::Corrupt { .. } => ErrorKind::Corrupt,
            Self::Unsupported { .. } => ErrorKind::Unsupported,
            Self::Invalid { .. } => ErrorKind::Invalid,
            Self::Refused(refusal) => refusal.kind(),
            Self::Remote { kind, .. } => *kind,
            Self::Unverified(_) | Self::Lie(_) | Self::Certificate { .. } => ErrorKind::Unauthorized,
            Self::NotFound { .. } => ErrorKind::NotFound,
            Self::Storage { .. } | Self::Log { .. } | Self::Request { .. } | Self::Timeout { .. } => {
                ErrorKind::Unavailable
            }
            Self::Overloaded { .. } | Self::Stopped(_) => ErrorKind::Unavailable,
        }
    }

    /// What it is, for programs: a short text that stays the same.
    pub fn reason(&self) -> &'static str {
        match self {
            Self::Corrupt { .. } => "corrupt",
            Self::Unsupported { .. } => "unsupported",
            Self::Invalid { .. } => "invalid",
            Self::Refused(refusal) => refusal.reason(),
            Self::Unverified(_) => "unverified",
            Self::NotFound { .. } => "not-found",
            Self::Storage { .. } => "storage",
            Self::Log { .. } => "log",
            Self::Request { .. } => "request",
            Self::Remote { .. } => "remote",
            Self::Lie(_) => "lie",
            Self::Timeout { .. } => "timeout",
            Self::Overloaded { .. } => "overloaded",
            Self::Certificate { .. } => "certificate",
            Self::Stopped(_) => "stopped",
        }
    }

    /// Whether the same call may succeed later.
    pub fn is_retryable(&self) -> bool {
        self.kind().is_retryable()
    }
}
