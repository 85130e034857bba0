//! A replica without a network: what it does with log entries, and what it answers.

use std::collections::BTreeMap;
use std::path::Path;
use std::sync::{Arc, LazyLock};

use bytes::Bytes;
use plastron_keyserver::kv::FjallDatabase;
use plastron_keyserver::log::Committed;
use plastron_keyserver::machine::{Directory, Machine, MachineOptions};
use plastron_keyserver::proto::*;
use plastron_keyserver::vrf::VrfSecret;
use plastron_keyserver::{AuthorizationPolicy, Digest, SigningKey, Verified, verify_lookup};

use crate::Failure;

/// When the realm was made, in milliseconds since 1970.
const CREATED_MS: u64 = 1_800_000_000_000;

pub(crate) fn key(number: u8) -> SigningKey {
    // Made once: there are names enough to sign for without it.
    static KEYS: LazyLock<[SigningKey; 256]> = LazyLock::new(|| {
        std::array::from_fn(|number| SigningKey::from_bytes(&[u8::try_from(number).unwrap_or_default(); 32]))
    });
    KEYS[usize::from(number)].clone()
}

pub(crate) const OPERATOR: u8 = 30;
pub(crate) const OWNER: u8 = 20;

/// A realm of that many replicas, from key 1 on.
pub(crate) fn realm(replicas: u8, secret: &VrfSecret, created_ms: u64) -> Result<Realm, Failure> {
    let keys = (1..=replicas).map(|number| key(number).public()).collect();
    Ok(Realm {
        name: "bench".to_owned(),
        nonce: [42; 32],
        index_key: secret.public(),
        created_ms,
        shortest_epoch_ms: 1,
        lifetime_ms: 366 * 24 * 3_600 * 1_000,
        policy: RealmPolicy {
            generation: 0,
            replicas: AuthorizationPolicy::majority(keys)?,
            verifiers: None,
            operators: AuthorizationPolicy::threshold(1, vec![key(OPERATOR).public()])?,
        },
    })
}

/// The first entry of a name, as its owner and an operator sign it.
pub(crate) fn first_update(realm: &Realm, index: Digest, name: &str) -> Result<Update, Failure> {
    let id = realm.id();
    let profile = Profile::new(&[7; 32], BTreeMap::from([("hpke".to_owned(), Bytes::from(vec![9; 32]))]))?;
    let policy = AuthorizationPolicy::threshold(1, vec![key(OWNER).public()])?;
    let entry = Entry { index, version: 0, policy, commitment: profile.commitment(), previous: Digest::NONE };
    let admission = [(key(OPERATOR).public(), entry.admit(&id, &key(OPERATOR)))].into();
    let signed = SignedEntry { admission, ..entry.signed(&id, [&key(OWNER)]) };
    Ok(Update { name: name.to_owned(), signed, profile })
}

pub(crate) struct Ours {
    machine: Machine,
    pub(crate) realm: Realm,
    secret: VrfSecret,
    index: u64,
    now_ms: u64,
}

impl Ours {
    pub(crate) fn open(directory: &Path, cache_bytes: u64) -> Result<Self, Failure> {
        let secret = VrfSecret::from_random(&[5; 64])?;
        let realm = realm(1, &secret, CREATED_MS)?;
        let same = VrfSecret::from_bytes(&secret.to_bytes())?;
        let options = MachineOptions { realm: realm.clone(), secret: same, retained_epochs: 100, cache_bytes };
        let database = FjallDatabase::open(directory, cache_bytes)?;
        let machine = Machine::open(Arc::new(options), Arc::new(database.kv("state")?))?;
        Ok(Self { machine, realm, secret, index: 0, now_ms: CREATED_MS })
    }

    /// What clients do: not counted.
    pub(crate) fn entries(&self, names: &[String]) -> Result<Vec<Bytes>, Failure> {
        let entry = |(name, index): (&String, Digest)| {
            let update = first_update(&self.realm, index, name)?;
            Ok(LogEntry::Update(Box::new(update)).to_bytes().into())
        };
        let indices = self.secret.indices(names.iter().map(String::as_str));
        names.iter().zip(indices).map(entry).collect()
    }

    fn stage(&mut self, entry: Bytes) -> Result<(), Failure> {
        self.index += 1;
        let outcome = self.machine.step(&Committed { index: self.index, entry })?;
        if let Err(refusal) = &outcome.result {
            return Err(refusal.to_string().into());
        }
        self.machine.stage(outcome);
        Ok(())
    }

    /// The batch, its delimiter and the replica's signature, in portions as the runner takes them; each portion is synced.
    pub(crate) fn publish(&mut self, entries: Vec<Bytes>) -> Result<(), Failure> {
        for portion in entries.chunks(256) {
            let committed =
                portion.iter().zip(self.index + 1..).map(|(entry, index)| Committed { index, entry: entry.clone() });
            let committed: Vec<Committed> = committed.collect();
            self.index += committed.len() as u64;
            if let Some(Err(refusal)) = self.machine.stage_all(&committed)?.into_iter().find(Result::is_err) {
                return Err(refusal.to_string().into());
            }
            if portion.len() == 256 {
                self.machine.flush()?;
            }
        }
        self.now_ms += 1_000;
        let epoch = self.machine.state().delimited + 1;
        self.stage(LogEntry::Delimiter { epoch, issued_ms: self.now_ms }.to_bytes().into())?;
        self.machine.flush()?;
        let head = self.directory().epoch(epoch)?.ok_or("no head")?.signed.head;
        let signature = LogEntry::HeadSignature { epoch, key: key(1).public(), signature: head.sign(&key(1)) };
        self.stage(signature.to_bytes().into())?;
        self.machine.flush()?;
        Ok(())
    }

    pub(crate) fn directory(&self) -> Directory {
        Directory::of(&self.machine)
    }

    pub(crate) fn request(name: &str) -> LookupRequest {
        LookupRequest { name: name.to_owned(), epoch: 0, quorum: Quorum::Replicas, known_generation: 0 }
    }

    /// An answer as it goes over the network.
    pub(crate) fn prove(&self, name: &str) -> Result<Vec<u8>, Failure> {
        Ok(self.directory().lookup(&Self::request(name))?.to_bounded_bytes()?)
    }

    pub(crate) fn verify(&self, name: &str, answer: &[u8]) -> Result<Verified, Failure> {
        let answer = LookupAnswer::from_bytes(answer)?;
        let memory = ClientMemory::new(&self.realm);
        Ok(verify_lookup(&self.realm, &memory, &Self::request(name), &answer, self.now_ms)?)
    }
}
