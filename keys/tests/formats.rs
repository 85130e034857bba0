//! The formats that are written, as golden files, and every fault of them.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::indexing_slicing, clippy::panic, reason = "a test")]

mod support;

use std::sync::Arc;

use bytes::Bytes;
use plastron_config::ErrorKind;
use plastron_keys::{Binding, KeyEnvironment, KeyManagement, WrappedKey};
use proptest::prelude::*;
use support::{CountingRandom, Machine, checkpoint, fixture, golden, open, opened, opens, try_open};

const HERE: Binding = Binding::segment(*b"a database's id.", 3, 42);

fn counting(mut machine: Machine) -> Machine {
    machine.environment.random = Arc::new(CountingRandom::default());
    machine
}

#[tokio::test]
async fn the_golden_keyrings_are_read_for_ever() {
    let machine = counting(Machine::new());
    machine.clock.set_days(20_000);
    let keys = machine.open();
    let (record, wrapped) = opened(&keys, HERE).await;
    checkpoint(&keys, 1).await;
    keys.rotate().await.unwrap();
    let keyring: Bytes = golden("keyring-1-key.bin", &checkpoint(&keys, 2).await).into();
    let wrapped: Bytes = golden("wrapped-key-1.bin", wrapped.as_bytes()).into();
    let record = golden("record-1.bin", &record);

    let reader = Machine::new().open();
    reader.load_key_blob(keyring).await.unwrap();
    opens(&reader, HERE, &WrappedKey::from_bytes(wrapped).unwrap(), &record).await;
    assert_eq!(reader.show().await.unwrap().len(), 2);

    let machine = counting(Machine::new());
    machine.clock.set_days(20_000);
    let settings = "phrase_variable=PHRASE,argon2=(memory=8MB,iterations=1)";
    let keyring = golden("keyring-1-passphrase.bin", &checkpoint(&machine.open_with(settings).unwrap(), 1).await);
    let reader = Machine::new().open_with("phrase_variable=PHRASE").unwrap();
    reader.load_key_blob(keyring.into()).await.unwrap();
}

#[tokio::test]
async fn the_golden_mock_blob_is_read_for_ever() {
    let machine = Machine::new();
    machine.clock.set_days(20_000);
    let keys = try_open("name=mock,config=(blob_size=64)", &machine.environment).unwrap();
    let blob = golden("mock-1.bin", &checkpoint(&keys, 1).await);
    open("name=mock").await.load_key_blob(blob.into()).await.unwrap();
}

/// `bytes` with a checksum that is right again.
fn summed(mut bytes: Vec<u8>) -> Bytes {
    let end = bytes.len() - 4;
    let sum = crc32c::crc32c(&bytes[..end]);
    bytes[end..].copy_from_slice(&sum.to_le_bytes());
    bytes.into()
}

async fn refusal(keys: &KeyManagement, blob: impl Into<Bytes>) -> (ErrorKind, String) {
    let error = keys.load_key_blob(blob.into()).await.unwrap_err();
    (error.kind(), error.to_string())
}

#[tokio::test]
async fn every_flipped_bit_and_cut_of_a_blob_is_corrupt() {
    let machine = Machine::new();
    for (keys, blob) in
        [(machine.open(), fixture("keyring-1-key.bin")), (open("name=mock").await, fixture("mock-1.bin"))]
    {
        for bit in 0..blob.len() * 8 {
            let mut bent = blob.to_vec();
            bent[bit / 8] ^= 1 << (bit % 8);
            assert_eq!(refusal(&keys, bent).await.0, ErrorKind::Corrupt, "bit {bit}");
        }
        for length in 1..blob.len() {
            assert_eq!(refusal(&keys, blob[..length].to_vec()).await.0, ErrorKind::Corrupt, "{length} bytes");
        }
        assert_eq!(refusal(&keys, [&blob[..], b"x"].concat()).await.0, ErrorKind::Corrupt);
        // Nothing of all this was taken in.
        assert!(keys.show().await.unwrap().is_empty());
        keys.load_key_blob(Bytes::copy_from_slice(&blob)).await.unwrap();
    }
}

