//! What is kept on disk for one URL. Its byte table is in `docs/src/formats/ickpt.md`.
//!
//! The checksum covers the URL's key too, so a record in the place of another one is found out.

use bytes::Bytes;

use crate::error::Fault;
use crate::storage_url::MAX_STORAGE_URL_BYTES;
use crate::value::{Epoch, Held, InstanceId, MAX_MEMBERS, MAX_VALUE_BYTES, Members, Stamp};

/// Bytes of a transaction's path.
pub(crate) const MAX_PATH_BYTES: usize = 1024;

const MAGIC: &[u8; 8] = b"PLICKREC";
const VERSION: u16 = 1;
const HEADER_BYTES: usize = 100;
const HAS_STAMP: u8 = 1;

/// What a URL stands for.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub enum Content {
    /// Nothing was ever committed.
    #[default]
    Nothing,
    /// A value.
    Value(Bytes),
    /// The value was deleted.
    Deleted,
}

/// What a transaction does.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Operation {
    /// Sets the value.
    Put,
    /// Leaves a tombstone.
    Delete,
}

/// The commit that was last.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LastCommit {
    /// Its path, byte for byte.
    pub path: Bytes,
    /// What it did.
    pub operation: Operation,
    /// SHA-256 of operation, version, members and bytes.
    pub digest: [u8; 32],
}

/// All that is kept for one URL.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Record {
    /// Nothing of a lower epoch is taken.
    pub promised: Epoch,
    /// Commits so far.
    pub sequence: u64,
    /// What was committed last.
    pub content: Content,
    /// Its version.
    pub stamp: Option<Stamp>,
    /// Who keeps it.
    pub members: Members,
    /// Which commit it was.
    pub last: Option<LastCommit>,
}

