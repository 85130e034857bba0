//! Checkpoints: how a database in a bucket is written by one leader, and read by its followers.
//!
//! # What a checkpoint is
//! A checkpoint is published by one *turtle object*: everything that is needed to open the database as it was at one LSN. It names the state of the
//! page log, the KEK page in force, the root of the engine's metadata and its timestamps. A [registry](plastron_registry) says which turtle is
//! the latest, and lets one leader at a time publish; who was overtaken is `Fenced`, for good.
//!
//! ```text
//! pages ─ metadata root ─ get_key_blob ─ KEK page, if changed ─ turtle page ─┬─ all of it durable ─ get_key_complete ─ turtle object
//!          (the engine)                                                      └─ KEK object
//! ```
//! Everything that goes to the bucket before the turtle object goes there at once, so a checkpoint takes two round trips after its last
//! page: one for segments and KEK object, one for the turtle; and the registry's look above it.
//!
//! # Who does what
//! | | |
//! | --- | --- |
//! | [`Volume`] | what a database is opened from: bucket, cache, keys, registry, options |
//! | [`Leader`] | takes over, writes pages, completes checkpoints, abandons what is above the last one |
//! | [`Follower`] | picks checkpoints up by itself, pins the one it reads |
//! | [`History`] | the checkpoints that are there; opens an old one, restores it, clones it |
//! | [`Collector`] | removes what no retained or pinned checkpoint reaches |
//! | [`Inspector`] | reads everything that is reached, and explains every fault (`fsck`) |
//!
//! # Invariants
//! * A turtle is published only when all that it reaches is in the bucket.
//! * `get_key_complete` is told of success only when the KEK page is in the bucket, as an object and in the page log.
//! * A publish whose outcome is unknown is settled before anything that it holds is abandoned.
//! * What a leader of a newer epoch may name is never removed, nor is what a retained or pinned turtle reaches (see `collector.rs`).
//!
//! The tables with the KEK and turtle pages are [`KEK_TABLE`] and [`TURTLE_TABLE`], page 1 of each; engines can't write them.

mod checkpoint_info;
mod collector;
mod collector_report;
mod fault;
mod follower;
mod history;
mod inspector;
mod kek;
mod kek_pages;
mod leader;
mod leader_collecting;
mod leader_keys;
mod listing;
mod pins;
mod published;
mod request;
mod reserved;
mod retention;
mod volume;

#[cfg(test)]
mod collector_test;
#[cfg(test)]
mod damage_test;
#[cfg(test)]
mod keys_test;
#[cfg(test)]
mod leader_test;
#[cfg(test)]
mod limits_test;
#[cfg(test)]
mod round_trips_test;
#[cfg(test)]
mod simulated_actors;
#[cfg(test)]
mod simulated_leader;
#[cfg(test)]
mod simulated_model;
#[cfg(test)]
mod simulated_store;
#[cfg(test)]
mod simulated_time;
#[cfg(test)]
mod simulation_test;

pub use checkpoint_info::CheckpointInfo;
pub use collector::Collector;
pub use collector_report::CollectorReport;
pub use fault::CheckpointFault;
pub use follower::Follower;
pub use history::History;
pub use inspector::{Inspection, Inspector};
pub use kek_pages::{FoundKekPage, kek_pages};
pub use leader::{Leader, TurtlePagePlace};
pub use request::{CheckpointRequest, Completion};
pub use reserved::{KEK_TABLE, TURTLE_TABLE};
pub use retention::RetentionOptions;
pub use volume::Volume;
