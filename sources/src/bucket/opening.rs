//! Opening: from options to a bucket that is known to be there.

use std::sync::Arc;

use futures::TryStreamExt;
use object_store::list::PaginatedListOptions;

use super::OpenBucket;
use crate::error::{Error, Fault, Result};
use crate::fault_of::fault_of;
use crate::options::BucketOptions;
use crate::source::{Provider, Source};
use crate::stats::Stats;

/// Opens the source that `options` name. Where that takes no request (all but `dir`), nothing is proved yet.
///
/// # Errors
/// Those of the provider's own `open`, which name the bucket as far as it could be read without repeating what may be a secret.
pub(crate) async fn open_source(options: &BucketOptions, stats: &Arc<Stats>) -> Result<Source> {
    match options.provider {
        Provider::Dir => crate::dir::open(options, Arc::clone(stats))
            .await
            .map_err(|fault| Error::new("open", options.bucket.clone(), fault)),
        Provider::Memory => Ok(crate::memory::open(options, Arc::clone(stats))),
        #[cfg(feature = "s3")]
        Provider::S3 => crate::s3::open(options, Arc::clone(stats)).await,
        #[cfg(feature = "azure")]
        Provider::Azure => crate::azure::open(options, Arc::clone(stats)).await,
        #[cfg(feature = "gcp")]
        Provider::Gcp => crate::gcp::open(options, Arc::clone(stats)).await,
        #[allow(unreachable_patterns, reason = "which providers are left depends on the features")]
        other => {
            let fault = "not built into this program; build it with the feature of that name";
            Err(Error::new("open", other.as_str(), Fault::Unsupported(fault.to_owned())))
        }
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
