//! The formats: golden files, one form of each, every flipped bit found. With `PLASTRON_WRITE_FIXTURES` set, files that are missing are written,
//! those of the fuzz corpus too.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::indexing_slicing, clippy::panic, reason = "a test")]

mod support;

use std::path::Path;
use std::sync::Arc;

use plastron_keyserver::merkle::{PageId, TreeHasher};
use plastron_keyserver::proto::*;
use plastron_keyserver::{Digest, Error, Unverified, Verified, verify_lookup};
use support::{Book, key};

fn golden(name: &str, bytes: &[u8]) -> Vec<u8> {
    let here = Path::new(env!("CARGO_MANIFEST_DIR"));
    let path = here.join("tests/fixtures").join(name);
    if std::env::var_os("PLASTRON_WRITE_FIXTURES").is_some() && !path.exists() {
        std::fs::write(&path, bytes).unwrap();
        let corpus = here.join("../fuzz/corpus/keyserver_message");
        std::fs::create_dir_all(&corpus).unwrap();
        std::fs::write(corpus.join(name.trim_end_matches(".bin")), bytes).unwrap();
    }
    std::fs::read(&path).unwrap()
}

/// The golden file is what is written today, is read back, and with any bit flipped is no message.
fn check<M: Message + PartialEq + std::fmt::Debug>(name: &str, message: &M) {
    let bytes = message.to_bytes();
    assert_eq!(message.to_bounded_bytes().unwrap(), bytes);
    let file = golden(name, &bytes);
    assert_eq!(file, bytes, "{name}");
    assert_eq!(&M::from_bytes(&file).unwrap(), message, "{name}");
    assert_eq!(&M::from_body(&message.body()).unwrap(), message, "{name}");
    for bit in 0..bytes.len() * 8 {
        let mut flipped = bytes.clone();
        flipped[bit / 8] ^= 1 << (bit % 8);
        assert!(M::from_bytes(&flipped).is_err(), "{name}: bit {bit}");
    }
    for length in 0..bytes.len() {
        assert!(M::from_bytes(&bytes[..length]).is_err(), "{name}: {length} bytes");
    }
    assert_eq!(plastron_keyserver::fuzzing::message(&bytes), Some(true), "{name}");
    assert_ne!(plastron_keyserver::fuzzing::message(&message.body()), Some(false), "{name}");
    // A newer version is not guessed at.
    let mut newer = bytes.clone();
    newer[5] = 9;
    assert!(matches!(M::from_bytes(&newer), Err(Error::Unsupported { version: 9, .. })), "{name}");
}

