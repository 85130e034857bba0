//! A local cache of blocks of immutable objects, in memory and on disk.
