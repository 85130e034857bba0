//! A thin client of etcd: its endpoints, deadlines and bounds, and what both of its users would otherwise write twice.
//!
//! etcd is spoken to by the JSON form of its own gRPC interface, which every etcd from 3.4 on serves beside it (`/v3/kv/…`, `/v3/watch`), so that nothing has to be
//! generated. What a request means is its caller's business: the registry swaps one key, the keyserver's log appends and watches many. It lives on this floor
//! since both import from here, and since the HTTP client in which nothing is unbounded is here.
//!
//! Invariants: every request and every step of a watch has a deadline, and a bound on what is read; an endpoint that fails is not asked first the next time.

mod client;
mod error;
mod node;
mod pair;
mod watch;

pub use client::{EtcdClient, EtcdClientOptions};
pub use error::EtcdError;
pub use node::EtcdUser;
pub use pair::{EtcdPair, encode_etcd, etcd_number, etcd_range_end};
pub use watch::{EtcdEvent, EtcdWatch};
