//! What can go wrong outside of a single call to the service: configuration, database, clients. A coarse, stable kind over a precise fault.
//!
//! Why a call to the service was refused is a [`Refusal`](crate::Refusal). No secret appears in either.

use std::fmt;
use std::sync::Arc;

use plastron_config::ErrorKind;

use crate::refusal::Reason;

/// The result of an operation.
pub type Result<T, E = Error> = std::result::Result<T, E>;

/// A failed operation. Cheap to clone.
#[derive(Clone)]
pub struct Error(Arc<Inner>);

struct Inner {
    operation: &'static str,
    target: String,
    fault: Fault,
}

/// The precise fault behind an [`Error`].
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Fault {
    /// What was asked can't be, or a configuration is wrong.
    #[error("{0}")]
    Invalid(String),
    /// A file, or the network.
    #[error("{0}")]
    Io(std::io::Error),
    /// Bytes that cannot be what was written.
    #[error("corrupt at byte {offset}: {check}")]
    Corrupt {
        /// Where in the bytes the check failed.
        offset: u64,
        /// Which check, and what it found.
        check: String,
    },
    /// A format that is newer than this program.
    #[error("{0}")]
    Unsupported(String),
    /// The database's own trouble.
    #[error("{0}")]
    Database(String),
    /// An instance answered, and refused.
    #[error("the instance answered {status} ({reason}): {message}")]
    Refused {
        /// HTTP status.
        status: u16,
        /// Which refusal.
        reason: Reason,
        /// What it says.
        message: String,
    },
    /// An instance, or enough of them, can't be asked now.
    #[error("{0}")]
    Unavailable(String),
    /// The answer was lost.
    #[error("whether it was done is not known ({0}); read what is there, or do the same again, which is safe")]
    Indeterminate(String),
    /// Somebody else wrote.
    #[error("{0}")]
    Conflict(String),
}

impl Fault {
    pub(crate) fn corrupt(offset: usize, check: impl Into<String>) -> Self {
        Self::Corrupt { offset: offset as u64, check: check.into() }
    }

    /// The coarse kind, to act on.
    pub fn kind(&self) -> ErrorKind {
        match self {
            Self::Invalid(_) => ErrorKind::Invalid,
            Self::Io(error) => error.kind().into(),
            Self::Corrupt { .. } => ErrorKind::Corrupt,
            Self::Unsupported(_) => ErrorKind::Unsupported,
            Self::Conflict(_) => ErrorKind::Conflict,
            Self::Refused { reason, .. } => reason.kind(),
            Self::Database(_) | Self::Unavailable(_) | Self::Indeterminate(_) => ErrorKind::Unavailable,
        }
    }
}

impl Error {
    /// An error of `operation` (a verb) on `target` (a file, an address; never a secret).
    pub fn new(operation: &'static str, target: impl Into<String>, fault: Fault) -> Self {
        Self(Arc::new(Inner { operation, target: target.into(), fault }))
    }

    /// The coarse kind, to act on.
    pub fn kind(&self) -> ErrorKind {
        self.0.fault.kind()
    }

    /// Whether the same call may succeed later.
    pub fn is_retryable(&self) -> bool {
        self.kind().is_retryable()
    }

    /// The precise fault.
    pub fn fault(&self) -> &Fault {
        &self.0.fault
    }
}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} {}: {}", self.0.operation, self.0.target, self.0.fault)
    }
}

impl fmt::Debug for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Error({}: {self})", self.kind())
    }
}

impl std::error::Error for Error {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        match &self.0.fault {
            Fault::Io(error) => Some(error),
            _ => None,
        }
    }
}
