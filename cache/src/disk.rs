//! Blocks on disk: a directory of files, one for each block.
//!
//! **The directory is the truth; what is kept in memory is only bookkeeping.** A file is found by its name, which follows from the
//! object and the block, and it says itself what it holds ([`block_file`]); so a file that is wrong, damaged, removed or written by
//! another process can at the worst cost a fetch. Any mismatch is a miss, and the file is removed.
//!
//! * **Reading** ([`reader`]) happens on the caller's thread: look up, `preadv` of header and data at once, verify. It takes no lock that
//!   is held during a system call. The file is pinned meanwhile, so that it is not evicted under the reader.
//! * **Writing** ([`writer`]) happens on two threads of its own, from a bounded queue ([`write_queue`]). What does not fit is not cached,
//!   and counted. A file is written under a temporary name and renamed; it is not synced: after a power failure it may be
//!   damaged, which its checksums tell.
//! * **Room** is made before a file is written, exactly: the [`ledger`] knows what every file costs (its length rounded up to 4 KiB) and
//!   chooses what goes by S3-FIFO. The configured size is never exceeded by this process's own doing; and the cache shrinks when
//!   the file system has less than `min_free` left.
//! * **Trouble** (`ENOSPC`, `EIO`, a read-only file system) turns writes off for a while ([`pause`]) and is told through `tracing`, metrics
//!   and [`crate::CacheStats::disk_state`]. A reader never sees it.
//! * **Starting**, a thread ([`housekeeper`]) counts what earlier runs left. Until that is done nothing is written, but everything can be
//!   read: a file that is not known yet is looked for under its name.
//! * **Sharing**: several processes may use one directory. They notice each other ([`users`]); while there is company each looks for
//!   unknown blocks on disk before fetching, and goes over the directory every few seconds to correct its books. Each keeps all
//!   that it knows of below its own limit, so the directory exceeds the smallest limit at most by what the others wrote since.

mod block_file;
#[cfg(test)]
mod damage_test;
mod entry;
mod ghost;
mod housekeeper;
mod index;
mod layout;
mod ledger;
mod medium;
mod open_files;
mod pause;
mod reader;
#[cfg(test)]
mod test_medium;
mod tier;
mod users;
mod write_queue;
mod writer;

pub use block_file::{BlockFault, BlockHeader, decode_block_file};
pub(crate) use tier::{Disk, DiskOptions};
pub(crate) use write_queue::Offer;
