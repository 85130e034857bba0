//! Removing an object.

use object_store::ObjectStoreExt;
use object_store::path::Path;

use super::OpenBucket;
use crate::error::Fault;
use crate::fault_of::fault_of;
use crate::sums::{Creation, SumsPlace, side_object_name};

impl OpenBucket {
    /// Removes the object at `key`, then the side object that holds its checksums. A crash between the two leaves a side object
    /// of some kilobytes that nobody reads; the other order would leave an object that cannot be read.
    pub(crate) async fn delete(&self, key: &Path) -> Result<(), Fault> {
        // S3 answers the same whether or not there was an object; a HEAD makes all providers tell.
        let Some(found) = self.look(key).await? else {
            return Err(self.missing().await);
        };
        if let Err(fault) = self.remove(key).await {
            // Was only the acknowledgement lost?
            match self.look(key).await {
                Ok(None) => {}
                _ => return Err(fault),
            }
        }
        if let Some(Ok(Creation { place: SumsPlace::Side(id), .. })) = found.entry.as_deref().map(Creation::decode) {
            let side = self.names.key(&side_object_name(id), true)?;
            if let Err(fault) = self.remove(&side).await {
                tracing::warn!(bucket = %self.source.address, side = %side, %fault, "left the checksums of a removed object");
            }
        }
        Ok(())
    }

    /// Removes whatever is at `key`; nothing there is fine, since the acknowledgement of an earlier attempt may have been lost.
    pub(crate) async fn remove(&self, key: &Path) -> Result<(), Fault> {
        match self.source.store.delete(key).await {
            Ok(()) => Ok(()),
            Err(error) => match fault_of(&error) {
                Fault::NoSuchObject => Ok(()),
                fault => Err(fault),
            },
        }
    }
}
