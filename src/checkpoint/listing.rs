//! Listing what stands under `_plastron/`.

use std::time::SystemTime;

use futures::stream::TryStreamExt;
use plastron_sources::{Bucket, ListOptions};

use super::CheckpointFault;

/// One object of a listing.
#[derive(Debug, Clone)]
pub(crate) struct Listed {
    pub(crate) name: String,
    pub(crate) size: u64,
    pub(crate) created: SystemTime,
}

/// All objects whose names begin with `prefix`, in order; `bucket` shows those under `_plastron/`.
///
/// # Errors
/// Those of the bucket.
pub(crate) async fn list(bucket: &Bucket, prefix: &str) -> Result<Vec<Listed>, CheckpointFault> {
    let entries = bucket.list(prefix, ListOptions::default());
    let objects = entries.try_filter_map(|entry| std::future::ready(Ok(entry.into_object())));
    let listed = objects.map_ok(|object| Listed { name: object.name, size: object.size, created: object.created });
    Ok(listed.try_collect().await?)
}
