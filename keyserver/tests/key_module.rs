//! The key module: scenario 27, with a malicious bucket and a malicious replica, and what a database does with it.
#![cfg(feature = "key-module")]
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::indexing_slicing, clippy::panic, reason = "a test")]

mod support;

use std::sync::atomic::Ordering;
use std::time::Duration;

use plastron_keys::{Completion, Fault, KeyModule};
use plastron_keyserver::Unverified;
use plastron_keyserver::key_module::*;
use plastron_keyserver::proto::*;
use support::site::*;

/// The fault's words.
fn refused<T: std::fmt::Debug>(result: Result<T, Fault>) -> String {
    match result.unwrap_err() {
        Fault::Refused(why) | Fault::Unreachable(why) | Fault::Config(why) | Fault::State(why) => why,
        Fault::Corrupt { check, .. } => check,
        other => panic!("{other:?}"),
    }
}

fn faults(site: &Site, blob: &KekBlob) -> Vec<WrapFault> {
    examine(&site.realm(), &Quorum::Verifiers, blob).faults
}

#[test]
fn scenario_27_only_the_keys_of_members_at_the_stated_epoch_are_wrapped_to() {
    let mut site = Site::new();
    for id in ["a", "b", "c", "x1"] {
        site.register(id, &Site::key(id));
    }
    // `d` is listed and not registered; `c` is registered and not listed.
    site.list(&["a", "b", "d", "x1"]);
    let epoch = site.epoch();
    let leader = site.open("a");
    let record = wrapped(&leader, 1);
    let blob = checkpoint(&leader);
    assert_eq!(readers_of(&blob), ["a", "b", "x1"]);
    let examination = examine(&site.realm(), &Quorum::Verifiers, &decoded(&blob));
    assert_eq!((examination.epoch, examination.without, examination.faults), (epoch, vec!["d".to_owned()], vec![]));
    for id in ["a", "b", "x1"] {
        let reader = site.reader(id);
        reader.load_key_blob(&blob).unwrap();
        assert!(opens(&reader, &record, 1), "{id}");
    }
    let stranger = site.reader("c");
    assert!(refused(stranger.load_key_blob(&blob)).contains("not wrapped to node c: at epoch"));
    assert!(!opens(&stranger, &record, 1));

    // A key that the node has at a later epoch, or had at an earlier one, is not the one that is wrapped to.
    let other = NodeKey::from_secrets(Kem::X25519, &[9; 32], &[10; 32]).unwrap();
    site.register("b", &other);
    site.epoch();
    let later = decoded(&checkpoint(&leader));
    assert_eq!(NodePublic::of(&later.wrap("b").unwrap().node.profile).unwrap(), *other.public());
    assert!(refused(site.reader("b").load_key_blob(&later.to_bytes())).contains("wrapped to another key than that of"));
}

