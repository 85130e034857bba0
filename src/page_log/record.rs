//! What the log holds: records, and the keys under which they are found.

use bytes::Bytes;

use super::lsn::Lsn;

/// Most bytes of one page, delta or blob: 64 MiB. Large enough for every engine known, small enough that one record never
/// takes a whole default budget.
pub const MAX_PAGE_BYTES: usize = 64 << 20;

/// Most records of one chain, the full page included: the most that WiredTiger's page-and-log interface returns.
pub const MAX_CHAIN: usize = 33;

/// What a record says about its page.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum RecordKind {
    /// A full page.
    Full,
    /// A change on top of an earlier image.
    Delta,
    /// A tombstone: the page is gone from here on.
    Discard,
    /// Everything of the table below an LSN is given back.
    Trim,
}

impl RecordKind {
    /// The kind's number in the formats.
    pub(crate) const fn code(self) -> u8 {
        match self {
            Self::Full => 1,
            Self::Delta => 2,
            Self::Discard => 3,
            Self::Trim => 4,
        }
    }

    /// The kind of a number.
    pub(crate) const fn of(code: u8) -> Option<Self> {
        match code {
            1 => Some(Self::Full),
            2 => Some(Self::Delta),
            3 => Some(Self::Discard),
            4 => Some(Self::Trim),
            _ => None,
        }
    }
}

/// What the engine says about a page's bytes, kept with them and given back by `get`. The log itself acts on none of it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default)]
pub struct PageFlags(u32);

impl PageFlags {
    /// Nothing.
    pub const NONE: Self = Self(0);
    /// The engine has compressed the bytes; the log doesn't try again.
    pub const COMPRESSED: Self = Self(1);
    /// The engine has encrypted the bytes; the log doesn't try to compress them.
    pub const ENCRYPTED: Self = Self(2);
    /// A hint that the page will be read soon.
    pub const HOT: Self = Self(1 << 8);
    /// A hint that the page won't be read soon.
    pub const COLD: Self = Self(1 << 9);

    /// The flags with these bits; those without a name are kept for the engine.
    pub const fn from_bits(bits: u32) -> Self {
        Self(bits)
    }

    /// Their bits.
    pub const fn bits(self) -> u32 {
        self.0
    }

    /// Whether all of `flags` are set.
    pub const fn contains(self, flags: Self) -> bool {
        self.0 & flags.0 == flags.0
    }

    /// Both together.
    #[must_use]
    pub const fn with(self, flags: Self) -> Self {
        Self(self.0 | flags.0)
    }
}

/// Where a record stands in the order of the indexes: by table, page, LSN.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(crate) struct Key {
    pub(crate) table: u64,
    pub(crate) page: u64,
    pub(crate) lsn: Lsn,
}

impl Key {
    pub(crate) const fn new(table: u64, page: u64, lsn: Lsn) -> Self {
        Self { table, page, lsn }
    }

    /// Whether both are of the same page.
    pub(crate) fn same_page(&self, other: &Self) -> bool {
        (self.table, self.page) == (other.table, other.page)
    }
}

/// One record, in memory.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Record {
    pub(crate) key: Key,
    pub(crate) kind: RecordKind,
    /// The page's record before this one, or none.
    pub(crate) backlink: Lsn,
    /// A delta's full page; where a trim's history begins; else none.
    pub(crate) base: Lsn,
    pub(crate) flags: PageFlags,
    pub(crate) payload: Bytes,
}