#[tokio::test]
async fn what_somebody_changed_and_summed_again_is_found() {
    let blob = fixture("keyring-1-key.bin");
    let keys = Machine::new().open();
    let tag = "corrupt at byte 160: the authentication tag of the keyring does not match: somebody changed it";
    let wrong = "does not fit the keyring";
    for (at, with, kind, words) in [
        (0, 0, ErrorKind::Corrupt, "corrupt at byte 0: it does not begin with PLSTKEYR, so it is no keyring"),
        (8, 0, ErrorKind::Corrupt, "corrupt at byte 8: the keyring has version 0"),
        (8, 2, ErrorKind::Unsupported, "the keyring has version 2, and this program reads up to 1; use a newer one"),
        (9, 1, ErrorKind::Unsupported, "the keyring has version 257, and this program reads up to 1; use a newer one"),
        (
            10,
            1,
            ErrorKind::Corrupt,
            "corrupt at byte 12: Argon2id with 0 KiB, 0 iterations and 0 lanes is out of bounds",
        ),
        (10, 2, ErrorKind::Corrupt, "corrupt at byte 10: the keyring has the unknown kind of master key 2"),
        (11, 1, ErrorKind::Corrupt, "corrupt at byte 11: a reserved byte of the keyring is not zero"),
        (12, 1, ErrorKind::Corrupt, "corrupt at byte 12: a keyring with a master key has parameters of a passphrase"),
        (24, 1, ErrorKind::Corrupt, "corrupt at byte 12: a keyring with a master key has parameters of a passphrase"),
        (40, 1, ErrorKind::Unauthorized, wrong),
        (56, 0, ErrorKind::Corrupt, "corrupt at byte 56: the keyring has revision 0"),
        (57, 1, ErrorKind::Corrupt, tag),
        (64, 0, ErrorKind::Unauthorized, wrong),
        (80, 0xFF, ErrorKind::Corrupt, tag),
        (
            92,
            0,
            ErrorKind::Corrupt,
            "corrupt at byte 92: a keyring of 0 keys (1 to 10000) has 116 bytes, and this one has 244",
        ),
        (
            92,
            3,
            ErrorKind::Corrupt,
            "corrupt at byte 92: a keyring of 3 keys (1 to 10000) has 308 bytes, and this one has 244",
        ),
        (
            95,
            255,
            ErrorKind::Corrupt,
            "corrupt at byte 92: a keyring of 4278190082 keys (1 to 10000) has 273804165364 bytes, and this one has 244",
        ),
        (96, 0xFF, ErrorKind::Corrupt, tag),
        (
            112,
            0,
            ErrorKind::Corrupt,
            "corrupt at byte 112: a key of the keyring has generation 0, or reserved bytes that are not zero",
        ),
        (112, 2, ErrorKind::Corrupt, tag),
        (112, 3, ErrorKind::Corrupt, "corrupt at byte 128: the keys of the keyring are not in order"),
        (
            116,
            1,
            ErrorKind::Corrupt,
            "corrupt at byte 112: a key of the keyring has generation 0, or reserved bytes that are not zero",
        ),
        (120, 1, ErrorKind::Corrupt, tag),
        (160, 1, ErrorKind::Corrupt, tag),
        (239, 1, ErrorKind::Corrupt, tag),
    ] {
        let mut bent = blob.clone();
        assert_ne!(bent[at], with, "byte {at}");
        bent[at] = with;
        let (found, message) = refusal(&keys, summed(bent)).await;
        assert_eq!(found, kind, "byte {at}: {message}");
        let expected = format!("load_key_blob key module 'file': {words}");
        assert!(message == expected || words == wrong && message.contains(wrong), "byte {at}: {message}");
    }
    let (_, message) = refusal(&keys, b"short".to_vec()).await;
    assert!(
        message.ends_with("corrupt at byte 5: the keyring ends early: it has 5 bytes of at least 180"),
        "{message}"
    );
    let (_, message) = refusal(&keys, blob.iter().rev().copied().collect::<Vec<u8>>()).await;
    assert!(message.ends_with("it is no keyring"), "{message}");
}

