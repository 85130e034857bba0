//! The turtle object: the frame in which a registry writes what a leader publishes.
//!
//! It says which turtle it is, who wrote it, under which epoch, and on top of which one; the content is the leader's
//! ([`Turtle`](crate::Turtle)) and opaque here. Byte table: `docs/src/formats/turtle.md`. What is promised:
//! * what is read is exactly what was written, or it is [`Fault::Corrupt`]: every byte is covered by the checksum, and every turtle has
//!   one encoding only;
//! * a newer version is [`Fault::Unsupported`], and said to be so before anything else but the magic is looked at.

use std::fmt;
use std::sync::Arc;

use bytes::Bytes;

use crate::cursor::Cursor;
use crate::error::Fault;
use crate::version::{Acquired, Fence, Version};

const MAGIC: &[u8; 8] = b"PLSTCTTL";
/// The newest version of the format, which is the one written.
const VERSION: u16 = 1;
const HEADER_BYTES: usize = 72;
const CHECKSUM_BYTES: usize = 4;
/// Bit 0 of the flags: there is content. Without, the database was opened, and has had no checkpoint yet.
const HAS_CONTENT: u16 = 1;
/// Longest name that a leader gives itself, bytes: a host name of 253 and a process fit.
pub const MAX_OWNER_BYTES: usize = 320;
/// Longest content, bytes. The state of a page log of 10⁵ segments fits; more are listed by index runs.
pub const MAX_CONTENT_BYTES: usize = 16 << 20;
/// Longest turtle object, bytes.
pub const MAX_TURTLE_BYTES: usize = HEADER_BYTES + MAX_OWNER_BYTES + MAX_CONTENT_BYTES + CHECKSUM_BYTES;

/// One turtle object.
#[derive(Clone, PartialEq, Eq)]
pub struct TurtleObject {
    /// Its number, from 1 on, without gaps.
    pub sequence: u64,
    /// Epoch of the leader that wrote it, from 1 on.
    pub epoch: u64,
    /// Number of the turtle with which that leader took over.
    pub opened_at: u64,
    /// 128 random bits, drawn by the leader when it took over.
    pub writer: u128,
    /// What the leader calls itself; for people.
    pub owner: Arc<str>,
    /// Checksum of the turtle that this one follows; 0 for the first. What tells a turtle from an orphan of the same number.
    pub previous: u32,
    /// What was published; none if nothing was yet.
    pub content: Option<Bytes>,
}

/// The sequence or epoch behind `number`.
pub(crate) fn after(number: u64) -> Result<u64, Fault> {
    number.checked_add(1).ok_or_else(|| Fault::corrupt(16, format!("there is nothing behind number {number}")))
}

impl TurtleObject {
    /// What its leader has who took over with it, or published it last.
    pub(crate) fn acquired(self, version: Version) -> Acquired {
        let Self { epoch, writer, opened_at, owner, content, .. } = self;
        Acquired { fence: Fence { epoch, writer, opened_at, owner }, version, content }
    }

    /// The object in bytes, and its version.
    ///
    /// # Errors
    /// [`Fault::Size`] for an owner of more than [`MAX_OWNER_BYTES`] or content of more than [`MAX_CONTENT_BYTES`]; [`Fault::Invalid`] for
    /// numbers that cannot be.
    pub fn encode(&self) -> Result<(Bytes, Version), Fault> {
        let content = self.content.as_deref().unwrap_or_default();
        let sizes = [("an owner", self.owner.len(), MAX_OWNER_BYTES), ("a turtle", content.len(), MAX_CONTENT_BYTES)];
        for (what, size, high) in sizes {
            if size > high {
                return Err(Fault::Size { what, size: size as u64, high: high as u64 });
            }
        }
        if let Some(check) = self.contradiction() {
            return Err(Fault::Invalid(check));
        }
        let mut to = Vec::with_capacity(HEADER_BYTES + self.owner.len() + content.len() + CHECKSUM_BYTES);
        to.extend(MAGIC);
        to.extend(VERSION.to_le_bytes());
        to.extend(if self.content.is_some() { HAS_CONTENT } else { 0 }.to_le_bytes());
        to.extend([0; 4]);
        for number in [self.sequence, self.epoch, self.opened_at] {
            to.extend(number.to_le_bytes());
        }
        to.extend(self.writer.to_le_bytes());
        to.extend(self.previous.to_le_bytes());
        to.extend((content.len() as u32).to_le_bytes());
        to.extend((self.owner.len() as u16).to_le_bytes());
        to.extend([0; 6]);
        to.extend(self.owner.as_bytes());
        to.extend(content);
        let checksum = crc32c::crc32c(&to);
        to.extend(checksum.to_le_bytes());
        Ok((to.into(), Version { sequence: self.sequence, epoch: self.epoch, checksum }))
    }

