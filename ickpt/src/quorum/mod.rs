//! N instances as one register, that is there as long as a majority is.
//!
//! # How it is safe
//! It is Paxos with one value, re-proposed for ever: an *epoch* is a ballot, a [`Stamp`](crate::Stamp) is a proposal's number.
//!
//! 1. **Take over**: every instance is asked to promise a new epoch. It refuses if it promised a higher one, else it syncs the promise, drops what is staged,
//!    and says what it has. A majority of promises gives the highest value.
//! 2. **Write**: PUT to all; when a majority has staged it, POST to those; when a majority has committed it, it is done. An instance takes nothing
//!    below its promise, and nothing lower than what it has.
//! 3. **Read**: a majority that says the same is believed. Else the highest is written back *with its own stamp*, under the same guard, and then
//!    believed.
//! 4. **Votes**: each value carries the identities of its members. An instance that has none of them, since its disk was lost or it is new,
//!    does not vote until [`reseed`](Quorum::reseed) made it one. What comes from the store never votes.
//!
//! A value that was written half and is found by whoever takes over is written whole, under the new epoch, before anything else: nobody can tell
//! whether it was acknowledged.
//!
//! # What it does not do
//! Never is an answer given by a minority; that is `Unavailable`. The very first write needs all instances: a new instance and one that lost its
//! disk look alike, and only all of them together can say that there never was anything.

mod ballot;
mod gather;
mod http_instance;
mod instance;
#[cfg(test)]
mod linearizable;
mod propose;
mod register;
mod reseed;
#[cfg(test)]
mod sim_instance;
#[cfg(test)]
mod simulation_test;
mod votes;

pub use http_instance::{HttpInstance, HttpInstanceOptions};
pub use instance::{Instance, InstanceError, View};
pub use register::{Quorum, QuorumOptions, Swap};