#[test]
fn the_golden_files_are_read_for_ever() {
    let book = Book::new();
    let first = book.update("node/a/1", 0);
    let (head, answer) = book.answer("node/a/1", std::slice::from_ref(&first));
    let absent = book.answer("node/a/9", &[]).1;
    check("realm-1.bin", &book.realm);
    check("realm-policy-1.bin", &book.realm.policy);
    check("entry-1.bin", &first.signed.entry);
    check("signed-entry-1.bin", &first.signed);
    check("profile-1.bin", &first.profile);
    check("update-1.bin", &first);
    check("epoch-head-1.bin", &head.head);
    check("signed-epoch-head-1.bin", &head);
    check("lookup-answer-1.bin", &answer);
    check("lookup-answer-absent-1.bin", &absent);
    let quorum = Quorum::Of(book.realm.policy.operators.clone());
    check("lookup-request-1.bin", &LookupRequest { name: "a".to_owned(), epoch: 3, quorum, known_generation: 2 });
    check("log-entry-update-1.bin", &LogEntry::Update(Box::new(first.clone())));
    check("log-entry-delimiter-1.bin", &LogEntry::Delimiter { epoch: 2, issued_ms: 3 });
    let signature = head.head.sign(&key(1));
    check("log-entry-signature-1.bin", &LogEntry::HeadSignature { epoch: 1, key: key(1).public(), signature });
    let policy = RealmPolicy { generation: 1, ..book.realm.policy.clone() };
    let change = PolicyChange::signed(policy.clone(), &book.realm.id(), [&key(30)]);
    check("policy-change-1.bin", &change);
    check("log-entry-policy-1.bin", &LogEntry::PolicyChange(Box::new(change)));
    let key_of = |id: &str, key| IssuerKey { id: id.to_owned(), key };
    let mut point = [7; 65];
    point[0] = 4;
    let rsa = IssuerPublicKey::Rsa { modulus: vec![0xab; 256].into(), exponent: vec![1, 0, 1].into() };
    let issuer = Issuer {
        issuer: "https://accounts.example".to_owned(),
        audience: "plastron".to_owned(),
        prefix: "person/".to_owned(),
        keys: vec![
            key_of("a", rsa),
            key_of("b", IssuerPublicKey::P256(point)),
            key_of("", IssuerPublicKey::Ed25519([3; 32])),
        ],
    };
    let issuers = Issuers { generation: 1, issuers: vec![issuer] };
    check("issuers-1.bin", &issuers);
    let change = IssuersChange::signed(issuers, &book.realm.id(), [&key(30)]);
    check("issuers-change-1.bin", &change);
    check("log-entry-issuers-1.bin", &LogEntry::Issuers(Box::new(change)));
    let registration = Registration { update: first.clone(), token: bytes::Bytes::from_static(b"e30.e30.AAAA") };
    assert!(format!("{registration:?}").contains("[secret]"));
    check("registration-1.bin", &registration);
    check("log-entry-registration-1.bin", &LogEntry::Registration(Box::new(registration)));
    let authorities = Authorities {
        generation: 1,
        authorities: vec![Authority {
            label: "site".to_owned(),
            prefix: "host/".to_owned(),
            certificate: bytes::Bytes::from_static(b"DER"),
        }],
    };
    check("authorities-1.bin", &authorities);
    let change = AuthoritiesChange::signed(authorities, &book.realm.id(), [&key(30)]);
    check("authorities-change-1.bin", &change);
    check("log-entry-authorities-1.bin", &LogEntry::Authorities(Box::new(change)));
    let certified = CertifiedRegistration {
        update: first.clone(),
        chain: vec![bytes::Bytes::from_static(b"leaf"), bytes::Bytes::from_static(b"between")],
        scheme: 0x0403,
        signature: bytes::Bytes::from_static(b"signature"),
    };
    check("certified-registration-1.bin", &certified);
    check("log-entry-certified-1.bin", &LogEntry::Certified(Box::new(certified)));
    let pair =
        |key: &'static [u8], value: &'static [u8]| (bytes::Bytes::from_static(key), bytes::Bytes::from_static(value));
    check("snapshot-portion-1.bin", &SnapshotPortion { pairs: vec![pair(b"\x00", b"a"), pair(b"\x01b", b"")] });
    let page = StreamPage {
        from: StreamPosition { epoch: 1, change: 0 },
        items: vec![
            StreamItem::Change(Box::new(first.signed.clone())),
            StreamItem::Head { head: Box::new(head.clone()), next_policy: Some(Box::new(policy.clone())) },
        ],
    };
    check("stream-page-1.bin", &page);
    check("memory-1.bin", &ClientMemory { epoch: 1, head: head.head.digest(), ..ClientMemory::new(&book.realm) });
    let steps = vec![PolicyStep { head: head.clone(), policy }];
    let lie = Lie::Equivocation { one: head.clone(), other: head.clone() };
    check("evidence-equivocation-1.bin", &Evidence { realm: book.realm.clone(), steps, lie });
    let (first_signed, first_profile) = (first.signed.clone(), first.profile.clone());
    let lie = Lie::Change {
        before: head.clone(),
        was: Box::new((None, absent.tree.clone())),
        after: head.clone(),
        is: Box::new((first.signed, answer.tree)),
    };
    check("evidence-change-1.bin", &Evidence { realm: book.realm.clone(), steps: Vec::new(), lie });
    let mut state = plastron_keyserver::machine::State::new(&book.realm);
    state.announced = Some(Arc::new(RealmPolicy { generation: 1, ..book.realm.policy.clone() }));
    check("state-1.bin", &state);
    let record =
        plastron_keyserver::machine::EpochRecord { signed: head.clone(), page: Some(7), changes: 8, generation: 9 };
    check("epoch-record-1.bin", &record);
    let item = HistoryItem { epoch: 7, signed: first_signed, profile: first_profile };
    check("history-page-1.bin", &HistoryPage { items: vec![item] });
    let lie = Lie::Chain { before: head.clone(), after: head };
    check("evidence-chain-1.bin", &Evidence { realm: book.realm, steps: Vec::new(), lie });
}

