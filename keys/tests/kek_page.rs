//! KEK pages: WiredTiger's header, and every fault of it.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::indexing_slicing, clippy::panic, reason = "a test")]

mod support;

use bytes::Bytes;
use plastron_keys::{Fault, KEK_PAGE_HEADER_BYTES, KekPage};
use proptest::prelude::*;
use support::golden;

/// A page of any header, with a checksum that is right.
fn page(version: u8, compatible: u8, header_size: u8, payload: u32, rest: &[u8]) -> Vec<u8> {
    let mut page = Vec::from(*b"wtch");
    page.extend([version, compatible, header_size, 0]);
    page.extend(payload.to_le_bytes());
    page.extend([0; 4]);
    page.extend(rest);
    let checksum = crc32c::crc32c(&page);
    page[12..16].copy_from_slice(&checksum.to_le_bytes());
    page
}

fn decode(bytes: &[u8]) -> Result<KekPage, Fault> {
    KekPage::decode(&Bytes::copy_from_slice(bytes))
}

#[test]
fn the_golden_pages_are_read_for_ever() {
    let written = KekPage { timestamp: 0x0102_0304_0506_0708, blob: Bytes::from_static(b"hello") };
    let file = golden("kek-page-2.bin", &written.encode().unwrap());
    assert_eq!(decode(&file).unwrap(), written);
    // Version 1 is written by older WiredTigers: 16 bytes of header, no timestamp.
    let file = golden("kek-page-1.bin", &page(1, 1, 16, 5, b"hello"));
    assert_eq!(decode(&file).unwrap(), KekPage { timestamp: 0, blob: Bytes::from_static(b"hello") });
}

#[test]
fn the_header_is_where_the_table_says() {
    let bytes = KekPage { timestamp: 10, blob: Bytes::from_static(b"hello") }.encode().unwrap();
    assert_eq!(bytes.len(), KEK_PAGE_HEADER_BYTES + 5);
    assert_eq!(&bytes[..12], b"wtch\x02\x01\x18\x00\x05\x00\x00\x00");
    assert_eq!(&bytes[16..], b"\x0a\0\0\0\0\0\0\0hello");
    assert_eq!(bytes, page(2, 1, 24, 5, b"\x0a\0\0\0\0\0\0\0hello"));
}

#[test]
fn pages_of_others_are_read_as_long_as_they_allow_it() {
    for (bytes, timestamp) in [
        (page(1, 1, 24, 2, b"12345678ab"), 0),
        (page(2, 2, 24, 2, b"\x07\0\0\0\0\0\0\0ab"), 7),
        (page(3, 1, 24, 2, b"\x07\0\0\0\0\0\0\0ab"), 7),
        (page(255, 2, 32, 2, b"\x07\0\0\0\0\0\0\0whateverab"), 7),
    ] {
        assert_eq!(decode(&bytes).unwrap(), KekPage { timestamp, blob: Bytes::from_static(b"ab") });
    }
    // No keys at all is a page, if an odd one.
    assert_eq!(decode(&page(1, 1, 16, 0, b"")).unwrap().blob.len(), 0);
}

