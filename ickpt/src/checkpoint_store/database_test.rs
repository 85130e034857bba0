//! A database and its journal against a plain map, and files that do not belong together.

use std::collections::BTreeMap;
use std::path::Path;
use std::sync::Arc;

use bytes::Bytes;
use plastron_config::ErrorKind;
use plastron_sources::clock::SystemClock;
use proptest::prelude::*;

use super::sim_disk::{Dice, Disks, Image};
use super::tables::Tables;
use super::*;
use crate::value::Members;

/// Blocks of each of the journal's files in memory.
const BLOCKS: u32 = 9;
const CACHE_BYTES: usize = 1 << 20;

fn record(sequence: u64, bytes: usize) -> Record {
    Record { sequence, content: Content::Value(vec![sequence as u8; bytes + 1].into()), ..Record::default() }
}

#[derive(Debug, Clone)]
enum Step {
    Write(Vec<(u8, usize)>),
    Seal,
    Move,
    /// The process ends, without a word.
    Killed,
    /// The power ends, between two calls.
    Cut(u64),
}

fn steps() -> impl Strategy<Value = Vec<Step>> {
    let lengths = prop_oneof![4 => 0_usize..300, 1 => 0_usize..9000];
    let step = prop_oneof![
        8 => prop::collection::vec((0_u8..12, lengths), 0..8).prop_map(Step::Write),
        1 => Just(Step::Seal),
        2 => Just(Step::Move),
        1 => Just(Step::Killed),
        1 => any::<u64>().prop_map(Step::Cut),
    ];
    prop::collection::vec(step, 1..40)
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 64, ..ProptestConfig::default() })]

    #[test]
    fn it_is_a_map(steps in steps()) {
        let mut disks = Disks::holding(Image::default(), None);
        let mut database = disks.open(BLOCKS).unwrap();
        let identity = database.identity();
        let mut model = BTreeMap::new();
        let mut sequence = 0;
        for step in steps {
            match step {
                Step::Write(batch) => {
                    let batch: BTreeMap<_, _> = batch
                        .into_iter()
                        .map(|(key, bytes)| {
                            sequence += 1;
                            (vec![key], record(sequence, bytes))
                        })
                        .collect();
                    database.write(batch.iter().map(|(key, record)| (key.as_slice(), record))).unwrap();
                    model.extend(batch);
                }
                Step::Seal => database.seal().unwrap(),
                Step::Move => database.move_sealed().unwrap(),
                Step::Killed => {
                    drop(database);
                    disks = Disks::holding(disks.image(), None);
                    database = disks.open(BLOCKS).unwrap();
                }
                Step::Cut(seed) => {
                    drop(database);
                    disks = Disks::holding(disks.survivors(&mut Dice(seed)), None);
                    database = disks.open(BLOCKS).unwrap();
                }
            }
            for key in 0..12 {
                prop_assert_eq!(database.read(&[key]).unwrap(), model.get(&vec![key]).cloned());
            }
            prop_assert_eq!(database.identity(), identity);
            prop_assert!(database.unmoved_bytes() <= 2 * 4096 * BLOCKS as usize, "as much as the journal has room for");
        }
    }
}

#[test]
fn a_batch_may_be_longer_than_a_turn() {
    let disks = Disks::holding(Image::default(), None);
    let database = disks.open(BLOCKS).unwrap();
    let batch: Vec<_> = (0..60_u8).map(|key| (vec![key], record(key.into(), 5000))).collect();
    database.write(batch.iter().map(|(key, record)| (key.as_slice(), record))).unwrap();
    let too_long = record(1, 40_000);
    let error = database.write([(b"k".as_slice(), &too_long)]).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Invalid, "{error}");
    drop(database);
    let database = Disks::holding(disks.image(), None).open(BLOCKS).unwrap();
    for (key, record) in &batch {
        assert_eq!(database.read(key).unwrap().as_ref(), Some(record));
    }
}

