//! The bounds of a configuration text. They keep a hostile or damaged text from costing more than its own length.
//!
//! The parser, the URL reader and [`Config::set`](crate::Config::set) keep them; they stand in the grammar's reference page.

/// Longest text that is parsed, bytes (1 MiB). WiredTiger's own metadata strings stay below a few KiB.
pub const MAX_TEXT_BYTES: usize = 1 << 20;

/// Deepest nesting of brackets and dotted keys together. Real settings need four; recursion stays shallow.
pub const MAX_DEPTH: usize = 64;

/// Most settings and list items in one text, all levels together.
pub const MAX_SETTINGS: usize = 16_384;

/// Longest key, bytes: a path of the operating system fits (extensions are keyed by path).
pub const MAX_KEY_BYTES: usize = 4_096;

/// Most errors that a lenient reading reports; it goes on reading after that without reporting.
pub const MAX_ERRORS: usize = 64;
