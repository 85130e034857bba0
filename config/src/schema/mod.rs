//! What a configuration may say: keys, types, ranges, defaults and their explanation.
//!
//! A [`Schema`] belongs to one section; the crate that reads a section owns its schema, and nests those of the sections inside
//! it. The same schema refuses wrong texts ([`Schema::check`]), gives the defaults ([`Schema::defaults`]) and prints the
//! reference table ([`Schema::markdown`]), so that program and documentation can't differ.
//!
//! - `definition` (this module's [`Schema`]): the builder;
//! - `key`: one [`Key`] and its [`KeyType`];
//! - `check`: a configuration against a schema;
//! - `reference`: the table.

mod check;
mod definition;
mod key;
mod reference;

pub use definition::Schema;
pub use key::{Key, KeyCheck, KeyType};
