//! Running replicas, in virtual time.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::indexing_slicing, clippy::panic, reason = "a test")]

mod support;

use std::sync::{Arc, Mutex};
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use async_trait::async_trait;
use bytes::Bytes;
use plastron_keyserver::epoch::EpochIntervals;
use plastron_keyserver::kv::{Change, MemoryKv, Trace, TraceEvent, TraceKv};
use plastron_keyserver::log::{Committed, ReplicatedLog};
use plastron_keyserver::machine::{Machine, MachineOptions};
use plastron_keyserver::proposer::ProposerOptions;
use plastron_keyserver::proto::*;
use plastron_keyserver::runner::{Runner, RunnerOptions};
use plastron_keyserver::vrf::VrfSecret;
use plastron_keyserver::{Error, ErrorKind, Refusal, Result, Signature};
use plastron_sources::clock::{Clock, Sleep};
use support::{first_update, key, next_update, realm_of};
use tokio::sync::watch;

/// The runtime's own time, which runs when nothing else does.
#[derive(Debug)]
struct VirtualClock(tokio::time::Instant);

impl VirtualClock {
    fn new() -> Arc<Self> {
        #[allow(clippy::disallowed_methods, reason = "the paused clock of the test's runtime")]
        Arc::new(Self(tokio::time::Instant::now()))
    }
}

impl Clock for VirtualClock {
    fn monotonic(&self) -> Duration {
        self.0.elapsed()
    }

    fn wall(&self) -> SystemTime {
        UNIX_EPOCH + Duration::from_millis(1_800_000_000_000) + self.monotonic()
    }

    #[allow(clippy::disallowed_methods, reason = "the paused clock of the test's runtime")]
    fn sleep(&self, duration: Duration) -> Sleep {
        Box::pin(tokio::time::sleep(duration))
    }
}

/// A log in memory, which notes proposals, and loses some of them if it is told to.
#[derive(Debug, Clone)]
struct TestLog {
    entries: Arc<Mutex<Vec<Bytes>>>,
    length: Arc<watch::Sender<usize>>,
    trace: Trace,
    lose: Arc<Mutex<u32>>,
}

impl TestLog {
    fn new(trace: Trace) -> Self {
        Self { entries: Arc::default(), length: Arc::new(watch::Sender::new(0)), trace, lose: Arc::default() }
    }

    fn entries(&self) -> Vec<LogEntry> {
        self.entries.lock().unwrap().iter().map(|entry| LogEntry::from_bytes(entry).unwrap()).collect()
    }
}

#[async_trait]
impl ReplicatedLog for TestLog {
    async fn propose(&self, entry: Bytes) -> Result<()> {
        if let Ok(LogEntry::HeadSignature { epoch, .. }) = LogEntry::from_bytes(&entry) {
            self.trace.note(format!("signed {epoch}"));
        }
        let lost = {
            let mut lose = self.lose.lock().unwrap();
            let lost = *lose > 0;
            *lose = lose.saturating_sub(1);
            lost
        };
        if lost {
            return Err(Error::Log { operation: "appending", why: "lost".to_owned() });
        }
        self.entries.lock().unwrap().push(entry);
        self.length.send_modify(|length| *length += 1);
        Ok(())
    }

    async fn wait_committed(&self, after: u64, most: usize) -> Result<Vec<Committed>> {
        self.length.subscribe().wait_for(|length| *length as u64 > after).await.unwrap();
        let entries = self.entries.lock().unwrap();
        let rest = entries.iter().enumerate().skip(after as usize).take(most);
        Ok(rest.map(|(at, entry)| Committed { index: at as u64 + 1, entry: entry.clone() }).collect())
    }

    fn leads(&self) -> bool {
        true
    }

    async fn truncate(&self, _: u64) -> Result<()> {
        Ok(())
    }
}

const INTERVALS: EpochIntervals = EpochIntervals { min_ms: 1_000, max_ms: 60_000, retry_ms: 5_000 };

struct Realm3 {
    options: Arc<MachineOptions>,
    clock: Arc<VirtualClock>,
    log: TestLog,
    trace: Trace,
}

impl Realm3 {
    fn new(replicas: &[u8]) -> Self {
        let secret = VrfSecret::from_random(&[5; 64]).unwrap();
        let realm = realm_of(replicas, &[11], &secret);
        let options = Arc::new(MachineOptions { realm, secret, retained_epochs: 100, cache_bytes: 1 << 20 });
        let trace = Trace::default();
        Self { options, clock: VirtualClock::new(), log: TestLog::new(trace.clone()), trace }
    }

