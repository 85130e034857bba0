//! The KEK pages that are in a bucket, read without any key: for whoever wants to know who they are wrapped to.

use bytes::Bytes;
use futures::Stream;
use futures::stream::{StreamExt as _, TryStreamExt as _};
use plastron_keys::KekPage;
use plastron_sources::Bucket;

use super::CheckpointFault;
use super::kek::{KEKS, lsn_in};
use super::listing::list;
use crate::page_log::Lsn;

/// A KEK page that is there.
#[derive(Debug, Clone)]
pub struct FoundKekPage {
    /// The object.
    pub object: String,
    /// Its LSN.
    pub lsn: Lsn,
    /// The module's blob, or what is wrong with the page.
    pub blob: Result<Bytes, CheckpointFault>,
}

/// The KEK pages of the database in `bucket`, in the order of their LSNs; those that no checkpoint names any more are among them until they are
/// collected. Those of ancestors are not.
///
/// # Errors
/// Those of the bucket.
pub fn kek_pages(bucket: &Bucket) -> impl Stream<Item = Result<FoundKekPage, CheckpointFault>> + use<> {
    let system = bucket.system();
    let listed = system.clone();
    futures::stream::once(async move { list(&listed, KEKS).await })
        .map_ok(|objects| {
            let mut pages: Vec<(Lsn, String)> =
                objects.into_iter().filter_map(|object| Some((lsn_in(&object.name)?, object.name))).collect();
            pages.sort();
            futures::stream::iter(pages.into_iter().map(Ok))
        })
        .try_flatten()
        .and_then(move |(lsn, object)| {
            let system = system.clone();
            async move {
                let (_, page) = system.get(&object).await?;
                let blob = KekPage::decode(&page)
                    .map(|page| page.blob)
                    .map_err(|fault| CheckpointFault::kek_page("read", object.as_str(), fault));
                Ok(FoundKekPage { object, lsn, blob })
            }
        })
        .boxed()
}