/// The tables of the docs page: where the fields of a head stand.
#[test]
fn a_head_is_laid_out_as_the_table_says() {
    let head = EpochHead {
        realm: Digest([1; 32]),
        epoch: 2,
        root: Digest([3; 32]),
        issued_ms: 4,
        previous: Digest([5; 32]),
        policy: Digest([6; 32]),
        next_policy: Digest([7; 32]),
    };
    let bytes = head.to_bytes();
    assert_eq!(&bytes[..12], b"PLKS\x07\x01\0\0\0\0\0\xb0");
    assert_eq!((bytes[12], &bytes[44..52], bytes[52]), (1, &[0, 0, 0, 0, 0, 0, 0, 2][..], 3));
    assert_eq!((&bytes[84..92], bytes[92], bytes[124], bytes[156]), (&[0, 0, 0, 0, 0, 0, 0, 4][..], 5, 6, 7));
    assert_eq!(bytes[188..], crc32c::crc32c(&bytes[..188]).to_be_bytes());
}

/// Scenario 23, its part on `verify_lookup`: whatever bit is flipped in the body of a right answer, it is refused or says the same.
#[test]
fn scenario_23_an_answer_with_any_flipped_bit_is_refused() {
    let book = Book::new();
    let updates: Vec<Update> = (1..40).map(|number| book.update(&format!("node/a/{number}"), 0)).collect();
    let (head, answer) = book.answer("node/a/1", &updates);
    let request =
        LookupRequest { name: "node/a/1".to_owned(), epoch: 0, quorum: Quorum::Verifiers, known_generation: 0 };
    let memory = ClientMemory::new(&book.realm);
    let now = head.head.issued_ms;
    let verified = verify_lookup(&book.realm, &memory, &request, &answer, now).unwrap();
    assert_eq!(verified.found.as_ref().unwrap().1, updates[0].profile);
    // With just as many signatures as it takes, every bit counts.
    let mut just = answer.clone();
    just.head.signatures.retain(|signer, _| [1, 2, 11].iter().any(|number| key(*number).public() == *signer));
    // Which signatures came is no part of what is proved.
    let same = |found: Verified| assert_eq!(Verified { signed: verified.signed.clone(), ..found }, verified);
    same(verify_lookup(&book.realm, &memory, &request, &just, now).unwrap());
    let flipped = |answer: &LookupAnswer, bit: usize| {
        let mut body = answer.body();
        body[bit / 8] ^= 1 << (bit % 8);
        let flipped = LookupAnswer::from_body(&body).ok()?;
        let found = verify_lookup(&book.realm, &memory, &request, &flipped, now).ok()?;
        Some((found, flipped))
    };
    for bit in 0..just.body().len() * 8 {
        assert_eq!(flipped(&just, bit), None, "bit {bit}");
    }
    // With more, one of them may be spoilt, and nothing else.
    let body = answer.body();
    for bit in 0..body.len() * 8 {
        if let Some((found, flipped)) = flipped(&answer, bit) {
            same(found);
            let mut rest = flipped.clone();
            rest.head.signatures = answer.head.signatures.clone();
            assert_eq!(rest, answer, "bit {bit}");
        }
    }
    let (realm, right) = (book.realm.to_bytes(), answer.to_bytes());
    assert!(plastron_keyserver::fuzzing::lookup(&realm, &right, &right).unwrap());
    assert!(plastron_keyserver::fuzzing::lookup(&realm, &right, &body).unwrap());
    for (name, bytes) in [("lookup-realm.bin", &realm), ("lookup-right.bin", &right)] {
        assert_eq!(&golden(name, bytes), bytes);
    }
}

