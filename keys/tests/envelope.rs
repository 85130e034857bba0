//! Records and data keys open where they were sealed, and nowhere else.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::indexing_slicing, clippy::panic, reason = "a test")]

mod support;

use plastron_config::ErrorKind;
use plastron_keys::{
    Binding, MAX_ASSOCIATED_BYTES, MAX_WRAPPED_KEY_BYTES, ObjectCipher, SealedObject, TAG_BYTES, WrappedKey,
};
use proptest::prelude::*;
use support::open;

const HERE: Binding = Binding::segment([7; 16], 3, 42);

fn cipher(binding: Binding) -> ObjectCipher {
    let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
    runtime.block_on(async { open("name=mock").await.new_cipher(binding).await.unwrap().unwrap() })
}

/// Places that differ from [`HERE`] in one thing each.
fn elsewhere() -> [Binding; 4] {
    [
        Binding { database: [8; 16], ..HERE },
        Binding { object: SealedObject::IndexRun, ..HERE },
        Binding { epoch: 4, ..HERE },
        Binding { sequence: 43, ..HERE },
    ]
}

#[tokio::test]
async fn a_data_key_belongs_to_one_object() {
    let keys = open("name=mock").await;
    let wrapped = keys.new_cipher(HERE).await.unwrap().unwrap().wrapped;
    keys.opener(HERE, wrapped.clone()).await.unwrap();
    for place in elsewhere() {
        let error = keys.opener(place, wrapped.clone()).await.unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Corrupt);
        assert_eq!(
            error.to_string(),
            "unwrap key module 'mock': corrupt at byte 24: the authentication tag of the wrapped data key does not match: it was changed, \
             or belongs to another object"
        );
    }
}

#[tokio::test]
async fn every_flipped_bit_and_cut_of_a_wrapped_key_is_found() {
    let keys = open("name=mock").await;
    let wrapped = keys.new_cipher(HERE).await.unwrap().unwrap().wrapped.as_bytes().to_vec();
    for bit in 0..wrapped.len() * 8 {
        let mut bent = wrapped.clone();
        bent[bit / 8] ^= 1 << (bit % 8);
        let error = keys.opener(HERE, WrappedKey::from_bytes(bent).unwrap()).await.unwrap_err();
        let expected = match bit / 8 {
            4 if bit != 32 => ErrorKind::Unsupported,
            8..24 => ErrorKind::Unauthorized,
            _ => ErrorKind::Corrupt,
        };
        assert_eq!(error.kind(), expected, "bit {bit}: {error}");
    }
    for length in (1..wrapped.len()).chain([wrapped.len() + 1]) {
        let mut cut = wrapped.clone();
        cut.resize(length, 0);
        let error = keys.opener(HERE, WrappedKey::from_bytes(cut).unwrap()).await.unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Corrupt, "{length}: {error}");
    }
    for length in [0, MAX_WRAPPED_KEY_BYTES + 1] {
        let fault = WrappedKey::from_bytes(vec![0; length]).unwrap_err();
        assert_eq!(fault.to_string(), format!("a wrapped data key is {length} bytes; it can be 1 to 8192"));
    }
}

#[test]
fn headers_have_a_bound_and_a_refusal_changes_nothing() {
    let mut cipher = cipher(HERE);
    let mut payload = *b"page";
    let error = cipher.sealer.seal(&[0; MAX_ASSOCIATED_BYTES + 1], &mut payload).unwrap_err();
    assert_eq!(
        error.to_string(),
        "seal record 0 of segment 3-42 of database 07070707070707070707070707070707: associated data is 257 bytes; it can be 0 to 256"
    );
    assert_eq!((&payload, cipher.sealer.next_ordinal()), (b"page", 0));
    cipher.sealer.seal(&[0; MAX_ASSOCIATED_BYTES], &mut payload).unwrap();
    assert_eq!(
        cipher.opener.open(0, &[0; MAX_ASSOCIATED_BYTES + 1], &mut payload).unwrap_err().kind(),
        ErrorKind::Invalid
    );
}

proptest! {
    #[test]
    fn records_come_back_whole_or_not_at_all(
        records in prop::collection::vec((prop::collection::vec(any::<u8>(), 0..=64), prop::collection::vec(any::<u8>(), 0..300)), 1..12),
        bit: prop::sample::Index,
        header_bit: prop::sample::Index,
    ) {
        let mut cipher = cipher(HERE);
        let sealed: Vec<Vec<u8>> = records.iter().enumerate().map(|(number, (header, payload))| {
            let mut bytes = payload.clone();
            let record = cipher.sealer.seal(header, &mut bytes).unwrap();
            assert_eq!(record.ordinal, number as u64);
            bytes.extend(record.tag);
            assert_eq!(bytes.len(), payload.len() + TAG_BYTES);
            bytes
        }).collect();
        for (number, (header, payload)) in records.iter().enumerate() {
            let ordinal = number as u64;
            let open = |ordinal, header: &[u8], bytes: &[u8]| {
                cipher.opener.open(ordinal, header, &mut bytes.to_vec()).map(|opened| opened.to_vec())
            };
            let bytes = &sealed[number];
            prop_assert_eq!(&open(ordinal, header, bytes).unwrap(), payload);
            let mut faults = vec![
                open(ordinal + 1, header, bytes),
                open(ordinal, &[header, &b"x"[..]].concat(), bytes),
                open(ordinal, header, &bytes[..bytes.len() - 1]),
                open(ordinal, header, &[&bytes[..], b"x"].concat()),
                open(ordinal, header, b""),
            ];
            let mut bent = bytes.clone();
            let at = bit.index(bent.len() * 8);
            bent[at / 8] ^= 1 << (at % 8);
            faults.push(open(ordinal, header, &bent));
            if !header.is_empty() {
                let mut bent = header.clone();
                let at = header_bit.index(bent.len() * 8);
                bent[at / 8] ^= 1 << (at % 8);
                faults.push(open(ordinal, &bent, bytes));
            }
            for fault in faults {
                prop_assert_eq!(fault.unwrap_err().kind(), ErrorKind::Corrupt);
            }
        }
    }
}

#[test]
fn equal_pages_look_different() {
    let mut one = cipher(HERE);
    let mut two = cipher(HERE);
    let mut seen = std::collections::BTreeSet::new();
    for cipher in [&mut one, &mut two] {
        for _ in 0..4 {
            let mut payload = [0; 64];
            cipher.sealer.seal(b"", &mut payload).unwrap();
            assert!(seen.insert(payload));
        }
    }
}
