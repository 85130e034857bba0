//! Installing servers into the cache folder.
//!
//! A [`Component`] is what is installed in one go: a Python environment with two servers in it, say. Each has a pin file in
//! `localstack/pins/` that this crate carries in itself. A component is installed under a lock, so that any number of
//! processes may ask at once; a stamp, written last, says which pins were installed, so that asking again costs one small read.

mod azurite;
mod command;
mod component;
mod debian;
mod python;

pub use component::{Component, Installed, Setup};
pub(crate) use debian::program;
