//! Replicas around one log, stepped by hand: what is applied, lost, doubled and killed when, is the test's to say.

use std::sync::Arc;

use bytes::Bytes;
use plastron_keyserver::kv::{Kv, MemoryKv};
use plastron_keyserver::log::Committed;
use plastron_keyserver::machine::{Accepted, Directory, Effect, Machine, MachineOptions, Tables};
use plastron_keyserver::proto::*;
use plastron_keyserver::vrf::VrfSecret;
use plastron_keyserver::{AuthorizationPolicy, Refusal, verify_lookup};

use super::{key, realm_of};

/// Where a replica dies while it applies an entry.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Crash {
    BeforeBatch,
    BeforeEffects,
}

pub struct Replica {
    pub number: u8,
    pub kv: MemoryKv,
    /// None while it is down.
    pub machine: Option<Machine>,
}

pub struct World {
    pub options: Arc<MachineOptions>,
    pub log: Vec<Bytes>,
    pub replicas: Vec<Replica>,
    pub now_ms: u64,
}

impl World {
    pub fn new(replicas: &[u8], verifiers: &[u8]) -> Self {
        Self::retaining(replicas, verifiers, 1_000)
    }

    pub fn retaining(replicas: &[u8], verifiers: &[u8], retained_epochs: u64) -> Self {
        Self::of(replicas, verifiers, retained_epochs, |_, _| {})
    }

    /// With another realm than usual.
    pub fn of(
        replicas: &[u8],
        verifiers: &[u8],
        retained_epochs: u64,
        change: impl FnOnce(&mut Realm, &VrfSecret),
    ) -> Self {
        let secret = VrfSecret::from_random(&[5; 64]).unwrap();
        let mut realm = realm_of(replicas, verifiers, &secret);
        change(&mut realm, &secret);
        let now_ms = realm.created_ms;
        let options = Arc::new(MachineOptions { realm, secret, retained_epochs, cache_bytes: 1 << 20 });
        let replica = |number: &u8| Replica { number: *number, kv: MemoryKv::new(), machine: None };
        let mut world = Self { options, log: Vec::new(), replicas: replicas.iter().map(replica).collect(), now_ms };
        (0..replicas.len()).for_each(|at| world.start(at));
        world
    }

    /// Three replicas and a verifier, with a realm in whose operators' policy the registrar is.
    pub fn that_admits() -> Self {
        Self::of(&[1, 2, 3], &[11], 100, |realm, secret| {
            let keys = vec![key(30).public(), secret.registrar().public()];
            realm.policy.operators = AuthorizationPolicy::threshold(1, keys).unwrap();
        })
    }

    pub fn realm(&self) -> &Realm {
        &self.options.realm
    }

    pub fn propose(&mut self, entry: &LogEntry) {
        self.log.push(entry.to_bytes().into());
    }

    pub fn update(&mut self, update: &Update) {
        self.propose(&LogEntry::Update(Box::new(update.clone())));
    }

    pub fn first(&self, name: &str, owner: u8) -> Update {
        super::first_update(self.realm(), &self.options.secret, name, owner, 0)
    }

    /// The first entry of a name, which no operator has admitted.
    pub fn without_admission(&self, name: &str, owner: u8) -> Update {
        let mut update = self.first(name, owner);
        update.signed.admission.clear();
        update
    }

    /// What becomes of this entry alone, at all replicas.
    pub fn one(&mut self, entry: &LogEntry) -> Result<Accepted, Refusal> {
        self.propose(entry);
        let mut results = self.settle();
        assert_eq!(results.len(), 1);
        let databases: Vec<_> = self.replicas.iter().map(|replica| replica.kv.contents()).collect();
        assert!(databases.windows(2).all(|pair| pair[0] == pair[1]), "all replicas find the same");
        results.remove(0)
    }

    /// Opens a replica on what it has on disk; it proposes the signature that it owes.
    pub fn start(&mut self, at: usize) {
        let kv: Arc<dyn Kv> = Arc::new(self.replicas[at].kv.clone());
        self.replicas[at].machine = Some(Machine::open(Arc::clone(&self.options), kv).unwrap());
        self.owe(at);
    }

    pub fn machine(&self, at: usize) -> &Machine {
        self.replicas[at].machine.as_ref().unwrap()
    }