    fn start(&self, number: u8, kv: &MemoryKv) -> Runner {
        let kv = TraceKv::new(kv.clone(), self.trace.clone());
        let machine = Machine::open(Arc::clone(&self.options), Arc::new(kv)).unwrap();
        let options = RunnerOptions {
            key: Some(key(number)),
            intervals: INTERVALS,
            proposer: ProposerOptions::default(),
            clock: Arc::clone(&self.clock) as Arc<dyn Clock>,
            alone: false,
            trace: Some(self.trace.clone()),
        };
        Runner::start(machine, Arc::new(self.log.clone()), options)
    }

    fn first(&self, name: &str) -> Update {
        first_update(&self.options.realm, &self.options.secret, name, 20, 0)
    }
}

const DEADLINE: Duration = Duration::from_secs(600);

#[tokio::test(start_paused = true)]
async fn scenario_04_every_effect_comes_after_its_batch() {
    let realm = Realm3::new(&[1]);
    let runner = realm.start(1, &MemoryKv::new());
    let mut last = realm.first("node/a/1");
    for round in 1..10_u8 {
        runner.update(last.clone(), DEADLINE).await.unwrap();
        let refused = runner.update(realm.first(&format!("node/b/{round}")), DEADLINE).await;
        refused.unwrap();
        last = next_update(&realm.options.realm, &last, 20, &[20], round);
    }
    runner.stop().await;
    let mut written = std::collections::BTreeMap::new();
    let (mut signed, mut answered, mut ratified) = (0, 0, 0);
    for event in realm.trace.events() {
        let what = match event {
            TraceEvent::Written(changes) => {
                written.extend(changes.into_iter().filter_map(|change| match change {
                    Change::Put(key, value) => Some((key, value)),
                    Change::Remove(_) => None,
                }));
                continue;
            }
            TraceEvent::Happened(what) => what,
        };
        let record = |epoch: u64| {
            let value = written.get(&[&[5][..], &epoch.to_be_bytes()].concat()[..]).unwrap_or_else(|| panic!("{what}"));
            plastron_keyserver::machine::EpochRecord::from_bytes(&value[..value.len() - 4]).unwrap()
        };
        let number =
            |text: &str| text.trim_end_matches([')', ' ', '}']).rsplit([' ', '(']).next().unwrap().parse().unwrap();
        if what.starts_with("signed ") || what.starts_with("propose a signature") {
            // What is signed in public is on disk before.
            assert_eq!(record(number(&what)).signed.head.epoch, number(&what));
            signed += 1;
        } else if what.starts_with("Ratified") {
            assert!(record(number(&what)).signed.meets(&realm.options.realm.policy.replicas));
            ratified += 1;
        } else if let Some(rest) = what.strip_prefix("Answer { entry: ") {
            let hash = &rest[..64];
            let there = written.iter().any(|(key, value)| {
                key[0] == 2 && {
                    let entry = SignedEntry::from_bytes(&value[..value.len() - 4]).unwrap();
                    entry.entry.hash(&realm.options.realm.id()).to_string() == hash
                }
            });
            assert!(there, "{what}");
            answered += 1;
        }
    }
    assert!(signed >= 20 && answered >= 18 && ratified >= 10, "{signed}, {answered}, {ratified}");
}

#[tokio::test(start_paused = true)]
async fn scenario_22_an_idle_realm_emits_epochs_and_bursts_share_one() {
    let realm = Realm3::new(&[1, 2, 3]);
    let runners: Vec<Runner> = (1..=3).map(|number| realm.start(number, &MemoryKv::new())).collect();
    realm.clock.sleep(Duration::from_secs(601)).await;
    let idle = runners[0].state().borrow().clone();
    // The first at once, and then one a minute; a signature or two of delay move none of them into another minute.
    assert!((10..=11).contains(&idle.ratified), "{}", idle.ratified);
    // Two hundred at once.
    let updates: Vec<_> = (0..200).map(|number| realm.first(&format!("node/{number}"))).collect();
    let done = futures::future::join_all(
        updates.into_iter().enumerate().map(|(at, update)| runners[at % 3].update(update, DEADLINE)),
    );
    let epochs: std::collections::BTreeSet<u64> = done.await.into_iter().map(Result::unwrap).collect();
    assert!(epochs.len() <= 3, "{epochs:?}");
    assert!(*epochs.first().unwrap() > idle.ratified);
    for runner in &runners {
        let mut state = runner.state();
        state.wait_for(|state| state.ratified >= *epochs.last().unwrap()).await.unwrap();
    }
    let heads: Vec<_> =
        runners.iter().map(|runner| runner.directory().status().unwrap().1.unwrap().signed.head).collect();
    assert!(heads.windows(2).all(|pair| pair[0] == pair[1]));
    for runner in runners {
        runner.stop().await;
    }
}

