//! A directory of public keys that cannot lie unnoticed.
//!
//! Nodes and people register public keys under names. Every *epoch* the whole directory is summarised in a signed [head](proto::EpochHead); verifiers replay
//! every change and co-sign; a client accepts an answer only with a proof, enough signatures, and a head no older than it has seen.
//!
//! # Where to look
//!
//! | you want to | use |
//! | --- | --- |
//! | read and write the formats | [`proto`] |
//! | look up, update, read a history | [`client`] |
//! | verify a realm | [`verifier`] |
//! | check an answer, or evidence | [`verify_lookup`], [`check_evidence`] |
//! | say who may do something | [`policy`] |
//! | hide names | [`vrf`] |
//! | summarise the directory | [`merkle`] |
//! | keep things on disk | [`kv`] |
//! | have one order of everything | [`log`] |
//! | apply the log, and answer | [`machine`] |
//! | register names by identity tokens or client certificates | [`identity`] |
//! | run a replica | [`runner`] |
//! | wrap a database's keys to the nodes that may read it | `key_module`, with the feature `key-module` |
//! | speak to a replica by gRPC | `grpc`, with the feature of that name, and `keyserver/proto/keyserver.proto` |
//! | know the rules of updates | [`check_change`], [`Refusal`] |
//!
//! `docs/src/concepts/keyserver.md` tells what is promised and what is tested; `docs/src/formats/keyserver.md` has the bytes.

pub mod client;
mod digest;
mod encoding;
pub mod epoch;
mod error;
mod evidence;
#[doc(hidden)]
pub mod fuzzing;
#[cfg(feature = "grpc")]
pub mod grpc;
pub mod identity;
#[cfg(feature = "key-module")]
pub mod key_module;
pub mod kv;
pub mod log;
pub mod machine;
pub mod merkle;
pub mod policy;
pub mod proposer;
pub mod proto;
mod refusal;
pub mod runner;
#[cfg(feature = "http")]
pub mod server;
#[cfg(feature = "http")]
pub mod tls;
pub mod transport;
mod unverified;
pub mod verifier;
pub mod vrf;

pub use digest::Digest;
pub use error::{Error, Result};
pub use evidence::{Proven, check_evidence, compare_heads};
pub use plastron_config::ErrorKind;
pub use policy::{AuthorizationPolicy, PublicKey, Signature, Signatures, SigningKey};
pub use refusal::{Refusal, check_change};
pub use unverified::{CLOCK_SKEW_MS, Unverified, Verified, follow_policies, verify_head, verify_lookup};
