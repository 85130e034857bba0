//! Why it did not work.

use std::fmt;

/// The result of a step.
pub(crate) type Result<T> = std::result::Result<T, Failure>;

/// A failed step.
#[derive(Debug, Clone)]
pub(crate) struct Failure(String);

impl Failure {
    /// What happened.
    pub(crate) fn other(message: impl Into<String>) -> Self {
        Self(message.into())
    }
}

impl fmt::Display for Failure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// Anything else that failed, as it says itself.
macro_rules! told {
    ($($error:ty),*) => {
        $(impl From<$error> for Failure {
            fn from(error: $error) -> Self {
                Self(error.to_string())
            }
        })*
    };
}

told!(
    plastron::Error,
    plastron::page_log::PageLogFault,
    plastron_localstack::Error,
    tokio::task::JoinError,
    std::io::Error,
    object_store::Error,
    slatedb::Error,
    heed::Error,
    rusqlite::Error
);
