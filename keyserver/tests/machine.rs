//! The state machine: rules, poison, signatures, policies, snapshots.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::indexing_slicing, clippy::panic, reason = "a test")]

mod support;

use bytes::Bytes;
use plastron_keyserver::kv::{Kv, KvRead as _, MemoryKv};
use plastron_keyserver::log::Committed;
use plastron_keyserver::machine::{Accepted, MAX_TIME_STEP_MS, Machine, export_snapshot, import_snapshot};
use plastron_keyserver::proto::*;
use plastron_keyserver::{AuthorizationPolicy, ErrorKind, Refusal, Signature, Unverified, verify_lookup};
use support::world::World;
use support::{key, majority, next_update, publics};

#[test]
fn scenario_01_three_replicas_register_update_look_up_and_prove_absence() {
    let mut world = World::new(&[1, 2, 3], &[]);
    let first = world.first("node/a/1", 20);
    world.update(&first);
    world.epoch();
    let second = next_update(world.realm(), &first, 21, &[20, 21], 1);
    world.update(&second);
    world.epoch();
    for at in 0..3 {
        let found = world.look_up(at, "node/a/1", Quorum::Replicas).unwrap();
        assert_eq!((found.head.epoch, found.found), (2, Some((second.signed.entry.clone(), second.profile.clone()))));
        assert_eq!(world.look_up(at, "node/a/2", Quorum::Replicas).unwrap().found, None);
        // The epoch before still says what it said.
        let request =
            LookupRequest { name: "node/a/1".to_owned(), epoch: 1, quorum: Quorum::Replicas, known_generation: 0 };
        let answer = world.directory(at).lookup(&request).unwrap();
        let memory = ClientMemory::new(world.realm());
        let found = verify_lookup(world.realm(), &memory, &request, &answer, world.now_ms).unwrap();
        assert_eq!(found.found, Some((first.signed.entry.clone(), first.profile.clone())));
    }
}

#[test]
fn updates_that_break_rules_are_refused_and_proposals_may_come_twice() {
    let mut world = World::new(&[1], &[]);
    let first = world.first("node/a/1", 20);
    let mut stolen = first.clone();
    stolen.name = "node/a/2".to_owned();
    let mut other = first.clone();
    other.profile = support::profile(9);
    for update in [&first, &first, &stolen, &other] {
        world.update(update);
    }
    let second = next_update(world.realm(), &first, 20, &[20], 1);
    world.update(&second);
    assert_eq!(
        world.settle(),
        [
            Ok(Accepted::Change(1)),
            Ok(Accepted::Known),
            Err(Refusal::Index),
            Err(Refusal::Commitment),
            Err(Refusal::Pending)
        ]
    );
    world.epoch();
    world.update(&first);
    world.update(&second);
    world.update(&second);
    world.update(&next_update(world.realm(), &first, 21, &[20, 21], 2));
    assert_eq!(
        world.settle(),
        [Ok(Accepted::Known), Ok(Accepted::Change(2)), Ok(Accepted::Known), Err(Refusal::Pending)]
    );
    world.epoch();
    world.update(&next_update(world.realm(), &first, 21, &[20, 21], 2));
    assert_eq!(world.settle(), [Err(Refusal::Version { have: 1, found: 1 })]);
}

