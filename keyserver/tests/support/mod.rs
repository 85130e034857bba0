//! A realm with three replicas, two verifiers and an operator, whose keys the tests have.
#![allow(dead_code, unreachable_pub, reason = "each test uses some of it")]

pub mod authority;
pub mod hurry;
pub mod local;
#[cfg(feature = "http")]
pub mod reaching;
pub mod replica;
#[cfg(feature = "key-module")]
pub mod site;
pub mod world;

use std::collections::BTreeMap;
use std::sync::Arc;

use bytes::Bytes;
use plastron_keyserver::merkle::{Page, PageId, PageSource, Tree, TreeHasher};
use plastron_keyserver::proto::*;
use plastron_keyserver::vrf::VrfSecret;
use plastron_keyserver::{AuthorizationPolicy, Digest, Error, Result, Signatures, SigningKey};

/// The key number `number`: replicas are 1 to 3, verifiers 11 and 12, owners from 20 on, the operator 30.
pub fn key(number: u8) -> SigningKey {
    SigningKey::from_bytes(&[number; 32])
}

pub fn publics(numbers: &[u8]) -> Vec<plastron_keyserver::PublicKey> {
    numbers.iter().map(|number| key(*number).public()).collect()
}

pub fn majority(numbers: &[u8]) -> AuthorizationPolicy {
    AuthorizationPolicy::majority(publics(numbers)).unwrap()
}

/// Pages in memory.
#[derive(Debug, Default)]
pub struct Pages(pub BTreeMap<PageId, Arc<Page>>);

impl PageSource for Pages {
    fn page(&self, id: PageId) -> Result<Arc<Page>> {
        self.0.get(&id).cloned().ok_or(Error::NotFound { what: "page", why: id.to_string() })
    }
}

pub fn realm_of(replicas: &[u8], verifiers: &[u8], secret: &VrfSecret) -> Realm {
    Realm {
        name: "test".to_owned(),
        nonce: [42; 32],
        index_key: secret.public(),
        created_ms: 1_799_999_000_000,
        shortest_epoch_ms: 1_000,
        lifetime_ms: 3_600_000,
        policy: RealmPolicy {
            generation: 0,
            replicas: majority(replicas),
            verifiers: (!verifiers.is_empty()).then(|| AuthorizationPolicy::threshold(1, publics(verifiers)).unwrap()),
            operators: majority(&[30]),
        },
    }
}

/// A directory without a server.
pub struct Book {
    pub secret: VrfSecret,
    pub realm: Realm,
}

impl Book {
    pub fn new() -> Self {
        let secret = VrfSecret::from_random(&[5; 64]).unwrap();
        Self { realm: realm_of(&[1, 2, 3], &[11, 12], &secret), secret }
    }

    /// The first entry of `name`, owned by key 20, with a profile that `salt` tells from others.
    pub fn update(&self, name: &str, salt: u8) -> Update {
        first_update(&self.realm, &self.secret, name, 20, salt)
    }

    /// The head of epoch 1 with these updates in, signed by all, and the answer for `name`.
    pub fn answer(&self, name: &str, updates: &[Update]) -> (SignedHead, LookupAnswer) {
        let id = self.realm.id();
        let hasher = TreeHasher::new(&id);
        let mut pages = Pages::default();
        let leaves: BTreeMap<Digest, Digest> =
            updates.iter().map(|update| (update.signed.entry.index, update.signed.entry.hash(&id))).collect();
        let empty = Tree::<Pages>::empty(&hasher);
        let change = Tree::new(&hasher, &pages).apply(&empty, &leaves, 1).unwrap();
        pages.0.extend(change.written.into_iter().map(|(id, page)| (id, Arc::new(page))));
        let policy = self.realm.policy.digest();
        let head = EpochHead {
            realm: id,
            epoch: 1,
            root: change.root.hash,
            issued_ms: 1_800_000_000_000,
            previous: Digest::NONE,
            policy,
            next_policy: policy,
        };
        let head = sign_head(head, &[1, 2, 3, 11, 12]);
        let (index, proof) = self.secret.prove(name);
        let found = updates.iter().find(|update| update.name == name);
        let answer = LookupAnswer {
            index: proof,
            steps: Vec::new(),
            head: head.clone(),
            tree: Tree::new(&hasher, &pages).prove(&change.root, &index).unwrap(),
            found: found.map(|update| (update.signed.entry.clone(), update.profile.clone())),
        };
        (head, answer)
    }
}

pub fn sign_head(head: EpochHead, keys: &[u8]) -> SignedHead {
    let signatures: Signatures = keys.iter().map(|number| (key(*number).public(), head.sign(&key(*number)))).collect();
    SignedHead { head, signatures }
}

pub fn profile(salt: u8) -> Profile {
    let keys = BTreeMap::from([("hpke".to_owned(), Bytes::from(vec![salt; 32]))]);
    Profile::new(&[salt ^ 0x55; 32], keys).unwrap()
}

/// The first entry of `name`, owned by `owner`.
pub fn first_update(realm: &Realm, secret: &VrfSecret, name: &str, owner: u8, salt: u8) -> Update {
    let profile = profile(salt);
    let entry = Entry {
        index: secret.prove(name).0,
        version: 0,
        policy: majority(&[owner]),
        commitment: profile.commitment(),
        previous: Digest::NONE,
    };
    let admission = [(key(30).public(), entry.admit(&realm.id(), &key(30)))].into();
    let signed = SignedEntry { admission, ..entry.signed(&realm.id(), [&key(owner)]) };
    Update { name: name.to_owned(), signed, profile }
}

/// The entry that follows `before`, signed by `signers`, to be owned by `owner`.
pub fn next_update(realm: &Realm, before: &Update, owner: u8, signers: &[u8], salt: u8) -> Update {
    let profile = profile(salt);
    let last = &before.signed.entry;
    let entry = Entry {
        version: last.version + 1,
        policy: majority(&[owner]),
        commitment: profile.commitment(),
        previous: last.hash(&realm.id()),
        ..last.clone()
    };
    let keys: Vec<SigningKey> = signers.iter().map(|number| key(*number)).collect();
    Update { name: before.name.clone(), signed: entry.signed(&realm.id(), &keys), profile }
}
