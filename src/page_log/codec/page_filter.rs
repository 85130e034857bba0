//! Filters: whether a run has anything of a page at all, without reading one of its blocks.
//!
//! Binary fuse filters (Graf and Lemire, <https://arxiv.org/abs/2201.01174>) with fingerprints of 8 bits: 9 bits a page, wrong once in 256 times where there
//! is nothing. One filter covers a group of neighbouring pages, so that building one takes bounded memory whatever the run's size.

use std::ops::Range;

use bytes::Bytes;
use xorf::{BinaryFuse8, BinaryFuse8Ref, DmaSerializable, Filter, FilterRef};

use super::Damage;
use super::numbers::{Cursor, checked, put_crc};
use crate::page_log::record::Key;

/// Pages of one group. Building its filter takes about 2 MiB.
const GROUP_PAGES: usize = 1 << 16;

/// Bytes of a filter's descriptor: seed, length of a segment, its mask, length of all segments that a hash can begin in.
const DESCRIPTOR_BYTES: usize = <BinaryFuse8 as DmaSerializable>::DESCRIPTOR_LEN;

/// Bytes of a group besides its fingerprints.
const GROUP_BYTES: usize = 8 + 8 + DESCRIPTOR_BYTES + 4;

/// 64 bits of a page: the finalizer of MurmurHash3 over the table, and again with the page.
fn page_hash(table: u64, page: u64) -> u64 {
    fn mix(mut value: u64) -> u64 {
        value = (value ^ (value >> 33)).wrapping_mul(0xff51_afd7_ed55_8ccd);
        value = (value ^ (value >> 33)).wrapping_mul(0xc4ce_b9fe_1a85_ec53);
        value ^ (value >> 33)
    }
    mix(mix(table.wrapping_add(0x9e37_79b9_7f4a_7c15)).wrapping_add(page))
}

/// Builds the filters of a run, whose pages are given in order.
#[derive(Debug, Default)]
pub(crate) struct PageFilterBuilder {
    hashes: Vec<u64>,
    first: (u64, u64),
    last: Option<(u64, u64)>,
    groups: Vec<u8>,
    count: u32,
}

impl PageFilterBuilder {
    /// Adds the page of `key`, if it is not the last one added.
    pub(crate) fn push(&mut self, key: &Key) {
        let page = (key.table, key.page);
        if self.last == Some(page) {
            return;
        }
        if self.hashes.len() == GROUP_PAGES {
            self.close_group();
        }
        if self.hashes.is_empty() {
            self.first = page;
        }
        self.hashes.push(page_hash(page.0, page.1));
        self.last = Some(page);
    }

    fn close_group(&mut self) {
        let mut hashes = std::mem::take(&mut self.hashes);
        if hashes.is_empty() {
            return;
        }
        hashes.sort_unstable();
        hashes.dedup();
        self.groups.extend_from_slice(&self.first.0.to_le_bytes());
        self.groups.extend_from_slice(&self.first.1.to_le_bytes());
        let mut descriptor = [0; DESCRIPTOR_BYTES];
        // It hardly ever can't be built; then the group has no fingerprints, and may have everything.
        let filter = BinaryFuse8::try_from(&hashes).ok();
        if let Some(filter) = &filter {
            filter.dma_copy_descriptor_to(&mut descriptor);
        }
        let fingerprints = filter.as_ref().map_or(&[][..], |filter| filter.dma_fingerprints());
        self.groups.extend_from_slice(&descriptor);
        self.groups.extend_from_slice(&(fingerprints.len() as u32).to_le_bytes());
        self.groups.extend_from_slice(fingerprints);
        self.count += 1;
    }

    /// The filters as they are stored.
    pub(crate) fn finish(mut self) -> Vec<u8> {
        self.close_group();
        let mut to = Vec::with_capacity(self.groups.len() + 8);
        to.extend_from_slice(&self.count.to_le_bytes());
        to.append(&mut self.groups);
        put_crc(&mut to, 0);
        to
    }
}

/// The filters of a run.
#[derive(Debug, Clone, Default)]
pub(crate) struct PageFilter {
    bytes: Bytes,
    groups: Vec<Group>,
}

#[derive(Debug, Clone)]
struct Group {
    first: (u64, u64),
    descriptor: [u8; DESCRIPTOR_BYTES],
    /// Where the fingerprints are; empty for a group without a filter.
    fingerprints: Range<usize>,
}

