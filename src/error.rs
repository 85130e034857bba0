//! The one error of this crate: the lower floors' errors, kept whole, and the few faults that arise up here.

use std::fmt;

use plastron_config::ErrorKind;

/// The result of an operation on a store or its file system.
pub type Result<T, E = Error> = std::result::Result<T, E>;

/// A failed operation. [`Error::kind`] is for programs, the message for people: it says what was attempted, on which object, what
/// went wrong and what to do, and never holds a secret. Cheap to move; the lower error is its [`source`](std::error::Error::source).
pub struct Error(Box<Fault>);

/// The precise fault behind an [`Error`].
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Fault {
    /// The store string is wrong; the message shows where.
    #[error(transparent)]
    Config(#[from] plastron_config::Error),
    /// The bucket failed, or the cache could not be opened (a cache that fails later is not used).
    #[error(transparent)]
    Bucket(#[from] plastron_sources::Error),
    /// The key-management module could not be opened.
    #[error(transparent)]
    Keys(#[from] plastron_keys::Error),
    /// The page log failed.
    #[error(transparent)]
    PageLog(#[from] crate::page_log::PageLogFault),
    /// A checkpoint could not be made or read.
    #[error(transparent)]
    Checkpoint(#[from] crate::checkpoint::CheckpointFault),
    /// An object can't be changed in place.
    #[error(
        "{name}: {operation} of file not supported: objects are written once and never changed; create another name instead"
    )]
    Immutable {
        /// `write`, `truncate`, `extend` or `rename`.
        operation: &'static str,
        /// The object's name.
        name: String,
    },
    /// A blocking call would have to wait for the network where that could never end.
    #[error("{operation} {name}: it would have to wait for the network, which could never end: {place}; {instead}")]
    WouldDeadlock {
        /// The verb.
        operation: &'static str,
        /// The object's name.
        name: String,
        /// Where it was called, or where the file system was opened.
        place: &'static str,
        /// What to call instead.
        instead: &'static str,
    },
    /// The runtime that does the network's work has ended.
    #[error("{operation} {name}: the runtime of this file system has been shut down; open it again on a running one")]
    RuntimeEnded {
        /// The verb.
        operation: &'static str,
        /// The object's name, or the store's address.
        name: String,
    },
    /// A call on a writer whose earlier call never came back, so that nobody knows what it has written.
    #[error("{operation} {name}: an earlier call on this writer was cut off; create the file anew")]
    WriterLost {
        /// The verb.
        operation: &'static str,
        /// The object's name.
        name: String,
    },
    /// A local file could not be read, or the machine lacks something.
    #[error("{context}: {source}")]
    Local {
        /// What was attempted.
        context: String,
        /// The operating system's error.
        source: std::io::Error,
    },
}

impl Error {
    pub(crate) fn immutable(operation: &'static str, name: &str) -> Self {
        Self::from(Fault::Immutable { operation, name: name.to_owned() })
    }

    /// The coarse kind, to act on.
    pub fn kind(&self) -> ErrorKind {
        match self.fault() {
            Fault::Config(error) => error.kind(),
            Fault::Bucket(error) => error.kind(),
            Fault::Keys(error) => error.kind(),
            Fault::PageLog(fault) => fault.kind(),
            Fault::Checkpoint(fault) => fault.kind(),
            Fault::Immutable { .. } | Fault::WouldDeadlock { .. } | Fault::WriterLost { .. } => ErrorKind::Unsupported,
            Fault::RuntimeEnded { .. } => ErrorKind::Unavailable,
            Fault::Local { source, .. } => source.kind().into(),
        }
    }

    /// Whether the same call may succeed later without anybody changing anything.
    pub fn is_retryable(&self) -> bool {
        match self.fault() {
            Fault::RuntimeEnded { .. } => false,
            Fault::PageLog(fault) => fault.is_retryable(),
            Fault::Checkpoint(fault) => fault.is_retryable(),
            _ => self.kind().is_retryable(),
        }
    }

    /// The precise fault.
    pub fn fault(&self) -> &Fault {
        &self.0
    }
}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

impl fmt::Debug for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Error({}: {self})", self.kind())
    }
}

impl std::error::Error for Error {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        match self.fault() {
            Fault::Config(error) => Some(error),
            Fault::Bucket(error) => Some(error),
            Fault::Keys(error) => Some(error),
            Fault::PageLog(fault) => Some(fault),
            Fault::Checkpoint(fault) => Some(fault),
            Fault::Local { source, .. } => Some(source),
            _ => None,
        }
    }
}

impl<F: Into<Fault>> From<F> for Error {
    fn from(fault: F) -> Self {
        Self(Box::new(fault.into()))
    }
}