#[test]
fn scenario_27_a_malicious_leader_is_found_by_every_reader() {
    let mut site = Site::with(&["a", "b"]);
    site.register("c", &Site::key("c"));
    site.epoch();
    let leader = site.open("a");
    let record = wrapped(&leader, 1);
    let honest = decoded(&checkpoint(&leader));
    assert_eq!(faults(&site, &honest), []);
    // The blob of a time when `c` was a reader has its proof.
    let with_c = {
        site.list(&["a", "b", "c"]);
        site.epoch();
        decoded(&checkpoint(&leader))
    };
    let realm = site.realm().id();
    let key = Site::key("a");
    let kek = |blob: &mut KekBlob| blob.sign(&realm, &key);
    let forged = |change: &dyn Fn(&mut KekBlob)| {
        let mut blob = honest.clone();
        change(&mut blob);
        kek(&mut blob);
        blob
    };
    // One more reader, with a proof of another epoch.
    let added = forged(&|blob| blob.wraps.push(with_c.wrap("c").unwrap().clone()));
    let found = faults(&site, &added);
    assert!(
        matches!(&found[..], [WrapFault::Proof { name, .. }, WrapFault::NotListed { id }] if name == "node/db/c" && id == "c"),
        "{found:?}"
    );
    // The list of another epoch.
    let found = faults(&site, &forged(&|blob| blob.readers = with_c.readers.clone()));
    assert!(
        matches!(&found[..], [WrapFault::Proof { name, why: Unverified::Tree { .. } }] if name == "cluster/db/readers"),
        "{found:?}"
    );
    // Another profile for the same entry.
    let found =
        faults(&site, &forged(&|blob| blob.wraps[1].node.profile = with_c.wrap("c").unwrap().node.profile.clone()));
    assert!(matches!(&found[..], [WrapFault::Proof { why: Unverified::Commitment, .. }]), "{found:?}");
    // One node's proof under another's name.
    let found = faults(&site, &forged(&|blob| blob.wraps[1].node = blob.wraps[0].node.clone()));
    assert!(
        matches!(&found[..], [WrapFault::Proof { name, why: Unverified::Index }] if name == "node/db/b"),
        "{found:?}"
    );
    // Too few signatures on the head.
    let found = faults(
        &site,
        &forged(&|blob| blob.epoch.head.signatures.retain(|signer, _| *signer == support::key(1).public())),
    );
    assert!(
        found.iter().all(|fault| matches!(fault, WrapFault::Proof { why: Unverified::Replicas { .. }, .. }))
            && found.len() == 3,
        "{found:?}"
    );
    let found = faults(
        &site,
        &forged(&|blob| {
            blob.epoch.head.signatures.remove(&support::key(11).public());
        }),
    );
    assert!(
        found.iter().all(|fault| matches!(fault, WrapFault::Proof { why: Unverified::Verifiers { .. }, .. }))
            && found.len() == 3,
        "{found:?}"
    );
    // Somebody who is no reader, and one who signs for another.
    let found = faults(&site, &forged(&|blob| blob.leader = "c".to_owned()));
    assert_eq!(found, [WrapFault::Leader { id: "c".to_owned() }]);
    let found = faults(&site, &forged(&|blob| blob.leader = "b".to_owned()));
    assert_eq!(found, [WrapFault::Signature { id: "b".to_owned() }]);
    // After the head's lifetime, or before its time.
    let lifetime = site.realm().lifetime_ms;
    let found = faults(&site, &forged(&|blob| blob.wrapped_ms = blob.epoch.head.head.issued_ms + lifetime + 1));
    assert!(matches!(&found[..], [WrapFault::Expired { .. }]), "{found:?}");
    let found = faults(&site, &forged(&|blob| blob.wrapped_ms = blob.epoch.head.head.issued_ms - 60_001));
    assert!(matches!(&found[..], [WrapFault::Early { ahead_ms: 60_001, .. }]), "{found:?}");
    // And a reader takes none of them, and keeps what it has.
    let reader = site.reader("b");
    reader.load_key_blob(&honest.to_bytes()).unwrap();
    assert!(refused(reader.load_key_blob(&added.to_bytes())).contains("generation 1 of the keys is refused"));
    assert!(opens(&reader, &record, 1));
    // A wrap under another reader's name or of another generation does not open.
    let swapped = forged(&|blob| {
        let (one, two) = (blob.wraps[0].ciphertext, blob.wraps[1].ciphertext);
        (blob.wraps[0].ciphertext, blob.wraps[1].ciphertext) = (two, one);
    });
    assert_eq!(faults(&site, &swapped), []);
    assert!(refused(reader.load_key_blob(&swapped.to_bytes())).contains("or not at all"));
    let renumbered = forged(&|blob| blob.generation = 7);
    assert!(refused(reader.load_key_blob(&renumbered.to_bytes())).contains("or not at all"));
    assert!(opens(&reader, &record, 1));
}

#[test]
fn scenario_27_one_malicious_replica_cannot_bring_anybody_in() {
    let mut site = Site::with(&["a", "b"]);
    site.register("c", &Site::key("c"));
    site.epoch();
    let stranger = {
        let world = site.local.world.lock().unwrap();
        world.look_up(0, "node/db/c", Quorum::Verifiers).unwrap().found.unwrap()
    };
    let liar = Replica::new(&site.local);
    liar.lies(move |request, mut answer| {
        if request.name == "cluster/db/readers" {
            // A list with one more.
            let readers = Readers::new(["a", "b", "c"].map(str::to_owned)).unwrap().to_bytes();
            let keys = [(Readers::APPLICATION.to_owned(), readers.into())].into();
            let (entry, _) = answer.found.unwrap();
            answer.found = Some((entry, Profile::new(&[1; 32], keys).unwrap()));
        } else if request.name == "node/db/b" {
            // Another's keys.
            answer.found = Some(stranger.clone());
        }
        answer
    });
    let alone = site.try_open("a", "", &[&liar]).unwrap();
    let why = refused(alone.get_key_blob());
    assert!(
        why.contains("there is no KEK yet, and no new one can be wrapped")
            && why.contains("the profile is not the one"),
        "{why}"
    );
    // With an honest one beside it, it costs time.
    let leader = site.try_open("a", "", &[&liar, &site.replica]).unwrap();
    let blob = checkpoint(&leader);
    assert_eq!(readers_of(&blob), ["a", "b"]);
    assert_eq!(faults(&site, &decoded(&blob)), []);
    // It is silent about a reader: absence would have to be proved as well.
    liar.lies(|request, mut answer| {
        if request.name == "node/db/b" {
            answer.found = None;
        }
        answer
    });
    let alone = site.try_open("a", "", &[&liar]).unwrap();
    alone.load_key_blob(&blob).unwrap();
    alone.rotate_now();
    assert!(refused(alone.get_key_blob()).contains("does not prove what the answer says"));
}

