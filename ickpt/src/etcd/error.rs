//! Why etcd gave no answer.

/// What went wrong; the difference that matters is whether the request can have had an effect.
#[derive(Debug, Clone, thiserror::Error)]
#[non_exhaustive]
pub enum EtcdError {
    /// The request did not get there.
    #[error("{0}")]
    NotSent(String),
    /// It may have got there, and may have had its effect.
    #[error("{0}")]
    Lost(String),
    /// etcd refused; the same again would be refused again.
    #[error("{0}")]
    Refused(String),
    /// etcd does not know the user, or the user may not.
    #[error("{0}")]
    Unauthorized(String),
    /// The answer is no such answer.
    #[error("etcd's answer has no {0}")]
    Wrong(&'static str),
    /// The history that a watch was to begin with is compacted away.
    #[error("revisions before {0} are compacted")]
    Compacted(u64),
}
