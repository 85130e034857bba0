//! The module that keeps its KEKs in a keyring file, wrapped by a master key.
//!
//! * The blob of a checkpoint **is** the keyring: the bytes of the file. Whoever has the master key can read a database from its bucket
//!   alone; a follower needs no keyring file, and a lost one is made again from the newest checkpoint.
//! * Keys are only ever added. Every KEK has a random id, so that keyrings that grew apart (two machines that took turns as the leader)
//!   are joined by union and nothing that was ever sealed becomes unreadable.
//! * Whatever goes to the bucket is durable in the file first. Only a leader writes: `load_key_blob` never touches the file.
//! * A KEK is in force from the moment that the checkpoint that carries it is complete; until then the one before it is.
//!
//! Byte table: `docs/src/formats/key-blobs.md`.

mod image;
mod keyring;
mod master_key;
mod module;
mod settings;
mod state;

pub(crate) use image::KeyringImage;
pub(crate) use module::FileFactory;
pub use module::FileModule;
