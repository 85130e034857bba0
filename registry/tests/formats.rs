//! The formats: golden files, tables, faults, texts.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::indexing_slicing, clippy::panic, reason = "a test")]

use std::path::Path;
use std::sync::Arc;

use bytes::Bytes;
use plastron_registry::{
    Ancestor, CheckpointString, ErrorKind, Fault, KekRef, KeyProvider, MAX_ANCESTORS, Pin, PinName, Retention, Turtle,
    TurtleObject, TurtlePage,
};
use proptest::prelude::*;

/// The golden file `name`, which is written once, and never again.
fn golden(name: &str, bytes: &[u8]) -> Bytes {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/fixtures").join(name);
    if std::env::var_os("PLASTRON_WRITE_FIXTURES").is_some() && !path.exists() {
        std::fs::write(&path, bytes).unwrap();
    }
    std::fs::read(&path).unwrap().into()
}

fn turtle() -> Turtle {
    Turtle {
        checkpoint_lsn: 0x11,
        turtle_page_lsn: 0x10,
        metadata_lsn: 0x0f,
        kek: Some(KekRef { lsn: 0x0e, object: "_plastron/kek/00000000000000000014.kek".to_owned() }),
        written_ms: 1_766_470_626_000,
        timestamp: 0x69e2_9c54_0000_0001,
        oldest_timestamp: 0x69e2_954c_0000_0001,
        retention: Retention { checkpoints: 3, seconds: 3600 },
        engine_metadata: Bytes::from_static(b"metadata_lsn=16,version=1,compatible_version=1"),
        log_state: Bytes::from_static(b"whatever the page log says"),
        ancestors: Vec::new(),
    }
}

/// The turtle of a clone of a clone.
fn clone() -> Turtle {
    let ancestor = |last_epoch, prefix: &str| Ancestor { last_epoch, prefix: prefix.to_owned() };
    Turtle { ancestors: vec![ancestor(3, ""), ancestor(7, "branch/")], ..turtle() }
}

fn object(content: Option<Bytes>) -> TurtleObject {
    TurtleObject {
        sequence: 0x0102,
        epoch: 3,
        opened_at: 0x0100,
        writer: 0x0f0e_0d0c_0b0a_0908_0706_0504_0302_0100,
        owner: Arc::from("host:42"),
        previous: 0xdead_beef,
        content,
    }
}

#[test]
fn the_golden_files_are_read_for_ever() {
    let written = object(Some(turtle().encode().unwrap()));
    let file = golden("turtle-1.bin", &written.encode().unwrap().0);
    let (found, version) = TurtleObject::decode(&file).unwrap();
    assert_eq!((found.clone(), version.sequence, version.epoch), (written.clone(), 0x0102, 3));
    assert_eq!(Turtle::decode(&found.content.unwrap()).unwrap(), turtle());
    assert_eq!(written.encode().unwrap(), (file, version));
    let opened = object(None);
    assert_eq!(TurtleObject::decode(&golden("turtle-1-opened.bin", &opened.encode().unwrap().0)).unwrap().0, opened);
    let clone_file = golden("turtle-2.bin", &clone().encode().unwrap());
    assert_eq!((Turtle::decode(&clone_file).unwrap(), clone().encode().unwrap()), (clone(), clone_file.clone()));
    assert_eq!((clone().epoch_base(), turtle().epoch_base()), (7, 0));
    assert_eq!(&clone_file[clone_file.len() - 27..], b"\x03\0\0\0\0\0\0\0\0\0\x07\0\0\0\0\0\0\0\x07\0branch/");
    let pin = Pin {
        name: PinName { id: 0x0f0e_0d0c_0b0a_0908_0706_0504_0302_0100, renewal: 3 },
        sequence: 0x0102,
        lease_seconds: 600,
        owner: Arc::from("host:42"),
        turtle: turtle().encode().unwrap(),
    };
    let pin_file = golden("pin-1.bin", &pin.encode().unwrap());
    assert_eq!((Pin::decode(&pin_file).unwrap(), pin.encode().unwrap()), (pin, pin_file.clone()));
    assert_eq!(&pin_file[..12], b"PLSTCPIN\x01\0\x07\0");
    assert_eq!(&pin_file[56..63], b"host:42");
    // Where the tables say.
    let content = turtle().encode().unwrap();
    assert_eq!(&content[..16], b"PLCP\x01\0\x26\0\x11\0\0\0\0\0\0\0");
    let bytes = written.encode().unwrap().0;
    assert_eq!(&bytes[..18], b"PLSTCTTL\x01\0\x01\0\0\0\0\0\x02\x01");
    assert_eq!(&bytes[40..60], b"\0\x01\x02\x03\x04\x05\x06\x07\x08\x09\x0a\x0b\x0c\x0d\x0e\x0f\xef\xbe\xad\xde");
    assert_eq!(&bytes[72..79], b"host:42");
    assert_eq!(&bytes[79..79 + content.len()], content);
    assert_eq!(bytes.len(), 79 + content.len() + 4);
}