/// Of a poison entry nothing stays but that it was applied.
#[test]
fn scenario_09_poison_entries_change_nothing() {
    let mut world = World::new(&[1, 2, 3], &[11]);
    world.update(&world.first("node/a/1", 20));
    world.epoch();
    world.update(&world.first("node/a/2", 20));
    world.settle();
    let state = world.machine(0).state().clone();
    let (epoch, now) = (state.delimited, state.issued_ms);
    let delimiter = |epoch, issued_ms| LogEntry::Delimiter { epoch, issued_ms }.to_bytes();
    let head = world.record(0, 1).signed.head;
    let wrong = EpochHead { epoch: 1, issued_ms: 7, ..head.clone() };
    let signed = |epoch: u64, number: u8, head: &EpochHead| {
        LogEntry::HeadSignature { epoch, key: key(number).public(), signature: head.sign(&key(number)) }.to_bytes()
    };
    let mut truncated = LogEntry::Update(Box::new(world.first("node/a/3", 20))).to_bytes();
    truncated.pop();
    let mut newer = delimiter(epoch + 1, now + 10_000);
    newer[5] = 2;
    let unsigned = RealmPolicy { generation: 1, ..world.realm().policy.clone() };
    let unsigned = PolicyChange { policy: unsigned, signatures: Default::default() };
    let skipping = RealmPolicy { generation: 2, ..world.realm().policy.clone() };
    let skipping = PolicyChange::signed(skipping, &world.realm().id(), [&key(30)]);
    let policy = |change| LogEntry::PolicyChange(Box::new(change)).to_bytes();
    for (what, bytes) in [
        ("nothing", Vec::new()),
        ("garbage", vec![0x5a; 1000]),
        ("an entry cut short", truncated),
        ("an entry of the future", newer),
        ("an early delimiter", delimiter(epoch + 1, now + 999)),
        ("a delimiter at the same time", delimiter(epoch + 1, now)),
        ("a delimiter of the past", delimiter(epoch + 1, 0)),
        ("a delimiter far ahead", delimiter(epoch + 1, now + MAX_TIME_STEP_MS + 1)),
        ("a delimiter at the end of time", delimiter(epoch + 1, u64::MAX)),
        ("a delimiter of an old epoch", delimiter(epoch, now + 10_000)),
        ("a delimiter of a far epoch", delimiter(epoch + 2, now + 10_000)),
        ("a delimiter of epoch 0", delimiter(0, now + 10_000)),
        ("a huge delimiter", delimiter(u64::MAX, now + 10_000)),
        ("a signature of a wrong head", signed(1, 11, &wrong)),
        ("a signature of epoch 0", signed(0, 1, &head)),
        ("a stranger's signature", signed(1, 77, &head)),
        ("an owner's signature", signed(1, 20, &head)),
        ("a policy change without signatures", policy(unsigned)),
        ("a policy change that skips a generation", policy(skipping)),
    ] {
        let before: Vec<_> = world.replicas.iter().map(|replica| replica.kv.contents()).collect();
        world.log.push(Bytes::from(bytes));
        let results = world.settle();
        assert!(matches!(results[..], [Err(_)]), "{what}: {results:?}");
        for (replica, before) in world.replicas.iter().zip(before) {
            let after = replica.kv.contents();
            let changed: Vec<_> = after.iter().filter(|(key, value)| before.get(*key) != Some(value)).collect();
            assert!(matches!(changed[..], [(key, _)] if key[..] == [0]) && after.len() == before.len(), "{what}");
            let expected = plastron_keyserver::machine::State {
                applied: replica.machine.as_ref().unwrap().state().applied,
                ..state.clone()
            };
            assert_eq!(replica.machine.as_ref().unwrap().state(), &expected, "{what}");
        }
    }
    // And the realm goes on.
    world.epoch();
    assert_eq!(world.machine(2).state().ratified, 2);
    assert!(world.look_up(1, "node/a/2", Quorum::Replicas).unwrap().found.is_some());
    // While an epoch awaits ratification, no other is begun.
    world.replicas[1].machine = None;
    world.replicas[2].machine = None;
    world.epoch();
    world.delimit();
    let last = world.settle();
    assert!(matches!(last[..], [Err(Refusal::Epoch { epoch: 4, .. })]), "{last:?}");
}

#[test]
fn scenario_10_forged_signatures_never_displace_good_ones() {
    let mut world = World::new(&[1, 2, 3], &[11, 12]);
    world.update(&world.first("node/a/1", 20));
    world.epoch();
    world.ratify(1, 11);
    world.settle();
    let good = world.record(0, 1).signed.signatures;
    let forged = |number: u8, fill: u8| LogEntry::HeadSignature {
        epoch: 1,
        key: key(number).public(),
        signature: Signature([fill; 64]),
    };
    for number in [1, 2, 3, 11] {
        world.propose(&forged(number, 0));
        world.propose(&forged(number, number));
        assert_eq!(world.settle(), [Ok(Accepted::Known), Ok(Accepted::Known)]);
    }
    world.propose(&forged(12, 1));
    assert_eq!(world.settle(), [Err(Refusal::Signature { key: key(12).public() })]);
    assert_eq!(world.record(0, 1).signed.signatures, good);
    // A forged one that comes first does not keep the good one away.
    world.ratify(1, 12);
    assert_eq!(world.settle(), [Ok(Accepted::Signed(1))]);
    // Nor do forgeries ratify: of the next head, before any replica has signed.
    (1..3).for_each(|at| world.replicas[at].machine = None);
    world.delimit();
    for number in [2, 3] {
        let signature = world.record(0, 1).signed.head.sign(&key(number));
        world.propose(&LogEntry::HeadSignature { epoch: 2, key: key(number).public(), signature });
    }
    world.settle();
    assert_eq!((world.machine(0).state().delimited, world.machine(0).state().ratified), (2, 1));
}

