//! How much memory each part may use, derived from `memory` so that one setting bounds the process.
//!
//! With `memory` = M, beside M itself and `index_memory`:
//!
//! | part | bytes | held |
//! | --- | --- | --- |
//! | requests a reader waits for | M/8, at least 8 MiB | while the request runs |
//! | fetched ahead | M/4, at least 8 MiB | until read, or the window moves on |
//! | waiting to be written to disk | M/8, at least 4 MiB | until written; mostly blocks that are in memory anyway |
//! | blocks that sequential readers are in | M/16, at most 64 MiB | until the reader goes on |
//! | buffers for reuse | 8 MiB | always |

/// Bytes for each part.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Budgets {
    /// Blocks that nobody is using at the moment.
    pub(crate) memory: u64,
    /// One sequential reader's window.
    pub(crate) window: u64,
    /// Requests that a reader waits for.
    pub(crate) demand: u64,
    /// Fetched ahead and not yet read.
    pub(crate) ahead: u64,
    /// Waiting to be written to disk.
    pub(crate) queue: u64,
    /// Blocks from disk that sequential readers are in.
    pub(crate) current: u64,
}

/// What one permit of a semaphore stands for, so that their number fits.
const UNIT_BYTES: u64 = 4 << 10;

/// The largest range asked for in one request, bytes. Large enough that the time to the first byte (tens of milliseconds) is
/// small against the transfer, small enough that several fit in memory; also the part size of uploads.
pub(crate) const LONGEST_FETCH_BYTES: u64 = 8 << 20;

impl Budgets {
    /// For `memory` bytes, blocks of `block` bytes and windows of up to `window` bytes.
    pub(crate) fn new(memory: u64, block: u64, window: u64) -> Self {
        let at_least = block.max(LONGEST_FETCH_BYTES);
        let ahead = if window > 0 { (memory / 4).clamp(at_least, 1 << 32) } else { 0 };
        Self {
            memory,
            // A larger one would never be full, and would be cut into too large requests.
            window: window.min(ahead),
            demand: (memory / 8).clamp(at_least, 1 << 30),
            ahead,
            queue: (memory / 8).clamp((2 * block).max(4 << 20), 1 << 30),
            current: (memory / 16).min(64 << 20),
        }
    }

    /// Permits for `bytes`.
    pub(crate) fn units(bytes: u64) -> u32 {
        u32::try_from(bytes.div_ceil(UNIT_BYTES)).unwrap_or(u32::MAX)
    }
}