/// Asks for another KEK.
trait Rotate {
    fn rotate_now(&self);
}

impl Rotate for KeyserverModule {
    fn rotate_now(&self) {
        self.keyring().unwrap().rotate().unwrap();
    }
}

/// A replica that shows what it was asked for as it was at the epochs up to now.
fn shows_the_past(site: &Site, names: &[&str]) -> Replica {
    let world = site.local.world.lock().unwrap();
    let ask = |name: &&str| {
        let request =
            LookupRequest { name: (*name).to_owned(), epoch: 0, quorum: Quorum::Verifiers, known_generation: 0 };
        ((*name).to_owned(), world.directory(0).lookup(&request).unwrap())
    };
    let past: std::collections::BTreeMap<String, LookupAnswer> = names.iter().map(ask).collect();
    let replica = Replica::new(&site.local);
    replica.lies(move |request, answer| past.get(&request.name).cloned().unwrap_or(answer));
    replica
}

const NAMES: [&str; 4] = ["cluster/db/readers", "node/db/a", "node/db/b", "node/db/c"];

#[test]
fn scenario_27_nothing_is_wrapped_to_a_revoked_node_once_its_lifetime_has_passed() {
    let mut site = Site::with(&["a", "b", "c"]);
    let leader = site.open("a");
    let before = wrapped(&leader, 1);
    let first = checkpoint(&leader);
    assert_eq!(readers_of(&first), ["a", "b", "c"]);
    let revoked = site.reader("c");
    revoked.load_key_blob(&first).unwrap();
    let past = shows_the_past(&site, &NAMES);
    site.list(&["a", "b"]);
    let epoch = site.epoch();
    // The next checkpoint looks, and makes a KEK that the revoked node does not get.
    let second = checkpoint(&leader);
    assert_eq!(
        (readers_of(&second), decoded(&second).epoch.head.head.epoch),
        (vec!["a".to_owned(), "b".to_owned()], epoch)
    );
    let after = wrapped(&leader, 2);
    assert!(
        refused(revoked.load_key_blob(&second))
            .contains("what was written before it was revoked, older checkpoints have")
    );
    assert!(
        opens(&revoked, &before, 1) && !opens(&revoked, &after, 2),
        "what it could before, and not what comes after"
    );
    let reader = site.reader("b");
    reader.load_key_blob(&second).unwrap();
    assert!(opens(&reader, &before, 1) && opens(&reader, &after, 2), "older keys are under the newest");
    unchanged(&leader);

    // A replica shows the past: who has seen the epoch is not taken in …
    let fooled = site.try_open("a", "", &[&past]).unwrap();
    fooled.load_key_blob(&second).unwrap();
    fooled.rotate_now();
    let why = refused(fooled.get_key_blob());
    assert!(why.contains("another KEK was asked for") && why.contains("was seen before"), "{why}");
    std::fs::remove_dir_all(site.memory("b")).unwrap();
    // … and who has not can be, until the head's lifetime is over, and not after.
    let young = site.try_open("b", "", &[&past]).unwrap();
    assert_eq!(readers_of(&checkpoint(&young)), ["a", "b", "c"]);
    site.later(Duration::from_millis(site.realm().lifetime_ms + 1));
    std::fs::remove_dir_all(site.memory("b")).unwrap();
    let late = site.try_open("b", "", &[&past]).unwrap();
    assert!(refused(late.get_key_blob()).contains("is the keyserver stuck?"));
    std::fs::remove_dir_all(site.memory("b")).unwrap();
    site.local.world.lock().unwrap().now_ms += site.realm().lifetime_ms;
    site.epoch();
    let again = site.try_open("b", "", &[&past, &site.replica]).unwrap();
    assert_eq!(readers_of(&checkpoint(&again)), ["a", "b"], "the honest replica is asked then");
}

