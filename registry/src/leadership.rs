//! The leader's side of a registry: what it holds, what it published last, and whether it is over.

use std::sync::Arc;

use bytes::Bytes;
use plastron_config::ErrorKind;

use crate::checkpoint_registry::CheckpointRegistry;
use crate::error::Error;
use crate::error::Result;
use crate::version::{Fence, Version};

/// Commits of its own with unknown outcome that one publish finds done; each earlier publish leaves one at the most.
const MAX_OWN_CONFLICTS: u32 = 4;

/// One leader of a volume. Once fenced, it is fenced for good, and asks nobody any more.
///
/// A [`publish`](Self::publish) that failed or was dropped may have published what it was given. The next one finds out, and goes on top
/// of it: nothing that was acknowledged is lost, and nothing has to be remembered by the caller.
#[derive(Debug)]
pub struct Leadership {
    registry: Arc<dyn CheckpointRegistry>,
    fence: Fence,
    version: Version,
    content: Option<Bytes>,
    fenced: Option<Error>,
}

impl Leadership {
    /// Takes over.
    ///
    /// # Errors
    /// As [`CheckpointRegistry::acquire`].
    pub async fn open(registry: Arc<dyn CheckpointRegistry>, owner: &str) -> Result<Self> {
        let acquired = registry.acquire(owner).await?;
        let (fence, version, content) = (acquired.fence, acquired.version, acquired.content);
        Ok(Self { registry, fence, version, content, fenced: None })
    }

    /// The leader's epoch.
    pub fn epoch(&self) -> u64 {
        self.fence.epoch
    }

    /// Proof of having taken over.
    pub fn fence(&self) -> &Fence {
        &self.fence
    }

    /// What was acknowledged last, or later found to be published after all, or that with which the leader took over.
    pub fn version(&self) -> Version {
        self.version
    }

    /// The content of it; none if nothing was ever published.
    pub fn content(&self) -> Option<&Bytes> {
        self.content.as_ref()
    }

    /// Whether somebody else is known to have taken over.
    pub fn is_fenced(&self) -> bool {
        self.fenced.is_some()
    }

    /// Publishes `content`. When it returns, whoever asks sees it.
    ///
    /// # Errors
    /// As [`CheckpointRegistry::commit`]. `Fenced` is given for every call after the first, without a request.
    pub async fn publish(&mut self, content: Bytes) -> Result<Version> {
        if let Some(error) = &self.fenced {
            return Err(error.clone());
        }
        let mut conflicts = 0;
        loop {
            match self.registry.commit(&self.fence, &self.version, content.clone()).await {
                Ok(version) => {
                    self.version = version;
                    self.content = Some(content);
                    return Ok(version);
                }
                Err(error) if error.kind() == ErrorKind::Fenced => {
                    self.fenced = Some(error.clone());
                    return Err(error);
                }
                Err(error) if error.kind() == ErrorKind::Conflict && conflicts < MAX_OWN_CONFLICTS => {
                    conflicts += 1;
                    // An earlier publish of this leader was done after all. Its successor is told by the next commit.
                    match self.registry.read().await? {
                        Some(newest) if newest.version.epoch == self.fence.epoch => {
                            self.version = newest.version;
                            self.content = Some(newest.content);
                        }
                        Some(newest) if newest.version.epoch > self.fence.epoch => {}
                        _ => return Err(error),
                    }
                }
                Err(error) => return Err(error),
            }
        }
    }
}
