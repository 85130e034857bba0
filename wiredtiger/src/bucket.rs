//! How a bucket is opened for a file system of WiredTiger's, and how a local file is compared with an object.
//!
//! Opening waits [`REQUEST_DEADLINE`] for a provider that does not answer, so that a wrong endpoint is told soon. Everything after that
//! is waited for with [`Patience`](crate::patience::Patience), in rounds of that length.

use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use plastron::{Bucket, BucketOptions, FileSystem, Store};
use plastron_sources::{Fault, Provider, Secret};

use crate::extension::{Extension, below};
use crate::failure::Failure;
use crate::load_options::LoadOptions;
use crate::storage_source::cache_directory;

/// How long the bucket retries one request by itself: several times its longest pause between two attempts.
const REQUEST_DEADLINE: Duration = Duration::from_secs(20);

/// Read at once when the content of an object is compared: one part.
const COMPARE_BYTES: u64 = 8 << 20;

/// Opens `bucket` at `provider` with the cache that `config` names.
pub(crate) async fn open(
    extension: &Extension,
    provider: Provider,
    bucket: &str,
    auth_token: &str,
    config: &str,
) -> Result<FileSystem, Failure> {
    let options = bucket_options(extension, provider, bucket, auth_token);
    let opened = Box::pin(Bucket::open(options)).await?;
    let mut cache = extension.options().cache.clone();
    if cache.size > 0 {
        cache.directory = Some(cache_directory(extension.home(), bucket, config));
    }
    let cache = match Store::open_cache(cache.clone()).await {
        Ok(cache) => cache,
        // The directory's name may be stale memory, and a cache is no reason not to open a database.
        Err(error) if cache.directory.is_some() => {
            tracing::warn!(%error, "no cache on disk, only in memory");
            cache.directory = None;
            Store::open_cache(cache).await?
        }
        Err(error) => return Err(error.into()),
    };
    Ok(FileSystem::from_parts(opened, Some(cache)))
}

fn bucket_options(extension: &Extension, provider: Provider, bucket: &str, auth_token: &str) -> BucketOptions {
    let load = extension.options();
    let bucket = match provider {
        Provider::Dir => below(extension.home(), bucket).to_string_lossy().into_owned(),
        _ => bucket.to_owned(),
    };
    let mut options = BucketOptions::new(provider, bucket);
    if provider != Provider::Dir {
        options.auth_token = Secret::new(auth_token);
        options.endpoint.clone_from(&load.endpoint);
    }
    if provider == Provider::S3 {
        options.path_style = load.path_style;
        options.region = region(load, &options.bucket);
    }
    options.retry.deadline = load.retry_deadline.min(REQUEST_DEADLINE);
    // The deadline is what bounds them.
    options.retry.attempts = u32::MAX;
    options
}

/// The region that was set when the extension was loaded, for a bucket string that names none.
fn region(load: &LoadOptions, bucket: &str) -> Option<String> {
    load.region.clone().filter(|_| !bucket.contains(';'))
}

/// Whether the object holds exactly the bytes of the file at `path`. Taken from the bucket, not from the cache.
pub(crate) async fn same_content(files: &FileSystem, object: &str, path: &Path) -> plastron::Result<bool> {
    let found = files.bucket().open_object(object).await?;
    let path = path.to_owned();
    let local = move || -> std::io::Result<(std::fs::File, u64)> {
        let file = std::fs::File::open(path)?;
        let size = file.metadata()?.len();
        Ok((file, size))
    };
    let (file, size) = blocking(object, local).await?;
    if size != found.size() {
        return Ok(false);
    }
    let file = Arc::new(file);
    let mut offset = 0;
    while offset < size {
        let end = offset.saturating_add(COMPARE_BYTES).min(size);
        let theirs = found.read(offset..end).await?;
        let (file, length) = (Arc::clone(&file), theirs.len());
        let ours = blocking(object, move || {
            let mut bytes = vec![0; length];
            std::os::unix::fs::FileExt::read_exact_at(&*file, &mut bytes, offset).map(|()| bytes)
        })
        .await?;
        if ours != theirs {
            return Ok(false);
        }
        offset = end;
    }
    Ok(true)
}

/// Runs `work` where blocking is allowed.
async fn blocking<T: Send + 'static>(
    object: &str,
    work: impl FnOnce() -> std::io::Result<T> + Send + 'static,
) -> plastron::Result<T> {
    let done = match tokio::task::spawn_blocking(work).await {
        Ok(done) => done,
        Err(_) => Err(std::io::Error::other("the thread that read it has ended")),
    };
    done.map_err(|error| plastron_sources::Error::new("put", object, Fault::io("reading the local file", error)).into())
}

/// What the file system did, in one line.
pub(crate) fn statistics(files: &FileSystem) -> String {
    let stats = files.stats();
    let (bucket, cache) = (&stats.bucket, &stats.cache);
    let mut line = format!(
        "{}: {} requests, {} bytes sent, {} bytes received, {} retries, {} throttled, {:.6} USD",
        files.bucket().address(),
        bucket.requests_total(),
        bucket.bytes_up(),
        bucket.bytes_down(),
        bucket.retries(),
        bucket.throttles(),
        bucket.cost_usd
    );
    if let Some(cache) = cache {
        line.push_str(&format!(
            "; cache: {} hits in memory, {} on disk, {} misses, {} bytes fetched",
            cache.memory_hits, cache.disk_hits, cache.misses, cache.fetched_bytes
        ));
    }
    line
}
