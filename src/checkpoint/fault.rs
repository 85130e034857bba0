//! What can go wrong with checkpoints.

use plastron_config::ErrorKind;

use crate::page_log::PageLogFault;

/// The precise fault of an operation on checkpoints.
#[derive(Debug, Clone, thiserror::Error)]
#[non_exhaustive]
pub enum CheckpointFault {
    /// Nobody has completed a checkpoint.
    #[error("{address}: no checkpoint has been published yet; a leader has to complete one first")]
    NothingPublished {
        /// Where it was looked for.
        address: String,
    },
    /// A checkpoint that is not there.
    #[error("there is no checkpoint {wanted}; it was never completed, or it is no longer retained")]
    NoSuchCheckpoint {
        /// What was asked for.
        wanted: String,
    },
    /// A checkpoint that was removed while it was being pinned.
    #[error("checkpoint {sequence} was removed while it was being opened: it is no longer retained; open a newer one")]
    Gone {
        /// Its sequence.
        sequence: u64,
    },
    /// Something in the bucket that is not what was written.
    #[error("corrupt: {object}: {check}")]
    Corrupt {
        /// The object, or the page.
        object: String,
        /// Which check failed, with expected and found values.
        check: String,
    },
    /// A turtle, turtle page or pin that can't be read or written.
    #[error("{object}: {fault}")]
    Format {
        /// The object, or the page.
        object: String,
        /// What is wrong with it.
        #[source]
        fault: plastron_registry::Fault,
    },
    /// A table that is not the engine's.
    #[error("table {table} holds Plastron's own pages; choose a number below {}", super::TURTLE_TABLE)]
    ReservedTable {
        /// The table.
        table: u64,
    },
    /// Options or arguments that can't be.
    #[error("{0}")]
    Invalid(String),
    /// The registry failed, or says that the leader is fenced.
    #[error(transparent)]
    Registry(#[from] plastron_registry::Error),
    /// The page log failed.
    #[error(transparent)]
    PageLog(#[from] PageLogFault),
    /// The key-management module failed.
    #[error(transparent)]
    Keys(#[from] plastron_keys::Error),
    /// The bucket failed.
    #[error(transparent)]
    Bucket(#[from] plastron_sources::Error),
}

impl CheckpointFault {
    /// The coarse kind, to act on.
    pub fn kind(&self) -> ErrorKind {
        match self {
            Self::NothingPublished { .. } | Self::NoSuchCheckpoint { .. } | Self::Gone { .. } => ErrorKind::NotFound,
            Self::Corrupt { .. } => ErrorKind::Corrupt,
            Self::Format { fault, .. } => fault.kind(),
            Self::ReservedTable { .. } | Self::Invalid(_) => ErrorKind::Invalid,
            Self::Registry(error) => error.kind(),
            Self::PageLog(fault) => fault.kind(),
            Self::Keys(error) => error.kind(),
            Self::Bucket(error) => error.kind(),
        }
    }

    /// Whether the same call may succeed later without anybody changing anything.
    pub fn is_retryable(&self) -> bool {
        match self {
            Self::PageLog(fault) => fault.is_retryable(),
            _ => self.kind().is_retryable(),
        }
    }

    /// What is wrong with the KEK page in `object`.
    pub(crate) fn kek_page(operation: &'static str, object: impl Into<String>, fault: plastron_keys::Fault) -> Self {
        Self::Keys(plastron_keys::Error::new(operation, object, fault))
    }

    /// What is wrong with `object`, which the registry's formats describe.
    pub(crate) fn format(object: impl Into<String>) -> impl FnOnce(plastron_registry::Fault) -> Self {
        |fault| Self::Format { object: object.into(), fault }
    }
}