#[test]
fn scenario_27_generation_epoch_and_version_never_go_back_across_restarts() {
    let mut site = Site::with(&["a", "b"]);
    let past = shows_the_past(&site, &NAMES[..3]);
    let leader = site.open("a");
    let mut blobs = vec![checkpoint(&leader)];
    for turn in 0..6 {
        if turn == 3 {
            site.list(&["a", "b", "c"]);
            site.epoch();
        }
        leader.rotate_now();
        // Every other one fails.
        let blob = changed(&leader);
        let failed = Completion::Failed { reason: "test".to_owned() };
        leader.get_key_complete(if turn % 2 == 0 { &failed } else { &Completion::Persisted { lsn: 2 } }).unwrap();
        blobs.push(blob);
    }
    let numbers = |blob: &Vec<u8>| {
        let blob = decoded(blob);
        (blob.generation, blob.epoch.head.head.epoch, blob.readers.entry.version)
    };
    let seen: Vec<(u64, u64, u64)> = blobs.iter().map(numbers).collect();
    assert!(seen.windows(2).all(|two| two[0].0 < two[1].0 && two[0].1 <= two[1].1 && two[0].2 <= two[1].2), "{seen:?}");
    assert_eq!((seen[0].2, seen.last().unwrap().2), (0, 1));
    drop(leader);
    // A new process, to which the bucket shows the first checkpoint.
    for _ in 0..3 {
        let again = site.open("a");
        again.load_key_blob(&blobs[0]).unwrap();
        again.rotate_now();
        blobs.push(checkpoint(&again));
        let (highest, last) = (numbers(&blobs[blobs.len() - 2]), numbers(blobs.last().unwrap()));
        assert!(last.0 > highest.0 && last.1 >= highest.1 && last.2 >= highest.2, "{highest:?}, {last:?}");
    }
    // A new process, to which a replica shows the first epoch.
    let again = site.try_open("a", "", &[&past]).unwrap();
    again.load_key_blob(blobs.last().unwrap()).unwrap();
    again.rotate_now();
    assert!(refused(again.get_key_blob()).contains("was seen before"));
    // The same without the client's own memory: the node's remembers as well.
    std::fs::remove_file(site.memory("a").join("seen")).unwrap();
    let again = site.try_open("a", "", &[&past]).unwrap();
    again.load_key_blob(blobs.last().unwrap()).unwrap();
    let why = refused(again.get_key_blob());
    assert!(why.contains("was seen before, and this is of epoch 1; somebody shows the past"), "{why}");
}

#[test]
fn scenario_27_a_bucket_that_shows_the_past_gets_nothing_new_for_the_revoked() {
    let mut site = Site::with(&["a", "b", "c"]);
    let leader = site.open("a");
    let first = checkpoint(&leader);
    let revoked = site.reader("c");
    revoked.load_key_blob(&first).unwrap();
    site.list(&["a", "b"]);
    site.epoch();
    let second = checkpoint(&leader);
    drop(leader);
    // The bucket shows the checkpoint of before; nobody looks anything up before data is written.
    let again = site.open("a");
    again.load_key_blob(&first).unwrap();
    let record = wrapped(&again, 3);
    assert!(!opens(&revoked, &record, 3), "the KEK that the revoked node has is not used again");
    assert!(opens(&again, &record, 3));
    let third = checkpoint(&again);
    let reader = site.reader("b");
    reader.load_key_blob(&third).unwrap();
    assert!(opens(&reader, &record, 3), "the next blob holds what was used meanwhile");
    assert_eq!(readers_of(&third), ["a", "b"]);

    // The revoked node makes a blob of its own, by the epoch at which it was a reader, with a high number.
    let forger = site.try_open("c", "", &[&shows_nothing_newer(&site, &first)]).unwrap();
    forger.load_key_blob(&first).unwrap();
    let mut forged = decoded(&first);
    forged.leader = "c".to_owned();
    forged.sign(&site.realm().id(), &Site::key("c"));
    assert_eq!(faults(&site, &forged), [], "it was a reader then, and who only reads cannot tell");
    let victim = site.open("a");
    victim.load_key_blob(&forged.to_bytes()).unwrap();
    let record = wrapped(&victim, 4);
    assert!(!opens(&revoked, &record, 4) && !opens(&forger, &record, 4), "nothing new is written with what it knows");
    assert!(decoded(&checkpoint(&victim)).generation > decoded(&third).generation);
    drop(victim);

    // An empty bucket.
    let empty = site.open("a");
    let key = plastron_keys::DataKey::from_secret(plastron_keys::SecretKey::copy_from(&[5; 32]));
    assert!(refused(empty.data_keys().unwrap().wrap(&key, &HERE)).contains("somebody shows an empty bucket"));
    assert!(refused(empty.get_key_blob()).contains("somebody shows an empty bucket"));
    // The keys of another database.
    let other = Site::with(&["a"]);
    assert!(refused(empty.load_key_blob(&checkpoint(&other.open("a")))).contains("it is of another database"));
    empty.load_key_blob(&second).unwrap();
}

