//! The demo of a database: leaders, a follower, a kill and a stall, in processes of their own.
//!
//! [`director`] starts them and tells them what to do, by lines on their standard input; [`role`] is what they do, and [`player`] how they
//! are talked to. [`pages`] makes pages of files and compares them again, [`manifest`] is the metadata's root page that lists them, and
//! [`story`] is what is printed.

mod director;
mod manifest;
mod pace;
mod pages;
mod player;
pub(crate) mod role;
mod stage;
mod story;

pub(crate) use director::{Setting, direct};
