//! What opens the records of segments: keys unwrapped by the key-management module, kept while they are in use.

use std::sync::Arc;

use plastron_keys::{KeyManagement, Opener, WrappedKey};

use super::PageLogFault;
use super::codec::SegmentRef;

/// Most unwrapped keys that are kept: each about a kilobyte.
const KEPT_OPENERS: u64 = 4096;

/// Unwrapped keys by epoch and sequence.
#[derive(Debug)]
pub(crate) struct SegmentOpeners(moka::sync::Cache<(u64, u64), Arc<Opener>>);

impl SegmentOpeners {
    pub(crate) fn new() -> Self {
        Self(moka::sync::Cache::new(KEPT_OPENERS))
    }

    /// What opens the records of `segment`; none if they are in the clear.
    ///
    /// # Errors
    /// What the module says.
    pub(crate) async fn get(
        &self,
        segment: &SegmentRef,
        keys: &KeyManagement,
    ) -> Result<Option<Arc<Opener>>, PageLogFault> {
        let Some(key) = &segment.key else { return Ok(None) };
        let id = (segment.epoch(), segment.sequence());
        if let Some(opener) = self.0.get(&id) {
            return Ok(Some(opener));
        }
        let wrapped = WrappedKey::from_bytes(key.bytes.clone()).map_err(|fault| PageLogFault::Corrupt {
            object: segment.object_name(),
            start: 0,
            end: segment.size(),
            check: fault.to_string(),
        })?;
        let opener = Arc::new(keys.opener(segment.identity.binding(), wrapped).await?);
        self.0.insert(id, Arc::clone(&opener));
        Ok(Some(opener))
    }
}
