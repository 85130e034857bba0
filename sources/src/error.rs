//! What can go wrong with a bucket: a coarse, stable kind over a precise fault.
//!
//! Every message says what was attempted, on which object or bucket, what went wrong and what to do about it. No message, no
//! `Debug` print and no `source` ever holds a key, a token, a signature or a signed URL: text that comes from a server or a
//! library is scrubbed before it is kept (see `Fault::Provider`).

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use plastron_config::ErrorKind;

/// The result of a bucket operation.
pub type Result<T, E = Error> = std::result::Result<T, E>;

/// A failed bucket operation. Cheap to clone, so that every waiter of one shared request can have it.
#[derive(Clone)]
pub struct Error(Arc<Inner>);

struct Inner {
    operation: &'static str,
    target: String,
    fault: Fault,
}

/// The precise fault behind an [`Error`]. Cheap enough to clone; it travels through `object_store` inside a boxed error and is
/// taken out again by cloning.
#[derive(Debug, Clone, thiserror::Error)]
#[non_exhaustive]
pub enum Fault {
    /// No object of that name.
    #[error("no such object")]
    NoSuchObject,
    /// The bucket itself (container, directory) does not exist.
    #[error(
        "no such bucket; check its name, region and endpoint, or create it first (Plastron creates none, but a directory in one that exists)"
    )]
    NoSuchBucket,
    /// An object of that name exists; nothing was written.
    #[error("an object of that name exists already, and objects are never overwritten")]
    ObjectExists,
    /// The object at that name is not the one that was opened.
    #[error(
        "the object was replaced since it was opened (etag is now {found}, was {expected}); something other than Plastron writes here"
    )]
    Replaced {
        /// Etag at open.
        expected: String,
        /// Etag now.
        found: String,
    },
    /// A local file changed while an object was made from it.
    #[error("{path} changed while it was read; nothing was created; try again when nobody writes to it")]
    FileChanged {
        /// The file.
        path: String,
    },
    /// The provider knows the caller but forbids the operation.
    #[error("permission denied ({code}); grant the credentials this operation on the bucket")]
    Forbidden {
        /// The provider's own code, such as `AccessDenied`.
        code: String,
    },
    /// The access key, account or service account is not known.
    #[error("unknown access key or account ({code}); check the first half of auth_token")]
    UnknownKey {
        /// The provider's own code, such as `InvalidAccessKeyId`.
        code: String,
    },
    /// The secret does not fit the key.
    #[error("wrong secret ({code}); check the second half of auth_token, and the machine's clock")]
    WrongSecret {
        /// The provider's own code, such as `SignatureDoesNotMatch`.
        code: String,
    },
    /// The credentials were good once.
    #[error("expired credentials ({code}); refresh them or use a credential chain that does")]
    Expired {
        /// The provider's own code, such as `ExpiredToken`.
        code: String,
    },
    /// No credentials could be found or fetched.
    #[error("no usable credentials: {reason}")]
    NoCredentials {
        /// Where they were looked for, and what to set.
        reason: String,
    },
    /// The bucket lives in another region or must be asked at another address.
    #[error("wrong region or endpoint ({code}): {hint}")]
    WrongRegion {
        /// The provider's own code, such as `AuthorizationHeaderMalformed`.
        code: String,
        /// What to set instead, where the provider says it.
        hint: String,
    },
    /// A setting is wrong.
    #[error("{0}")]
    Config(String),
    /// A name that no bucket may hold.
    #[error("invalid object name: {reason}")]
    Name {
        /// Why, and what names look like.
        reason: String,
    },
    /// A range that the object does not have.
    #[error("range {start}..{end} is outside the object, which has {size} bytes")]
    Range {
        /// First byte asked for.
        start: u64,
        /// One past the last byte asked for.
        end: u64,
        /// The object's size, bytes.
        size: u64,
    },
    /// Bytes that do not match their checksum, or metadata that cannot be decoded.
    #[error("corrupt: {what} (bytes {start}..{end}); the check that failed: {check}")]
    Corrupt {
        /// What was read.
        what: String,
        /// First byte covered by the failed check.
        start: u64,
        /// One past the last byte covered.
        end: u64,
        /// Which check failed, with expected and found values.
        check: String,
    },
    /// The store lacks something that Plastron's guarantees stand on.
    #[error("this store can't be used safely: {0}")]
    Incapable(String),
    /// The operation is not offered.
    #[error("{0}")]
    Unsupported(String),
    /// No connection could be made.
    #[error("cannot reach {endpoint}: {reason}; check the endpoint, the network and the proxy settings")]
    Unreachable {
        /// Host and port that were tried.
        endpoint: String,
        /// The operating system's or TLS library's word.
        reason: String,
    },
    /// The time allowed ran out.
    #[error("gave up after {attempts} attempts in {elapsed:?} (deadline {deadline:?}); the last answer: {last}")]
    Deadline {
        /// Attempts made.
        attempts: u32,
        /// Time spent.
        elapsed: Duration,
        /// Time allowed, from `retry=(deadline=…)`.
        deadline: Duration,
        /// The last failure.
        last: String,
    },
    /// The provider is overloaded or broken for now.
    #[error("the provider answers {status} {code}: {message}")]
    Busy {
        /// HTTP status.
        status: u16,
        /// The provider's own code.
        code: String,
        /// The provider's message, scrubbed.
        message: String,
    },
    /// Any other answer of a provider.
    #[error("the provider answers {status} {code}: {message}")]
    Provider {
        /// HTTP status, 0 where there was none.
        status: u16,
        /// The provider's own code.
        code: String,
        /// The provider's message, scrubbed.
        message: String,
    },
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
}

