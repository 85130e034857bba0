//! WiredTiger's configuration-string grammar, with typed access, schemas and positions in errors.
//!
//! This is the lowest floor of Plastron: it depends on nothing but the standard library, and every other crate reads its
//! settings through it. It also holds [`ErrorKind`], the coarse classification that every Plastron error carries.

mod kind;

pub use kind::ErrorKind;
