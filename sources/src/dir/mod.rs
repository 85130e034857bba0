//! A directory as a bucket: durable, create-only, one file an object.
//!
//! An object is a file that holds exactly its bytes; its name is the file's path below the bucket's directory ([`name`]), its
//! user metadata an extended attribute. The file is written without a name ([`staging`]), synced, and given its name by a hard link
//! ([`create`]), which is where the file system decides between several creators. What that promises:
//!
//! * A name appears with all bytes and the attribute, or not at all, whatever is killed when.
//! * A create that has returned is durable: the file, its entry, and every directory on its way ([`directories`]). Parallel creators
//!   share the syncs of a directory ([`group_sync`]).
//! * Removed directories, racing creators and half-removed trees are all settled by the file system's own atomic steps: there is no lock
//!   and no state beside the files, so any number of processes may use one bucket.
//! * Nothing outside the directory is touched: symbolic links are never followed ([`root`]).
//!
//! Names are listed in bytewise order and bounded memory ([`list`], [`page`], [`pages`]). Everything blocks; [`store`] puts it behind
//! `object_store`'s trait, one hop to a blocking thread a call, and none for small reads of what is in memory
//! ([`immediate`]). `Bucket::open` calls [`open`](open::open). The format on disk is in `docs/src/formats/directory-bucket.md`.

mod ahead;
mod blocking;
mod count;
mod create;
mod directories;
mod fault;
mod group_sync;
mod immediate;
mod list;
mod name;
mod open;
mod page;
mod pages;
mod read;
mod remove;
mod root;
mod staging;
mod store;
mod sweep;
mod tree;
mod upload;

#[cfg(test)]
mod ahead_test;
#[cfg(test)]
mod bucket_test;
#[cfg(test)]
mod crash_test;
#[cfg(test)]
mod list_test;
#[cfg(test)]
mod model_test;
#[cfg(test)]
mod name_test;
#[cfg(test)]
mod open_test;
#[cfg(test)]
mod race_test;
#[cfg(test)]
mod store_test;
#[cfg(test)]
mod testing;

pub(crate) use ahead::{AheadFile, WritesAhead};
pub(crate) use open::open;
