//! Who knows what was published last.

use std::fmt;

use async_trait::async_trait;
use bytes::Bytes;
use futures::stream::BoxStream;

use crate::error::Result;
use crate::version::{Acquired, Fence, Guarantees, Version, Versioned};

/// Who knows what was published last, of one volume (a database), with strict consistency. The volume is fixed when a registry is
/// opened.
///
/// Every implementation passes one suite, `registry/tests/conformance.rs`. Dropping the future of any method leaves nothing half done: what it
/// would have written is there whole, or not at all.
#[async_trait]
pub trait CheckpointRegistry: fmt::Debug + Send + Sync + 'static {
    /// Takes over: from here on no earlier leader is acknowledged. `owner` is for people, such as `host:process`.
    ///
    /// # Errors
    /// `Unavailable`, also if others take over at the same time again and again; `Corrupt` or `Unsupported` if what was published last can't
    /// be read; those of the store.
    async fn acquire(&self, owner: &str) -> Result<Acquired>;

    /// What was published last; none if nothing ever was.
    ///
    /// # Errors
    /// `Unavailable`, `Corrupt`, `Unsupported`; those of the store.
    async fn read(&self) -> Result<Option<Versioned>>;

    /// Publishes `content` on top of `base`, which is what [`acquire`](Self::acquire) or the last commit gave. When it returns, whoever asks
    /// sees it. Repeating a commit with the same arguments is safe, and acknowledges it if it was done already.
    ///
    /// # Errors
    /// `Fenced` for good, if somebody took over; `Conflict` if this very leader published something else on top of `base`;
    /// `Unavailable` ([`Fault::Indeterminate`](crate::Fault)) if it may or may not have happened; `Invalid` for a base of another leader, or too
    /// much content. After any but `Conflict` and `Invalid`, content may have been published that was not acknowledged, whole.
    async fn commit(&self, fence: &Fence, base: &Version, content: Bytes) -> Result<Version>;

    /// What is published after `after`, or what is there and everything after it: each newer than the one before; those that are overtaken
    /// meanwhile may be left out. The same content comes again under a new version when a leader takes over. An error that may
    /// pass is given, and the stream goes on; any other ends it.
    fn watch(&self, after: Option<Version>) -> BoxStream<'static, Result<Versioned>>;

    /// What it promises.
    fn guarantees(&self) -> Guarantees;
}
