//! What is written comes back; what is damaged is refused; the golden files stay readable.

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::sync::Arc;

use bytes::Bytes;
use plastron_keys::{ObjectCipher, Opener};
use proptest::prelude::*;

use super::*;
use crate::page_log::Lsn;
use crate::page_log::record::{Key, PageFlags, Record, RecordKind};
use crate::page_log::testing::fixed_keys;

const IDENTITY: SegmentIdentity = SegmentIdentity { database: 0x1122_3344_5566_7788, epoch: 3, sequence: 7 };

fn a_key(seed: &str) -> ObjectCipher {
    let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
    runtime.block_on(fixed_keys(seed).new_cipher(IDENTITY.binding())).unwrap().unwrap()
}

fn record(table: u64, page: u64, lsn: u64, kind: RecordKind, payload: impl Into<Bytes>) -> Arc<Record> {
    let earlier = |known: bool, distance| if known { Lsn::new(lsn.saturating_sub(distance)) } else { Lsn::NONE };
    Arc::new(Record {
        key: Key::new(table, page, Lsn::new(lsn)),
        kind,
        backlink: earlier(kind != RecordKind::Trim && lsn > 2, 1),
        base: earlier(matches!(kind, RecordKind::Delta | RecordKind::Trim) && lsn > 3, 3),
        flags: PageFlags::from_bits(lsn as u32),
        payload: payload.into(),
    })
}

fn sample() -> Vec<Arc<Record>> {
    vec![
        record(1, 10, 100, RecordKind::Full, vec![7; 5000]),
        record(1, 10, 101, RecordKind::Delta, b"a delta".to_vec()),
        record(0, u64::MAX, 103, RecordKind::Full, Vec::new()),
        record(1, 0, 104, RecordKind::Trim, Vec::new()),
        record(u64::MAX, 0, 110, RecordKind::Discard, Vec::new()),
    ]
}

fn segment(records: &[Arc<Record>], level: Option<i32>) -> Bytes {
    encode(records, None, level)
}

/// A segment and what opens it.
fn sealed_segment(records: &[Arc<Record>], level: Option<i32>) -> (Bytes, Opener) {
    let ObjectCipher { sealer, opener, wrapped } = a_key("a");
    let twin = ObjectCipher { sealer, opener: a_key("b").opener, wrapped };
    (encode(records, Some((twin, Lsn::new(5))), level), opener)
}

fn encode(records: &[Arc<Record>], key: Option<(ObjectCipher, Lsn)>, level: Option<i32>) -> Bytes {
    let mut encoder = SegmentEncoder::new(IDENTITY, records[0].key.lsn, key, Compression::new(level).unwrap());
    let mut early = Vec::new();
    for record in records {
        encoder.push(record).unwrap();
        early.extend(encoder.pieces_from(early.len()));
    }
    let encoded = encoder.finish().unwrap();
    assert_eq!(encoded.segment.records as usize, records.len());
    // What was said to be what it will be is.
    assert!(early[..] == encoded.pieces[..early.len()] && encoded.pieces.iter().all(|piece| !piece.is_empty()));
    let bytes = Bytes::from(encoded.pieces.concat());
    assert_eq!(encoded.segment.size, bytes.len() as u64);
    bytes
}

fn open(bytes: &Bytes, opener: Option<&Opener>) -> Result<Vec<Record>, Damage> {
    let decoded = decode_segment(bytes)?;
    decoded.records.into_iter().map(|(_, raw)| raw.open(opener)).collect()
}

/// The golden file `name`, which must be `expected` where that is given. What it should be is left beside the build if it differs.
fn golden(name: &str, expected: Option<&[u8]>) -> Bytes {
    let root = PathBuf::from(env!("CARGO_MANIFEST_DIR"));
    let stored = std::fs::read(root.join("tests/fixtures/page_log").join(name)).unwrap_or_default();
    if let Some(expected) = expected.filter(|expected| *expected != stored) {
        let actual = root.join("target").join(name);
        std::fs::write(&actual, expected).unwrap();
        panic!("{name} is not what is written today, which is in {}", actual.display());
    }
    stored.into()
}

