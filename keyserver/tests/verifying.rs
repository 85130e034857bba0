//! Verifiers and clients against replicas that fail, and that lie.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::indexing_slicing, clippy::panic, reason = "a test")]

mod support;

use std::collections::BTreeMap;
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use bytes::Bytes;
use plastron_keyserver::client::{Client, ClientOptions, MemoryFile};
use plastron_keyserver::kv::{Batch, Direction, Kv, KvRead, MemoryKv, Pair};
use plastron_keyserver::merkle::{Tree, TreeHasher};
use plastron_keyserver::proto::*;
use plastron_keyserver::verifier::{Verifier, VerifierOptions};
use plastron_keyserver::{Digest, Error, Proven, Refusal, Result, Unverified, check_evidence, compare_heads};
use plastron_sources::clock::{Clock, Sleep};
use support::local::LocalReplica;
use support::world::World;
use support::{Pages, key, next_update, sign_head};

fn verifier(replica: &LocalReplica, kv: &Arc<dyn Kv>, evidence: &Path) -> Result<Verifier> {
    let realm = replica.world.lock().unwrap().realm().clone();
    Verifier::open(VerifierOptions {
        realm,
        key: key(11),
        kv: Arc::clone(kv),
        replica: Arc::new(replica.clone()),
        evidence: evidence.to_owned(),
        cache_bytes: 1 << 16,
    })
}

/// Three epochs: five names, a change of one of them and of the policy, an idle one.
fn world() -> (World, Update) {
    let mut world = World::new(&[1, 2, 3], &[11, 12]);
    for number in 1..=5 {
        world.update(&world.first(&format!("node/a/{number}"), 20));
    }
    world.epoch();
    let first = world.first("node/a/1", 20);
    let second = next_update(world.realm(), &first, 21, &[20, 21], 1);
    world.update(&second);
    let policy = RealmPolicy { generation: 1, ..world.realm().policy.clone() };
    world.propose(&LogEntry::PolicyChange(Box::new(PolicyChange::signed(policy, &world.realm().id(), [&key(30)]))));
    world.epoch();
    world.epoch();
    (world, second)
}

/// A database that fails at its n-th write, before or after it is done.
#[derive(Debug)]
struct FailingKv {
    inner: MemoryKv,
    left: AtomicU64,
    done: bool,
}

impl KvRead for FailingKv {
    fn get(&self, key: &[u8]) -> Result<Option<Bytes>> {
        self.inner.get(key)
    }

    fn range(&self, from: &[u8], to: &[u8], direction: Direction, most: usize) -> Result<Vec<Pair>> {
        self.inner.range(from, to, direction, most)
    }
}

impl Kv for FailingKv {
    fn snapshot(&self) -> Result<Box<dyn KvRead>> {
        self.inner.snapshot()
    }

    fn write(&self, batch: Batch) -> Result<()> {
        if self.left.fetch_sub(1, Ordering::SeqCst) == 1 {
            if self.done {
                self.inner.write(batch)?;
            }
            return Err(Error::Storage { operation: "writing", source: "the test's failure".into() });
        }
        self.inner.write(batch)
    }
}

