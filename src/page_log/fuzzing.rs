//! Entry points of the fuzz targets; not part of the interface.
//!
//! Each takes any bytes and says whether they decode and, if so, encode to the very same bytes again, which the target asserts.

use bytes::Bytes;

use super::codec::{
    Damage, IndexBlock, IndexBlockBuilder, LogState, PageFilter, RUN_FOOTER_BYTES, RunHeader, RunTail, SegmentHeader,
    decode_segment,
};

/// A whole segment in the clear: also unpacks every payload.
pub fn segment(bytes: &[u8]) -> Option<bool> {
    let decoded = decode_segment(&Bytes::copy_from_slice(bytes)).ok()?;
    for (_, record) in decoded.records {
        // What is sealed, and what is not really compressed, is an error here.
        drop(record.open(None));
    }
    Some(bytes.starts_with(&decoded.header.encode()))
}

/// The header of a segment.
pub fn segment_header(bytes: &[u8]) -> Option<bool> {
    let (header, length) = SegmentHeader::decode(bytes).ok()?;
    Some(bytes.get(..length) == Some(&header.encode()[..]))
}

/// An index block, as it stands and with the right checksum behind it: also looks up every key in it.
pub fn index_block(bytes: &[u8]) -> Option<bool> {
    one_form(index_block_as_it_is(bytes), index_block_as_it_is(&with_checksum(bytes)))
}

fn index_block_as_it_is(bytes: &[u8]) -> Option<bool> {
    let block = IndexBlock::decode(Bytes::copy_from_slice(bytes), 0).ok()?;
    let entries = block.iter().collect::<Result<Vec<_>, Damage>>().ok()?;
    let mut builder = IndexBlockBuilder::default();
    for entry in &entries {
        builder.push(entry);
        drop((block.floor(&entry.key), block.seek(&entry.key).map(Iterator::count)));
    }
    // Restarts may point astray; then look-ups go wrong, and encoding it again does not.
    let same = builder.finish() == bytes;
    Some(!same || entries.iter().all(|entry| block.floor(&entry.key) == Ok(Some(*entry))))
}

/// The header and the tail of an index run: also asks its filters.
pub fn index_run(bytes: &[u8]) -> Option<bool> {
    let header = RunHeader::decode(bytes).ok();
    let place = bytes.last_chunk::<RUN_FOOTER_BYTES>().and_then(|footer| footer.first_chunk::<8>());
    let at = place.map_or(0, |place| u64::from_le_bytes(*place));
    // A whole run, or its tail only.
    let tail = usize::try_from(at).ok().and_then(|start| bytes.get(start..)).filter(|_| header.is_some());
    let tail = Bytes::copy_from_slice(tail.unwrap_or(bytes));
    let decoded = at.checked_add(tail.len() as u64).and_then(|_| RunTail::decode(&tail, at, 1).ok());
    if let Some(Ok(filter)) = decoded.as_ref().map(RunTail::filter) {
        let found = (0..64).filter(|page| filter.may_have(page / 8, *page)).count();
        assert!(found <= 64);
    }
    let canonical = header.map(|header| bytes.starts_with(&header.encode()));
    canonical.or(decoded.map(|_| true))
}

/// The filters of a run, with the right checksum behind them.
pub fn page_filter(bytes: &[u8]) -> Option<bool> {
    let filter = PageFilter::decode(with_checksum(bytes).into(), 0).ok()?;
    let found = (0..256).filter(|page| filter.may_have(page / 64, *page)).count();
    Some(found <= 256)
}

/// The state of a log, as it stands and with the right checksum behind it.
pub fn log_state(bytes: &[u8]) -> Option<bool> {
    let same = |bytes: &[u8]| Some(LogState::decode_bytes(bytes).ok()?.encode() == bytes);
    one_form(same(bytes), same(&with_checksum(bytes)))
}

fn with_checksum(bytes: &[u8]) -> Vec<u8> {
    [bytes, &crc32c::crc32c(bytes).to_le_bytes()].concat()
}

fn one_form(first: Option<bool>, second: Option<bool>) -> Option<bool> {
    match (first, second) {
        (None, None) => None,
        (first, second) => Some(first.unwrap_or(true) && second.unwrap_or(true)),
    }
}