#[test]
fn scenario_11_a_ratification_of_the_future_is_refused_and_lookups_go_on() {
    let mut world = World::new(&[1, 2, 3], &[11]);
    world.update(&world.first("node/a/1", 20));
    world.epoch();
    world.ratify(1, 11);
    world.settle();
    // Of an epoch that is not, however far.
    for epoch in [2, 3, u64::MAX] {
        let head = EpochHead { epoch, ..world.record(0, 1).signed.head };
        let signature = head.sign(&key(11));
        world.propose(&LogEntry::HeadSignature { epoch, key: key(11).public(), signature });
        assert!(matches!(world.settle()[..], [Err(Refusal::Epoch { .. })]));
    }
    // Of one that has a head, but not the replicas' signatures.
    (1..3).for_each(|at| world.replicas[at].machine = None);
    world.epoch();
    world.ratify(2, 11);
    assert!(matches!(world.settle()[..], [Err(Refusal::Epoch { epoch: 2, .. })]));
    let found = world.look_up(0, "node/a/1", Quorum::Verifiers).unwrap();
    assert!(found.head.epoch == 1 && found.found.is_some());
}

/// Its part on the server; what a client refuses is in `tests/formats.rs`.
#[test]
fn scenario_16_an_older_epoch_is_served_to_who_wants_verifiers_and_refused_when_it_is_stale() {
    let mut world = World::new(&[1, 2, 3], &[11, 12]);
    world.update(&world.first("node/a/1", 20));
    world.epoch();
    assert_eq!(world.look_up(0, "node/a/1", Quorum::Verifiers).unwrap_err().kind(), ErrorKind::NotFound);
    world.ratify(1, 11);
    (0..3).for_each(|_| drop(world.epoch()));
    assert_eq!(world.look_up(0, "node/a/1", Quorum::Replicas).unwrap().head.epoch, 4);
    assert_eq!(world.look_up(0, "node/a/1", Quorum::Verifiers).unwrap().head.epoch, 1);
    let mine = |numbers: &[u8]| Quorum::Of(AuthorizationPolicy::threshold(2, publics(numbers)).unwrap());
    assert_eq!(world.look_up(0, "node/a/1", mine(&[11, 12])).unwrap_err().kind(), ErrorKind::NotFound);
    world.ratify(2, 12);
    world.ratify(2, 11);
    world.settle();
    assert_eq!(world.look_up(0, "node/a/1", mine(&[11, 12])).unwrap().head.epoch, 2);
    world.now_ms += world.realm().lifetime_ms;
    let refused = world.look_up(0, "node/a/1", Quorum::Verifiers).unwrap_err();
    assert!(matches!(refused, plastron_keyserver::Error::Unverified(Unverified::Expired { epoch: 2, .. })));
}

#[test]
fn epochs_that_are_not_retained_cannot_be_looked_up_and_cost_no_pages() {
    let mut world = World::retaining(&[1], &[], 2);
    let mut last = world.first("node/a/0", 20);
    world.update(&last);
    for number in 1..12 {
        world.update(&world.first(&format!("node/a/{number}"), 20));
        world.epoch();
        last = next_update(world.realm(), &last, 20, &[20], number);
        world.update(&last);
    }
    let ask =
        |epoch| LookupRequest { name: "node/a/0".to_owned(), epoch, quorum: Quorum::Replicas, known_generation: 0 };
    let state = world.machine(0).state().clone();
    assert_eq!((state.ratified, state.retained), (11, 9));
    for epoch in 1..=12 {
        let answer = world.directory(0).lookup(&ask(epoch));
        assert_eq!(answer.is_ok(), (9..=11).contains(&epoch), "{epoch}");
    }
    // A fresh cache reads what is on disk: what is retained is whole, and of the rest nothing is left.
    world.start(0);
    for epoch in 9..=11 {
        assert!(world.directory(0).lookup(&ask(epoch)).is_ok());
    }
    let pages = world.replicas[0].kv.contents().keys().filter(|key| key[0] == 1).count();
    assert!(pages <= 3 * 12, "{pages}");
    assert_eq!(world.directory(0).history("node/a/0", 0, 100).unwrap().len(), 11);
}