impl Record {
    /// What was committed, as [`admit`](crate::admit) wants it.
    pub fn held(&self) -> Option<Held<'_>> {
        match &self.content {
            Content::Nothing => None,
            Content::Value(bytes) => Some(Held { stamp: self.stamp, bytes: Some(bytes) }),
            Content::Deleted => Some(Held { stamp: self.stamp, bytes: None }),
        }
    }

    /// The record of `key` as bytes.
    pub fn encode(&self, key: &[u8]) -> Vec<u8> {
        let (kind, value): (u8, &[u8]) = match &self.content {
            Content::Nothing => (0, &[]),
            Content::Value(bytes) => (1, bytes),
            Content::Deleted => (2, &[]),
        };
        let (operation, path, digest): (u8, &[u8], [u8; 32]) = match &self.last {
            None => (0, &[], [0; 32]),
            Some(LastCommit { path, operation: Operation::Put, digest }) => (1, path, *digest),
            Some(LastCommit { path, operation: Operation::Delete, digest }) => (2, path, *digest),
        };
        let stamp = self.stamp.unwrap_or(Stamp { epoch: Epoch::NONE, count: 0 });
        let members = self.members.ids();
        let mut out = Vec::with_capacity(HEADER_BYTES + members.len() * 16 + path.len() + value.len() + 4);
        out.extend_from_slice(MAGIC);
        out.extend_from_slice(&VERSION.to_le_bytes());
        out.extend_from_slice(&[kind, if self.stamp.is_some() { HAS_STAMP } else { 0 }]);
        out.extend_from_slice(&self.promised.0.to_le_bytes());
        out.extend_from_slice(&self.sequence.to_le_bytes());
        out.extend_from_slice(&stamp.epoch.0.to_le_bytes());
        out.extend_from_slice(&stamp.count.to_le_bytes());
        // Members, path and value are bounded where they come from: 9, 1,024 and 65,536.
        out.extend_from_slice(&[members.len() as u8, operation]);
        out.extend_from_slice(&(path.len() as u16).to_le_bytes());
        out.extend_from_slice(&(value.len() as u32).to_le_bytes());
        out.extend_from_slice(&digest);
        for id in members {
            out.extend_from_slice(&id.0.to_le_bytes());
        }
        out.extend_from_slice(path);
        out.extend_from_slice(value);
        let sum = crc32c::crc32c_append(crc32c::crc32c(key), &out);
        out.extend_from_slice(&sum.to_le_bytes());
        out
    }

    /// Reads the record of `key`.
    ///
    /// # Errors
    /// `Corrupt` for bytes that `encode` did not make for this key; `Unsupported` for a later version.
    pub fn decode(key: &[u8], bytes: &[u8]) -> Result<Self, Fault> {
        debug_assert!(key.len() <= MAX_STORAGE_URL_BYTES * 2, "keys are bounded where they come from");
        let mut fields = Fields { bytes, at: 0 };
        if fields.take::<8>("magic")? != *MAGIC {
            return Err(Fault::corrupt(0, "this is no record of a checkpoint"));
        }
        let version = u16::from_le_bytes(fields.take("version")?);
        let body = bytes.len().saturating_sub(4);
        let (front, sum) = bytes.split_at_checked(body).ok_or_else(|| Fault::corrupt(0, "there is no checksum"))?;
        let expected = crc32c::crc32c_append(crc32c::crc32c(key), front);
        if sum != expected.to_le_bytes() {
            return Err(Fault::corrupt(
                body,
                format!("the checksum of record and key is {expected:08x}, and another is written"),
            ));
        }
        if version > VERSION {
            return Err(Fault::Unsupported(format!(
                "the record has version {version}, and this program reads up to {VERSION}; use a newer one"
            )));
        }
        if version == 0 {
            return Err(Fault::corrupt(8, "a record has version 0"));
        }
        let [kind, flags] = fields.take("content")?;
        let promised = Epoch(u128::from_le_bytes(fields.take("promised epoch")?));
        let sequence = u64::from_le_bytes(fields.take("sequence")?);
        let epoch = Epoch(u128::from_le_bytes(fields.take("epoch")?));
        let count = u64::from_le_bytes(fields.take("count")?);
        let [members, operation] = fields.take("members")?;
        let path_bytes = usize::from(u16::from_le_bytes(fields.take("length of the path")?));
        let value_bytes = u32::from_le_bytes(fields.take("length of the value")?) as usize;
        let digest: [u8; 32] = fields.take("digest")?;
        if usize::from(members) > MAX_MEMBERS || path_bytes > MAX_PATH_BYTES || value_bytes > MAX_VALUE_BYTES {
            return Err(Fault::corrupt(60, "a length is above its limit"));
        }
        let mut ids = Vec::new();
        for _ in 0..members {
            let id = InstanceId(u128::from_le_bytes(fields.take("member")?));
            if ids.last().is_some_and(|last| *last >= id) {
                return Err(Fault::corrupt(fields.at, "members are not in order"));
            }
            ids.push(id);
        }
        let path = fields.bytes_of(path_bytes, "path")?;
        let value = fields.bytes_of(value_bytes, "value")?;
        if fields.at != body {
            return Err(Fault::corrupt(fields.at, "bytes are left over"));
        }
        let content = match (kind, value.is_empty()) {
            (0, true) => Content::Nothing,
            (1, false) => Content::Value(value),
            (2, true) => Content::Deleted,
            _ => return Err(Fault::corrupt(10, "the sort of content does not fit its length")),
        };
        let stamp = match (flags, epoch) {
            (HAS_STAMP, epoch) if epoch != Epoch::NONE => Some(Stamp { epoch, count }),
            (0, Epoch::NONE) if count == 0 => None,
            _ => return Err(Fault::corrupt(11, "the version is neither there nor absent")),
        };
        let last = match (operation, path.is_empty()) {
            (1, false) => Some(LastCommit { path, operation: Operation::Put, digest }),
            (2, false) => Some(LastCommit { path, operation: Operation::Delete, digest }),
            (0, true) if digest == [0; 32] => None,
            _ => return Err(Fault::corrupt(61, "the last commit is neither there nor absent")),
        };
        let members = Members::new(ids).ok_or_else(|| Fault::corrupt(60, "members are not in order"))?;
        Ok(Self { promised, sequence, content, stamp, members, last })
    }
}

struct Fields<'a> {
    bytes: &'a [u8],
    at: usize,
}

impl Fields<'_> {
    fn slice(&mut self, length: usize, what: &str) -> Result<&[u8], Fault> {
        let end = self.at.saturating_add(length);
        let field = self.bytes.get(self.at..end);
        let field = field.ok_or_else(|| Fault::corrupt(self.at, format!("the {what} is cut off")))?;
        self.at = end;
        Ok(field)
    }

    fn take<const N: usize>(&mut self, what: &str) -> Result<[u8; N], Fault> {
        let at = self.at;
        self.slice(N, what)?.try_into().map_err(|_| Fault::corrupt(at, format!("the {what} is cut off")))
    }

    fn bytes_of(&mut self, length: usize, what: &str) -> Result<Bytes, Fault> {
        self.slice(length, what).map(Bytes::copy_from_slice)
    }
}