/// A second sync that succeeds says nothing of what the first one did not write.
#[test]
fn after_a_write_or_a_sync_failed_nothing_is_taken() {
    for granted in 0..2 {
        let disks = Disks::holding(Image::default(), None);
        let database = disks.open(BLOCKS).unwrap();
        write(&database, 1);
        disks.grant(granted);
        let number = 2_u64.to_le_bytes();
        let failed = || database.write([(number.as_slice(), &record(2, 100))]).unwrap_err();
        assert!(matches!(failed().fault(), crate::Fault::Io(_)));
        disks.grant(u64::MAX);
        let error = failed();
        assert!(
            error.kind() == ErrorKind::Unavailable && error.to_string().contains("an earlier write failed"),
            "{error}"
        );
        assert!(has(&database, 1));
        assert_eq!(database.read(&number).unwrap(), None, "nobody sees what was not acknowledged");
        drop(database);
        let database = Disks::holding(disks.image(), None).open(BLOCKS).unwrap();
        assert!(has(&database, 1));
    }
}

fn open(folder: &Path) -> crate::Result<Database> {
    Database::open(folder, CACHE_BYTES)
}

fn write(database: &Database, number: u64) {
    database.write([(number.to_le_bytes().as_slice(), &record(number, 100))]).unwrap();
}

fn has(database: &Database, number: u64) -> bool {
    database.read(&number.to_le_bytes()).unwrap() == Some(record(number, 100))
}

fn copy(from: &Path, to: &Path, names: &[&str]) {
    for name in names {
        std::fs::copy(from.join(name), to.join(name)).unwrap();
    }
}

const TABLES: &str = "ickpt.redb";
const JOURNALS: [&str; 2] = ["ickpt-0.journal", "ickpt-1.journal"];
const ALL: [&str; 3] = [TABLES, JOURNALS[0], JOURNALS[1]];

/// Refused as damaged, with what to do, and what is there is left alone.
fn refused(folder: &Path, says: &str) {
    let before = ALL.map(|name| std::fs::read(folder.join(name)).ok());
    for _ in 0..2 {
        let error = open(folder).unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Corrupt, "{error}");
        let text = error.to_string();
        assert!(text.contains(says) && text.contains("journal") && text.contains("reseed"), "{text}");
    }
    for (name, before) in JOURNALS.iter().zip(&before[1..]) {
        let after = std::fs::read(folder.join(name)).unwrap();
        assert!(after == *before.as_deref().unwrap_or_default(), "{name} was written to");
    }
}

/// A folder with one record that has moved, one that was sealed and has not, and one more, and a copy of it from before all of them.
fn lived() -> (tempfile::TempDir, tempfile::TempDir) {
    let (now, before) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
    let database = open(now.path()).unwrap();
    write(&database, 1);
    drop(database);
    copy(now.path(), before.path(), &ALL);
    let database = open(now.path()).unwrap();
    write(&database, 2);
    database.seal().unwrap();
    database.move_sealed().unwrap();
    write(&database, 3);
    database.seal().unwrap();
    write(&database, 4);
    drop(database);
    (now, before)
}

#[test]
fn files_of_one_time_open_and_others_are_refused() {
    let (now, before) = lived();
    let folder = tempfile::tempdir().unwrap();
    let folder = folder.path();
    let mixed = |of_before: &[&str], says: &str| {
        copy(now.path(), folder, &ALL);
        copy(before.path(), folder, of_before);
        refused(folder, says);
    };
    mixed(&[TABLES], "one of them was put back");
    mixed(&JOURNALS, "one of them was put back");
    mixed(&JOURNALS[..1], "one of them was put back");
    mixed(&JOURNALS[1..], "one of them was put back");
    copy(now.path(), folder, &ALL);
    std::fs::copy(folder.join(JOURNALS[1]), folder.join(JOURNALS[0])).unwrap();
    refused(folder, "another name");
    for missing in JOURNALS {
        copy(now.path(), folder, &ALL);
        std::fs::remove_file(folder.join(missing)).unwrap();
        refused(folder, "missing or empty");
    }
    copy(now.path(), folder, &ALL);
    std::fs::remove_file(folder.join(TABLES)).unwrap();
    refused(folder, "is not of the database beside it");
    copy(now.path(), folder, &ALL);
    let database = open(folder).unwrap();
    assert!((1..=4).all(|number| has(&database, number)));
}

