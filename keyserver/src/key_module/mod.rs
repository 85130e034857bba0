//! The key module `keyserver`: the KEKs of a database, wrapped to the public keys of the nodes that may read it.
//!
//! A node is a name, `node/<cluster>/<id>`, whose profile has its public keys; `cluster/<cluster>/readers` has the list of nodes that may read. Both are owned
//! by the operators. The leader looks up the list and its nodes *at one epoch*, with proofs, makes a fresh KEK, and wraps it to each by HPKE
//! ([`Kem`]). The result, with the proofs and the leader's signature, is the key blob of a checkpoint ([`KekBlob`]). Whoever has the realm's file can
//! [`examine`] it without asking anybody: that is what a reader does before it opens its wrap, and what an audit does with every page there is.
//!
//! Invariants:
//! * a KEK is wrapped to those only whom the list of the stated epoch names, under the keys that they have at that epoch;
//! * a blob has a fresh KEK, and is made when the list or a node's key has changed: who is no reader any more has no KEK of later generations. Older KEKs
//!   are in the blob, sealed under the newest, so that who can read it can read what was written before, and nobody the other way round;
//! * generation, epoch and versions never go back, not across restarts either: what a node has accepted is on its disk first ([`WrapMemory`]);
//! * new data keys are wrapped by a KEK only that went to nobody who is known to be no reader any more: where a bucket shows the blob of an old checkpoint, a fresh
//!   KEK is used, which the next blob will hold;
//! * without the keyserver, what is there can be read, and the KEK in force stays; what needs new wraps fails, and says so;
//! * KEKs and private keys are in no error, log, `Debug` print or file, but for the node's own key file. The KEKs are in memory only.
//!
//! Everything here blocks. Requests to replicas run on a thread of their own, with a deadline over all of them.

mod examination;
mod fault;
mod kek_blob;
mod kem;
mod look;
mod making;
mod members;
mod memory_file;
mod module;
mod names;
mod node_key;
mod node_public;
mod opening;
mod operator;
mod proof;
mod readers;
mod ring;
mod servers;
mod settings;
mod view;
mod wrap_memory;

pub use examination::{Examination, ReaderWrap, WrapFault, examine};
pub use kek_blob::{KekBlob, MAX_OLDER_KEKS, OlderKek, Wrap};
pub use kem::Kem;
pub use members::{Member, Members};
pub use memory_file::WrapMemoryFile;
pub use module::{KeyserverFactory, KeyserverModule};
pub use names::{MAX_ID_BYTES, check_id, node_name, readers_name};
pub use node_key::NodeKey;
pub use node_public::NodePublic;
pub use operator::{Operators, Published, read_list};
pub use proof::{EpochProof, NameProof};
pub use readers::{MAX_READERS, Readers};
pub use settings::Settings;
pub use wrap_memory::WrapMemory;
