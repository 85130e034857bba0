//! What can go wrong with turtles and registries: a coarse, stable kind over a precise fault.
//!
//! Every message says what was attempted, on what, what went wrong and what to do about it.

use std::fmt;
use std::sync::Arc;

use plastron_config::ErrorKind;

/// The result of an operation on turtles or a registry.
pub type Result<T, E = Error> = std::result::Result<T, E>;

/// A failed operation. Cheap to clone: a leader that is fenced gives the same one for ever.
#[derive(Clone)]
pub struct Error(Arc<Inner>);

struct Inner {
    operation: &'static str,
    target: String,
    fault: Fault,
}

/// The precise fault behind an [`Error`].
#[derive(Debug, Clone, thiserror::Error)]
#[non_exhaustive]
pub enum Fault {
    /// A later leader took over.
    #[error(
        "fenced: '{owner}' took over with epoch {by}, so the leader of epoch {epoch} can publish nothing any more; open as leader again, on what is published now"
    )]
    Fenced {
        /// Epoch of the leader that was refused.
        epoch: u64,
        /// Epoch of its successor.
        by: u64,
        /// What the successor calls itself.
        owner: String,
    },
    /// Something was published since.
    #[error(
        "turtle {newest} is published, and this is based on {base}; read the newest and decide whether it still holds"
    )]
    Conflict {
        /// Sequence that the commit was based on.
        base: u64,
        /// The newest sequence.
        newest: u64,
    },
    /// The answer was lost.
    #[error(
        "whether turtle {sequence} was published is not known ({cause}); publish the same content again, which is safe, or read the newest"
    )]
    Indeterminate {
        /// The sequence.
        sequence: u64,
        /// The failed request.
        cause: plastron_sources::Error,
    },
    /// Others were quicker, again and again.
    #[error("others became leader first, {attempts} times in a row; find out who they are, and try again")]
    Contended {
        /// Attempts made.
        attempts: u32,
    },
    /// No such turtle.
    #[error("there is no turtle {sequence}; it was never published, or it is no longer retained")]
    NoSuchTurtle {
        /// The sequence.
        sequence: u64,
    },
    /// An object that a fenced leader left behind.
    #[error(
        "turtle {sequence} is not part of the history: a leader that had been fenced left it behind; choose another"
    )]
    Orphan {
        /// The sequence.
        sequence: u64,
    },
    /// The newest turtle stays.
    #[error("turtle {sequence} is the newest, which is never removed")]
    Newest {
        /// The sequence.
        sequence: u64,
    },
    /// The store contradicts itself.
    #[error(
        "{0}; the store's listings are not strictly consistent, so it can't say which turtle is the latest: use another registry"
    )]
    Inconsistent(String),
    /// What was asked can't be.
    #[error("{0}")]
    Invalid(String),
    /// Too large.
    #[error("{what} is {size} bytes; it can be {high} at the most")]
    Size {
        /// What has the size.
        what: &'static str,
        /// Bytes it has.
        size: u64,
        /// Most bytes.
        high: u64,
    },
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
    /// A request failed.
    #[error("{0}")]
    Bucket(plastron_sources::Error),
}

impl Fault {
    pub(crate) fn corrupt(offset: usize, check: impl Into<String>) -> Self {
        Self::Corrupt { offset: offset as u64, check: check.into() }
    }

    /// The coarse kind, to act on.
    pub fn kind(&self) -> ErrorKind {
        match self {
            Self::Fenced { .. } => ErrorKind::Fenced,
            Self::Conflict { .. } => ErrorKind::Conflict,
            Self::Indeterminate { .. } | Self::Contended { .. } => ErrorKind::Unavailable,
            Self::NoSuchTurtle { .. } | Self::Orphan { .. } => ErrorKind::NotFound,
            Self::Newest { .. } | Self::Invalid(_) | Self::Size { .. } => ErrorKind::Invalid,
            Self::Corrupt { .. } => ErrorKind::Corrupt,
            Self::Inconsistent(_) | Self::Unsupported(_) => ErrorKind::Unsupported,
            Self::Bucket(error) => error.kind(),
        }
    }
}

impl From<plastron_sources::Error> for Fault {
    fn from(error: plastron_sources::Error) -> Self {
        Self::Bucket(error)
    }
}

impl Error {
    /// An error of `operation` (a verb such as `"commit"`) on `target` (an object, or a bucket's address; never a secret).
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

    /// The verb that failed: `acquire`, `read`, `commit`, `watch`, `list`, `remove`, `decode`.
    pub fn operation(&self) -> &'static str {
        self.0.operation
    }

    /// The object or bucket it was tried on.
    pub fn target(&self) -> &str {
        &self.0.target
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
            Fault::Indeterminate { cause: error, .. } | Fault::Bucket(error) => Some(error),
            _ => None,
        }
    }
}