/// `bytes` with `change` made, and a checksum that is right.
fn changed(bytes: &Bytes, change: impl FnOnce(&mut Vec<u8>)) -> Bytes {
    let mut bytes = bytes.to_vec();
    bytes.truncate(bytes.len() - 4);
    change(&mut bytes);
    let checksum = crc32c::crc32c(&bytes);
    bytes.extend(checksum.to_le_bytes());
    bytes.into()
}

#[test]
fn faults_are_told_apart() {
    let bytes = object(Some(Bytes::from_static(b"content"))).encode().unwrap().0;
    for (bytes, message) in [
        (Bytes::new(), "corrupt at byte 0: the magic of a turtle object takes 8 bytes, and 0 are left"),
        (bytes.slice(..9), "corrupt at byte 8: the version takes 2 bytes, and 1 are left"),
        (changed(&bytes, |bytes| bytes[0] = 0), "corrupt at byte 0: this is no turtle object: its magic is wrong"),
        (changed(&bytes, |bytes| bytes[8] = 0), "corrupt at byte 8: a turtle object has version 0"),
        (changed(&bytes, |bytes| bytes[10] = 2), "corrupt at byte 10: the flags are 0002"),
        (changed(&bytes, |bytes| bytes[13] = 1), "corrupt at byte 13: a reserved byte is not zero"),
        (
            changed(&bytes, |bytes| bytes[24] = 0),
            "corrupt at byte 16: turtle 258 of epoch 0, opened at 256: they count from 1",
        ),
        (
            changed(&bytes, |bytes| bytes[33] = 2),
            "corrupt at byte 16: epoch 3 was opened at turtle 512, and this is turtle 258",
        ),
        (changed(&bytes, |bytes| bytes[10] = 0), "corrupt at byte 60: 7 bytes of content and 7 of owner cannot be"),
        (changed(&bytes, |bytes| bytes[60] = 8), "corrupt at byte 79: the content takes 8 bytes, and 7 are left"),
        (changed(&bytes, |bytes| bytes[60] = 6), "corrupt at byte 85: 1 bytes are left over"),
        (changed(&bytes, |bytes| bytes[74] = 0xff), "corrupt at byte 74: the owner is not UTF-8"),
    ] {
        assert_eq!(TurtleObject::decode(&bytes).unwrap_err().to_string(), message);
    }
    // Later versions say so before their checksum, which may be another.
    let mut newer = bytes.to_vec();
    newer[8] = 2;
    assert_eq!(TurtleObject::decode(&newer.into()).unwrap_err().kind(), ErrorKind::Unsupported);
    let mut newer = turtle().encode().unwrap().to_vec();
    newer[4] = 3;
    assert_eq!(Turtle::decode(&newer.into()).unwrap_err().kind(), ErrorKind::Unsupported);
    let mut no_clone = turtle().encode().unwrap().to_vec();
    no_clone[4] = 2;
    assert_eq!(
        Turtle::decode(&no_clone.into()).unwrap_err().to_string(),
        "corrupt at byte 84: a turtle of version 2 with 0 ancestors"
    );
    let ancestor = |last_epoch| Ancestor { last_epoch, prefix: "a".to_owned() };
    let many: Vec<Ancestor> = (1..=MAX_ANCESTORS as u64 + 1).map(ancestor).collect();
    for ancestors in [vec![ancestor(0)], vec![ancestor(2), ancestor(2)], many] {
        assert_eq!(Turtle { ancestors, ..turtle() }.encode().unwrap_err().kind(), ErrorKind::Invalid);
    }
    let half = Turtle { kek: Some(KekRef { lsn: 1, object: String::new() }), ..Turtle::default() };
    assert_eq!(half.encode().unwrap_err().kind(), ErrorKind::Invalid);
}

