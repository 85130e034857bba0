//! A running replica: takes committed entries in order, puts what they amount to on disk, and only then lets anything happen.
//!
//! * One task applies the log. Its steps run on threads that may block.
//! * One decides, whenever an input changes, whether a delimiter is to be proposed ([`crate::epoch`]).
//! * What is to be signed follows from the state, not from the moment: a replica that crashed anywhere signs what it owes when it is back.
//!
//! A failure of the local database stops the replica for good: [`Runner::failure`] says so, and it leaves the rotation.

mod replica;
mod waiting;

pub(crate) use replica::now_ms;
pub use replica::{Runner, RunnerOptions};