    /// The object in `bytes`, and its version, without copying the content.
    ///
    /// # Errors
    /// [`Fault::Corrupt`], or [`Fault::Unsupported`] for a later version.
    pub fn decode(bytes: &Bytes) -> Result<(Self, Version), Fault> {
        let mut cursor = Cursor::new(bytes, 0);
        if cursor.take(MAGIC.len(), "the magic of a turtle object")? != MAGIC {
            return Err(Fault::corrupt(0, "this is no turtle object: its magic is wrong"));
        }
        match cursor.u16("the version")? {
            0 => return Err(Fault::corrupt(8, "a turtle object has version 0")),
            VERSION => {}
            newer => {
                return Err(Fault::Unsupported(format!(
                    "the turtle object has version {newer}, and this program reads up to {VERSION}; use a newer one"
                )));
            }
        }
        let length = bytes.len();
        if length > MAX_TURTLE_BYTES {
            return Err(Fault::corrupt(
                0,
                format!("a turtle object has {MAX_TURTLE_BYTES} bytes at the most, not {length}"),
            ));
        }
        let body = bytes.get(..length.saturating_sub(CHECKSUM_BYTES)).unwrap_or_default();
        let found = crc32c::crc32c(body);
        let checksum = Cursor::new(bytes.get(body.len()..).unwrap_or_default(), body.len()).u32("the checksum")?;
        if found != checksum {
            let check = format!("the CRC32C of the turtle object is {found:08x}, and {checksum:08x} is written");
            return Err(Fault::corrupt(body.len(), check));
        }
        let mut cursor = Cursor::new(body.get(10..).unwrap_or_default(), 10);
        let flags = cursor.u16("the flags")?;
        if flags > HAS_CONTENT {
            return Err(Fault::corrupt(10, format!("the flags are {flags:04x}")));
        }
        cursor.zeros(4)?;
        let sequence = cursor.u64("the sequence")?;
        let epoch = cursor.u64("the epoch")?;
        let opened_at = cursor.u64("the sequence of the epoch's first turtle")?;
        let writer = cursor.u128("the writer")?;
        let previous = cursor.u32("the checksum of the turtle before")?;
        let content = cursor.u32("the content's length")? as usize;
        let owner = usize::from(cursor.u16("the owner's length")?);
        if owner > MAX_OWNER_BYTES || content > MAX_CONTENT_BYTES || (flags == 0 && content > 0) {
            return Err(Fault::corrupt(60, format!("{content} bytes of content and {owner} of owner cannot be")));
        }
        cursor.zeros(6)?;
        let owner = Arc::from(cursor.text(owner, "the owner")?);
        let at = cursor.at();
        cursor.take(content, "the content")?;
        cursor.end()?;
        let content = (flags == HAS_CONTENT).then(|| bytes.slice(at..at + content));
        let object = Self { sequence, epoch, opened_at, writer, owner, previous, content };
        match object.contradiction() {
            Some(check) => Err(Fault::corrupt(16, check)),
            None => Ok((object, Version { sequence, epoch, checksum })),
        }
    }

    /// What cannot be.
    fn contradiction(&self) -> Option<String> {
        let Self { sequence, epoch, opened_at, previous, .. } = self;
        if *sequence == 0 || *epoch == 0 || *opened_at == 0 {
            return Some(format!("turtle {sequence} of epoch {epoch}, opened at {opened_at}: they count from 1"));
        }
        if opened_at > sequence || epoch > opened_at {
            return Some(format!("epoch {epoch} was opened at turtle {opened_at}, and this is turtle {sequence}"));
        }
        (*sequence == 1 && *previous != 0).then(|| "the first turtle follows another".to_owned())
    }
}

impl fmt::Debug for TurtleObject {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { sequence, epoch, opened_at, owner, previous, .. } = self;
        let content = self.content.as_ref().map(Bytes::len);
        write!(
            f,
            "TurtleObject({sequence}, epoch {epoch} of {owner:?} from {opened_at}, after {previous:08x}, {content:?} bytes)"
        )
    }
}
