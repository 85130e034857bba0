//! The formats as they were written: golden files are read for ever, and written the same.
//!
//! `PLASTRON_WRITE_FIXTURES=1 cargo test -p plastron-ickpt --test formats` writes those that are missing.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::panic,
    reason = "tests say what they expect by failing"
)]

use std::path::Path;

use bytes::Bytes;
use plastron_ickpt::{
    CheckPoint, Content, Epoch, ErrorKind, InstanceId, LastCommit, Members, Operation, Record, Stamp,
};

const KEY: &[u8] = b"swift.example.org/v1/AUTH_db/volume/checkpoint";

fn golden(name: &str, bytes: &[u8]) -> Vec<u8> {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/fixtures").join(name);
    if !path.exists() && std::env::var_os("PLASTRON_WRITE_FIXTURES").is_some() {
        std::fs::write(&path, bytes).unwrap();
    }
    std::fs::read(&path).unwrap()
}

fn records() -> [(&'static str, Record); 3] {
    let check_point =
        CheckPoint { version: 3, super_block_object_number: 0xa1, super_block_length: 4096, reserved_to_nonce: 16 };
    let value = Record {
        promised: Epoch::NONE,
        sequence: 1,
        content: Content::Value(Bytes::from(check_point.to_string())),
        last: Some(LastCommit {
            path: Bytes::from_static(b"/0123456789abcdef"),
            operation: Operation::Put,
            digest: [0x11; 32],
        }),
        ..Record::default()
    };
    let deleted = Record {
        promised: Epoch(0x9_0000_0000_0000_0007),
        sequence: 3,
        content: Content::Deleted,
        stamp: Some(Stamp { epoch: Epoch(0x8_0000_0000_0000_0005), count: 2 }),
        members: Members::new([1, 2, 3].map(InstanceId)).unwrap(),
        last: Some(LastCommit { path: Bytes::from_static(b"/"), operation: Operation::Delete, digest: [0x22; 32] }),
    };
    let promise = Record { promised: Epoch(1 << 64 | 7), ..Record::default() };
    [("record-1-value.bin", value), ("record-1-deleted.bin", deleted), ("record-1-promise.bin", promise)]
}

#[test]
fn golden_records() {
    for (name, record) in records() {
        let bytes = golden(name, &record.encode(KEY));
        assert_eq!(Record::decode(KEY, &bytes).unwrap(), record, "{name}");
        assert_eq!(record.encode(KEY), bytes, "{name}");
    }
}

#[test]
fn a_later_version_is_unsupported() {
    let (_, record) = &records()[0];
    let mut bytes = record.encode(KEY);
    bytes[8] = 2;
    let end = bytes.len() - 4;
    let sum = crc32c::crc32c_append(crc32c::crc32c(KEY), &bytes[..end]);
    bytes[end..].copy_from_slice(&sum.to_le_bytes());
    assert_eq!(Record::decode(KEY, &bytes).unwrap_err().kind(), ErrorKind::Unsupported);
    assert_eq!(Record::decode(b"", &[]).unwrap_err().kind(), ErrorKind::Corrupt);
}

#[test]
fn the_fuzz_targets_pass_their_seeds() {
    let corpus = Path::new(env!("CARGO_MANIFEST_DIR")).join("../fuzz/corpus");
    let mut count = 0;
    for target in ["ickpt_conf", "ickpt_texts", "ickpt_record", "ickpt_journal"] {
        for entry in std::fs::read_dir(corpus.join(target)).unwrap() {
            let bytes = std::fs::read(entry.unwrap().path()).unwrap();
            count += 1;
            match target {
                "ickpt_conf" => plastron_ickpt::fuzzing::conf(&String::from_utf8_lossy(&bytes)),
                "ickpt_texts" => assert!(plastron_ickpt::fuzzing::texts(&bytes)),
                "ickpt_record" => assert!(plastron_ickpt::fuzzing::record(&bytes)),
                _ => assert!(plastron_ickpt::fuzzing::journal(&bytes)),
            }
        }
    }
    assert!(count >= 17, "{count}");
}