#[tokio::test]
async fn a_passphrase_keyring_may_not_ask_for_the_moon() {
    let blob = fixture("keyring-1-passphrase.bin");
    let keys = Machine::new().open_with("phrase_variable=PHRASE").unwrap();
    for (at, value, words) in [
        (12, (1 << 20) + 1, "Argon2id with 1048577 KiB, 1 iterations and 1 lanes is out of bounds"),
        (12, 7, "Argon2id with 7 KiB, 1 iterations and 1 lanes is out of bounds"),
        (16, 101, "Argon2id with 8192 KiB, 101 iterations and 1 lanes is out of bounds"),
        (16, 0, "Argon2id with 8192 KiB, 0 iterations and 1 lanes is out of bounds"),
        (20, 17, "Argon2id with 8192 KiB, 1 iterations and 17 lanes is out of bounds"),
        (20, 0, "Argon2id with 8192 KiB, 1 iterations and 0 lanes is out of bounds"),
    ] {
        let mut bent = blob.clone();
        bent[at..at + 4].copy_from_slice(&u32::to_le_bytes(value));
        let (kind, message) = refusal(&keys, summed(bent)).await;
        assert_eq!(
            (kind, message),
            (ErrorKind::Corrupt, format!("load_key_blob key module 'file': corrupt at byte 12: {words}"))
        );
    }
    // Another salt is another master key.
    let mut bent = blob.clone();
    bent[24] ^= 1;
    assert_eq!(refusal(&keys, summed(bent)).await.0, ErrorKind::Unauthorized);
}

#[tokio::test]
async fn every_field_of_a_mock_blob_is_checked() {
    let blob = fixture("mock-1.bin");
    let keys = open("name=mock").await;
    for (at, with, kind, words) in [
        (
            0,
            0,
            ErrorKind::Corrupt,
            "corrupt at byte 0: it does not begin with PLSTMOCK, so it is no blob of the key module 'mock'",
        ),
        (8, 0, ErrorKind::Corrupt, "corrupt at byte 8: the mock blob has version 0"),
        (8, 2, ErrorKind::Unsupported, "the mock blob has version 2, and this program reads up to 1; use a newer one"),
        (12, 0, ErrorKind::Corrupt, "corrupt at byte 12: the mock blob has generation 0"),
        (
            24,
            0,
            ErrorKind::Unauthorized,
            "wrong master key: the blob was made by a key module 'mock' with another seed",
        ),
        (32, 63, ErrorKind::Corrupt, "corrupt at byte 32: the mock blob says it has 63 bytes, and has 64"),
        (36, 1, ErrorKind::Corrupt, "corrupt at byte 36: the padding of the mock blob is not zero"),
    ] {
        let mut bent = blob.clone();
        assert_ne!(bent[at], with, "byte {at}");
        bent[at] = with;
        assert_eq!(refusal(&keys, summed(bent)).await, (kind, format!("load_key_blob key module 'mock': {words}")));
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]
    #[test]
    fn any_bytes_are_refused_and_none_panics(start in 0..3usize, bytes in prop::collection::vec(any::<u8>(), 1..400), sum: bool) {
        let magic = [&b"PLSTKEYR\x01\0"[..], b"PLSTMOCK\x01\0\0\0", b""][start];
        let mut blob = [magic, &bytes].concat();
        if sum && blob.len() > 4 {
            blob = summed(blob).to_vec();
        }
        let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
        runtime.block_on(async {
            let environment = KeyEnvironment::default();
            for keys in [Machine::new().open(), try_open("name=mock", &environment).unwrap()] {
                let (kind, message) = refusal(&keys, blob.clone()).await;
                assert!(matches!(kind, ErrorKind::Corrupt | ErrorKind::Unsupported | ErrorKind::Unauthorized), "{message}");
            }
        });
    }
}