/// Each reason for which an answer is refused.
#[test]
fn every_refusal_of_an_answer_has_its_reason() {
    let book = Book::new();
    let update = book.update("node/a/1", 0);
    let (head, answer) = book.answer("node/a/1", std::slice::from_ref(&update));
    let request =
        LookupRequest { name: "node/a/1".to_owned(), epoch: 0, quorum: Quorum::Verifiers, known_generation: 0 };
    let (memory, now) = (ClientMemory::new(&book.realm), head.head.issued_ms);
    let refused = |request: &LookupRequest, answer: &LookupAnswer, memory: &ClientMemory, now: u64| {
        verify_lookup(&book.realm, memory, request, answer, now).unwrap_err()
    };
    let ask = |name: &str| LookupRequest { name: name.to_owned(), ..request.clone() };
    assert_eq!(refused(&ask("node/a/2"), &answer, &memory, now), Unverified::Index);
    // The right proof of another name's index, with this name's leaf.
    let other = LookupAnswer { index: book.secret.prove("node/a/2").1, ..answer.clone() };
    assert_eq!(refused(&ask("node/a/2"), &other, &memory, now), Unverified::Tree { epoch: 1 });
    let mut fewer = answer.clone();
    fewer.head.signatures.retain(|key, _| !book.realm.policy.replicas.has(key) || *key == support::key(1).public());
    assert_eq!(refused(&request, &fewer, &memory, now), Unverified::Replicas { epoch: 1 });
    let mut unverified = answer.clone();
    unverified.head.signatures.retain(|key, _| book.realm.policy.replicas.has(key));
    assert_eq!(refused(&request, &unverified, &memory, now), Unverified::Verifiers { epoch: 1 });
    let replicas = LookupRequest { quorum: Quorum::Replicas, ..request.clone() };
    assert!(verify_lookup(&book.realm, &memory, &replicas, &unverified, now).is_ok());
    let late = now + book.realm.lifetime_ms + 1;
    assert!(matches!(refused(&request, &answer, &memory, late), Unverified::Expired { epoch: 1, .. }));
    assert!(verify_lookup(&book.realm, &memory, &request, &answer, late - 1).is_ok());
    assert!(matches!(refused(&request, &answer, &memory, now - 60_001), Unverified::Future { ahead_ms: 60_001, .. }));
    let seen = ClientMemory { epoch: 2, ..memory.clone() };
    assert_eq!(refused(&request, &answer, &seen, now), Unverified::Older { seen: 2, found: 1 });
    let forked = ClientMemory { epoch: 1, head: Digest([9; 32]), ..memory.clone() };
    assert_eq!(refused(&request, &answer, &forked, now), Unverified::Fork { epoch: 1 });
    let past = LookupRequest { epoch: 5, ..request.clone() };
    assert_eq!(refused(&past, &answer, &memory, now), Unverified::Epoch { asked: 5, found: 1 });
    let denied = LookupAnswer { found: None, ..answer.clone() };
    assert_eq!(refused(&request, &denied, &memory, now), Unverified::Tree { epoch: 1 });
    let profile = book.update("node/a/1", 7).profile;
    let swapped = LookupAnswer { found: Some((update.signed.entry.clone(), profile)), ..answer.clone() };
    assert_eq!(refused(&request, &swapped, &memory, now), Unverified::Commitment);
    let stranger = Realm { nonce: [9; 32], ..book.realm.clone() };
    let found = verify_lookup(&stranger, &ClientMemory::new(&stranger), &request, &answer, now).unwrap_err();
    assert_eq!(found, Unverified::Realm { found: book.realm.id() });
    let policy = RealmPolicy { generation: 1, ..book.realm.policy.clone() };
    let elsewhere = ClientMemory { policy, ..memory.clone() };
    assert!(matches!(refused(&request, &answer, &elsewhere, now), Unverified::Policy { step: 0, .. }));
}