/// A replica that answers as the blob's epoch was.
fn shows_nothing_newer(site: &Site, blob: &[u8]) -> Replica {
    let epoch = decoded(blob).epoch.head.head.epoch;
    let replica = Replica::new(&site.local);
    let local = site.local.clone();
    replica.lies(move |request, _| {
        let request = LookupRequest { epoch, ..request.clone() };
        local.world.lock().unwrap().directory(0).lookup(&request).unwrap()
    });
    replica
}

#[test]
fn scenario_27_with_the_keyserver_down_reading_goes_on_and_nothing_is_wrapped_anew() {
    let mut site = Site::with(&["a", "b"]);
    let leader = site.open("a");
    let blob = checkpoint(&leader);
    site.replica.down.store(true, Ordering::SeqCst);
    // Existing nodes unwrap, new processes of theirs too; the KEK in force stays.
    for id in ["a", "b"] {
        let reader = site.open(id);
        reader.load_key_blob(&blob).unwrap();
        let record = wrapped(&leader, 1);
        assert!(opens(&reader, &record, 1));
        unchanged(&reader);
    }
    unchanged(&leader);
    // What needs another KEK fails, and says so; what was in force still is.
    leader.rotate_now();
    for _ in 0..2 {
        let Fault::Unreachable(why) = leader.get_key_blob().unwrap_err() else { panic!("it is only down") };
        assert!(why.contains("another KEK was asked for, and no new one can be wrapped: call at test failed"), "{why}");
    }
    let record = wrapped(&leader, 2);
    let reader = site.reader("b");
    reader.load_key_blob(&blob).unwrap();
    assert!(opens(&reader, &record, 2));
    // A new database has no KEK to go on with.
    std::fs::remove_dir_all(site.memory("b")).unwrap();
    assert!(refused(site.open("b").get_key_blob()).contains("there is no KEK yet"));
    assert!(refused(site.reader("b").get_key_blob()).contains("there are no servers in config"));
    // Who wants it bounds how long.
    let bounded = site.try_open("a", ",unchecked_for=1h", &[&site.replica]).unwrap();
    bounded.load_key_blob(&blob).unwrap();
    site.later(Duration::from_secs(3_000));
    // Another KEK is still wanted by the node's memory; it is not yet the bound that fails.
    assert!(refused(bounded.get_key_blob()).contains("another KEK was asked for"));
    site.replica.down.store(false, Ordering::SeqCst);
    site.epoch();
    let second = checkpoint(&leader);
    bounded.load_key_blob(&second).unwrap();
    site.replica.down.store(true, Ordering::SeqCst);
    unchanged(&bounded);
    site.later(Duration::from_secs(3_601));
    assert!(refused(bounded.get_key_blob()).contains("call at test failed"));
    unchanged(&leader);
    site.replica.down.store(false, Ordering::SeqCst);
    site.epoch();
    unchanged(&bounded);
    site.list(&["a"]);
    site.epoch();
    assert_eq!(readers_of(&checkpoint(&leader)), ["a"]);
}

