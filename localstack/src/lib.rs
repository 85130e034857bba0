//! Installs, starts and stops the servers Plastron is tested against, and breaks their traffic on request.
//!
//! Tests ask for a server and get where it answers; nothing else is needed:
//!
//! ```no_run
//! # async fn example() -> plastron_localstack::Result<()> {
//! use plastron_localstack::{Server, endpoint};
//!
//! let s3 = endpoint(Server::SeaweedFs).await?;
//! s3.create_bucket("pages").await?;
//! let store = s3.store_string("pages", "db1/"); // source=s3_store,bucket="pages;us-east-1",…
//! # Ok(())
//! # }
//! ```
//!
//! The servers themselves are installed once, by `localstack setup`. `localstack run -- COMMAND` starts a set of them for a
//! whole command, whose processes then share it through the environment; without it every test process starts what it uses.
//! Nothing outlives the process that started it, whichever way that ends, and everything listens on 127.0.0.1 alone.

mod background;
mod control;
mod endpoint;
mod error;
mod folder;
mod gcs;
mod janitor;
mod ports;
mod process;
mod proxy;
mod recipe;
mod running;
mod server;
mod set;
mod setup;
mod shared;

pub use endpoint::Endpoint;
pub use error::{Error, Result};
pub use folder::CacheFolder;
pub use gcs::{GcsBuilder, GcsServer};
pub use plastron_config::ErrorKind;
pub use proxy::{Fault, FaultProxy, FaultProxyBuilder, Match, Point, Record, Requests, Rule, Rules};
pub use running::Running;
pub use server::Server;
pub use set::ServerSet;
pub use setup::{Component, Installed, Setup};
pub use shared::{endpoint, endpoint_blocking};

/// The book's page compiles too.
#[cfg(doctest)]
#[doc = include_str!("../../docs/src/operations/localstack.md")]
mod page {}