#[test]
fn no_bit_can_be_changed_and_no_byte_be_missing() {
    let bytes = object(Some(turtle().encode().unwrap())).encode().unwrap().0;
    for bit in 0..bytes.len() * 8 {
        let mut damaged = bytes.to_vec();
        damaged[bit / 8] ^= 1 << (bit % 8);
        let kind = TurtleObject::decode(&damaged.into()).unwrap_err().kind();
        let version = (64..80).contains(&bit);
        assert!(kind == ErrorKind::Corrupt || (version && kind == ErrorKind::Unsupported), "bit {bit}: {kind}");
    }
    for length in 0..bytes.len() {
        assert_eq!(TurtleObject::decode(&bytes.slice(..length)).unwrap_err().kind(), ErrorKind::Corrupt);
    }
}

fn bytes() -> impl Strategy<Value = Bytes> {
    proptest::collection::vec(any::<u8>(), 0..200).prop_map(Bytes::from)
}

proptest! {
    #[test]
    fn turtles_come_back(
        lsns in any::<[u64; 7]>(),
        checkpoints in any::<u32>(),
        kek in proptest::option::of((1..u64::MAX, "[a-z/_0-9é]{1,50}")),
        engine_metadata in bytes(),
        log_state in bytes(),
        owner in ".{0,60}",
        numbers in (1..u64::MAX, 1..u64::MAX, 1..u64::MAX),
        opened in any::<bool>(),
        prefixes in proptest::collection::vec("[a-z/é]{0,20}", 0..4),
    ) {
        let [checkpoint_lsn, turtle_page_lsn, metadata_lsn, written_ms, timestamp, oldest_timestamp, seconds] = lsns;
        let turtle = Turtle {
            checkpoint_lsn, turtle_page_lsn, metadata_lsn, written_ms, timestamp, oldest_timestamp, engine_metadata, log_state,
            kek: kek.map(|(lsn, object)| KekRef { lsn, object }),
            retention: Retention { checkpoints, seconds },
            ancestors: prefixes.into_iter().zip(1..).map(|(prefix, last_epoch)| Ancestor { last_epoch, prefix }).collect(),
        };
        let content = turtle.encode().unwrap();
        prop_assert_eq!(&Turtle::decode(&content).unwrap(), &turtle);
        for length in 0..content.len() {
            prop_assert_eq!(Turtle::decode(&content.slice(..length)).unwrap_err().kind(), ErrorKind::Corrupt);
        }
        let mut sorted = [numbers.0, numbers.1, numbers.2];
        sorted.sort_unstable();
        let [epoch, opened_at, sequence] = sorted;
        let object = TurtleObject {
            sequence, epoch, opened_at, writer: u128::from(metadata_lsn) << 7, owner: Arc::from(owner.as_str()),
            previous: if sequence == 1 { 0 } else { checkpoints }, content: opened.then_some(content),
        };
        let (bytes, version) = object.encode().unwrap();
        prop_assert_eq!(TurtleObject::decode(&bytes).unwrap(), (object, version));
    }

    #[test]
    fn any_bytes_are_taken_or_refused(bytes in bytes()) {
        prop_assert_ne!(plastron_registry::fuzzing::turtle(&bytes), Some(false));
        prop_assert_ne!(plastron_registry::fuzzing::turtle_text(&bytes), Some(false));
        prop_assert_ne!(plastron_registry::fuzzing::pin(&bytes), Some(false));
    }

    #[test]
    fn texts_come_back(
        numbers in (1..u64::MAX, any::<u64>()),
        options in (any::<Option<u64>>(), any::<Option<u64>>(), any::<Option<u32>>()),
        lsn in proptest::option::of(1..u64::MAX),
        checkpoint in "[a-z(]{0,3}(WiredTigerCheckpoint\\.[0-9]=\\(addr=\"[0-9a-f]{4}\",order=-[0-9]{1,3}\\))?",
    ) {
        if let Ok(config) = plastron_config::Config::parse(&checkpoint) {
            let page = TurtlePage {
                checkpoint: config, timestamp: numbers.1, oldest_timestamp: options.0, largest_file_id: options.1,
                key_provider: lsn.map(|lsn| KeyProvider { lsn }),
            };
            prop_assert_eq!(TurtlePage::parse(&page.to_string()).unwrap(), page);
        }
        let string = CheckpointString { metadata_lsn: numbers.0, metadata_checksum: options.2, database_size: options.0 };
        prop_assert_eq!(CheckpointString::parse(&string.to_string()).unwrap(), string);
    }
}

