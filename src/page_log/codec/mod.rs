//! The formats of the page log, as bytes: segments, index runs, and the state of a log. Byte tables are in
//! `docs/src/formats/page-log.md`.
//!
//! Encoders take what is right by construction. Decoders take anything: they check every length before they use it, every
//! checksum before they believe it, and every order that a search relies on; what they refuse is a [`Damage`] with its place. What they
//! accept has one form only, which the fuzz targets hold them to.

mod damage;
mod index_block;
mod index_entry;
mod log_state;
mod numbers;
mod page_filter;
mod record_codec;
mod run_ref;
mod run_tail;
mod segment;
mod segment_header;
mod segment_ref;
mod segment_tail;

#[cfg(test)]
mod codec_test;

pub use log_state::LogState;
pub use run_ref::RunRef;
pub use segment_ref::SegmentRef;
pub use segment_tail::Trim;

pub(crate) use damage::Damage;
pub(crate) use index_block::{IndexBlock, IndexBlockBuilder};
pub(crate) use index_entry::IndexEntry;
pub(crate) use page_filter::{PageFilter, PageFilterBuilder};
pub(crate) use record_codec::{Compression, RawRecord};
pub(crate) use run_tail::{BlockPlace, RUN_FOOTER_BYTES, RUN_HEADER_BYTES, RunHeader, RunTail, RunTailParts};
pub(crate) use segment::{EncodedSegment, SegmentEncoder, decode_segment};
pub(crate) use segment_header::{SegmentHeader, SegmentIdentity};
pub(crate) use segment_tail::{FOOTER_BYTES, SegmentTail};

#[cfg(test)]
pub(crate) use segment_header::WrappedKey;
