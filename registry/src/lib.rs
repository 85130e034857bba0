//! Turtle objects, and who knows the latest one.
//!
//! A checkpoint is published by one immutable object, the *turtle object*, that holds all that a reader needs to open it. A *registry*
//! answers, with strict consistency, which one is the latest, and sees to it that only one leader at a time publishes. Where a bucket lists
//! and creates conditionally with strict consistency, the bucket itself is the registry: [`BucketRegistry`].
//!
//! ```
//! use std::sync::Arc;
//! use plastron_registry::{BucketRegistry, CheckpointRegistry, Leadership, Turtle};
//! use plastron_sources::{Bucket, BucketOptions};
//!
//! # #[tokio::main(flavor = "current_thread")]
//! # async fn main() -> Result<(), Box<dyn std::error::Error>> {
//! let bucket = Bucket::open(BucketOptions::parse("source=memory_store")?).await?;
//! let registry: Arc<dyn CheckpointRegistry> = Arc::new(BucketRegistry::new(bucket));
//!
//! let mut leader = Leadership::open(Arc::clone(&registry), "here:1").await?;
//! let turtle = Turtle { checkpoint_lsn: 17, ..Turtle::default() };
//! leader.publish(turtle.encode()?).await?;
//!
//! // Somebody else takes over, and goes on from there.
//! let mut successor = Leadership::open(Arc::clone(&registry), "there:2").await?;
//! assert_eq!(Turtle::decode(successor.content().ok_or("nothing")?)?, turtle);
//! successor.publish(turtle.encode()?).await?;
//!
//! // The first is fenced, for good.
//! let error = leader.publish(turtle.encode()?).await.unwrap_err();
//! assert_eq!(error.kind(), plastron_registry::ErrorKind::Fenced);
//! # Ok(())
//! # }
//! ```
//!
//! # Where to look
//!
//! | you want to | use |
//! | --- | --- |
//! | publish as a leader | [`Leadership`] |
//! | follow | [`CheckpointRegistry::read`], [`CheckpointRegistry::watch`] |
//! | list, read a chosen one, remove | [`TurtleHistory`] |
//! | open the registry of a database | [`Registries`], [`RegisterRegistry::over_bucket`] |
//! | read and write the formats | [`TurtleObject`], [`Turtle`], [`TurtlePage`], [`CheckpointString`], [`Pin`] |
//! | write a registry | [`CheckpointRegistry`] |
//!
//! # Why the turtle's formats are here
//! The object's frame is the registry's: epoch, sequence and what they follow are decided here. What is inside stands beside it, since
//! registries that keep only a pointer, the verifier and the fuzz targets all read it, and none may import from the floor of the page log. What
//! the page log has to say is carried as bytes that it makes.

mod bucket;
mod checkpoint_registry;
mod checkpoint_string;
mod cursor;
mod error;
#[doc(hidden)]
pub mod fuzzing;
mod leadership;
mod pin;
mod polling;
mod register;
mod registries;
mod settings;
mod turtle;
mod turtle_history;
mod turtle_object;
mod turtle_page;
mod version;

pub use bucket::{BucketRegistry, ListedTurtle};
pub use checkpoint_registry::CheckpointRegistry;
pub use checkpoint_string::CheckpointString;
pub use error::{Error, Fault, Result};
pub use leadership::Leadership;
pub use pin::{Pin, PinName};
pub use plastron_config::ErrorKind;
#[cfg(feature = "etcd")]
pub use register::{EtcdClientOptions, EtcdOptions, EtcdRegister, EtcdUser};
#[cfg(feature = "ickpt")]
pub use register::{IckptOptions, IckptRegister};
pub use register::{RegisterFault, RegisterRegistry, SwapRegister, Swapped};
pub use registries::{BucketRegistries, OpenedRegistry, Registries};
pub use turtle::{Ancestor, KekRef, MAX_ANCESTORS, MAX_METADATA_BYTES, Retention, Turtle};
pub use turtle_history::TurtleHistory;
pub use turtle_object::{MAX_CONTENT_BYTES, MAX_OWNER_BYTES, MAX_TURTLE_BYTES, TurtleObject};
pub use turtle_page::{KeyProvider, TurtlePage};
pub use version::{Acquired, Fence, Guarantees, Version, Versioned};