#[test]
fn every_fault_is_told_apart() {
    for (bytes, message) in [
        (vec![], "corrupt at byte 0: the KEK page has 0 bytes, and its header alone has at least 16"),
        (vec![0; 15], "corrupt at byte 15: the KEK page has 15 bytes, and its header alone has at least 16"),
        (vec![0; 16], "corrupt at byte 0: the signature of the KEK page is 00000000, not 68637477"),
        (page(0, 1, 24, 2, b"12345678ab"), "corrupt at byte 4: the KEK page has version 0, compatible with 1"),
        (page(1, 0, 24, 2, b"12345678ab"), "corrupt at byte 4: the KEK page has version 1, compatible with 0"),
        (
            page(3, 3, 24, 2, b"12345678ab"),
            "the KEK page has version 3 and demands a reader of version 3, and this program reads up to 2; use a newer one",
        ),
        (
            // It may look like anything: what it demands comes first.
            page(4, 3, 3, 99, b""),
            "the KEK page has version 4 and demands a reader of version 3, and this program reads up to 2; use a newer one",
        ),
        (
            page(2, 1, 23, 2, b"1234567ab"),
            "corrupt at byte 6: the header of the KEK page has 23 bytes, and one of version 2 has at least 24",
        ),
        (
            page(1, 1, 10, 2, b"ab"),
            "corrupt at byte 6: the header of the KEK page has 10 bytes, and one of version 1 has at least 16",
        ),
        (
            page(2, 1, 34, 2, b"12345678ab"),
            "corrupt at byte 8: a KEK page of 34 bytes of header and 2 of keys has not 26 bytes",
        ),
        (
            page(2, 1, 24, 3, b"12345678ab"),
            "corrupt at byte 8: a KEK page of 24 bytes of header and 3 of keys has not 26 bytes",
        ),
        (
            page(2, 1, 24, 1, b"12345678ab"),
            "corrupt at byte 8: a KEK page of 24 bytes of header and 1 of keys has not 26 bytes",
        ),
        (
            page(2, 1, 24, u32::MAX, b"12345678ab"),
            "corrupt at byte 8: a KEK page of 24 bytes of header and 4294967295 of keys has not 26 bytes",
        ),
        (
            page(1, 1, 16, (16 << 20) + 1, &vec![0; (16 << 20) + 1]),
            "corrupt at byte 8: a KEK page holds 16777216 bytes of keys at the most, not 16777217",
        ),
    ] {
        let fault = decode(&bytes).unwrap_err();
        assert_eq!(fault.to_string(), message);
        assert_eq!(matches!(fault, Fault::Corrupt { .. }), message.starts_with("corrupt"));
        assert_eq!(matches!(fault, Fault::Unsupported(_)), message.contains("use a newer one"));
    }
    let mut bent = page(2, 1, 24, 2, b"12345678ab");
    bent[12] ^= 1;
    let fault = decode(&bent).unwrap_err();
    let checksum = u32::from_le_bytes(bent[12..16].try_into().unwrap());
    assert_eq!(
        fault.to_string(),
        format!(
            "corrupt at byte 12: the CRC32C of the KEK page is {:08x}, and {checksum:08x} is written",
            checksum ^ 1
        )
    );
}

#[test]
fn blobs_at_the_edges_of_their_size() {
    for size in [0, 1, 16 << 20] {
        let written = KekPage { timestamp: u64::MAX, blob: vec![7; size].into() };
        assert_eq!(KekPage::decode(&written.encode().unwrap()).unwrap(), written);
    }
    let fault = KekPage { timestamp: 0, blob: vec![0; (16 << 20) + 1].into() }.encode().unwrap_err();
    assert_eq!(fault.to_string(), "a key blob is 16777217 bytes; it can be 0 to 16777216");
}

proptest! {
    #[test]
    fn a_page_comes_back_or_is_corrupt(
        blob in prop::collection::vec(any::<u8>(), 0..200),
        timestamp: u64,
        at: prop::sample::Index,
        bit in 0..8u32,
        cut: prop::sample::Index,
        more in prop::collection::vec(any::<u8>(), 1..9),
    ) {
        let written = KekPage { timestamp, blob: blob.into() };
        let bytes = written.encode().unwrap();
        prop_assert_eq!(&KekPage::decode(&bytes).unwrap(), &written);
        let mut bent = bytes.to_vec();
        bent[at.index(bytes.len())] ^= 1 << bit;
        for damaged in [bent, bytes[..cut.index(bytes.len())].to_vec(), [&bytes[..], &more].concat()] {
            let fault = decode(&damaged).unwrap_err();
            prop_assert!(matches!(fault, Fault::Corrupt { .. }), "{fault}");
        }
    }

    #[test]
    fn no_header_panics(version: u8, compatible: u8, header_size: u8, payload: u32, rest in prop::collection::vec(any::<u8>(), 0..64)) {
        match decode(&page(version, compatible, header_size, payload, &rest)) {
            Ok(read) => prop_assert_eq!(read.blob.len(), payload as usize),
            Err(Fault::Unsupported(_)) => prop_assert!(compatible > 2 && version > 0),
            Err(fault) => prop_assert!(matches!(fault, Fault::Corrupt { .. }), "{fault}"),
        }
    }
}