#[tokio::test]
async fn scenario_15_a_verifier_that_restarts_anywhere_catches_up_and_pushes_again() {
    let directory = tempfile::tempdir().unwrap();
    let evidence = directory.path().join("evidence");
    let (mut failed_writes, mut failed_calls) = (0, 0);
    for failure in 0..60_u32 {
        let replica = LocalReplica::new(world().0);
        let disk = MemoryKv::new();
        // A third of the lives ends before a write, a third after it, a third with a call that is cut off.
        let left = if failure % 3 == 2 { u64::MAX } else { u64::from(failure / 3) + 1 };
        let kv = FailingKv { inner: disk.clone(), left: left.into(), done: failure % 3 == 1 };
        let kv: Arc<dyn Kv> = Arc::new(kv);
        if failure % 3 == 2 {
            *replica.fails_in.lock().unwrap() = Some(failure / 3);
        }
        let mut first = verifier(&replica, &kv, &evidence).unwrap();
        for _ in 0..12 {
            match first.step().await {
                Ok(_) => {}
                Err(Error::Storage { .. }) => {
                    failed_writes += 1;
                    break;
                }
                Err(Error::Request { .. }) => {
                    failed_calls += 1;
                    break;
                }
                Err(other) => panic!("{failure}: {other}"),
            }
        }
        drop(first);
        *replica.fails_in.lock().unwrap() = None;
        let kv: Arc<dyn Kv> = Arc::new(disk.clone());
        let mut second = verifier(&replica, &kv, &evidence).unwrap();
        for _ in 0..12 {
            second.step().await.unwrap();
        }
        let progress = second.progress().unwrap();
        assert_eq!((progress.verified, progress.pushed), (3, 3), "{failure}");
        let world = replica.world.lock().unwrap();
        for epoch in 1..=3 {
            assert!(world.record(0, epoch).signed.signatures.contains_key(&key(11).public()), "{failure}, {epoch}");
        }
        assert!(world.look_up(0, "node/a/1", Quorum::Verifiers).unwrap().found.is_some());
    }
    assert!(failed_writes > 10 && failed_calls > 5, "{failed_writes}, {failed_calls}");
    assert!(!evidence.exists());
}

async fn follow(verifier: &mut Verifier) -> Result<()> {
    for _ in 0..12 {
        verifier.step().await?;
    }
    Ok(())
}

/// What the evidence file proves, to somebody who has the realm and the file alone; no flipped bit of the file proves anything else.
fn audit(realm: &Realm, file: &Path) -> Proven {
    let bytes = std::fs::read(file).unwrap();
    let evidence = Evidence::from_bytes(&bytes).unwrap();
    let proven = check_evidence(realm, &evidence).unwrap();
    let body = evidence.body();
    for bit in (0..body.len() * 8).step_by(7) {
        let mut flipped = body.clone();
        flipped[bit / 8] ^= 1 << (bit % 8);
        let Ok(flipped) = Evidence::from_body(&flipped) else { continue };
        assert!(check_evidence(realm, &flipped).map_or(true, |found| found == proven), "bit {bit}");
    }
    let stranger = Realm { nonce: [1; 32], ..realm.clone() };
    assert!(check_evidence(&stranger, &evidence).is_err());
    proven
}

#[tokio::test]
async fn scenario_12_an_equivocating_majority_yields_an_evidence_file() {
    let directory = tempfile::tempdir().unwrap();
    let file = directory.path().join("evidence");
    let replica = LocalReplica::new(world().0);
    let realm = replica.world.lock().unwrap().realm().clone();
    let kv: Arc<dyn Kv> = Arc::new(MemoryKv::new());
    follow(&mut verifier(&replica, &kv, &file).unwrap()).await.unwrap();
    // The replicas say something else of the last epoch to who comes back. A minority cannot.
    for (signers, lie) in [(&[1][..], false), (&[1, 3][..], true)] {
        let signers = signers.to_vec();
        *replica.tamper.lock().unwrap() = Some(Box::new(move |page| {
            for item in &mut page.items {
                if let StreamItem::Head { head, .. } = item {
                    let other = EpochHead { root: Digest([6; 32]), ..head.head.clone() };
                    **head = sign_head(other, &signers);
                }
            }
        }));
        let mut again = verifier(&replica, &kv, &file).unwrap();
        let error = follow(&mut again).await.unwrap_err();
        assert_eq!(matches!(error, Error::Lie(Proven::Equivocation { epoch: 3, .. })), lie, "{error}");
        assert_eq!(file.exists(), lie);
    }
    assert!(matches!(audit(&realm, &file), Proven::Equivocation { epoch: 3, .. }));
    // Or they take another way from there.
    std::fs::remove_file(&file).unwrap();
    replica.world.lock().unwrap().epoch();
    *replica.tamper.lock().unwrap() = Some(Box::new(|page| {
        for item in &mut page.items {
            if let StreamItem::Head { head, .. } = item
                && head.head.epoch == 4
            {
                let other = EpochHead { previous: Digest([6; 32]), ..head.head.clone() };
                **head = sign_head(other, &[1, 2]);
            }
        }
    }));
    let error = follow(&mut verifier(&replica, &kv, &file).unwrap()).await.unwrap_err();
    assert!(matches!(error, Error::Lie(Proven::Chain { epoch: 4, .. })), "{error}");
    assert!(matches!(audit(&realm, &file), Proven::Chain { epoch: 4, .. }));
}