const CHECKPOINT: &str = "(WiredTigerCheckpoint.1=(addr=\"00c025808282bd21596019\",order=1,time=1766470626,newest_stop_ts=-1,newest_stop_txn=-11))";
const KEYS: &str = "(page.1=(page_id=1,lsn=7625638039464706519),version=1)";

#[test]
fn turtle_pages_of_every_form_are_read() {
    // The current form, one of a later version that an old reader may read, and one without versions.
    for text in [
        format!(
            "version=1,compatible_version=1,checkpoint={CHECKPOINT},timestamp=69e29c5400000001,oldest_timestamp=69e2954c00000001,largest_file_id=1071,key_provider={KEYS}"
        ),
        format!(
            "version=2,compatible_version=1,\ncheckpoint={CHECKPOINT},\ntimestamp=69e29c5400000001,\noldest_timestamp=69e2954c00000001,\nlargest_file_id=1071,\nschema_epoch=5,\nkey_provider={KEYS}"
        ),
        format!(
            "checkpoint={CHECKPOINT},\ntimestamp=69e29c5400000001,\noldest_timestamp=69e2954c00000001,largest_file_id=1071,key_provider={KEYS},"
        ),
    ] {
        let page = TurtlePage::parse(&text).unwrap();
        assert_eq!((page.timestamp, page.oldest_timestamp), (0x69e2_9c54_0000_0001, Some(0x69e2_954c_0000_0001)));
        assert_eq!(
            (page.largest_file_id, page.key_provider),
            (Some(1071), Some(KeyProvider { lsn: 7_625_638_039_464_706_519 }))
        );
        assert_eq!(format!("({})", page.checkpoint), CHECKPOINT);
        assert!(
            page.to_string().starts_with("version=1,compatible_version=1,checkpoint=(WiredTigerCheckpoint.1=(addr=")
        );
        assert_eq!(TurtlePage::parse(&page.to_string()).unwrap(), page);
    }
    let legacy = format!("{CHECKPOINT}\ntimestamp=c0ffee12");
    let page = TurtlePage::parse(&legacy).unwrap();
    assert_eq!((page.timestamp, page.oldest_timestamp, page.key_provider), (0xc0ff_ee12, None, None));
    assert_eq!(page.to_legacy(), legacy);
    assert_eq!(TurtlePage::parse(&page.to_string()).unwrap(), page);
    assert_eq!(TurtlePage::parse("checkpoint=(),timestamp=0").unwrap().timestamp, 0);
}