#[test]
fn golden_segments_are_written_and_read_for_ever() {
    let records = sample();
    let plain = golden("segment-v1.seg", Some(&segment(&records, None)));
    let compressed = golden("segment-v1-zstd.seg", None);
    let expected: Vec<Record> = records.iter().map(|record| (**record).clone()).collect();
    for bytes in [plain, compressed] {
        assert_eq!(open(&bytes, None).unwrap(), expected);
        assert_ne!(crate::page_log::fuzzing::segment(&bytes), Some(false));
    }
    // Its key is random, wrapped by the KEK of the seed "golden".
    let sealed = golden("segment-v1-sealed.seg", None);
    let wrapped = decode_segment(&sealed).unwrap().header.key.unwrap();
    let wrapped = plastron_keys::WrappedKey::from_bytes(wrapped.bytes).unwrap();
    let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
    let opener = runtime.block_on(fixed_keys("golden").opener(IDENTITY.binding(), wrapped)).unwrap();
    assert_eq!(open(&sealed, Some(&opener)).unwrap(), expected);
}

#[test]
fn a_flipped_bit_anywhere_is_found() {
    let (sealed, opener) = sealed_segment(&sample(), Some(3));
    for (good, opener) in [(segment(&sample(), Some(3)), None), (sealed, Some(&opener))] {
        for at in 0..good.len() {
            let mut bad = good.to_vec();
            bad[at] ^= 1 << (at % 8);
            let Err(damage) = open(&bad.into(), opener) else { panic!("byte {at} may be anything") };
            if let Damage::Corrupt { start, end, .. } = damage {
                assert!(start <= end && end <= good.len() as u64, "{start}..{end}");
            }
        }
        for length in (0..good.len()).step_by(7) {
            assert!(open(&good.slice(..length), opener).is_err());
        }
    }
}

#[test]
fn a_later_version_is_refused_by_its_number() {
    let mut bytes = segment(&sample(), None).to_vec();
    bytes[8] = 2;
    assert_eq!(decode_segment(&bytes.into()).unwrap_err(), Damage::Newer { version: 2, supported: 1 });
    let mut state = LogState::new(1).encode();
    state[8] = 9;
    assert_eq!(LogState::decode_bytes(&state).unwrap_err(), Damage::Newer { version: 9, supported: 1 });
}

#[test]
fn a_sealed_record_does_not_open_elsewhere() {
    let (bytes, opener) = sealed_segment(&sample(), None);
    let records = decode_segment(&bytes).unwrap().records;
    assert!(records[0].1.clone().open(Some(&opener)).is_ok());
    assert!(records[0].1.clone().open(None).is_err());
    assert!(records[0].1.clone().open(Some(&a_key("a").opener)).is_err());
    // The same bytes with another page in the header, its checksum made right again.
    let (offset, record) = &records[0];
    let mut moved = bytes[*offset as usize..][..record.length() as usize].to_vec();
    moved[32] ^= 1;
    let crc = crc32c::crc32c_append(crc32c::crc32c(&moved[..20]), &moved[24..]);
    moved[20..24].copy_from_slice(&crc.to_le_bytes());
    let raw = RawRecord::decode(&moved.into(), *offset).unwrap();
    assert!(raw.open(Some(&opener)).is_err());
}

fn a_run() -> (Vec<IndexEntry>, Bytes, u64) {
    let entries: Vec<IndexEntry> = (1..=50)
        .map(|n| IndexEntry {
            key: Key::new(n / 20, n, Lsn::new(1000 - n)),
            kind: RecordKind::Full,
            backlink: Lsn::NONE,
            base: Lsn::NONE,
            segment: (n % 2) as u32,
            offset: 100 * n,
            length: 99,
        })
        .collect();
    let mut bytes = RunHeader { database: IDENTITY.database, epoch: 3, number: 4 }.encode();
    let (mut directory, mut filter) = (Vec::new(), PageFilterBuilder::default());
    for chunk in entries.chunks(20) {
        let mut block = IndexBlockBuilder::default();
        chunk.iter().for_each(|entry| block.push(entry));
        chunk.iter().for_each(|entry| filter.push(&entry.key));
        let block = block.finish();
        let first = chunk[0].key;
        directory.push(BlockPlace { first, offset: bytes.len() as u64, length: block.len() as u32 });
        bytes.extend_from_slice(&block);
    }
    let at = bytes.len() as u64;
    let filter = filter.finish();
    let segments: Vec<SegmentRef> = (1..=2).map(|sequence| segment_ref(sequence, sequence == 2)).collect();
    let parts = RunTailParts {
        segments: &segments,
        directory: &directory,
        filter: &filter,
        first_lsn: Lsn::new(1),
        last_lsn: Lsn::new(999),
        entries: 50,
    };
    bytes.extend_from_slice(&parts.encode(at));
    (entries, bytes.into(), at)
}

