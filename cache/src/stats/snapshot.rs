//! The counters at one moment, for programs and people.

use std::fmt;

/// What a cache did since it was opened, and what it holds now.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct CacheStats {
    /// Blocks found in memory.
    pub memory_hits: u64,
    /// Blocks found on disk.
    pub disk_hits: u64,
    /// Blocks that had to be waited for: fetched for this reader, or being fetched for another.
    pub misses: u64,
    /// Requests to the origin on behalf of a reader.
    pub fetches: u64,
    /// Requests to the origin ahead of a reader.
    pub ahead_fetches: u64,
    /// Bytes that all requests brought.
    pub fetched_bytes: u64,
    /// Of these, bytes fetched ahead and dropped before anybody read them.
    pub ahead_unused_bytes: u64,
    /// Requests that failed.
    pub fetch_errors: u64,
    /// Blocks written to disk.
    pub disk_writes: u64,
    /// Bytes of the files written, headers included.
    pub disk_written_bytes: u64,
    /// Blocks not written to disk because the queue was full, writes were off, or there was no room.
    pub disk_writes_dropped: u64,
    /// Blocks not written to disk because a scan brought them and they had not been seen before.
    pub disk_writes_declined: u64,
    /// Writes that failed.
    pub disk_write_errors: u64,
    /// Reads from disk that failed (not: that found wrong bytes).
    pub disk_read_errors: u64,
    /// Blocks removed from disk to make room.
    pub disk_evictions: u64,
    /// Files found damaged, and removed.
    pub disk_corrupt: u64,
    /// Bytes of blocks in memory, both pools, with what each entry costs.
    pub memory_bytes: u64,
    /// Bytes of files on disk, each rounded up to 4 KiB.
    pub disk_bytes: u64,
    /// Files on disk.
    pub disk_blocks: u64,
    /// How the disk part is doing.
    pub disk_state: DiskState,
}

impl CacheStats {
    /// Hits as a share of all blocks asked for, 0 to 1; 0 if none was.
    pub fn hit_ratio(&self) -> f64 {
        let hits = self.memory_hits + self.disk_hits;
        let all = hits + self.misses;
        if all == 0 { 0.0 } else { hits as f64 / all as f64 }
    }
}

impl fmt::Display for CacheStats {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(
            f,
            "cache: {} memory hits, {} disk hits, {} misses ({:.1} % hits)",
            self.memory_hits,
            self.disk_hits,
            self.misses,
            100.0 * self.hit_ratio()
        )?;
        writeln!(
            f,
            "cache: {} requests and {} ahead brought {} bytes ({} unused), {} failed",
            self.fetches, self.ahead_fetches, self.fetched_bytes, self.ahead_unused_bytes, self.fetch_errors
        )?;
        write!(
            f,
            "cache: {} bytes in memory; disk {}: {} blocks, {} bytes, {} written, {} dropped, {} evicted, {} damaged",
            self.memory_bytes,
            self.disk_state,
            self.disk_blocks,
            self.disk_bytes,
            self.disk_writes,
            self.disk_writes_dropped,
            self.disk_evictions,
            self.disk_corrupt
        )
    }
}

/// How the disk part of a cache is doing.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
#[non_exhaustive]
pub enum DiskState {
    /// There is none: no directory was configured.
    #[default]
    None,
    /// Files of earlier runs are being counted. They can be read already; nothing is written yet.
    Scanning,
    /// Reading and writing.
    Ready,
    /// Reading only, until the file system has been left alone for a while.
    WritesPaused {
        /// What the operating system said.
        reason: String,
    },
}

impl fmt::Display for DiskState {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::None => f.write_str("none"),
            Self::Scanning => f.write_str("scanning"),
            Self::Ready => f.write_str("ready"),
            Self::WritesPaused { reason } => write!(f, "writes paused ({reason})"),
        }
    }
}
