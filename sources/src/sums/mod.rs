//! Block checksums: what lets a reader prove that every byte is the one that was written.
//!
//! Providers check a request or an object as a whole, not a range of it, and a checksum of the whole does not help a reader of
//! 4 KiB out of a gigabyte. So every object that Plastron writes carries the CRC32C of each of its blocks of
//! [`BLOCK_BYTES`]. Reads are widened to whole blocks, verified, and cut to what was asked for.
//!
//! Where the sums are kept depends on how many there are:
//! * up to [`MAX_INLINE_BLOCKS`]: in the object's user metadata, in the entry `plastron`, beside the creation id ([`Creation`]);
//! * more, or when the size was not known at the start of the upload: in a *side object* `_plastron/sums/<id>`
//!   ([`encode_side_object`]), which is there before the object is.
//!
//! Byte tables: `docs/src/formats/checksums.md`. Golden files: `tests/fixtures/`. Both decoders take any bytes without panic and
//! accept nothing that fails its checksum.

mod block_sums;
mod creation;
mod shift;
mod side_object;
mod sums_builder;

pub(crate) use block_sums::{BlockSums, Mismatch};
pub(crate) use creation::{Creation, SumsPlace};
pub(crate) use side_object::{decode_side_object, encode_side_object, side_object_bytes, side_object_name};
pub(crate) use sums_builder::SumsBuilder;

/// Bytes covered by one checksum. A read of one byte costs this much transfer, which at cloud latencies is the price of the
/// request anyway (30 ms at 100 MB/s are 3 MB); the cache's blocks have the same size.
pub(crate) const BLOCK_BYTES: u32 = 256 << 10;

/// Most block checksums kept in user metadata. S3 allows 2 KiB for all of it; 300 sums take 1,600 characters of base64.
pub(crate) const MAX_INLINE_BLOCKS: u64 = 300;

/// Largest block size a decoder accepts: bounds what one read of one byte may cost.
pub(crate) const MAX_BLOCK_BYTES: u32 = 64 << 20;

/// Key of the user-metadata entry. Letters only, as Azure demands.
pub(crate) const METADATA_KEY: &str = "plastron";
