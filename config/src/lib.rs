//! WiredTiger's configuration-string grammar, with typed access, schemas and positions in errors.
//!
//! This is the lowest floor of Plastron: it depends on nothing but the standard library, and every other crate reads its
//! settings through it. It also holds [`ErrorKind`], the coarse classification that every Plastron error carries.

pub mod limits;

mod config;
mod error;
mod kind;
mod lexical;
mod merge;
mod parser;
mod percent;
mod position;
mod print;
mod quantity;
mod schema;
mod secrecy;
mod source_text;
mod suggest;
mod typed;
mod url;
mod value;

pub use config::Config;
pub use error::{Error, Reason, Result};
pub use kind::ErrorKind;
pub use position::Position;
pub use schema::{Key, KeyCheck, KeyType, Schema};
pub use secrecy::is_secret_key;
pub use value::{Value, ValueKind};
