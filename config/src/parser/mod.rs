//! From text to [`Config`], strict and lenient.
//!
//! The grammar is WiredTiger's (`src/config/config.c`), read strictly where WiredTiger lets mistakes pass in silence: brackets must
//! match in kind, nothing may follow the bracket around a whole text, and a key is never empty, a number or a bracket. What the
//! strict parser accepts, WiredTiger accepts and understands alike, but for `:` in unquoted values (see `lexical`).
//!
//! - `entrance`: [`crate::Config::parse`] and its lenient siblings;
//! - `reader`: one pass over the text, one function per part of the grammar;
//! - `complaint`: the messages for what can't stand where it stands;
//! - `settle`: entries become settings: dotted keys are nested, what is set twice is merged.
//!
//! Strict, the first mistake is returned. Lenient, mistakes are collected, the setting with the mistake is left out, and reading
//! goes on behind the next comma or closing bracket: strings that other programs own must never make Plastron fail.

mod complaint;
mod entrance;
mod reader;
mod settle;