#[test]
fn scenario_20_replicas_and_verifiers_join_leave_and_rotate_by_next_policy() {
    let mut world = World::new(&[1, 2, 3], &[11]);
    let id = world.realm().id();
    world.update(&world.first("node/a/1", 20));
    world.epoch();
    let mut policy = world.realm().policy.clone();
    let mut change = |world: &mut World, replicas: &[u8], verifiers: &[u8], operators: &[u8], by: u8| {
        let next = RealmPolicy {
            generation: policy.generation + 1,
            replicas: majority(replicas),
            verifiers: Some(AuthorizationPolicy::threshold(1, publics(verifiers)).unwrap()),
            operators: majority(operators),
        };
        world.propose(&LogEntry::PolicyChange(Box::new(PolicyChange::signed(next.clone(), &id, [&key(by)]))));
        let results = world.epoch();
        if results.iter().all(Result::is_ok) {
            policy = next;
        }
        results
    };
    // Replica 3 rotates its key to 4, and verifier 12 joins; the head that says so is signed under the policy before.
    world.replicas[2].number = 3;
    assert!(change(&mut world, &[1, 2, 4], &[11, 12], &[30], 30).iter().all(Result::is_ok));
    assert!(world.record(0, 2).signed.meets(&world.realm().policy.replicas));
    world.replicas[2].number = 4;
    world.epoch();
    let record = world.record(0, 3);
    assert!(record.signed.signatures.contains_key(&key(4).public()) && record.generation == 1);
    // The old key signs nothing more, the new verifier does.
    let old = key(3);
    world.propose(&LogEntry::HeadSignature { epoch: 3, key: old.public(), signature: record.signed.head.sign(&old) });
    world.ratify(3, 12);
    assert_eq!(world.settle(), [Err(Refusal::Signer { key: old.public() }), Ok(Accepted::Signed(3))]);
    // Somebody who knows the first policy follows; who was told another one does not.
    let found = world.look_up(1, "node/a/1", Quorum::Verifiers).unwrap();
    assert_eq!((found.head.epoch, found.memory.policy.generation), (3, 1));
    // An operator hands over; the old one can change nothing any more, and no change comes twice.
    assert!(change(&mut world, &[1, 2, 4], &[12], &[31], 30).iter().all(Result::is_ok));
    assert!(change(&mut world, &[1], &[12], &[30], 30).contains(&Err(Refusal::PolicyUnsigned)));
    assert!(change(&mut world, &[1, 4], &[12], &[31], 31).iter().all(Result::is_ok));
    let replayed = PolicyChange::signed(world.realm().policy.clone(), &id, [&key(30)]);
    world.propose(&LogEntry::PolicyChange(Box::new(replayed)));
    assert!(matches!(world.settle()[..], [Err(Refusal::Generation { .. })]));
    world.epoch();
    let epoch = world.machine(0).state().ratified;
    world.ratify(epoch, 12);
    world.settle();
    let found = world.look_up(0, "node/a/1", Quorum::Verifiers).unwrap();
    assert_eq!((found.head.epoch, found.memory.policy.generation), (epoch, 3));
    // Steps that were tampered with lead nowhere.
    let request = LookupRequest { name: "a".to_owned(), epoch: 0, quorum: Quorum::Verifiers, known_generation: 0 };
    let answer = world.directory(0).lookup(&request).unwrap();
    assert_eq!(answer.steps.len(), 3);
    let memory = ClientMemory::new(world.realm());
    for at in 0..3 {
        let mut less = answer.clone();
        less.steps.remove(at);
        let refused = verify_lookup(world.realm(), &memory, &request, &less, world.now_ms).unwrap_err();
        assert!(matches!(refused, Unverified::Policy { .. }), "{at}: {refused}");
        let mut forged = answer.clone();
        forged.steps[at].policy.operators = majority(&[66]);
        let refused = verify_lookup(world.realm(), &memory, &request, &forged, world.now_ms).unwrap_err();
        assert!(matches!(refused, Unverified::Policy { .. }), "{at}: {refused}");
        let mut unsigned = answer.clone();
        unsigned.steps[at].head.signatures.clear();
        let refused = verify_lookup(world.realm(), &memory, &request, &unsigned, world.now_ms).unwrap_err();
        assert!(matches!(refused, Unverified::Replicas { .. }), "{at}: {refused}");
    }
}

