//! What a turtle object publishes: all that a reader needs to open one checkpoint.
//!
//! Written by the leader's checkpoint, read by followers, restore, clone and GC. The state of the page log is carried as the bytes that
//! the page log made, which have a magic, version and checksum of their own; so is the engine's metadata. Byte table:
//! `docs/src/formats/turtle.md`. Every turtle has one encoding only; its checksum is that of the [turtle object](crate::TurtleObject).

use std::fmt;

use bytes::Bytes;

use crate::cursor::Cursor;
use crate::error::Fault;

const MAGIC: &[u8; 4] = b"PLCP";
/// The version of a turtle whose objects all stand in its own bucket under its own prefix.
const VERSION: u16 = 1;
/// That of a clone's, which has ancestors.
const VERSION_OF_CLONES: u16 = 2;
/// Most ancestors: a clone of a clone, and so on.
pub const MAX_ANCESTORS: usize = 64;
/// Longest name of a KEK object, bytes: that of any object.
const MAX_NAME_BYTES: usize = 1024;
/// Longest metadata of an engine, bytes. A checkpoint string has about a hundred.
pub const MAX_METADATA_BYTES: usize = 1 << 20;

/// One checkpoint, as it is published.
#[derive(Clone, PartialEq, Eq, Default)]
pub struct Turtle {
    /// LSN of the completion: everything at or below it that is not abandoned belongs to the checkpoint.
    pub checkpoint_lsn: u64,
    /// LSN of the turtle page, which names the checkpoint; 0 for none.
    pub turtle_page_lsn: u64,
    /// LSN of the metadata's root page; 0 for none.
    pub metadata_lsn: u64,
    /// The KEK page in force; none where nothing is encrypted.
    pub kek: Option<KekRef>,
    /// When it was written, milliseconds since 1970 by the leader's clock; for people.
    pub written_ms: u64,
    /// The checkpoint's timestamp, in whatever unit the engine counts; 0 for none.
    pub timestamp: u64,
    /// The oldest timestamp that can be read in it; 0 for none.
    pub oldest_timestamp: u64,
    /// How long this and older ones are kept.
    pub retention: Retention,
    /// What the engine wants to have back with it, such as the checkpoint string; opaque.
    pub engine_metadata: Bytes,
    /// The state of the page log, encoded by it; opaque here.
    pub log_state: Bytes,
    /// Where objects stand that were written before the database was cloned, oldest first; none for one that is no clone.
    pub ancestors: Vec<Ancestor>,
}

/// Where a clone finds what it shares with the database that it was cloned from: in the same bucket, under another prefix.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Ancestor {
    /// The last epoch, as it stands in the names of objects, that wrote there for the clone. Later ones wrote elsewhere.
    pub last_epoch: u64,
    /// The prefix.
    pub prefix: String,
}

/// Where a KEK page is.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct KekRef {
    /// Its LSN.
    pub lsn: u64,
    /// The object that holds it, too.
    pub object: String,
}

/// How long turtles are kept by GC. One that either rule keeps is kept; the newest always is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Retention {
    /// So many of the newest; 0 keeps none on this account.
    pub checkpoints: u32,
    /// Those published within so many seconds; 0 keeps none on this account.
    pub seconds: u64,
}

impl Turtle {
    /// What is added to the epoch of a leader to get the one that stands in LSNs and names: a clone's begin above those of its ancestors.
    pub fn epoch_base(&self) -> u64 {
        self.ancestors.last().map_or(0, |ancestor| ancestor.last_epoch)
    }

    /// Whether the ancestors' epochs rise from above 0, and there are not too many of them.
    fn check_ancestors(&self) -> Result<(), String> {
        let mut below = 0;
        for Ancestor { last_epoch, prefix } in &self.ancestors {
            if *last_epoch <= below || prefix.len() > MAX_NAME_BYTES {
                return Err(format!(
                    "an ancestor of epoch {last_epoch} after {below}, whose prefix has {} bytes, cannot be",
                    prefix.len()
                ));
            }
            below = *last_epoch;
        }
        match self.ancestors.len() > MAX_ANCESTORS {
            true => Err(format!("{} ancestors; {MAX_ANCESTORS} are the most", self.ancestors.len())),
            false => Ok(()),
        }
    }

    /// The turtle in bytes: the content of a turtle object.
    ///
    /// # Errors
    /// [`Fault::Size`] for metadata, a state or a name that is too long; [`Fault::Invalid`] for a KEK page without LSN or name.
    pub fn encode(&self) -> Result<Bytes, Fault> {
        let none = KekRef::default();
        let kek = self.kek.as_ref().unwrap_or(&none);
        for (what, size, high) in [
            ("the name of a KEK object", kek.object.len(), MAX_NAME_BYTES),
            ("an engine's metadata", self.engine_metadata.len(), MAX_METADATA_BYTES),
            ("the state of a page log", self.log_state.len(), crate::MAX_CONTENT_BYTES),
        ] {
            if size > high {
                return Err(Fault::Size { what, size: size as u64, high: high as u64 });
            }
        }
        if self.kek.is_some() && (kek.lsn == 0 || kek.object.is_empty()) {
            return Err(Fault::Invalid("a KEK page has an LSN and an object".to_owned()));
        }
        self.check_ancestors().map_err(Fault::Invalid)?;
        let version = if self.ancestors.is_empty() { VERSION } else { VERSION_OF_CLONES };
        let mut to = Vec::with_capacity(96 + kek.object.len() + self.engine_metadata.len() + self.log_state.len());
        to.extend(MAGIC);
        to.extend(version.to_le_bytes());
        to.extend((kek.object.len() as u16).to_le_bytes());
        let numbers = [self.checkpoint_lsn, self.turtle_page_lsn, self.metadata_lsn, kek.lsn, self.written_ms];
        for number in numbers.into_iter().chain([self.timestamp, self.oldest_timestamp, self.retention.seconds]) {
            to.extend(number.to_le_bytes());
        }
        to.extend(self.retention.checkpoints.to_le_bytes());
        to.extend((self.engine_metadata.len() as u32).to_le_bytes());
        to.extend((self.log_state.len() as u32).to_le_bytes());
        to.extend((self.ancestors.len() as u32).to_le_bytes());
        to.extend(kek.object.as_bytes());
        to.extend(&self.engine_metadata);
        to.extend(&self.log_state);
        for Ancestor { last_epoch, prefix } in &self.ancestors {
            to.extend(last_epoch.to_le_bytes());
            to.extend((prefix.len() as u16).to_le_bytes());
            to.extend(prefix.as_bytes());
        }
        Ok(to.into())
    }

