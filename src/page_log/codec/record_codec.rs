//! Records as they stand in a segment: a header of 64 bytes, then the payload: maybe compressed, then maybe sealed.
//!
//! The CRC32C covers header and stored payload, so that every record can be verified without its key. A sealed payload is bound by
//! its associated data to database, segment and record header, and by its nonce to its place.

use bytes::Bytes;
use plastron_keys::{Opener, Sealer, TAG_BYTES};

use super::Damage;
use super::numbers::Cursor;
use crate::page_log::lsn::Lsn;
use crate::page_log::record::{Key, MAX_PAGE_BYTES, PageFlags, Record, RecordKind};

/// Bytes of a record's header.
pub(crate) const RECORD_HEADER_BYTES: usize = 64;

const COMPRESSED: u8 = 1;
const SEALED: u8 = 2;

/// Compresses payloads, where that makes them smaller.
#[derive(Default)]
pub(crate) struct Compression {
    compressor: Option<zstd::bulk::Compressor<'static>>,
}

impl Compression {
    /// zstd at `level`; none for no compression.
    pub(crate) fn new(level: Option<i32>) -> std::io::Result<Self> {
        Ok(Self { compressor: level.map(zstd::bulk::Compressor::new).transpose()? })
    }

    /// The payload compressed, if that is worth it.
    fn compress(&mut self, record: &Record) -> Option<Vec<u8>> {
        let opaque = record.flags.contains(PageFlags::COMPRESSED) || record.flags.contains(PageFlags::ENCRYPTED);
        let compressor = self.compressor.as_mut().filter(|_| !opaque && !record.payload.is_empty())?;
        let compressed = compressor.compress(&record.payload).ok()?;
        (compressed.len() < record.payload.len()).then_some(compressed)
    }
}

/// One record as it is stored: its header and its payload, which is the record's own where nothing was done to it.
pub(crate) struct StoredRecord {
    pub(crate) header: [u8; RECORD_HEADER_BYTES],
    pub(crate) payload: Bytes,
}

impl StoredRecord {
    /// Bytes in the segment.
    pub(crate) fn len(&self) -> usize {
        RECORD_HEADER_BYTES + self.payload.len()
    }
}

/// Stores the record with number `ordinal` of a segment, which is the next one that its sealer seals.
///
/// # Errors
/// What the cipher says.
pub(crate) fn encode_record(
    record: &Record,
    ordinal: u32,
    compression: &mut Compression,
    sealer: Option<&mut Sealer>,
) -> Result<StoredRecord, plastron_keys::Error> {
    let compressed = compression.compress(record);
    let encoding = if compressed.is_some() { COMPRESSED } else { 0 } | if sealer.is_some() { SEALED } else { 0 };
    let mut head = Head {
        stored: 0,
        kind: record.kind,
        encoding,
        ordinal,
        flags: record.flags,
        plain: record.payload.len() as u32,
        key: record.key,
        backlink: record.backlink,
        base: record.base,
    };
    let payload = match sealer {
        None => compressed.map_or_else(|| record.payload.clone(), Bytes::from),
        Some(sealer) => {
            let mut payload = compressed.unwrap_or_else(|| {
                let mut copy = Vec::with_capacity(record.payload.len() + TAG_BYTES);
                copy.extend_from_slice(&record.payload);
                copy
            });
            let sealed = sealer.seal(&head.associated(), &mut payload)?;
            payload.extend_from_slice(&sealed.tag);
            payload.into()
        }
    };
    head.stored = payload.len() as u32;
    let mut header = head.encode();
    let crc = crc_of(&header, &payload).to_le_bytes();
    if let Some(place) = header.get_mut(20..24) {
        place.copy_from_slice(&crc);
    }
    Ok(StoredRecord { header, payload })
}

/// A record read back, its payload still as it is stored. Its checksum was right.
#[derive(Debug, Clone)]
pub(crate) struct RawRecord {
    head: Head,
    payload: Bytes,
    at: u64,
}

impl RawRecord {
    /// Reads the record at the beginning of `bytes`, which stand at `at` in their segment. More may follow.
    ///
    /// # Errors
    /// [`Damage::Corrupt`].
    pub(crate) fn decode(bytes: &Bytes, at: u64) -> Result<Self, Damage> {
        let mut cursor = Cursor::new(bytes, at);
        let header = cursor.take(RECORD_HEADER_BYTES, "a record's header")?;
        let (head, crc) = Head::decode(header, at)?;
        cursor.take(head.stored as usize, "a record's payload")?;
        let payload = bytes.slice(RECORD_HEADER_BYTES..RECORD_HEADER_BYTES + head.stored as usize);
        let found = crc_of(header, &payload);
        if crc != found {
            let range = at..at + (RECORD_HEADER_BYTES + payload.len()) as u64;
            return Err(Damage::corrupt(range, format!("CRC32C of a record: expected {crc:08x}, found {found:08x}")));
        }
        Ok(Self { head, payload, at })
    }

    /// Bytes in the segment.
    pub(crate) fn length(&self) -> u32 {
        RECORD_HEADER_BYTES as u32 + self.head.stored
    }

