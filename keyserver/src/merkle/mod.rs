//! The tree that summarises the directory: a 256-bit sparse Merkle prefix tree.
//!
//! A leaf is an index with a digest (of an entry), and stands at the shallowest place where it is alone: its position is the first bits of its
//! index, as many as tell it from all others. Where there is nothing stands *empty*. So the tree, and its root, depend on what is in it and not on
//! the order in which it came in, and each index has exactly one place: what is there proves that it is in, with which digest, or that it is absent.
//!
//! * Hashes of nodes, leaves and empty places have keys of their own, derived from the realm's identity: no node of one realm is one of another,
//!   and no leaf is a node. An empty place's hash says where it is.
//! * Sixteen-way [`Page`]s are what is stored: four levels of the tree, written once and never changed. An epoch writes new pages for what it
//!   touches and shares the rest with the epochs before; pages that it replaces are named as retired, to be removed when the epochs before it
//!   are no longer retained.
//! * A [`TreeProof`] has one form only for a tree and an index. Empty siblings take one bit in it.
//!
//! The machine applies one batch an epoch; verifiers apply the same; clients only check proofs.

mod hasher;
mod page;
mod proof;
mod tree;

pub use hasher::TreeHasher;
pub use page::{Page, PageId};
pub use proof::{Terminal, TreeProof};
pub use tree::{PageSource, Root, Tree, TreeChange};
