//! The journal's format: golden file, one form, what damage is and what an end is.
//!
//! `PLASTRON_WRITE_FIXTURES=1 cargo test -p plastron-ickpt --lib journal` writes the golden file if it is missing.

use std::path::Path;

use plastron_config::ErrorKind;
use proptest::prelude::*;

use super::entry::{BLOCK_BYTES, MAX_ENTRY_BYTES};
use super::*;
use crate::error::Fault;
use crate::value::InstanceId;

const GENERATION: Generation = Generation(0x0102_0304_0506_0708_090a_0b0c_0d0e_0f10);
const BLOCKS: u32 = 5;

fn entry(sequence: u64, records: &[(&[u8], &[u8])]) -> Vec<u8> {
    let mut writer = EntryWriter::new(MAX_ENTRY_BYTES);
    for (key, record) in records {
        assert!(writer.push(key, record));
    }
    writer.finish(GENERATION, sequence).to_vec()
}

/// An entry of one block.
fn small(sequence: u64) -> Vec<u8> {
    entry(sequence, &[(b"key", &sequence.to_le_bytes())])
}

fn header(number: u8) -> Header {
    let file_bytes = BLOCKS * BLOCK_BYTES as u32;
    Header { identity: InstanceId(0xa0a1 << 100 | 7), generation: GENERATION, number, file_bytes }
}

/// A file with these entries, and zeros behind.
fn file(number: u8, entries: &[Vec<u8>]) -> Vec<u8> {
    let mut file = header(number).encode();
    file.extend(entries.concat());
    file.resize(BLOCKS as usize * BLOCK_BYTES, 0);
    file
}

fn sequences(images: [&[u8]; 2], base: u64, contained: u64) -> Result<Vec<u64>, (usize, Fault)> {
    let found = replay(images, GENERATION, base, contained)?;
    Ok(found.into_iter().map(|place| place.frame.sequence).collect())
}

#[test]
fn golden_journal() {
    let long = vec![0x5a; BLOCK_BYTES];
    let records: [&[(&[u8], &[u8])]; 2] = [&[(b"swift/a", b"one"), (b"swift/b", b"")], &[(b"swift/a", &long)]];
    let written = file(1, &[entry(8, records[0]), entry(9, records[1])]);
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/fixtures/journal-1.bin");
    if !path.exists() && std::env::var_os("PLASTRON_WRITE_FIXTURES").is_some() {
        std::fs::write(&path, &written).unwrap();
    }
    let golden = std::fs::read(&path).unwrap();
    assert_eq!(Header::decode(&golden).unwrap(), header(1));
    let found = replay([&[], &golden], GENERATION, 7, 7).unwrap();
    let places: Vec<_> = found.iter().map(|place| (place.number, place.offset, place.frame.sequence)).collect();
    assert_eq!(places, [(1, BLOCK_BYTES, 8), (1, 2 * BLOCK_BYTES, 9)]);
    for (place, records) in found.iter().zip(records) {
        assert_eq!(place.frame.records().unwrap(), records);
    }
    assert!(golden == written, "it is written the same");
}

#[test]
fn every_bit_of_an_entry_and_of_a_header_counts() {
    let entry = entry(1, &[(b"a", b"one"), (b"b", b"two")]);
    assert_eq!(entry.len(), BLOCK_BYTES);
    let header = header(0).encode();
    for bit in 0..8 * BLOCK_BYTES {
        let flip = |bytes: &[u8]| {
            let mut bytes = bytes.to_vec();
            bytes[bit / 8] ^= 1 << (bit % 8);
            bytes
        };
        assert!(Frame::at(&flip(&entry), 0, GENERATION).is_none(), "bit {bit}");
        assert_eq!(Header::decode(&flip(&header)).unwrap_err().kind(), ErrorKind::Corrupt, "bit {bit}");
    }
    assert!(Frame::at(&entry, 0, Generation(1)).is_none(), "another generation");
    assert!(Frame::at(&entry[..BLOCK_BYTES - 1], 0, GENERATION).is_none());
}

#[test]
fn a_later_version_is_unsupported() {
    let mut block = header(0).encode();
    block[8] = 2;
    let sum = crc32c::crc32c(&block[..BLOCK_BYTES - 4]);
    block[BLOCK_BYTES - 4..].copy_from_slice(&sum.to_le_bytes());
    assert_eq!(Header::decode(&block).unwrap_err().kind(), ErrorKind::Unsupported);
}

#[test]
fn what_is_behind_the_last_entry_ends_it() {
    let mut image = file(0, &[small(1), small(2), small(3)]);
    assert_eq!(sequences([&image, &file(1, &[])], 0, 0).unwrap(), [1, 2, 3]);
    image[3 * BLOCK_BYTES + 100] ^= 1;
    assert_eq!(sequences([&image, &file(1, &[])], 0, 0).unwrap(), [1, 2], "torn, or rotten: it can't be told");
    let all = file(0, &[small(1), small(2), small(3), small(4)]);
    assert_eq!(sequences([&all, &file(1, &[small(5)])], 0, 0).unwrap(), [1, 2, 3, 4, 5]);
    assert_eq!(sequences([&all, &file(1, &[])], 0, 4).unwrap(), [0_u64; 0], "all of it has moved");
    assert_eq!(sequences([&file(0, &[]), &file(1, &[])], 9, 9).unwrap(), [0_u64; 0], "it was just begun");
}

