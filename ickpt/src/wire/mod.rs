//! HTTP to stores and to instances: no redirects, no proxies, no decompression; the address that was checked is the one that is connected to.

mod answer;
mod client;
mod connection;
mod first_frame;
mod framing;
mod process;
mod resolver;
mod shared;
mod sharing;
#[cfg(feature = "etcd")]
mod stream;
mod tls;

pub use answer::{Answer, WireError};
pub use client::{AddressRule, HttpClient, HttpClientOptions};
pub(crate) use connection::answer_in;
pub use resolver::{Resolver, Resolving, SystemResolver};
#[cfg(feature = "etcd")]
pub use stream::HttpStream;
#[cfg(feature = "service")]
pub(crate) use tls::server_config;
pub use tls::{client_config, client_config_with_identity};