#[test]
fn turtle_pages_that_cannot_be_are_refused() {
    for text in [
        String::new(),
        "checkpoint=()".to_owned(),
        "timestamp=1".to_owned(),
        "checkpoint=x,timestamp=1".to_owned(),
        "version=1,checkpoint=(),timestamp=1".to_owned(),
        "compatible_version=1,checkpoint=(),timestamp=1".to_owned(),
        "version=1,compatible_version=2,checkpoint=(),timestamp=1".to_owned(),
        "version=0,compatible_version=0,checkpoint=(),timestamp=1".to_owned(),
        "version=-1,compatible_version=1,checkpoint=(),timestamp=1".to_owned(),
        "version=1,compatible_version=1,unknown=1,checkpoint=(),timestamp=1".to_owned(),
        "unknown=1,checkpoint=(),timestamp=1".to_owned(),
        "checkpoint=(),timestamp=".to_owned(),
        "checkpoint=(),timestamp=zzzz".to_owned(),
        "checkpoint=(),timestamp=-1234".to_owned(),
        "checkpoint=(),timestamp=0x12".to_owned(),
        "checkpoint=(),timestamp=12345678901234567".to_owned(),
        CHECKPOINT.to_owned(),
        format!("{CHECKPOINT}\n"),
        format!("{CHECKPOINT}\ntimestamp=zzzz"),
        format!("{CHECKPOINT}\ntmstmp=c0ffee12"),
        format!("{CHECKPOINT},timestamp=1\ntimestamp=c0ffee12"),
        format!("{CHECKPOINT}\ntimestamp=1\ntimestamp=2"),
    ] {
        assert!(matches!(TurtlePage::parse(&text), Err(Fault::Invalid(_))), "{text}: {:?}", TurtlePage::parse(&text));
    }
    for keys in [
        "(page.1=(page_id=aaa,lsn=123),version=1)",
        "(page.1=(page_id=123,lsn=123),version=1)",
        "(page.1=(page_id=1,lsn=aaa),version=1)",
        "(page.1=(page_id=1,lsn=0),version=1)",
        "(page.1=(page_id=1),version=1)",
        "(page.1=(lsn=123),version=1)",
        "(page.1=(page_id=1,lsn=123))",
        "(version=1)",
        "invalid_format",
    ] {
        let text = format!("checkpoint=(),timestamp=1,key_provider={keys}");
        assert!(matches!(TurtlePage::parse(&text), Err(Fault::Invalid(_))), "{text}");
    }
    for text in [
        "version=3,compatible_version=2,checkpoint=(),timestamp=1",
        "checkpoint=(),timestamp=1,key_provider=(page.1=(page_id=1,lsn=123),version=2)",
    ] {
        assert!(matches!(TurtlePage::parse(text), Err(Fault::Unsupported(_))), "{text}");
    }
}

#[test]
fn checkpoint_strings() {
    let text = "metadata_lsn=16,metadata_checksum=c0ffee,database_size=4096,version=1,compatible_version=1";
    let string = CheckpointString { metadata_lsn: 16, metadata_checksum: Some(0x00c0_ffee), database_size: Some(4096) };
    assert_eq!(CheckpointString::parse(text).unwrap(), string);
    assert_eq!(string.to_string(), text);
    let oldest = CheckpointString::parse("metadata_lsn=18446744073709551615").unwrap();
    assert_eq!((oldest.metadata_lsn, oldest.metadata_checksum), (u64::MAX, None));
    assert!(CheckpointString::parse("metadata_lsn=1,more=2,version=2,compatible_version=1").is_ok());
    for text in [
        "",
        "metadata_lsn=0",
        "metadata_lsn=1K",
        "metadata_lsn=18446744073709551616",
        "metadata_lsn=1,metadata_checksum=100000000",
        "metadata_lsn=1,more=2",
        "metadata_lsn=1,version=1",
        "metadata_lsn=1,compatible_version=1",
        "metadata_lsn=1,database_size=-1",
        "metadata_checksum=1",
    ] {
        assert!(matches!(CheckpointString::parse(text), Err(Fault::Invalid(_))), "{text}");
    }
    let error = CheckpointString::parse("metadata_lsn=1,version=2,compatible_version=2").unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Unsupported);
}