/// The tree of the world's last epoch with one more change, and the head of the next that has it, as a majority of replicas would sign it.
fn forged(world: &World, change: &SignedEntry) -> SignedHead {
    let id = world.realm().id();
    let hasher = TreeHasher::new(&id);
    let mut leaves = BTreeMap::new();
    let epochs = world.machine(0).state().ratified;
    for item in world.directory(0).stream(StreamPosition { epoch: 1, change: 0 }).unwrap().items {
        if let StreamItem::Change(signed) = item {
            leaves.insert(signed.entry.index, signed.entry.hash(&id));
        }
    }
    leaves.insert(change.entry.index, change.entry.hash(&id));
    let pages = Pages::default();
    let tree = Tree::new(&hasher, &pages).apply(&Tree::<Pages>::empty(&hasher), &leaves, 1).unwrap();
    let last = world.record(0, epochs).signed.head;
    let head = EpochHead {
        epoch: epochs + 1,
        root: tree.root.hash,
        issued_ms: last.issued_ms + 1_000,
        previous: last.digest(),
        policy: last.next_policy,
        ..last
    };
    sign_head(head, &[1, 2])
}

#[tokio::test]
async fn scenario_14_an_unauthorized_change_is_refused_by_the_verifier_with_evidence() {
    let directory = tempfile::tempdir().unwrap();
    let file = directory.path().join("evidence");
    let (world, second) = world();
    let realm = world.realm().clone();
    // Not signed by the owner; signed, but of an old version; a name that no operator admitted; and one that is right, to see that the rest is.
    let unsigned = next_update(&realm, &second, 22, &[22], 2).signed;
    let mut older = next_update(&realm, &second, 21, &[21], 2);
    older.signed.entry.version = 0;
    let older = older.signed.entry.clone().signed(&realm.id(), [&key(21)]);
    let mut stranger = world.first("node/b/1", 20).signed;
    stranger.admission.clear();
    let right = next_update(&realm, &second, 21, &[21], 2).signed;
    let replica = LocalReplica::new(world);
    for (change, broken) in [
        (unsigned, Some(Refusal::OldPolicy)),
        (older, Some(Refusal::Version { have: 1, found: 0 })),
        (stranger, Some(Refusal::NotAdmitted)),
        (right, None),
    ] {
        let _ = std::fs::remove_file(&file);
        let head = forged(&replica.world.lock().unwrap(), &change);
        *replica.tamper.lock().unwrap() = Some(Box::new(move |page| {
            if page.from == (StreamPosition { epoch: 4, change: 0 }) {
                let head = StreamItem::Head { head: Box::new(head.clone()), next_policy: None };
                page.items = vec![StreamItem::Change(Box::new(change.clone())), head];
            }
        }));
        let kv: Arc<dyn Kv> = Arc::new(MemoryKv::new());
        let mut verifier = verifier(&replica, &kv, &file).unwrap();
        let result = follow(&mut verifier).await;
        match broken {
            None => {
                assert!(matches!(result, Err(Error::Refused(_))), "the replica has no such epoch to sign: {result:?}")
            }
            Some(broken) => {
                let Err(Error::Lie(Proven::Change { epoch: 4, broken: found, .. })) = result else {
                    panic!("{broken}: {result:?}")
                };
                assert_eq!(found, broken);
                assert!(
                    matches!(audit(&realm, &file), Proven::Change { epoch: 4, broken: found, .. } if found == broken)
                );
                // It has signed what was right, and not this.
                assert_eq!(verifier.progress().unwrap().verified, 3);
            }
        }
    }
    // A root that does not follow from what was shown is refused as well; that it is wrong only another verifier can tell.
    let _ = std::fs::remove_file(&file);
    *replica.tamper.lock().unwrap() = Some(Box::new(|page| {
        for item in &mut page.items {
            if let StreamItem::Head { head, .. } = item {
                **head = sign_head(EpochHead { root: Digest([6; 32]), ..head.head.clone() }, &[1, 2]);
            }
        }
    }));
    let kv: Arc<dyn Kv> = Arc::new(MemoryKv::new());
    let error = follow(&mut verifier(&replica, &kv, &file).unwrap()).await.unwrap_err();
    assert!(matches!(error, Error::Unverified(Unverified::Tree { epoch: 1 })), "{error}");
}

