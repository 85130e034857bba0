//! Reading: exact ranges, verified, in parallel.
//!
//! [`Object`] is opened with one HEAD and knows its size, etag and checksums from then on. A read goes four steps:
//!
//! 1. *Plan* (`plan.rs`): ranges are widened to whole checksum blocks, neighbours are merged, and what is larger than a part is
//!    split into pieces.
//! 2. *Fetch* (`piece.rs`): up to `part_concurrency` pieces at once, each one GET with the range and `If-Match`, so that a
//!    replaced object is never mixed with the one that was opened.
//! 3. *Verify*: the CRC32C of each block. Blocks that fail are fetched once more, since a bit may have flipped on the way;
//!    if they fail again they are corrupt.
//! 4. *Cut* to what was asked for, without copying where one piece holds it all.
//!
//! Whoever wants a whole object and has not opened it saves the HEAD (`whole.rs`), and so does whoever wants a part of it (`opening.rs`).

mod object;
mod opening;
mod piece;
mod plan;
mod whole;

pub use object::Object;

use piece::PieceReader;
use plan::{Span, coalesce, split};

#[cfg(test)]
mod read_test;
#[cfg(test)]
mod whole_test;
