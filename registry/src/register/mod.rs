//! Registries on a register: one value that is read and swapped, linearizably, by somebody else: a group of `ickpt` instances, or etcd.
//!
//! # How it fences
//! The value is the newest turtle object in an [`Envelope`](envelope::Envelope). Every commit, and every takeover, swaps the value that it is based on for its own;
//! so whoever was overtaken finds another value, and learns from it by whom. No number is ever free again, so nothing has to be listed.
//!
//! The envelope also names those who led before. One whose takeover was acknowledged by nobody, and built upon by the next, finds out
//! that it did lead, for a moment: epochs have no gaps that way.
//!
//! # History
//! A register keeps one turtle. So that old ones can be read, each is an object in the bucket before the register names it
//! (`recorded_register`), and each names the one before (`recorded_turtles`). [`RegisterRegistry::over_bucket`] puts them together.
//!
//! # What it costs
//! Reading is one read, a commit one create of an object and one swap.

mod envelope;
#[cfg(feature = "etcd")]
mod etcd;
#[cfg(feature = "ickpt")]
mod ickpt;
mod recorded_register;
mod recorded_turtles;
mod register_registry;
#[cfg(test)]
mod simulation_test;
mod swap_register;
mod turtle_record;

pub(crate) use envelope::Envelope;
#[cfg(feature = "etcd")]
pub use etcd::{EtcdOptions, EtcdRegister};
#[cfg(feature = "ickpt")]
pub use ickpt::{IckptOptions, IckptRegister};
#[cfg(feature = "etcd")]
pub use plastron_ickpt::etcd::{EtcdClientOptions, EtcdUser};
pub use register_registry::RegisterRegistry;
pub use swap_register::{RegisterFault, SwapRegister, Swapped};
pub(crate) use turtle_record::record_in;
