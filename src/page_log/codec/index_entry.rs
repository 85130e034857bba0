//! One entry of an index block: where a record is, and what its neighbours in the chain are.

use super::Damage;
use super::numbers::{Cursor, put_varint, unzigzag, zigzag};
use crate::page_log::lsn::Lsn;
use crate::page_log::record::{Key, RecordKind};

const SAME_TABLE: u8 = 1 << 3;
const SAME_PAGE: u8 = 1 << 4;
const HAS_BACKLINK: u8 = 1 << 5;
const HAS_BASE: u8 = 1 << 6;
const KIND: u8 = 0b111;

/// Where one record is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct IndexEntry {
    pub(crate) key: Key,
    /// Never a trim: those are not of a page.
    pub(crate) kind: RecordKind,
    pub(crate) backlink: Lsn,
    pub(crate) base: Lsn,
    /// Which of the segments that the index speaks of: its place in the run's table, 0 in a segment's own index.
    pub(crate) segment: u32,
    /// Where the record begins in the segment, bytes.
    pub(crate) offset: u64,
    /// Its length there, header included, bytes.
    pub(crate) length: u32,
}

impl IndexEntry {
    /// Appends it; `before` is the entry in front of it, none at a restart.
    pub(crate) fn encode(&self, before: Option<&Self>, to: &mut Vec<u8>) {
        let same_table = before.is_some_and(|before| before.key.table == self.key.table);
        let same_page = before.is_some_and(|before| before.key.same_page(&self.key));
        let mut flags = self.kind.code();
        for (set, flag) in [
            (same_table, SAME_TABLE),
            (same_page, SAME_PAGE),
            (!self.backlink.is_none(), HAS_BACKLINK),
            (!self.base.is_none(), HAS_BASE),
        ] {
            flags |= if set { flag } else { 0 };
        }
        to.push(flags);
        let origin = before.map_or(Key::new(0, 0, Lsn::NONE), |before| before.key);
        if !same_table {
            put_varint(to, self.key.table);
        }
        if !same_page {
            put_varint(to, if same_table { self.key.page.wrapping_sub(origin.page) } else { self.key.page });
        }
        let lsn = self.key.lsn.get();
        put_varint(to, zigzag(lsn.wrapping_sub(origin.lsn.get())));
        for earlier in [self.backlink, self.base] {
            if !earlier.is_none() {
                put_varint(to, lsn.wrapping_sub(earlier.get()));
            }
        }
        put_varint(to, u64::from(self.segment));
        put_varint(to, self.offset);
        put_varint(to, u64::from(self.length));
    }

    /// Reads one; `before` as for `encode`.
    pub(crate) fn decode(cursor: &mut Cursor<'_>, before: Option<&Self>) -> Result<Self, Damage> {
        let here = cursor.clone();
        let flags = cursor.u8("an index entry")?;
        let kind = RecordKind::of(flags & KIND).filter(|kind| *kind != RecordKind::Trim);
        let kind = kind.ok_or_else(|| here.damage(format!("an index entry of the unknown kind {}", flags & KIND)))?;
        let (same_table, same_page) = (flags & SAME_TABLE != 0, flags & SAME_PAGE != 0);
        if flags & 0x80 != 0 || (same_page && !same_table) || (same_table && before.is_none()) {
            return Err(here.damage(format!("an index entry with the impossible flags {flags:08b}")));
        }
        let origin = before.map_or(Key::new(0, 0, Lsn::NONE), |before| before.key);
        let table = if same_table { origin.table } else { cursor.varint("a table")? };
        let page = match (same_table, same_page) {
            (_, true) => origin.page,
            (true, false) => origin.page.wrapping_add(cursor.varint("a page")?),
            (false, false) => cursor.varint("a page")?,
        };
        let lsn = origin.lsn.get().wrapping_add(unzigzag(cursor.varint("an LSN")?));
        let key = Key::new(table, page, Lsn::new(lsn));
        if lsn == 0 || before.is_some_and(|before| before.key >= key) {
            return Err(here.damage("an index entry that is not above the one before"));
        }
        // One form only: a table or page that is the same is said to be.
        let unsaid = |same: bool, is: bool| before.is_some() && !same && is;
        if unsaid(same_table, table == origin.table) || unsaid(same_page, key.same_page(&origin)) {
            return Err(here.damage("an index entry that is not in its shortest form"));
        }
        let mut earlier = |has: u8, what: &str| -> Result<Lsn, Damage> {
            if flags & has == 0 {
                return Ok(Lsn::NONE);
            }
            let distance = cursor.varint(what)?;
            match lsn.checked_sub(distance) {
                Some(number) if number > 0 && distance > 0 => Ok(Lsn::new(number)),
                _ => Err(here.damage(format!("{what} that is not below its record"))),
            }
        };
        let backlink = earlier(HAS_BACKLINK, "a backlink")?;
        let base = earlier(HAS_BASE, "a base")?;
        let narrow = |value: u64, what: &str| {
            u32::try_from(value).map_err(|_| here.damage(format!("{what} of {value} does not fit 32 bits")))
        };
        let segment = narrow(cursor.varint("a segment")?, "a segment number")?;
        let offset = cursor.varint("an offset")?;
        let length = narrow(cursor.varint("a length")?, "a length")?;
        if offset.checked_add(u64::from(length)).is_none() {
            return Err(here.damage("a record that ends above 2^64"));
        }
        Ok(Self { key, kind, backlink, base, segment, offset, length })
    }
}
