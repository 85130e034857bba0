//! One instance, as a quorum sees it.

use std::fmt;

use bytes::Bytes;
use futures::future::BoxFuture;

use crate::checkpoint_store::{Content, Record, Write};
use crate::refusal::Reason;
use crate::value::{Epoch, InstanceId, Members, Stamp};

/// What an instance says that it has.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct View {
    /// Who says it.
    pub id: InstanceId,
    /// What it promised.
    pub promised: Epoch,
    /// Its value. What comes from the store is [`Content::Nothing`] or, under a stamp, [`Content::Deleted`].
    pub content: Content,
    /// The value's stamp.
    pub stamp: Option<Stamp>,
    /// The value's members.
    pub members: Members,
}

impl View {
    /// What the instance `id` says whose record this is.
    pub fn of(id: InstanceId, record: &Record) -> Self {
        let Record { promised, content, stamp, members, .. } = record.clone();
        Self { id, promised, content, stamp, members }
    }
}

/// Why an instance did not do it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum InstanceError {
    /// It refused.
    Refused {
        /// Why.
        reason: Reason,
        /// Which epoch it promised, if it says so.
        promised: Epoch,
        /// What it says.
        message: String,
    },
    /// No answer: it may have been done, or not.
    Unavailable(String),
}

impl fmt::Display for InstanceError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Refused { reason, message, .. } => write!(f, "{reason}: {message}"),
            Self::Unavailable(what) => f.write_str(what),
        }
    }
}

/// One instance. Each call is done, refused, or it is not known what became of it; dropping it leaves that open too.
pub trait Instance: fmt::Debug + Send + Sync + 'static {
    /// Where it is, for people.
    fn name(&self) -> String;

    /// A GET that lets alone what is staged, or takes over with `fence`.
    fn look(&self, fence: Option<Epoch>) -> BoxFuture<'static, Result<View, InstanceError>>;

    /// A PUT, or a DELETE.
    fn stage(&self, path: Bytes, write: Write) -> BoxFuture<'static, Result<View, InstanceError>>;

    /// A POST.
    fn commit(&self, path: Bytes) -> BoxFuture<'static, Result<View, InstanceError>>;
}
