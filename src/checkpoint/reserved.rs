//! Tables that hold Plastron's own pages.

use super::CheckpointFault;

/// The table of KEK pages: page 1, each LSN another one. The same bytes stand in an object of their own, since what a segment holds
/// can't be opened without.
pub const KEK_TABLE: u64 = u64::MAX;

/// The table of turtle pages: page 1, each LSN another checkpoint's.
pub const TURTLE_TABLE: u64 = u64::MAX - 1;

/// They are the last two, which the page log of a leader refuses to write for an engine.
pub(crate) const OWN_TABLES: u64 = 2;

/// The only page of both.
pub(crate) const ONLY_PAGE: u64 = 1;

/// `table`, if an engine may write it.
///
/// # Errors
/// [`CheckpointFault::ReservedTable`].
pub(crate) fn engine_table(table: u64) -> Result<u64, CheckpointFault> {
    match table {
        KEK_TABLE | TURTLE_TABLE => Err(CheckpointFault::ReservedTable { table }),
        table => Ok(table),
    }
}