    pub(crate) fn key(&self) -> Key {
        self.head.key
    }

    pub(crate) fn kind(&self) -> RecordKind {
        self.head.kind
    }

    pub(crate) fn ordinal(&self) -> u32 {
        self.head.ordinal
    }

    pub(crate) fn backlink(&self) -> Lsn {
        self.head.backlink
    }

    pub(crate) fn base(&self) -> Lsn {
        self.head.base
    }

    /// Opens and unpacks the payload.
    ///
    /// # Errors
    /// [`Damage::Corrupt`] if it was tampered with, or is not what its header says.
    pub(crate) fn open(self, opener: Option<&Opener>) -> Result<Record, Damage> {
        let end = self.at + u64::from(self.length());
        let wrong = |check: String| Damage::corrupt(self.at..end, check);
        let mut payload = self.payload.clone();
        if (self.head.encoding & SEALED != 0) != opener.is_some() {
            return Err(wrong("a record that is sealed unlike its segment".to_owned()));
        }
        if let Some(opener) = opener {
            let mut sealed = payload.to_vec();
            let opened = opener.open(u64::from(self.head.ordinal), &self.head.associated(), &mut sealed);
            let length = opened.map_err(|error| wrong(error.to_string()))?.len();
            sealed.truncate(length);
            payload = sealed.into();
        }
        let plain = self.head.plain as usize;
        if self.head.encoding & COMPRESSED != 0 {
            let unpacked = zstd::bulk::decompress(&payload, plain);
            payload = unpacked.map_err(|error| wrong(format!("a compressed payload: {error}")))?.into();
        }
        if payload.len() != plain {
            return Err(wrong(format!("a payload of {} bytes where the header says {plain}", payload.len())));
        }
        let Head { kind, flags, key, backlink, base, .. } = self.head;
        Ok(Record { key, kind, backlink, base, flags, payload })
    }
}

/// What a record's header says.
#[derive(Debug, Clone)]
struct Head {
    stored: u32,
    kind: RecordKind,
    encoding: u8,
    ordinal: u32,
    flags: PageFlags,
    plain: u32,
    key: Key,
    backlink: Lsn,
    base: Lsn,
}

impl Head {
    /// With a checksum of 0.
    fn encode(&self) -> [u8; RECORD_HEADER_BYTES] {
        let mut header = [0; RECORD_HEADER_BYTES];
        let mut at = 0;
        let mut put = |bytes: &[u8]| {
            if let Some(place) = header.get_mut(at..at + bytes.len()) {
                place.copy_from_slice(bytes);
            }
            at += bytes.len();
        };
        put(&self.stored.to_le_bytes());
        put(&[self.kind.code(), self.encoding, 0, 0]);
        for number in [self.ordinal, self.flags.bits(), self.plain, 0] {
            put(&number.to_le_bytes());
        }
        for number in [self.key.table, self.key.page, self.key.lsn.get(), self.backlink.get(), self.base.get()] {
            put(&number.to_le_bytes());
        }
        header
    }

    /// What a sealed payload is bound to besides its segment and ordinal: everything in the header but the stored length and the
    /// checksum, which are not known yet.
    fn associated(&self) -> [u8; RECORD_HEADER_BYTES] {
        Self { stored: 0, ..self.clone() }.encode()
    }

    fn decode(header: &[u8], at: u64) -> Result<(Self, u32), Damage> {
        let mut cursor = Cursor::new(header, at);
        let wrong = |check: String| Damage::corrupt(at..at + RECORD_HEADER_BYTES as u64, check);
        let stored = cursor.u32("the stored length")?;
        let code = cursor.u8("the kind")?;
        let kind = RecordKind::of(code).ok_or_else(|| wrong(format!("a record of the unknown kind {code}")))?;
        let encoding = cursor.u8("the encoding")?;
        cursor.zeros(2)?;
        let ordinal = cursor.u32("the ordinal")?;
        let flags = PageFlags::from_bits(cursor.u32("the flags")?);
        let plain = cursor.u32("the length")?;
        let crc = cursor.u32("the checksum")?;
        let key = Key::new(cursor.u64("the table")?, cursor.u64("the page")?, Lsn::new(cursor.u64("the LSN")?));
        let backlink = Lsn::new(cursor.u64("the backlink")?);
        let base = Lsn::new(cursor.u64("the base")?);
        let too_long = stored as usize > MAX_PAGE_BYTES + TAG_BYTES || plain as usize > MAX_PAGE_BYTES;
        if too_long || encoding & !(COMPRESSED | SEALED) != 0 || key.lsn.is_none() {
            return Err(wrong(format!("a record of {plain} bytes, stored as {stored}, with encoding {encoding:02x}")));
        }
        Ok((Self { stored, kind, encoding, ordinal, flags, plain, key, backlink, base }, crc))
    }
}

/// CRC32C of a header, its own place for it left out, and a payload.
fn crc_of(header: &[u8], payload: &[u8]) -> u32 {
    let (before, after) = (header.get(..20).unwrap_or_default(), header.get(24..).unwrap_or_default());
    crc32c::crc32c_append(crc32c::crc32c_append(crc32c::crc32c(before), after), payload)
}