    /// The turtle in `bytes`, without copying metadata and state.
    ///
    /// # Errors
    /// [`Fault::Corrupt`], or [`Fault::Unsupported`] for a later version. Offsets count from the beginning of the content.
    pub fn decode(bytes: &Bytes) -> Result<Self, Fault> {
        let mut cursor = Cursor::new(bytes, 0);
        if cursor.take(MAGIC.len(), "the magic of a turtle")? != MAGIC {
            return Err(Fault::corrupt(0, "this is no turtle: its magic is wrong"));
        }
        let version = cursor.u16("the version")?;
        match version {
            0 => return Err(Fault::corrupt(4, "a turtle has version 0")),
            VERSION | VERSION_OF_CLONES => {}
            newer => {
                return Err(Fault::Unsupported(format!(
                    "the turtle has version {newer}, and this program reads up to {VERSION_OF_CLONES}; use a newer one"
                )));
            }
        }
        let name = usize::from(cursor.u16("the length of the KEK object's name")?);
        let checkpoint_lsn = cursor.u64("the checkpoint's LSN")?;
        let turtle_page_lsn = cursor.u64("the turtle page's LSN")?;
        let metadata_lsn = cursor.u64("the metadata's LSN")?;
        let kek_lsn = cursor.u64("the KEK page's LSN")?;
        let written_ms = cursor.u64("the time")?;
        let timestamp = cursor.u64("the timestamp")?;
        let oldest_timestamp = cursor.u64("the oldest timestamp")?;
        let seconds = cursor.u64("the retention in seconds")?;
        let checkpoints = cursor.u32("the retention in checkpoints")?;
        let metadata = cursor.u32("the length of the engine's metadata")? as usize;
        let state = cursor.u32("the length of the page log's state")? as usize;
        let ancestors = cursor.u32("the number of ancestors")?;
        if (ancestors > 0) != (version == VERSION_OF_CLONES) {
            return Err(Fault::corrupt(84, format!("a turtle of version {version} with {ancestors} ancestors")));
        }
        if name > MAX_NAME_BYTES || metadata > MAX_METADATA_BYTES || (kek_lsn == 0) != (name == 0) {
            let check = format!(
                "a KEK page of LSN {kek_lsn} whose name has {name} bytes, and {metadata} bytes of metadata, cannot be"
            );
            return Err(Fault::corrupt(6, check));
        }
        let object = cursor.text(name, "the name of the KEK object")?.to_owned();
        let at = cursor.at();
        cursor.take(metadata, "the engine's metadata")?;
        let state_at = cursor.at();
        cursor.take(state, "the page log's state")?;
        let (ancestors_at, log_state) = (cursor.at(), bytes.slice(state_at..cursor.at()));
        let mut list = Vec::new();
        for _ in 0..ancestors {
            let last_epoch = cursor.u64("an ancestor's epoch")?;
            let length = usize::from(cursor.u16("the length of an ancestor's prefix")?);
            list.push(Ancestor { last_epoch, prefix: cursor.text(length, "an ancestor's prefix")?.to_owned() });
        }
        cursor.end()?;
        let turtle = Self {
            checkpoint_lsn,
            turtle_page_lsn,
            metadata_lsn,
            kek: (kek_lsn != 0).then_some(KekRef { lsn: kek_lsn, object }),
            written_ms,
            timestamp,
            oldest_timestamp,
            retention: Retention { checkpoints, seconds },
            engine_metadata: bytes.slice(at..state_at),
            log_state,
            ancestors: list,
        };
        turtle.check_ancestors().map_err(|check| Fault::corrupt(ancestors_at, check))?;
        Ok(turtle)
    }
}

impl fmt::Debug for Turtle {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Turtle")
            .field("checkpoint_lsn", &self.checkpoint_lsn)
            .field("turtle_page_lsn", &self.turtle_page_lsn)
            .field("metadata_lsn", &self.metadata_lsn)
            .field("kek", &self.kek)
            .field("written_ms", &self.written_ms)
            .field("timestamp", &self.timestamp)
            .field("oldest_timestamp", &self.oldest_timestamp)
            .field("retention", &self.retention)
            .field("engine_metadata", &format_args!("{} bytes", self.engine_metadata.len()))
            .field("log_state", &format_args!("{} bytes", self.log_state.len()))
            .field("ancestors", &self.ancestors)
            .finish()
    }
}
