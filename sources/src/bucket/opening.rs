//! Opening: from options to a bucket that is known to be there.

use std::sync::Arc;

use futures::TryStreamExt;
use object_store::list::PaginatedListOptions;

use super::OpenBucket;
use crate::error::Fault;
use crate::fault_of::fault_of;
use crate::options::BucketOptions;
use crate::source::{Provider, Source};
use crate::stats::Stats;

/// Opens the source that `options` name. Where that takes no request (all but `dir`), nothing is proved yet.
pub(crate) async fn open_source(options: &BucketOptions, stats: &Arc<Stats>) -> Result<Source, Fault> {
    match options.provider {
        Provider::Memory => Ok(crate::memory::open(options, Arc::clone(stats))),
        #[allow(unreachable_patterns, reason = "which providers are left depends on the features")]
        other => Err(Fault::Unsupported(format!(
            "{other} is not built into this program; build it with the feature of that name"
        ))),
    }
}

/// Proves with one request that the bucket exists and answers: a list, limited to one object.
///
/// # Errors
/// [`Fault::NoSuchBucket`], or why the provider cannot be reached or refuses.
pub(crate) async fn prove_bucket(bucket: &OpenBucket) -> Result<(), Fault> {
    let prefix = bucket.names.prefix();
    let listed = match &bucket.source.pages {
        Some(pages) => {
            let options = PaginatedListOptions { max_keys: Some(1), ..PaginatedListOptions::default() };
            pages.list_paginated(Some(prefix).filter(|prefix| !prefix.is_empty()), options).await.map(drop)
        }
        None => bucket.source.store.list(None).try_next().await.map(drop),
    };
    match listed {
        Ok(()) => {
            bucket.answered();
            Ok(())
        }
        Err(error) => Err(match fault_of(&error) {
            Fault::NoSuchObject => Fault::NoSuchBucket,
            fault => fault,
        }),
    }
}
