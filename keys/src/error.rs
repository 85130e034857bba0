//! What can go wrong with keys: a coarse, stable kind over a precise fault.
//!
//! Every message says what was attempted, on what, what went wrong and what to do about it. No message, no `Debug` print and no
//! `source` ever holds key material, a passphrase or a key blob; what a plugin says about itself is cut and stripped of
//! control characters before it is kept (see [`Fault::Module`]).

use std::fmt;
use std::sync::Arc;

use plastron_config::ErrorKind;

/// The result of an operation on keys.
pub type Result<T, E = Error> = std::result::Result<T, E>;

/// A failed operation on keys. Cheap to clone.
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
    /// A setting is wrong.
    #[error("{0}")]
    Config(String),
    /// A call that the contract does not allow now.
    #[error("{0}")]
    State(String),
    /// Another checkpoint asked for the key blob since.
    #[error(
        "another get_key_blob has taken the place of this one, so its blob will never be in force; fail this checkpoint"
    )]
    Superseded,
    /// The module was terminated.
    #[error("the key module was terminated; open the store again")]
    Terminated,
    /// Data that is encrypted, and a module that has no keys for it.
    #[error(
        "it is encrypted, and the key module '{module}' has no data keys; open it with the key_management=(…) it was written with"
    )]
    NoKeys {
        /// The module.
        module: String,
    },
    /// A blob for a module that has none.
    #[error(
        "the database holds a key blob of {size} bytes, and the key module '{module}' takes none; open it with the key_management=(…) it was written with"
    )]
    UnexpectedBlob {
        /// The module.
        module: String,
        /// Bytes of the blob.
        size: usize,
    },
    /// Too large, too small or empty.
    #[error("{what} is {size} bytes; it can be {low} to {high}")]
    Size {
        /// What has the size.
        what: &'static str,
        /// Bytes it has.
        size: u64,
        /// Fewest bytes.
        low: u64,
        /// Most bytes.
        high: u64,
    },
    /// A data key is wrapped by a KEK that is not loaded.
    #[error(
        "its data key is wrapped by the KEK {kek}, which the key module '{module}' does not hold; load the KEK page of the checkpoint that it belongs to"
    )]
    UnknownKek {
        /// The module.
        module: String,
        /// The KEK's id, in hexadecimal; not a secret.
        kek: String,
    },
    /// No master key where one was named.
    #[error("no master key: {0}")]
    NoMasterKey(String),
    /// The master key does not fit.
    #[error("wrong master key: {0}")]
    WrongMasterKey(String),
    /// Somebody who may not, or a claim that is not proved.
    #[error("{0}")]
    Refused(String),
    /// A service that the module needs did not answer, or not in a way that could be used.
    #[error("{0}")]
    Unreachable(String),
    /// A file that others can read or write.
    #[error(
        "{path} is open to others (mode {mode:03o}); keys are kept in files that only their owner can read: chmod 600 {path}"
    )]
    OpenToOthers {
        /// The file.
        path: String,
        /// Its permission bits.
        mode: u32,
    },
    /// Bytes that cannot be what was written.
    #[error("corrupt at byte {offset}: {check}")]
    Corrupt {
        /// Where in the bytes the check failed.
        offset: u64,
        /// Which check, and what it found.
        check: String,
    },
    /// A format or interface that is newer than this program, or an operation the module does not offer.
    #[error("{0}")]
    Unsupported(String),
    /// A loaded library answered with an error.
    #[error("the key module's {function} returned {code}: {said}")]
    Module {
        /// The function.
        function: &'static str,
        /// What it returned.
        code: i32,
        /// What sort of failure the code stands for.
        kind: ErrorKind,
        /// What the module says about it, cut to a line.
        said: String,
    },
    /// The system gave no random bytes.
    #[error("the system's random source failed, and no key can be made without it")]
    NoRandomness,
    /// Another process holds the keyring.
    #[error("{path} is locked by another process since {waited_ms} ms; try again, or find out who holds it")]
    Locked {
        /// The lock file.
        path: String,
        /// Milliseconds waited.
        waited_ms: u64,
    },
    /// A segment's cipher was used up.
    #[error("a data key seals {0} records at the most; take a fresh one")]
    Exhausted(u64),
    /// The runtime is gone, or a module panicked on it.
    #[error("it did not finish: {0}")]
    Stopped(String),
    /// The local file system failed.
    #[error("{context}: {source}")]
    Io {
        /// What was attempted on which path.
        context: String,
        /// The operating system's error.
        source: Arc<std::io::Error>,
    },
}

impl Fault {
    /// A failure of the local file system; `context` is what was attempted on which path, such as `creating /data/a`.
    pub fn io(context: impl Into<String>, source: std::io::Error) -> Self {
        Self::Io { context: context.into(), source: Arc::new(source) }
    }

    /// Bytes that fail `check` at `offset`.
    pub fn corrupt(offset: usize, check: impl Into<String>) -> Self {
        Self::Corrupt { offset: offset as u64, check: check.into() }
    }
}

impl From<plastron_config::Error> for Fault {
    fn from(error: plastron_config::Error) -> Self {
        Self::Config(error.to_string())
    }
}

impl Error {
    /// An error of `operation` (a verb such as `"load_key_blob"`) on `target` (a module, file or object; never a secret).
    pub fn new(operation: &'static str, target: impl Into<String>, fault: Fault) -> Self {
        Self(Arc::new(Inner { operation, target: target.into(), fault }))
    }

    /// The coarse kind, to act on.
    pub fn kind(&self) -> ErrorKind {
        match &self.0.fault {
            Fault::Config(_) | Fault::State(_) | Fault::Terminated | Fault::Size { .. } | Fault::Exhausted(_) => {
                ErrorKind::Invalid
            }
            Fault::Superseded => ErrorKind::Conflict,
            Fault::NoKeys { .. }
            | Fault::UnexpectedBlob { .. }
            | Fault::UnknownKek { .. }
            | Fault::NoMasterKey(_)
            | Fault::WrongMasterKey(_)
            | Fault::Refused(_)
            | Fault::OpenToOthers { .. } => ErrorKind::Unauthorized,
            Fault::Corrupt { .. } => ErrorKind::Corrupt,
            Fault::Unsupported(_) => ErrorKind::Unsupported,
            Fault::Module { kind, .. } => *kind,
            Fault::NoRandomness | Fault::Locked { .. } | Fault::Stopped(_) | Fault::Unreachable(_) => {
                ErrorKind::Unavailable
            }
            Fault::Io { source, .. } => source.kind().into(),
        }
    }

    /// Whether the same call may succeed later.
    pub fn is_retryable(&self) -> bool {
        self.kind().is_retryable()
    }

    /// The precise fault.
    pub fn fault(&self) -> &Fault {
        &self.0.fault
    }

    /// The verb that failed: `open`, `load_key_blob`, `get_key_blob`, `get_key_complete`, `terminate`, `wrap`, `unwrap`, `seal`, `decrypt`, …
    pub fn operation(&self) -> &'static str {
        self.0.operation
    }

    /// The module, file or object it was tried on.
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
            Fault::Io { source, .. } => Some(source.as_ref()),
            _ => None,
        }
    }
}