#[test]
fn scenario_19_a_new_replica_catches_up_from_a_checked_snapshot() {
    let mut world = World::new(&[1, 2, 3], &[11]);
    let mut last = world.first("node/a/0", 20);
    world.update(&last);
    for number in 1..40 {
        world.update(&world.first(&format!("node/a/{number}"), 20));
        if number % 10 == 0 {
            world.epoch();
            last = next_update(world.realm(), &last, 20, &[20], number);
            world.update(&last);
        }
    }
    world.settle();
    let trusted = world.record(0, 2).signed.head;
    let snapshot = world.replicas[0].kv.snapshot().unwrap();
    let mut pairs = Vec::new();
    loop {
        let portion = export_snapshot(&*snapshot, pairs.last().map(|(key, _): &(Bytes, Bytes)| &key[..])).unwrap();
        if portion.is_empty() {
            break;
        }
        pairs.extend(portion);
    }
    let import = |pairs: Vec<(Bytes, Bytes)>, head: &EpochHead| {
        let kv = MemoryKv::new();
        import_snapshot(&world.options, &kv, pairs, head).map(|()| kv)
    };
    let kv = import(pairs.clone(), &trusted).unwrap();
    assert_eq!(kv.contents(), world.replicas[0].kv.contents());
    // Not into a database that has something; not for another history, nor one that is shorter than the trusted head.
    assert_eq!(import_snapshot(&world.options, &kv, pairs.clone(), &trusted).unwrap_err().kind(), ErrorKind::Invalid);
    let other = EpochHead { issued_ms: 1, ..trusted.clone() };
    assert_eq!(import(pairs.clone(), &other).unwrap_err().kind(), ErrorKind::Unauthorized);
    let later = EpochHead { epoch: 77, ..trusted.clone() };
    assert_eq!(import(pairs.clone(), &later).unwrap_err().kind(), ErrorKind::Corrupt);
    // Damaged anywhere that counts, or with a thing missing.
    for (at, (key, _)) in pairs.iter().enumerate() {
        let mut damaged = pairs.clone();
        let mut value = damaged[at].1.to_vec();
        value[0] ^= 1;
        damaged[at].1 = value.into();
        let mut missing = pairs.clone();
        missing.remove(at);
        // What is needed for the newest tree, its entries, and the heads; the rest is history, found when it is read.
        if [0, 5].contains(&key[0]) {
            assert!(import(damaged, &trusted).is_err() && import(missing, &trusted).is_err(), "{key:?}");
        }
    }
    let count = |table: u8| pairs.iter().filter(|(key, _)| key[0] == table).count();
    for table in [1, 2, 3] {
        let without = pairs.iter().filter(|(key, _)| key[0] != table).cloned().collect();
        assert!(count(table) > 0 && import(without, &trusted).is_err(), "{table}");
    }
    // Half a snapshot is no database.
    let half = MemoryKv::new();
    assert!(import_snapshot(&world.options, &half, pairs[1..].to_vec(), &trusted).is_err());
    let opened = Machine::open(world.options.clone(), std::sync::Arc::new(half.clone()));
    assert!(half.get(&pairs[1].0).unwrap().is_some());
    assert_eq!(opened.unwrap_err().kind(), ErrorKind::Corrupt);
    // The new replica goes on from there, in place of one that is lost.
    world.replicas[2].kv = kv;
    world.start(2);
    world.replicas[1].machine = None;
    world.epoch();
    assert_eq!(world.machine(2).state().ratified, 4);
    assert_eq!(world.replicas[2].kv.contents(), world.replicas[0].kv.contents());
    assert!(world.look_up(2, "node/a/0", Quorum::Replicas).unwrap().found.is_some());
}

#[test]
fn an_entry_is_not_applied_twice() {
    let mut world = World::new(&[1], &[]);
    world.update(&world.first("node/a/1", 20));
    world.settle();
    let again = Committed { index: 1, entry: world.log[0].clone() };
    assert_eq!(world.machine(0).step(&again).unwrap_err().kind(), ErrorKind::Invalid);
}
