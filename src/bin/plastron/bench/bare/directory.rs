//! A directory through `object_store`, as durable as Plastron makes it.

use std::path::PathBuf;
use std::sync::Arc;

use object_store::ObjectStore;
use object_store::local::LocalFileSystem;
use plastron::BucketOptions;

use super::failed;
use crate::failure::Result;

/// Opens the directory that `options` name.
pub(super) async fn open(options: &BucketOptions) -> Result<Arc<dyn ObjectStore>> {
    let directory = PathBuf::from(&options.bucket);
    let open = move || LocalFileSystem::new_with_prefix(directory);
    let store = tokio::task::spawn_blocking(open).await?.map_err(|error| failed("open", &error))?;
    Ok(Arc::new(store.with_fsync(true).with_automatic_cleanup(true)))
}