/// Pages of trees of several sizes: golden files, every flipped bit, and the corpus of their fuzz target.
#[test]
fn pages_of_the_tree_have_golden_files() {
    use plastron_keyserver::merkle::{Page, Tree};
    let hasher = TreeHasher::new(&Digest([1; 32]));
    for count in [1_u64, 2, 16, 300] {
        let mut dice = support::world::Dice(count);
        let mut index = || Digest(std::array::from_fn(|_| dice.roll(256) as u8));
        let leaves = (0..count).map(|_| (index(), index())).collect();
        let pages = support::Pages::default();
        let change = Tree::new(&hasher, &pages).apply(&Tree::<support::Pages>::empty(&hasher), &leaves, 1).unwrap();
        // The top, and one from the bottom.
        for (place, (_, page)) in [("top", change.written.last().unwrap()), ("low", &change.written[0])] {
            let bytes = page.encode();
            let name = format!("tree-page-{count}-{place}-1.bin");
            let corpus = Path::new(env!("CARGO_MANIFEST_DIR")).join("../fuzz/corpus/keyserver_tree_page");
            if std::env::var_os("PLASTRON_WRITE_FIXTURES").is_some() {
                std::fs::create_dir_all(&corpus).unwrap();
                std::fs::write(corpus.join(name.trim_end_matches(".bin")), &bytes).unwrap();
            }
            let file = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/fixtures").join(&name);
            if std::env::var_os("PLASTRON_WRITE_FIXTURES").is_some() && !file.exists() {
                std::fs::write(&file, &bytes).unwrap();
            }
            assert_eq!(std::fs::read(file).unwrap(), bytes, "{name}");
            assert_eq!(&Page::decode(&bytes).unwrap(), page);
            assert_eq!(plastron_keyserver::fuzzing::tree_page(&bytes), Some(true));
            for bit in 0..bytes.len() * 8 {
                let mut flipped = bytes.to_vec();
                flipped[bit / 8] ^= 1 << (bit % 8);
                assert!(Page::decode(&flipped).is_err(), "{name}: bit {bit}");
            }
        }
    }
}

#[test]
fn numbers_of_pages_and_empty_places_have_their_place_in_the_hash() {
    let (one, two) = (TreeHasher::new(&Digest([1; 32])), TreeHasher::new(&Digest([2; 32])));
    let (a, b) = (Digest([3; 32]), Digest([4; 32]));
    let id: PageId = 7;
    assert_eq!(id, 7);
    let all =
        [one.node(&a, &b), one.node(&b, &a), one.leaf(&a, &b), one.empty(&a, 3), one.empty(&a, 4), two.node(&a, &b)];
    let distinct: std::collections::BTreeSet<_> = all.iter().collect();
    assert_eq!(distinct.len(), all.len());
    assert_eq!(one.empty(&Digest([0x30; 32]), 4), one.empty(&Digest([0x3f; 32]), 4));
}

/// The key module's own, and what the fuzz target of its blobs begins with.
#[cfg(feature = "key-module")]
#[test]
fn the_golden_files_of_the_key_module_are_read_for_ever() {
    use std::sync::Arc;

    use plastron_keys::KeyModule as _;
    use plastron_keyserver::key_module::{Readers, WrapMemory, WrapMemoryFile, examine};
    use support::site::{CountingRandom, Site, checkpoint, decoded};

    let mut site = Site::with(&["a", "b"]);
    site.environment.random = Arc::new(CountingRandom::default());
    let leader = site.open("a");
    checkpoint(&leader);
    leader.keyring().unwrap().rotate().unwrap();
    let blob = decoded(&checkpoint(&leader));
    check("kek-blob-1.bin", &blob);
    let realm = golden("kek-blob-realm.bin", &site.realm().to_bytes());
    assert_eq!(realm, site.realm().to_bytes());
    assert_eq!(examine(&site.realm(), &Quorum::Verifiers, &blob).faults, []);
    let body = blob.body();
    assert!(plastron_keyserver::fuzzing::kek_blob(&realm, &blob.to_bytes(), &body).unwrap());
    let mut other = body.clone();
    other[100] ^= 1;
    assert!(plastron_keyserver::fuzzing::kek_blob(&realm, &blob.to_bytes(), &other).unwrap());
    check("readers-1.bin", &Readers::new(["b", "a"].map(str::to_owned)).unwrap());
    let file = WrapMemoryFile::new(&site.memory("a"), &site.realm(), "db", site.environment.clock.clone());
    let memory = WrapMemory { ring: Some([9; 16]), ..file.load().unwrap() };
    assert_eq!((memory.generation, memory.wanted, memory.members.nodes.len()), (2, 1, 2));
    check("wrap-memory-1.bin", &memory);
    // The tables of the docs page: where the fields of a blob stand.
    let at = 12;
    let bytes = blob.to_bytes();
    assert_eq!((&bytes[..6], &bytes[at..at + 6]), (&b"PLKS\x18\x01"[..], &b"\0\0\0\x02db"[..]));
    assert_eq!((&bytes[at + 6..at + 22], &bytes[at + 22..at + 30]), (&blob.ring[..], &2_u64.to_be_bytes()[..]));
    assert_eq!(&bytes[bytes.len() - 4 - 64..bytes.len() - 4], &blob.signature.0[..]);
}
