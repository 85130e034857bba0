//! A server for the part of Google Cloud Storage's XML API that Plastron and `object_store` speak.
//!
//! No packaged emulator does: those there are speak the JSON API and ignore preconditions. This one keeps objects in memory and
//! decides every precondition and the write that follows it under one lock, so that of any number of creators racing for a name
//! exactly one wins. It checks bearer tokens and upload digests, keeps custom metadata, completes multipart uploads under a
//! precondition, lists in pages, and holds no more than a set number of bytes.
//!
//! | file | what |
//! | --- | --- |
//! | `server.rs` | [`GcsServer`]: accepts connections, starts, stops |
//! | `service.rs` | from an HTTP request to a call on the table, and back |
//! | `table.rs` | buckets, objects, generations, preconditions, the bound on memory |
//! | `upload.rs` | multipart uploads |
//! | `listing.rs` | pages of a listing |
//! | `digest.rs` | CRC32C and MD5 as the API spells them |
//! | `access.rs`, `account.rs` | who may enter, by bearer token or by a token signed with a service account's key |
//! | `answer.rs` | responses and the API's errors |

mod access;
mod account;
mod answer;
mod digest;
mod listing;
mod object;
mod server;
mod service;
mod table;
mod upload;

pub use server::{GcsBuilder, GcsServer};