#[derive(Debug)]
struct FixedClock(u64);

impl Clock for FixedClock {
    fn monotonic(&self) -> Duration {
        Duration::ZERO
    }

    fn wall(&self) -> SystemTime {
        UNIX_EPOCH + Duration::from_millis(self.0)
    }

    fn sleep(&self, _: Duration) -> Sleep {
        Box::pin(std::future::pending())
    }
}

fn client(replicas: &[&LocalReplica], memory: Option<&Path>) -> Client {
    let (realm, now_ms) = {
        let world = replicas[0].world.lock().unwrap();
        (world.realm().clone(), world.now_ms)
    };
    let options = ClientOptions {
        realm,
        replicas: replicas.iter().map(|replica| Arc::new((*replica).clone()) as Arc<_>).collect(),
        memory: memory.map(MemoryFile::new),
        clock: Arc::new(FixedClock(now_ms)),
    };
    Client::open(options).unwrap()
}

#[tokio::test]
async fn scenario_13_two_clients_compare_heads_and_find_a_split_view() {
    // A majority runs two histories, and shows each to one client.
    let (one, other) = (LocalReplica::new(world().0), LocalReplica::new(world().0));
    for (replica, name) in [(&one, "node/b/1"), (&other, "node/b/2")] {
        let mut world = replica.world.lock().unwrap();
        let update = world.first(name, 20);
        world.update(&update);
        world.epoch();
    }
    let realm = one.world.lock().unwrap().realm().clone();
    let shown = |replica: LocalReplica| async move {
        client(&[&replica], None).lookup("node/a/1", 0, Quorum::Replicas).await.unwrap()
    };
    let (first, second) = (shown(one.clone()).await, shown(other).await);
    assert_eq!(first.head.epoch, second.head.epoch);
    let request = LookupRequest { name: "a".to_owned(), epoch: 0, quorum: Quorum::Replicas, known_generation: 0 };
    let steps = one.world.lock().unwrap().directory(0).lookup(&request).unwrap().steps;
    let evidence = compare_heads(&realm, &steps, &first.signed, &second.signed).unwrap();
    assert!(matches!(check_evidence(&realm, &evidence).unwrap(), Proven::Equivocation { epoch: 4, .. }));
    assert_eq!(compare_heads(&realm, &steps, &first.signed, &first.signed), None);
    // The next head of one does not follow the last of the other.
    one.world.lock().unwrap().epoch();
    let later = shown(one.clone()).await;
    let evidence = compare_heads(&realm, &steps, &later.signed, &second.signed).unwrap();
    assert!(matches!(check_evidence(&realm, &evidence).unwrap(), Proven::Chain { epoch: 5, .. }));
    assert_eq!(compare_heads(&realm, &steps, &first.signed, &later.signed), None);
    // What was not signed by a majority is no evidence.
    let mut weak = second.signed;
    weak.signatures.retain(|signer, _| *signer == key(1).public());
    assert_eq!(compare_heads(&realm, &steps, &first.signed, &weak), None);
}