impl Error {
    /// An error of `operation` (a verb such as `"put"`) on `target` (an object name, or a bucket's address without secrets).
    pub fn new(operation: &'static str, target: impl Into<String>, fault: Fault) -> Self {
        Self(Arc::new(Inner { operation, target: printable(target.into()), fault }))
    }

    /// The coarse kind, to act on.
    pub fn kind(&self) -> ErrorKind {
        match &self.0.fault {
            Fault::NoSuchObject => ErrorKind::NotFound,
            Fault::ObjectExists => ErrorKind::AlreadyExists,
            Fault::Replaced { .. } | Fault::FileChanged { .. } => ErrorKind::Conflict,
            Fault::Forbidden { .. }
            | Fault::UnknownKey { .. }
            | Fault::WrongSecret { .. }
            | Fault::Expired { .. }
            | Fault::NoCredentials { .. } => ErrorKind::Unauthorized,
            Fault::NoSuchBucket
            | Fault::WrongRegion { .. }
            | Fault::Config(_)
            | Fault::Name { .. }
            | Fault::Range { .. }
            | Fault::Provider { .. } => ErrorKind::Invalid,
            Fault::Corrupt { .. } => ErrorKind::Corrupt,
            Fault::Incapable(_) | Fault::Unsupported(_) => ErrorKind::Unsupported,
            Fault::Unreachable { .. } | Fault::Deadline { .. } | Fault::Busy { .. } => ErrorKind::Unavailable,
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

    /// The verb that failed: `open`, `list`, `head`, `put`, `get`, `delete`, `probe`.
    pub fn operation(&self) -> &'static str {
        self.0.operation
    }

    /// The object or bucket it was tried on.
    pub fn target(&self) -> &str {
        &self.0.target
    }
}

/// `text` with its control characters escaped: a name that is refused for one must not break the lines of a log.
fn printable(text: String) -> String {
    if !text.contains(char::is_control) {
        return text;
    }
    let mut shown = String::with_capacity(text.len() + 8);
    for c in text.chars() {
        if c.is_control() { shown.extend(c.escape_default()) } else { shown.push(c) }
    }
    shown
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
