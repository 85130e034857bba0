//! Work that would hold up an async thread.

use crate::error::Fault;

/// Bytes that are summed on the caller's thread: 1 MiB takes about a tenth of a millisecond; more goes to a blocking thread.
pub(crate) const MAX_SUMMED_HERE: u64 = 1 << 20;

/// Runs `work` on a blocking thread. It runs to its end even if the future is dropped.
pub(crate) async fn blocking<T: Send + 'static>(work: impl FnOnce() -> T + Send + 'static) -> Result<T, Fault> {
    tokio::task::spawn_blocking(work)
        .await
        .map_err(|error| Fault::io("running a blocking task", std::io::Error::other(error.to_string())))
}