#[tokio::test(start_paused = true)]
async fn a_replica_is_answered_through_losses_restarts_and_refusals() {
    let realm = Realm3::new(&[1, 2, 3]);
    let disks: Vec<MemoryKv> = (0..3).map(|_| MemoryKv::new()).collect();
    let mut runners: Vec<Runner> = (1..=3).map(|number| realm.start(number, &disks[number as usize - 1])).collect();
    *realm.log.lose.lock().unwrap() = 7;
    let first = realm.first("node/a/1");
    let epoch = runners[0].update(first.clone(), DEADLINE).await.unwrap();
    assert_eq!(*realm.log.lose.lock().unwrap(), 0);
    // Asked again, the answer is the same.
    assert_eq!(runners[1].update(first.clone(), DEADLINE).await.unwrap(), epoch);
    let stolen = next_update(&realm.options.realm, &first, 21, &[21], 1);
    let refused = runners[1].update(stolen, DEADLINE).await.unwrap_err();
    assert!(matches!(refused, Error::Refused(Refusal::OldPolicy)), "{refused}");
    // One replica dies; the others go on. A second dies; nothing is ratified, and whoever waits is told in time.
    runners.pop().unwrap().stop().await;
    let second = next_update(&realm.options.realm, &first, 20, &[20], 1);
    runners[0].update(second.clone(), DEADLINE).await.unwrap();
    runners.pop().unwrap().stop().await;
    let third = next_update(&realm.options.realm, &second, 20, &[20], 2);
    let late = runners[0].update(third.clone(), Duration::from_secs(60)).await.unwrap_err();
    assert!(matches!(late, Error::Timeout { seconds: 60, .. }), "{late}");
    // It comes back, signs what it owes, and the update is in.
    runners.push(realm.start(2, &disks[1]));
    let epoch = runners[1].update(third.clone(), DEADLINE).await.unwrap();
    runners[0].state().wait_for(|state| state.ratified >= epoch).await.unwrap();
    assert_eq!(runners[0].directory().history("node/a/1", 0, 10).unwrap().len(), 3);
    // A verifier's signature: a forged one is turned away at the door, a right one is in every replica.
    let head = runners[0].directory().epoch(epoch).unwrap().unwrap().signed.head;
    let by = key(11);
    let forged = runners[0].ratify(epoch, by.public(), Signature([1; 64]), DEADLINE).await.unwrap_err();
    assert_eq!(forged.kind(), ErrorKind::Unauthorized);
    let stranger = runners[0].ratify(epoch, key(77).public(), head.sign(&key(77)), DEADLINE).await.unwrap_err();
    assert!(matches!(stranger, Error::Refused(Refusal::Signer { .. })));
    assert_eq!(
        runners[0].ratify(epoch + 9, by.public(), head.sign(&by), DEADLINE).await.unwrap_err().kind(),
        ErrorKind::NotFound
    );
    runners[0].ratify(epoch, by.public(), head.sign(&by), DEADLINE).await.unwrap();
    let request = LookupRequest { name: "node/a/1".to_owned(), epoch, quorum: Quorum::Verifiers, known_generation: 0 };
    assert!(runners[0].directory().lookup(&request).unwrap().found.is_some());
    let policy = RealmPolicy { generation: 1, ..realm.options.realm.policy.clone() };
    let change = PolicyChange::signed(policy, &realm.options.realm.id(), [&key(30)]);
    runners[0].change_policy(change, DEADLINE).await.unwrap();
    assert!(realm.log.entries().iter().any(|entry| matches!(entry, LogEntry::PolicyChange(_))));
    assert_eq!(runners[0].failure(), None);
}
