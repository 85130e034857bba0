//! The state machine: what the directory is, as a function of the log.
//!
//! [`Machine::step`] takes the committed entries in order. It reads the database, and gives one [`Batch`](crate::kv::Batch) and what is to happen in the world
//! after that batch is on disk ([`Effect`]s); batches of several steps may be [staged](Machine::stage) and written as one. It knows no clock, no randomness and no network, and signs nothing: replicas that apply the same log have the
//! same database, byte for byte, and so the same heads. Whatever is in the log, a step ends: what breaks a rule is refused and changes nothing but the
//! index of what was applied.
//!
//! An epoch runs so: changes wait under the number of the epoch to come; a *delimiter* makes the tree and the head of them, which then awaits
//! signatures; when those of a quorum of replicas are in the log the epoch is *ratified*, can be looked up and is shown to verifiers, whose signatures come
//! in the same way. Of the epochs, one at most awaits ratification.
//!
//! | file | has |
//! | --- | --- |
//! | `state` | what is known without looking further |
//! | `tables` | the database's tables, with a checksum over each key and value |
//! | `pages` | the tree's pages, cached |
//! | `proofs` | indices of names with their proofs, cached |
//! | `step` | the rules |
//! | `staging` | outcomes of many steps, put on disk as one |
//! | `registering` | the rules of what operators decide, and of identity tokens |
//! | `directory` | answers to lookups, the verifiers' stream, a name's history |
//! | `snapshot`, `snapshot_file` | a database for a new replica |

mod directory;
mod pages;
mod proofs;
mod registering;
mod snapshot;
mod snapshot_file;
mod staging;
mod state;
mod step;
mod tables;

pub use directory::Directory;
pub use pages::PageCache;
pub(crate) use pages::PageStore;
pub use snapshot::{export_snapshot, import_snapshot};
pub use snapshot_file::{read_snapshot, snapshot_epoch, write_snapshot};
pub use state::State;
pub use step::{Accepted, Effect, MAX_PENDING, MAX_TIME_STEP_MS, Machine, MachineOptions, Outcome};
pub(crate) use tables::TableBatch;
pub use tables::{EpochRecord, Tables};