fn segment_ref(sequence: u64, sealed: bool) -> SegmentRef {
    SegmentRef {
        identity: SegmentIdentity { sequence, ..IDENTITY },
        first_lsn: Lsn::new(sequence * 1000),
        last_lsn: Lsn::new(sequence * 1000 + 500),
        limit: if sealed { Lsn::new(sequence * 1000 + 400) } else { Lsn::MAX },
        size: 4000,
        index_offset: 3000,
        records: 12,
        key: sealed.then(|| WrappedKey { kek_lsn: Lsn::new(5), bytes: Bytes::from_static(b"wrapped") }),
    }
}

fn read_run(bytes: &Bytes, at: u64) -> Result<Vec<IndexEntry>, Damage> {
    RunHeader::decode(bytes)?;
    let tail = RunTail::decode(&bytes.slice(at as usize..), at, IDENTITY.database)?;
    tail.filter()?;
    let mut entries = Vec::new();
    for place in &tail.directory {
        let range = place.offset as usize..place.offset as usize + place.length as usize;
        for entry in IndexBlock::decode(bytes.slice(range), place.offset)?.iter() {
            entries.push(entry?);
        }
    }
    Ok(entries)
}

#[test]
fn the_golden_run_is_written_and_read_for_ever() {
    let (entries, bytes, at) = a_run();
    let stored = golden("run-v1.idx", Some(&bytes));
    assert_eq!(read_run(&stored, at).unwrap(), entries);
    let tail = RunTail::decode(&stored.slice(at as usize..), at, IDENTITY.database).unwrap();
    assert_eq!(tail.segments, [segment_ref(1, false), segment_ref(2, true)]);
    assert_eq!((tail.first_lsn, tail.last_lsn, tail.entries), (Lsn::new(1), Lsn::new(999), 50));
    let filter = tail.filter().unwrap();
    assert!(entries.iter().all(|entry| filter.may_have(entry.key.table, entry.key.page)));
    for at_byte in 0..bytes.len() {
        let mut bad = bytes.to_vec();
        bad[at_byte] ^= 1 << (at_byte % 8);
        assert!(read_run(&bad.into(), at).is_err(), "byte {at_byte}");
    }
}

fn a_state() -> LogState {
    let mut state = LogState::new(IDENTITY.database);
    state.last_lsn = Lsn::new(4000);
    state.next_sequence = 4;
    state.next_run = 8;
    let run = |number: u64, first: u64, limit: Lsn| RunRef {
        database: IDENTITY.database,
        epoch: 3,
        number,
        first_lsn: Lsn::new(first),
        last_lsn: Lsn::new(first + 400),
        limit,
        size: 999,
        tail_offset: 800,
        entries: 77,
    };
    state.runs = vec![run(7, 1, Lsn::MAX), run(2, 500, Lsn::new(800))];
    state.segments = vec![segment_ref(2, false), segment_ref(3, true)];
    state.trims = vec![Trim { lsn: Lsn::new(600), table: 4, start: Lsn::new(600) }];
    state
}

#[test]
fn the_golden_state_is_written_and_read_for_ever() {
    let state = a_state();
    let stored = golden("state-v1.bin", Some(&state.encode()));
    assert_eq!(LogState::decode_bytes(&stored).unwrap(), state);
    for at in 0..stored.len() {
        let mut bad = stored.to_vec();
        bad[at] ^= 0x10;
        assert!(LogState::decode_bytes(&bad).is_err());
    }
    let mut twisted = [state.clone(), state.clone(), state.clone(), state];
    twisted[0].segments.swap(0, 1);
    twisted[1].last_lsn = Lsn::new(3000);
    twisted[2].next_sequence = 3;
    twisted[3].next_run = 7;
    for state in twisted {
        assert!(LogState::decode_bytes(&state.encode()).is_err(), "{state:?}");
    }
}