#[test]
fn scenario_27_each_wrap_is_verified_again_offline_and_no_flipped_bit_passes() {
    let site = Site::with(&["a", "b", "x1"]);
    let leader = site.open("a");
    checkpoint(&leader);
    leader.rotate_now();
    let blob = checkpoint(&leader);
    site.replica.down.store(true, Ordering::SeqCst);
    let (realm, decoded) = (site.realm(), decoded(&blob));
    let examination = examine(&realm, &Quorum::Verifiers, &decoded);
    assert_eq!(examination.faults, []);
    assert_eq!((examination.generation, examination.older.len(), examination.leader.as_str()), (2, 1, "a"));
    let kems: Vec<_> = examination.readers.iter().map(|reader| (reader.id.as_str(), reader.kem.unwrap())).collect();
    assert_eq!(kems, [("a", Kem::X25519), ("b", Kem::X25519), ("x1", Kem::XWing)]);
    for reader in &examination.readers {
        assert_eq!(reader.key, Some(Site::key(&reader.id).public().key_hash()));
    }
    // Flipped on the way, the checksum says so; flipped by somebody who mends that, the proofs do.
    let body = decoded.body();
    let mut examined = 0;
    for bit in (0..body.len() * 8).step_by(37) {
        let mut flipped = body.clone();
        flipped[bit / 8] ^= 1 << (bit % 8);
        if let Ok(blob) = KekBlob::from_body(&flipped) {
            examined += 1;
            assert_ne!(examine(&realm, &Quorum::Verifiers, &blob).faults, [], "bit {bit}");
        }
    }
    assert!(examined > 200, "{examined}");
    // Another realm's file proves nothing.
    let other = Realm { nonce: [1; 32], ..realm };
    assert!(examine(&other, &Quorum::Verifiers, &decoded).faults.len() >= 4);
}

#[test]
fn a_new_reader_reads_all_there_is_and_a_changed_key_makes_a_new_kek() {
    let mut site = Site::with(&["a", "b"]);
    let leader = site.open("a");
    let first = wrapped(&leader, 1);
    checkpoint(&leader);
    site.register("c", &Site::key("c"));
    site.list(&["a", "b", "c"]);
    site.epoch();
    let second = checkpoint(&leader);
    let reader = site.reader("c");
    reader.load_key_blob(&second).unwrap();
    assert!(opens(&reader, &first, 1));
    unchanged(&leader);
    // The same keys again, another version of the entry: nothing to do.
    site.register("b", &Site::key("b"));
    site.epoch();
    unchanged(&leader);
    let stolen = Site::key("b");
    site.register("b", &NodeKey::from_secrets(Kem::XWing, &[3; 32], &[4; 32]).unwrap());
    site.epoch();
    let third = checkpoint(&leader);
    assert_eq!(decoded(&third).generation, 3);
    assert!(refused(site.reader("b").load_key_blob(&third)).contains("another key"), "{stolen:?}");
    // A leader that is taken off the list makes no more keys.
    site.list(&["b", "c"]);
    site.epoch();
    assert!(refused(leader.get_key_blob()).contains("node a is no reader of cluster db"));
}

#[test]
fn keys_are_rotated_by_age_and_on_command_of_another_process() {
    let site = Site::with(&["a", "b"]);
    let leader = site.try_open("a", ",rotate_after=10d", &[&site.replica]).unwrap();
    assert!(refused(leader.keyring().unwrap().rotate()).contains("there is none yet"));
    checkpoint(&leader);
    // Another process of the node, without a bucket.
    site.open("a").rotate_now();
    let second = checkpoint(&leader);
    assert_eq!(decoded(&second).generation, 2);
    unchanged(&leader);
    // The head is too old by now to wrap by; as long as nothing is due, that is no matter.
    site.later(Duration::from_secs(9 * 86_400));
    unchanged(&leader);
    site.later(Duration::from_secs(2 * 86_400));
    assert!(refused(leader.get_key_blob()).contains("the KEK in force is older than rotate_after"));
    let shown = leader.keyring().unwrap().show().unwrap();
    let shown: Vec<_> = shown.iter().map(|key| (key.generation, key.in_force)).collect();
    assert_eq!(shown, [(1, false), (2, true)]);
    assert!(refused(site.reader("b").keyring().unwrap().show()).contains("plastron keys audit"));
}

