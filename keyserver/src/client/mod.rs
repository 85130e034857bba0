//! A client of a realm: asks, checks everything, and remembers.
//!
//! What it has accepted it never takes back: its memory is on disk before an answer is given, and an answer that is older, or of another history, is
//! refused with its [reason](crate::Unverified). Several replicas are asked in turn; one that lies, or is behind, costs time and nothing else.

mod memory_file;
mod realm_client;

pub use memory_file::MemoryFile;
pub use realm_client::{Client, ClientOptions, History};