    fn owe(&mut self, at: usize) {
        let (state, kv) = (self.machine(at).state().clone(), self.replicas[at].kv.clone());
        if state.delimited > state.ratified {
            let record = Tables::new(&kv).epoch(state.delimited).unwrap().unwrap();
            let key = key(self.replicas[at].number);
            if !record.signed.signatures.contains_key(&key.public()) {
                self.sign(at, &record.signed.head);
            }
        }
    }

    pub fn sign(&mut self, at: usize, head: &EpochHead) {
        let key = key(self.replicas[at].number);
        let signature = head.sign(&key);
        self.propose(&LogEntry::HeadSignature { epoch: head.epoch, key: key.public(), signature });
    }

    /// Applies the next entry at a replica; gives what it did, and None if the replica is down or has nothing to apply.
    pub fn apply(&mut self, at: usize, crash: Option<Crash>) -> Option<Result<Accepted, Refusal>> {
        let machine = self.replicas[at].machine.as_mut()?;
        let index = machine.state().applied + 1;
        let entry = self.log.get(index as usize - 1)?.clone();
        let outcome = machine.step(&Committed { index, entry }).unwrap();
        if crash == Some(Crash::BeforeBatch) {
            self.replicas[at].machine = None;
            return None;
        }
        let result = outcome.result.clone();
        let effects = machine.commit(outcome).unwrap();
        if crash == Some(Crash::BeforeEffects) {
            self.replicas[at].machine = None;
            return None;
        }
        for effect in effects {
            if let Effect::Sign(head) = effect {
                self.sign(at, &head);
            }
        }
        Some(result)
    }

    /// Applies all there is at all that are up, and gives what the first of them made of it.
    pub fn settle(&mut self) -> Vec<Result<Accepted, Refusal>> {
        let mut results = Vec::new();
        loop {
            let mut quiet = true;
            for at in 0..self.replicas.len() {
                while let Some(result) = self.apply(at, None) {
                    quiet = false;
                    if at == 0 {
                        results.push(result);
                    }
                }
            }
            if quiet {
                return results;
            }
        }
    }

    pub fn delimit(&mut self) {
        self.now_ms += 10_000;
        let states = self.replicas.iter().filter_map(|replica| Tables::new(&replica.kv).state().unwrap());
        let epoch = states.map(|state| state.delimited).max().unwrap_or(0) + 1;
        self.propose(&LogEntry::Delimiter { epoch, issued_ms: self.now_ms });
    }

    /// An epoch with all that was proposed.
    pub fn epoch(&mut self) -> Vec<Result<Accepted, Refusal>> {
        let mut results = self.settle();
        self.delimit();
        results.extend(self.settle());
        results
    }

    pub fn ratify(&mut self, epoch: u64, verifier: u8) {
        let head = self.record(0, epoch).signed.head;
        let signature = head.sign(&key(verifier));
        self.propose(&LogEntry::HeadSignature { epoch, key: key(verifier).public(), signature });
    }

    pub fn record(&self, at: usize, epoch: u64) -> plastron_keyserver::machine::EpochRecord {
        Tables::new(&self.replicas[at].kv).epoch(epoch).unwrap().unwrap()
    }

    pub fn directory(&self, at: usize) -> Directory {
        Directory::of(self.machine(at))
    }

    /// Looks up and checks, as a client that knows nothing but the realm.
    pub fn look_up(
        &self,
        at: usize,
        name: &str,
        quorum: Quorum,
    ) -> plastron_keyserver::Result<plastron_keyserver::Verified> {
        let request = LookupRequest { name: name.to_owned(), epoch: 0, quorum, known_generation: 0 };
        let answer = self.directory(at).lookup(&request)?;
        let answer = LookupAnswer::from_bytes(&answer.to_bounded_bytes()?)?;
        Ok(verify_lookup(self.realm(), &ClientMemory::new(self.realm()), &request, &answer, self.now_ms)?)
    }
}

/// Random numbers from a seed.
pub struct Dice(pub u64);

impl Dice {
    pub fn roll(&mut self, sides: u64) -> u64 {
        // splitmix64
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        (z ^ (z >> 31)) % sides
    }
}