#[test]
fn files_of_one_start_but_not_of_one_time_are_refused() {
    let (now, then) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
    let folder = tempfile::tempdir().unwrap();
    let folder = folder.path();
    let database = open(now.path()).unwrap();
    write(&database, 1);
    // Copies of files in use, of which the user is warned.
    copy(now.path(), then.path(), &ALL);
    for number in 2..5 {
        write(&database, number);
        database.seal().unwrap();
        database.move_sealed().unwrap();
    }
    drop(database);
    copy(now.path(), folder, &[TABLES]);
    copy(then.path(), folder, &JOURNALS);
    refused(folder, "the journal is older");
    copy(then.path(), folder, &[TABLES]);
    copy(now.path(), folder, &JOURNALS);
    refused(folder, "can't be read");
}

#[test]
fn the_journal_of_another_instance_is_refused() {
    let (now, _) = lived();
    let other = tempfile::tempdir().unwrap();
    drop(open(other.path()).unwrap());
    copy(now.path(), other.path(), &JOURNALS);
    refused(other.path(), "the journal is of instance");
}

#[test]
fn damage_is_told_and_a_torn_end_is_not_damage() {
    let folder = tempfile::tempdir().unwrap();
    let folder = folder.path();
    let database = open(folder).unwrap();
    for number in 1..=3 {
        write(&database, number);
    }
    drop(database);
    let path = folder.join(JOURNALS[0]);
    let whole = std::fs::read(&path).unwrap();
    // The header, and then an entry a block.
    for (block, says) in [(0, "checksum of the journal's header"), (1, "entry 1 "), (2, "entry 2 ")] {
        let mut damaged = whole.clone();
        damaged[block * 4096 + 70] ^= 0x10;
        std::fs::write(&path, damaged).unwrap();
        refused(folder, says);
        let text = open(folder).unwrap_err().to_string();
        assert!(text.contains(&path.display().to_string()), "{text}");
        assert!(block == 0 || text.contains(&format!("at byte {}", block * 4096)), "{text}");
    }
    // The last one: whether it was ever whole can't be told.
    let mut torn = whole;
    torn[3 * 4096 + 70] ^= 0x10;
    std::fs::write(&path, torn).unwrap();
    let database = open(folder).unwrap();
    assert!(has(&database, 1) && has(&database, 2));
    assert_eq!(database.read(&3_u64.to_le_bytes()).unwrap(), None);
}

#[test]
fn a_database_from_before_the_journal_opens() {
    let folder = tempfile::tempdir().unwrap();
    let identity = crate::InstanceId(77);
    let key = 1_u64.to_le_bytes();
    let tables = Tables::open(&folder.path().join(TABLES), CACHE_BYTES).unwrap();
    tables.write_without_journal(identity, &key, &record(1, 100).encode(&key));
    drop(tables);
    let database = open(folder.path()).unwrap();
    assert!(has(&database, 1) && database.identity() == identity);
    write(&database, 2);
    drop(database);
    let database = open(folder.path()).unwrap();
    assert!(has(&database, 1) && has(&database, 2) && database.identity() == identity);
}

#[tokio::test]
async fn an_engine_that_ends_leaves_everything_in_the_database() {
    let folder = tempfile::tempdir().unwrap();
    let options = EngineOptions::new(Arc::new(SystemClock));
    let (store, ended) = CheckpointStore::start(open(folder.path()).unwrap(), options).unwrap();
    let value = vec![9; crate::MAX_VALUE_BYTES];
    // Several turns of the journal.
    for number in 0..200 {
        let (key, path) = (format!("s/{}", number % 150), Bytes::from_static(b"/1"));
        let bytes = [number.to_string().as_bytes(), &value].concat()[..value.len()].to_vec();
        let write = Write { bytes: Some(bytes.into()), stamp: None, members: Members::default() };
        store.stage(&key, path.clone(), write).await.unwrap();
        store.commit(&key, path).await.unwrap();
    }
    drop(store);
    ended.join().unwrap();
    let tables = Tables::open(&folder.path().join(TABLES), CACHE_BYTES).unwrap();
    for number in 50..200 {
        let key = format!("s/{}", number % 150);
        let record = Record::decode(key.as_bytes(), &tables.read(key.as_bytes()).unwrap().unwrap()).unwrap();
        let Content::Value(bytes) = record.content else { panic!("{record:?}") };
        assert!(bytes.starts_with(number.to_string().as_bytes()), "{key}");
    }
    let state = tables.instance().unwrap().journal.unwrap();
    assert_eq!((state.base, state.contained), (0, 200));
}