#[tokio::test]
async fn scenario_17_a_lookup_older_than_the_clients_memory_is_refused_after_a_restart_too() {
    let directory = tempfile::tempdir().unwrap();
    let file = directory.path().join("memory");
    let (behind, ahead) = (LocalReplica::new(world().0), LocalReplica::new(world().0));
    ahead.world.lock().unwrap().epoch();
    behind.world.lock().unwrap().now_ms += 10_000;
    let ask =
        async |replicas: &[&LocalReplica]| client(replicas, Some(&file)).lookup("node/a/1", 0, Quorum::Replicas).await;
    assert_eq!(ask(&[&behind]).await.unwrap().head.epoch, 3);
    assert_eq!(ask(&[&ahead]).await.unwrap().head.epoch, 4);
    let refused = ask(&[&behind]).await.unwrap_err();
    assert!(matches!(refused, Error::Unverified(Unverified::Older { seen: 4, found: 3 })), "{refused}");
    // Another replica helps.
    assert_eq!(ask(&[&behind, &ahead]).await.unwrap().head.epoch, 4);
    // Another history at the same epoch.
    let mut world = world().0;
    world.update(&world.first("node/b/1", 20));
    world.epoch();
    let refused = ask(&[&LocalReplica::new(world)]).await.unwrap_err();
    assert!(matches!(refused, Error::Unverified(Unverified::Fork { epoch: 4 })), "{refused}");
    // A memory that is damaged, or of another realm, is not taken for none.
    let mut bytes = std::fs::read(&file).unwrap();
    bytes[20] ^= 1;
    std::fs::write(&file, &bytes).unwrap();
    let realm = ahead.world.lock().unwrap().realm().clone();
    assert!(matches!(MemoryFile::new(&file).load(&realm), Err(Error::Corrupt { .. })));
    let stranger = Realm { nonce: [1; 32], ..realm.clone() };
    MemoryFile::new(&file).save(&ClientMemory::new(&stranger)).unwrap();
    assert!(matches!(MemoryFile::new(&file).load(&realm), Err(Error::Invalid { .. })));
}

#[tokio::test]
async fn scenario_24_a_history_is_complete_and_the_owner_sees_what_is_not_his() {
    let mut world = World::new(&[1, 2, 3], &[11]);
    let mut last = world.first("node/a/1", 20);
    world.update(&last);
    world.epoch();
    // Its owner goes on three times, hands over, and the new one goes on.
    for (round, owner, signers) in
        [(1, 20, &[20][..]), (2, 20, &[20]), (3, 20, &[20]), (4, 21, &[20, 21]), (5, 21, &[21])]
    {
        last = next_update(world.realm(), &last, owner, signers, round);
        world.update(&last);
        world.epoch();
    }
    let replica = LocalReplica::new(world);
    let client = client(&[&replica], None);
    let history = client.history("node/a/1", Quorum::Replicas).await.unwrap();
    let versions: Vec<u64> = history.items.iter().map(|item| item.signed.entry.version).collect();
    assert_eq!(versions, [0, 1, 2, 3, 4, 5]);
    // The first owner did all but the last; who has both keys did everything.
    let unexpected = history.unexpected(Some(2), &[key(20).public()]);
    assert_eq!(unexpected.iter().map(|item| item.signed.entry.version).collect::<Vec<_>>(), [5]);
    assert!(history.unexpected(None, &[key(20).public(), key(21).public()]).is_empty());
    assert!(client.history("node/a/2", Quorum::Replicas).await.unwrap().items.is_empty());
    // Left out, changed, cut off, of another name, or doubled: each is found.
    let right = history.items.clone();
    let tampered: Vec<Vec<HistoryItem>> = (0..right.len())
        .flat_map(|at| {
            let mut without = right.clone();
            without.remove(at);
            let mut changed = right.clone();
            changed[at].profile = support::profile(99);
            let mut unsigned = right.clone();
            unsigned[at].signed.signatures.clear();
            // After what the name has now nothing is read, so that the last is doubled before itself.
            let mut doubled = right.clone();
            doubled.insert(at, right[at.min(right.len() - 2)].clone());
            [without, changed, unsigned, doubled, right[..at].to_vec()]
        })
        .collect();
    for items in tampered {
        *replica.history.lock().unwrap() = Some(HistoryPage { items: items.clone() });
        let refused = client.history("node/a/1", Quorum::Replicas).await;
        assert!(matches!(refused, Err(Error::Unverified(Unverified::History { .. }))), "{items:?}");
    }
}
