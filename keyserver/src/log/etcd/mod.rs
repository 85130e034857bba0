//! A log on etcd, for replicas on several machines.
//!
//! An entry is a key of its own, with a random name, so that proposals never wait for one another; its index is the revision that created it. Indices rise
//! with gaps. What is committed is learned by a watch; if etcd has compacted what the watch is to begin with, by ranged reads until it can go on. Everybody who
//! can write under the prefix can stop the realm; nobody can make it lie that way.
//!
//! | key under the prefix | value |
//! | --- | --- |
//! | `entry/<32 hex digits>` | the entry |
//! | `truncated` | index up to which entries may be missing (8) |
//! | `applied/<replica>` | index that the replica has applied (8), a little behind |
//! | `leader` | the replica's name; goes with its lease |
//!
//! Behind every value but the leader's are 4 bytes, the CRC32C of key and value.
//!
//! Invariants: `truncated` is written before anything is removed, never falls, and is never above what a replica that has registered, or that the configuration
//! names, has applied. Whether this replica leads is a guess that ends with the lease. Every request has a deadline.

mod etcd_log;
mod feed;
mod keeper;
mod layout;
mod options;

pub use etcd_log::EtcdLog;
pub use options::EtcdLogOptions;