#[test]
fn a_failed_blob_leaves_in_force_what_was_and_the_contract_is_checked() {
    let site = Site::with(&["a", "b"]);
    let leader = site.open("a");
    let early = wrapped(&leader, 1);
    // A new database whose first checkpoint fails: what was used is in the next one.
    let lost = changed(&leader);
    assert!(refused(leader.get_key_blob()).contains("called again before"));
    assert!(refused(leader.load_key_blob(&lost)).contains("between get_key_blob and get_key_complete"));
    let late = wrapped(&leader, 2);
    leader.get_key_complete(&Completion::Failed { reason: "test".to_owned() }).unwrap();
    assert!(refused(leader.get_key_complete(&Completion::Persisted { lsn: 1 })).contains("without a changed blob"));
    let first = checkpoint(&leader);
    let reader = site.reader("b");
    reader.load_key_blob(&first).unwrap();
    assert!(opens(&reader, &early, 1) && opens(&reader, &late, 2));
    // One that has a KEK: until the blob is there, it is used, and after a failure still.
    leader.rotate_now();
    changed(&leader);
    let during = wrapped(&leader, 3);
    leader.get_key_complete(&Completion::Failed { reason: "test".to_owned() }).unwrap();
    let after = wrapped(&leader, 4);
    assert!(opens(&reader, &during, 3) && opens(&reader, &after, 4));
    let second = checkpoint(&leader);
    let newest = wrapped(&leader, 5);
    assert!(!opens(&reader, &newest, 5));
    reader.load_key_blob(&second).unwrap();
    assert!(opens(&reader, &newest, 5) && opens(&reader, &early, 1));
    assert!(leader.keyring().unwrap().rewrap(&plastron_config::Config::new()).is_err());
    // Older ones again, in any order: what was there stays.
    reader.load_key_blob(&first).unwrap();
    assert!(opens(&reader, &newest, 5));
}

#[test]
fn what_is_wrong_with_settings_and_files_is_said() {
    let mut site = Site::with(&["a", "b"]);
    let blob = checkpoint(&site.open("a"));
    let open = |id: &str| site.try_open(id, "", &[&site.replica]);
    assert!(refused(open("c").unwrap().get_key_blob()).contains("node c is no reader of cluster db"));
    let memory = site.memory("c");
    std::fs::create_dir_all(&memory).unwrap();
    std::fs::write(memory.join("wraps"), "garbage").unwrap();
    assert!(refused(open("c")).contains("node's memory"));
    let of_another = WrapMemory { cluster: "other".to_owned(), ..WrapMemory::new(&site.realm(), "db") };
    std::fs::write(memory.join("wraps"), of_another.to_bytes()).unwrap();
    assert!(refused(open("c")).contains("is the memory of another realm or cluster"));
    let of_another = WrapMemory { ring: Some([9; 16]), ..WrapMemory::new(&site.realm(), "db") };
    std::fs::write(site.memory("b").join("wraps"), of_another.to_bytes()).unwrap_or_else(|_| {
        std::fs::create_dir_all(site.memory("b")).unwrap();
        std::fs::write(site.memory("b").join("wraps"), of_another.to_bytes()).unwrap();
    });
    assert!(refused(site.reader("b").load_key_blob(&blob)).contains("it is of another database"));
    #[cfg(unix)]
    {
        use std::os::unix::fs::PermissionsExt as _;
        let path = site.folder.path().join("b.key");
        std::fs::set_permissions(&path, std::fs::Permissions::from_mode(0o640)).unwrap();
        assert!(refused(open("b")).contains("chmod 600"));
        std::fs::set_permissions(&path, std::fs::Permissions::from_mode(0o600)).unwrap();
        let line = std::fs::read_to_string(&path).unwrap();
        for damaged in [line.replace("x25519", "x-wing"), line[1..].to_owned(), format!("{line} "), String::new()] {
            std::fs::write(&path, &damaged).unwrap();
            let why = refused(open("b"));
            assert!(why.contains("is no node's key, or is damaged") && !why.contains(&line[40..60]), "{why}");
        }
    }
    // A cluster without a list, and a node whose profile has something else.
    site.publish("node/db/b", [("hpke".to_owned(), vec![0; 9].into())].into());
    site.epoch();
    let leader = site.open("a");
    leader.load_key_blob(&blob).unwrap();
    assert_eq!(readers_of(&checkpoint(&leader)), ["a"]);
    let empty = Site::new();
    empty.epoch();
    assert!(refused(empty.open("a").get_key_blob()).contains("cluster/db/readers is not registered"));
    for (text, what) in [("cluster=a/b,node=a", "cluster"), ("cluster=a,node=\"a b\"", "node")] {
        let text = format!("{text},key_file=k,realm=r,memory=m");
        let error = Settings::from_config(&plastron_config::Config::parse(&text).unwrap());
        assert!(refused(error).contains(what), "{text}");
    }
}