fn any_number() -> impl Strategy<Value = u64> {
    prop_oneof![0..5_u64, any::<u64>(), (0..3_u64).prop_map(|n| u64::MAX - n), (0..40_000_u64)]
}

prop_compose! {
    fn any_entry()(
        (table, page, lsn) in (any_number(), any_number(), any_number().prop_map(|n| n.max(1))), code in 1..4_u8,
        (back, base) in (any_number(), any_number()), segment: u32, offset in any_number().prop_map(|n| n >> 1), length: u32,
    ) -> IndexEntry {
        let earlier = |number: u64| if number < lsn { Lsn::new(number) } else { Lsn::NONE };
        let key = Key::new(table, page, Lsn::new(lsn));
        let kind = RecordKind::of(code).unwrap();
        IndexEntry { key, kind, backlink: earlier(back), base: earlier(base), segment, offset, length }
    }
}

proptest! {
    #[test]
    fn a_block_answers_as_a_map_does(entries in prop::collection::vec(any_entry(), 0..70), probes in prop::collection::vec(any_entry(), 0..20)) {
        let map: BTreeMap<Key, IndexEntry> = entries.into_iter().map(|entry| (entry.key, entry)).collect();
        let mut builder = IndexBlockBuilder::default();
        map.values().for_each(|entry| builder.push(entry));
        let size = builder.size();
        let bytes = Bytes::from(builder.finish());
        prop_assert_eq!(size, bytes.len());
        let block = IndexBlock::decode(bytes.clone(), 0).unwrap();
        let all: Vec<_> = block.iter().collect::<Result<_, _>>().unwrap();
        prop_assert_eq!(all, map.values().copied().collect::<Vec<_>>());
        for key in probes.iter().map(|entry| entry.key).chain(map.keys().copied()) {
            prop_assert_eq!(block.floor(&key).unwrap(), map.range(..=key).next_back().map(|(_, entry)| *entry));
            let from: Vec<_> = block.seek(&key).unwrap().collect::<Result<_, _>>().unwrap();
            prop_assert_eq!(from, map.range(key..).map(|(_, entry)| *entry).collect::<Vec<_>>());
        }
        prop_assert_ne!(crate::page_log::fuzzing::index_block(&bytes), Some(false));
    }

    #[test]
    fn a_segment_comes_back(
        records in prop::collection::vec((any_number(), any_number(), 1..50_u64, 1..5_u8, prop::collection::vec(0..3_u8, 0..6000)), 1..30),
        sealed: bool, compressed: bool,
    ) {
        let mut lsn = 3;
        let records: Vec<Arc<Record>> = records.into_iter().map(|(table, page, step, code, payload)| {
            lsn += step;
            record(table, page, lsn, RecordKind::of(code).unwrap(), payload)
        }).collect();
        let level = compressed.then_some(1);
        let (bytes, opener) = match sealed {
            true => { let (bytes, opener) = sealed_segment(&records, level); (bytes, Some(opener)) }
            false => (segment(&records, level), None),
        };
        let expected: Vec<Record> = records.iter().map(|record| (**record).clone()).collect();
        prop_assert_eq!(open(&bytes, opener.as_ref()).unwrap(), expected);
    }

    #[test]
    fn nothing_panics_on_any_bytes(bytes in prop::collection::vec(any::<u8>(), 0..300), cut in 0..2000_usize, flip in 0..2000_usize) {
        use crate::page_log::fuzzing;
        let good = segment(&sample(), Some(1));
        let mut twisted = good[..cut.min(good.len())].to_vec();
        if let Some(byte) = twisted.get_mut(flip) {
            *byte ^= 0x55;
        }
        for bytes in [&bytes, &twisted] {
            for target in [fuzzing::segment, fuzzing::segment_header, fuzzing::index_block, fuzzing::index_run, fuzzing::log_state, fuzzing::page_filter] {
                prop_assert_ne!(target(bytes), Some(false));
            }
        }
    }
}
