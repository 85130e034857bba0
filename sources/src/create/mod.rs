//! Creating objects: create-if-absent, whole or not at all, and safe to repeat.
//!
//! Every create carries a random *creation id* in the object's metadata. When the store says that the name is taken, or does not
//! say anything intelligible, a HEAD tells by the id whether the object is the one this create made ([`Settled`]): an
//! acknowledgement can be lost, a creation cannot.
//!
//! | bytes | how | checksums |
//! | --- | --- | --- |
//! | up to `part_size`, or what `put_whole` says | one PUT (`small.rs`) | in the metadata, or a side object |
//! | more, known beforehand | parts in parallel (`large.rs`, `file.rs` over [`Upload`]) | in the metadata up to 300 blocks, else a side object |
//! | up to that, begun before all of it was there | one PUT, of which a directory has the first bytes already ([`AheadWriter`]) | in the metadata, or a side object |
//! | not known beforehand | [`ObjectWriter`]: one part is buffered; ends it there, it is one PUT | in the metadata, or a side object |
//!
//! Invariants:
//! * A side object exists before the object that names it, and goes only when that object can't appear any more (`SideObject`).
//! * An [`Upload`] that does not finish is aborted: at once on an error, in the background ([`Cleanup`]) when its future is
//!   dropped. The request that completes it is carried to its end even then, so that what became of it is known and cleaned up after.
//! * On stores that complete in two steps creators take turns (`claim.rs`).
//! * Success is reported when the store holds the right size and the right checksums: for one PUT the transport compares the
//!   digest the store returns; after parts, a HEAD compares size and metadata.

mod ahead;
mod claim;
mod cleanup;
mod file;
mod large;
mod settle;
mod side;
mod small;
mod upload;
mod writer;

pub use ahead::AheadWriter;
pub(crate) use cleanup::Cleanup;
pub use writer::ObjectWriter;

use claim::{Claim, Claimed};
use settle::Settled;
use side::SideObject;
use upload::{Finished, Upload};

#[cfg(test)]
mod claim_test;
#[cfg(test)]
mod create_test;
