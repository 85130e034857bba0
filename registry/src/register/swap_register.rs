//! What a registry needs from whoever keeps the value.

use std::fmt;

use async_trait::async_trait;
use bytes::Bytes;

use crate::error::Fault;

/// How a swap ended.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Swapped {
    /// The new value is there.
    Done,
    /// Another value was there, and is. The new one never was.
    Differs(Option<Bytes>),
    /// Another value is there. The new one may have been there before it.
    Overwritten(Option<Bytes>),
}

/// Why there is no answer.
#[derive(Debug, Clone)]
pub enum RegisterFault {
    /// It was not done, and will not be.
    Failed(Fault),
    /// It may have been done, or may be done yet.
    Unknown(plastron_sources::Error),
}

/// One value that is read and swapped linearizably. Values are unique: the same is never written for another purpose. Dropping a future leaves
/// a swap done or not done, whole.
#[async_trait]
pub trait SwapRegister: fmt::Debug + Send + Sync + 'static {
    /// Where it is, for people.
    fn address(&self) -> String;

    /// Longest value, bytes.
    fn max_value_bytes(&self) -> usize;

    /// The value; none if there is none.
    ///
    /// # Errors
    /// Those of whoever keeps it.
    async fn read(&self) -> Result<Option<Bytes>, Fault>;

    /// Writes `new` if the value is `expected`. If it is `new` already, that is `Done`.
    ///
    /// # Errors
    /// A [`RegisterFault`].
    async fn swap(&self, expected: Option<&Bytes>, new: Bytes) -> Result<Swapped, RegisterFault>;

    /// Removes the value if it is `expected`. If there is none already, that is `Done`.
    ///
    /// # Errors
    /// A [`RegisterFault`].
    async fn clear(&self, expected: &Bytes) -> Result<Swapped, RegisterFault>;
}