impl PageFilter {
    /// Reads what [`PageFilterBuilder::finish`] made; it stands at `at` in its object.
    ///
    /// # Errors
    /// [`Damage::Corrupt`].
    pub(crate) fn decode(bytes: Bytes, at: u64) -> Result<Self, Damage> {
        let content = checked(&bytes, at, "the filters of a run")?;
        let mut cursor = Cursor::new(content, at);
        let count = cursor.u32("the number of filters")? as usize;
        let mut groups: Vec<Group> = Vec::with_capacity(count.min(cursor.left() / GROUP_BYTES));
        for _ in 0..count {
            let here = cursor.clone();
            let first = (cursor.u64("a filter's table")?, cursor.u64("a filter's page")?);
            let descriptor = cursor.take(DESCRIPTOR_BYTES, "a filter's descriptor")?;
            let descriptor: [u8; DESCRIPTOR_BYTES] = *descriptor.first_chunk().unwrap_or(&[0; DESCRIPTOR_BYTES]);
            let length = cursor.u32("the number of fingerprints")? as usize;
            let start = content.len() - cursor.left();
            cursor.take(length, "the fingerprints of a filter")?;
            if !fits(&descriptor, length) {
                return Err(here.damage("a filter whose descriptor does not fit its fingerprints"));
            }
            if groups.last().is_some_and(|group| group.first >= first) {
                return Err(here.damage("filters out of order"));
            }
            groups.push(Group { first, descriptor, fingerprints: start..start + length });
        }
        cursor.end("the filters")?;
        Ok(Self { bytes, groups })
    }

    /// Bytes it takes in memory.
    pub(crate) fn size(&self) -> usize {
        self.bytes.len() + self.groups.len() * size_of::<Group>()
    }

    /// False if the run has nothing of the page for sure.
    pub(crate) fn may_have(&self, table: u64, page: u64) -> bool {
        let group = self.groups.partition_point(|group| group.first <= (table, page));
        let Some(group) = group.checked_sub(1).and_then(|index| self.groups.get(index)) else { return false };
        let fingerprints = self.bytes.get(group.fingerprints.clone()).unwrap_or_default();
        fingerprints.is_empty()
            || BinaryFuse8Ref::from_dma(&group.descriptor, fingerprints).contains(&page_hash(table, page))
    }
}

/// Whether no look-up can leave the fingerprints.
fn fits(descriptor: &[u8; DESCRIPTOR_BYTES], length: usize) -> bool {
    if length == 0 {
        return true;
    }
    let mut cursor = Cursor::new(descriptor, 0);
    let numbers = (|| {
        cursor.u64("the seed")?;
        Ok::<_, Damage>((cursor.u32("a length")?, cursor.u32("a mask")?, cursor.u32("a length")?))
    })();
    let Ok((segment, mask, starts)) = numbers else { return false };
    let (segment, starts) = (segment as usize, starts as usize);
    // The three places are below `starts`, `starts + segment` and `starts + 2 segment`, the last two moved by the mask within a
    // segment.
    segment.is_power_of_two()
        && mask as usize == segment - 1
        && starts % segment == 0
        && starts > 0
        && starts + 2 * segment == length
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::page_log::lsn::Lsn;

    fn filter(pages: &[(u64, u64)]) -> PageFilter {
        let mut builder = PageFilterBuilder::default();
        for (table, page) in pages {
            builder.push(&Key::new(*table, *page, Lsn::new(1)));
            builder.push(&Key::new(*table, *page, Lsn::new(2)));
        }
        PageFilter::decode(builder.finish().into(), 0).unwrap()
    }

    #[test]
    fn what_is_there_is_found_and_what_is_not_mostly_is_not() {
        for count in (0..40).chain([1000, GROUP_PAGES as u64 + 3, 3 * GROUP_PAGES as u64]) {
            let pages: Vec<(u64, u64)> = (0..count).map(|n| (n / 1000, n * 7)).collect();
            let filter = filter(&pages);
            assert_eq!(filter.groups.len(), (count as usize).div_ceil(GROUP_PAGES));
            assert!(pages.iter().all(|(table, page)| filter.may_have(*table, *page)), "{count}");
            let wrong = pages.iter().filter(|(table, page)| filter.may_have(*table, page + 1)).count();
            assert!(wrong <= 3 + pages.len() / 100, "{wrong} of {count}");
            assert!(!filter.may_have(0, 0) || count > 0);
        }
    }

    #[test]
    fn a_descriptor_that_leads_astray_is_refused() {
        let mut builder = PageFilterBuilder::default();
        (0..100).for_each(|page| builder.push(&Key::new(1, page, Lsn::new(1))));
        let good = builder.finish();
        for at in 20..20 + DESCRIPTOR_BYTES {
            for value in [0, 1, 0x80, 0xff] {
                let mut bad = good[..good.len() - 4].to_vec();
                bad[at] = value;
                put_crc(&mut bad, 0);
                if let Ok(filter) = PageFilter::decode(bad.into(), 0) {
                    assert!((0..1000).filter(|page| filter.may_have(1, *page)).count() <= 1000);
                }
            }
        }
    }
}
