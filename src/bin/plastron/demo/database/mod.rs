//! The demo of a database: leaders, a follower, a kill and a stall, in processes of their own.
//!
//! [`director`] starts them and tells them what to do, by lines on their standard input; [`role`] is what they do, and [`player`] how they
//! are talked to. [`pages`] makes pages of files and compares them again, [`manifest`] is the metadata's root page that lists them, and
//! [`story`] is what is printed. With a keyserver, [`stage`] holds one (`realm`), and `guest` and `revocation` are about a reader that is revoked.

mod director;
#[cfg(feature = "keyserver")]
mod guest;
mod manifest;
mod pace;
mod pages;
mod player;
#[cfg(feature = "keyserver")]
mod realm;
#[cfg(feature = "keyserver")]
mod revocation;
pub(crate) mod role;
mod stage;
mod story;

pub(crate) use director::{Setting, direct};