#[test]
fn a_gap_is_damage_and_says_where() {
    let place = |(number, fault): (usize, Fault)| match fault {
        Fault::Corrupt { offset, check } => (number, offset as usize / BLOCK_BYTES, check),
        other => panic!("{other:?}"),
    };
    let full = [small(1), small(2), small(3), small(4)];
    for damaged in 1..5 {
        let mut one = file(0, &full);
        one[damaged * BLOCK_BYTES + 50] ^= 4;
        let (number, block, check) = place(sequences([&one, &file(1, &[small(5)])], 0, 0).unwrap_err());
        // Of the first nothing is known but that it is in front of all.
        assert_eq!((number, block), (0, damaged), "{check}");
        let begin = format!("entry {damaged} of the journal can't be read, and entry ");
        assert!(check.starts_with(&begin) && check.contains("reseed"), "{check}");
    }
    // A file was written over: 9 and 10 stand before what is left of 3 and 4, which have moved.
    let one = file(0, &[small(9), small(10), small(3), small(4)]);
    let two = file(1, &[small(5), small(6), small(7), small(8)]);
    assert_eq!(sequences([&one, &two], 0, 4).unwrap(), [5, 6, 7, 8, 9, 10]);
    assert_eq!(sequences([&one, &two], 0, 8).unwrap(), [9, 10]);
    // An older copy of the database, and an older one of the journal.
    let (_, _, check) = place(sequences([&one, &two], 0, 1).unwrap_err());
    assert!(check.starts_with("entry 2 "), "{check}");
    let (_, _, check) = place(sequences([&one, &two], 0, 30).unwrap_err());
    assert!(check.contains("the journal is older"), "{check}");
    let (_, _, check) = place(sequences([&file(0, &[small(1)]), &file(1, &[small(1)])], 0, 0).unwrap_err());
    assert!(check.starts_with("entry 2 "), "one sequence twice: {check}");
}

proptest! {
    #[test]
    fn an_entry_gives_what_it_was_given(
        sequence: u64,
        records in prop::collection::vec((prop::collection::vec(any::<u8>(), 0..300), prop::collection::vec(any::<u8>(), 0..9000)), 1..20),
    ) {
        let pairs: Vec<_> = records.iter().map(|(key, record)| (key.as_slice(), record.as_slice())).collect();
        let mut image = vec![0; BLOCK_BYTES];
        image.extend(entry(sequence, &pairs));
        let frame = Frame::at(&image, BLOCK_BYTES, GENERATION).unwrap();
        prop_assert_eq!(frame.records().unwrap(), pairs);
        prop_assert_eq!((frame.sequence, frame.len()), (sequence, image.len() - BLOCK_BYTES));
    }

    /// The same memory makes the next entry, and what does not fit is not there in part.
    #[test]
    fn a_writer_is_used_again(lengths in prop::collection::vec(0_usize..6000, 1..40)) {
        let mut writer = EntryWriter::new(3 * BLOCK_BYTES);
        let mut records: Vec<Vec<u8>> = Vec::new();
        for (number, length) in lengths.into_iter().enumerate() {
            let record = vec![number as u8; length];
            if !writer.push(b"k", &record) {
                prop_assert!(writer.len() + 7 + length > 2 * BLOCK_BYTES, "there was room");
                let bytes = writer.finish(GENERATION, 1).to_vec();
                prop_assert!(bytes.len() <= 3 * BLOCK_BYTES);
                let frame = Frame::at(&bytes, 0, GENERATION).unwrap();
                let found: Vec<_> = frame.records().unwrap().into_iter().map(|(_, record)| record.to_vec()).collect();
                prop_assert_eq!(found, std::mem::take(&mut records));
                writer.clear();
                prop_assert!(writer.push(b"k", &record));
            }
            records.push(record);
        }
    }

    /// Whatever is damaged: what is found is what was written, from the first on, and nothing whole is behind what is not found.
    #[test]
    fn damage_is_found_or_is_at_the_end(
        count in 1_u64..8,
        damage in prop::collection::vec((0_usize..2, BLOCK_BYTES..BLOCKS as usize * BLOCK_BYTES, 1_u8..), 0..6),
    ) {
        let all: Vec<_> = (1..=count).map(small).collect();
        let (one, two) = all.split_at(all.len().min(4));
        let mut files = [file(0, one), file(1, two)];
        for (number, at, bits) in damage {
            files[number][at] ^= bits;
        }
        let [one, two] = &files;
        let block = |sequence: usize| {
            let number = (sequence - 1) / 4;
            let at = ((sequence - 1) % 4 + 1) * BLOCK_BYTES;
            &files[number][at..at + BLOCK_BYTES]
        };
        let whole: Vec<_> = (1..=all.len()).map(|sequence| block(sequence) == all[sequence - 1]).collect();
        let front = whole.iter().take_while(|whole| **whole).count();
        let is_damaged = whole.iter().skip(front).any(|whole| *whole);
        match sequences([one, two], 0, 0) {
            Ok(found) => {
                prop_assert!(!is_damaged);
                prop_assert_eq!(found, (1..=front as u64).collect::<Vec<_>>());
            }
            Err((_, fault)) => prop_assert!(is_damaged && fault.kind() == ErrorKind::Corrupt),
        }
        prop_assert!(crate::fuzzing::journal(one) && crate::fuzzing::journal(&[one.as_slice(), two].concat()));
    }

    #[test]
    fn any_bytes_are_read_or_refused(bytes in prop::collection::vec(any::<u8>(), 0..9000)) {
        prop_assert!(crate::fuzzing::journal(&bytes));
    }
}
