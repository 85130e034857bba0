//! What is known about one object without reading it.

use std::time::SystemTime;

/// What is known about one object without reading it.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct ObjectInfo {
    /// Its name in the bucket, without the bucket's prefix.
    pub name: String,
    /// Its size, bytes.
    pub size: u64,
    /// The provider's entity tag, quotes included; changes when the object is replaced. Empty where a provider gives none.
    pub etag: String,
    /// When it was created, by the provider's clock; in what a create returns, by this machine's.
    pub created: SystemTime,
    /// How its bytes can be verified.
    pub checksums: Checksums,
}

/// How an object's bytes can be verified.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum Checksums {
    /// It was written by Plastron: every read is checked against the CRC32C of each block touched.
    Blocks {
        /// Bytes in a block.
        block: u32,
        /// CRC32C of the whole object, where it was known when the upload began.
        crc32c: Option<u32>,
    },
    /// It was written by something else and carries no checksums that Plastron could use.
    None,
}
