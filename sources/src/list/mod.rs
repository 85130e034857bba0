//! Listing: in bytewise order of names, page by page, in bounded memory.
//!
//! Clouds list page by page and by any string prefix ([`object_store::list::PaginatedListStore`]); a directory lists as one
//! stream and by whole path segments only. `pages.rs` makes one thing of the two: pages of keys in order. On top of that,
//! `listing.rs` strips the bucket's prefix, hides Plastron's own objects, stops at the end of the prefix, and checks that the
//! order holds: whoever merges listings or resumes one relies on it, so a store that breaks it is reported. One that is known to
//! list directory by directory is asked so, and put in order by `tree.rs`.

mod entry;
mod listing;
mod options;
mod pages;
mod tree;

pub use entry::{ListEntry, ListedObject};
pub(crate) use listing::list;
pub use options::ListOptions;

use pages::Page;
pub(crate) use pages::Pages;
use tree::Tree;

#[cfg(test)]
mod list_test;
#[cfg(test)]
mod tree_test;
