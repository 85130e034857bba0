//! Plastron: a storage layer that lets a database engine keep its files, pages and checkpoints in a cloud bucket.
