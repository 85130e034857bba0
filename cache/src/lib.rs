//! A local cache of blocks of immutable objects, in memory and on disk.
//!
//! A [`Cache`] keeps blocks (256 KiB unless configured otherwise) of objects that never change, keyed by object and block number.
//! A [`CachedObject`] reads one object through it. What is missing comes from a [`Fetch`], which in practice is an object opened in
//! a bucket.
//!
//! * **A hit costs no hop.** [`CachedObject::try_read`] finds a block in memory, or reads it with one `pread`, on the calling thread.
//! * **Nothing is fetched twice at once.** A thousand readers of a cold block make one request, and one that goes away harms no other.
//! * **Neighbours travel together.** Missing blocks next to each other are one ranged request; whoever reads from front to back gets
//!   read-ahead with a growing window.
//! * **What is on disk is verified at every read**: a damaged, truncated or foreign file is a miss and is removed.
//! * **A disk that fails is never an error to a reader.** Writes pause, reads go on; [`CacheStats::disk_state`] tells.
//! * **Memory and disk are bounded**, what is in flight included.
//!
//! ```
//! use std::ops::Range;
//! use std::sync::Arc;
//! use bytes::Bytes;
//! use plastron_cache::{Cache, CacheOptions, Fetch, ObjectId, Priority, Tier};
//!
//! struct Origin;
//!
//! #[async_trait::async_trait]
//! impl Fetch for Origin {
//!     async fn fetch(&self, range: Range<u64>) -> Result<Bytes, plastron_sources::Error> {
//!         Ok(range.map(|n| n as u8).collect())
//!     }
//! }
//!
//! # let runtime = tokio::runtime::Builder::new_multi_thread().build()?;
//! # runtime.block_on(async {
//! let cache = Cache::open(CacheOptions::new(), tokio::runtime::Handle::current())?;
//! let object = cache.object(ObjectId::new("memory", "numbers", "etag-1", 1_000_000));
//! let origin: Arc<dyn Fetch> = Arc::new(Origin);
//!
//! let mut buffer = [0; 3];
//! assert_eq!(object.try_read(10, &mut buffer), None);
//! assert_eq!(object.read(&origin, 10..13, Priority::Data).await?, [10, 11, 12][..]);
//! assert_eq!(object.try_read(10, &mut buffer), Some(Tier::Memory));
//! assert_eq!((buffer, cache.stats().fetches), ([10, 11, 12], 1));
//! # Ok::<(), plastron_sources::Error>(())
//! # })?;
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```
//!
//! How it is built: `tiers` puts memory, flights, disk and origin together; `read_ahead`, `disk` and `memory` each open with an
//! essay of their own. The files on disk are described in `docs/src/formats/cache-files.md`.

mod block_key;
mod budgets;
mod buffers;
mod cache;
mod cached_object;
mod current_block;
mod destination;
mod disk;
mod fetch;
mod flight;
mod flights;
mod geometry;
mod known_objects;
mod memory;
mod object_id;
mod options;
mod pieces;
mod read_ahead;
mod recent_touches;
mod stats;
mod tiers;

pub use cache::Cache;
pub use cached_object::CachedObject;
pub use disk::{BlockFault, BlockHeader, decode_block_file};
pub use fetch::{Fetch, Priority};
pub use object_id::ObjectId;
pub use options::{Admission, CacheOptions};
pub use stats::{CacheStats, DiskState, Tier};
