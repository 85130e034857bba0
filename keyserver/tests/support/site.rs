//! Nodes of a cluster that use the key module, over a [`World`] whose replicas fail and lie as the test wants.

use std::path::PathBuf;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex};
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use async_trait::async_trait;
use plastron_config::Config;
use plastron_keys::{
    Binding, BlobAnswer, Completion, DataKey, Fault, KeyClock, KeyEnvironment, KeyModule, KeyRandom, SecretKey,
    WrappedKey,
};
use plastron_keyserver::key_module::*;
use plastron_keyserver::proto::*;
use plastron_keyserver::transport::Transport;
use plastron_keyserver::{Digest, Error, Result};

use super::local::LocalReplica;
use super::world::World;
use super::{key, majority};

pub const CLUSTER: &str = "db";
pub const HERE: Binding = Binding::segment([7; 16], 3, 42);

type Lie = Box<dyn Fn(&LookupRequest, LookupAnswer) -> LookupAnswer + Send>;

/// A replica that can be down, and lie.
#[derive(Clone)]
pub struct Replica {
    pub inner: LocalReplica,
    pub down: Arc<AtomicBool>,
    pub lie: Arc<Mutex<Option<Lie>>>,
}

impl std::fmt::Debug for Replica {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Replica")
    }
}

impl Replica {
    pub fn new(inner: &LocalReplica) -> Self {
        Self { inner: inner.clone(), down: Arc::default(), lie: Arc::default() }
    }

    pub fn lies(&self, lie: impl Fn(&LookupRequest, LookupAnswer) -> LookupAnswer + Send + 'static) {
        *self.lie.lock().unwrap() = Some(Box::new(lie));
    }

    fn call(&self) -> Result<()> {
        if self.down.load(Ordering::SeqCst) {
            return Err(Error::Request { operation: "call", address: "test".to_owned(), why: "refused".to_owned() });
        }
        Ok(())
    }
}

#[async_trait]
impl Transport for Replica {
    async fn lookup(&self, request: &LookupRequest) -> Result<LookupAnswer> {
        self.call()?;
        let answer = self.inner.lookup(request).await?;
        Ok(match &*self.lie.lock().unwrap() {
            Some(lie) => lie(request, answer),
            None => answer,
        })
    }

    async fn update(&self, update: &Update) -> Result<u64> {
        self.inner.update(update).await
    }

    async fn register(&self, registration: &Registration) -> Result<u64> {
        self.inner.register(registration).await
    }

    async fn register_certified(&self, registration: &CertifiedRegistration) -> Result<u64> {
        self.inner.register_certified(registration).await
    }

    async fn ratify(&self, signature: &LogEntry) -> Result<()> {
        self.inner.ratify(signature).await
    }

    async fn change_policy(&self, change: &PolicyChange) -> Result<()> {
        self.inner.change_policy(change).await
    }

    async fn stream(&self, from: StreamPosition) -> Result<StreamPage> {
        self.inner.stream(from).await
    }

    async fn history(&self, name: &str, from: u64) -> Result<HistoryPage> {
        self.inner.history(name, from).await
    }
}

/// Milliseconds since 1970, set by hand.
#[derive(Debug, Default)]
pub struct HandClock(pub AtomicU64);

impl KeyClock for HandClock {
    fn wall(&self) -> SystemTime {
        UNIX_EPOCH + Duration::from_millis(self.0.load(Ordering::SeqCst))
    }

    fn pause(&self, duration: Duration) {
        #[allow(clippy::disallowed_methods, reason = "another thread holds a lock")]
        std::thread::sleep(duration);
    }
}

/// Bytes 0, 1, 2, …: for files that must come out the same.
#[derive(Debug, Default)]
pub struct CountingRandom(AtomicU64);

impl KeyRandom for CountingRandom {
    fn fill(&self, bytes: &mut [u8]) -> Result<(), Fault> {
        bytes.iter_mut().for_each(|byte| *byte = self.0.fetch_add(1, Ordering::SeqCst) as u8);
        Ok(())
    }
}

pub struct Site {
    pub folder: tempfile::TempDir,
    pub local: LocalReplica,
    pub replica: Replica,
    pub clock: Arc<HandClock>,
    pub environment: KeyEnvironment,
    salt: u8,
}

impl Site {
    pub fn new() -> Self {
        let local = LocalReplica::new(World::new(&[1, 2, 3], &[11, 12]));
        let folder = tempfile::tempdir().unwrap();
        std::fs::write(folder.path().join("realm"), local.world.lock().unwrap().realm().to_bytes()).unwrap();
        let clock = Arc::new(HandClock::default());
        let mut environment = KeyEnvironment::default();
        environment.clock = clock.clone();
        let replica = Replica::new(&local);
        Self { folder, local, replica, clock, environment, salt: 0 }
    }

    /// With these nodes registered and listed.
    pub fn with(ids: &[&str]) -> Self {
        let mut site = Self::new();
        ids.iter().for_each(|id| site.register(id, &Self::key(id)));
        site.list(ids);
        site.epoch();
        site
    }

    pub fn realm(&self) -> Realm {
        self.local.world.lock().unwrap().realm().clone()
    }

    /// The key of a node; nodes whose id begins with `x` use X-Wing.
    pub fn key(id: &str) -> NodeKey {
        let kem = if id.starts_with('x') { Kem::XWing } else { Kem::X25519 };
        let byte = id.bytes().fold(100_u8, |sum, byte| sum.wrapping_mul(31).wrapping_add(byte));
        NodeKey::from_secrets(kem, &[byte; 32], &[byte ^ 0xff; 32]).unwrap()
    }

    /// Gives a name a profile with these keys, as the operator; with the next epoch.
    pub fn publish(&mut self, name: &str, keys: std::collections::BTreeMap<String, bytes::Bytes>) {
        self.salt += 1;
        let mut world = self.local.world.lock().unwrap();
        let (realm, owner) = (world.realm().id(), majority(&[30]));
        let profile = Profile::new(&[self.salt; 32], keys).unwrap();
        let index = world.options.secret.prove(name).0;
        let request = LookupRequest { name: name.to_owned(), epoch: 0, quorum: Quorum::Replicas, known_generation: 0 };
        let before = world.directory(0).lookup(&request).ok().and_then(|answer| answer.found);
        let entry = Entry {
            index,
            version: before.as_ref().map_or(0, |(entry, _)| entry.version + 1),
            policy: owner,
            commitment: profile.commitment(),
            previous: before.as_ref().map_or(Digest::NONE, |(entry, _)| entry.hash(&realm)),
        };
        let admission = match before {
            Some(_) => Default::default(),
            None => [(key(30).public(), entry.admit(&realm, &key(30)))].into(),
        };
        let signed = SignedEntry { admission, ..entry.signed(&realm, [&key(30)]) };
        world.update(&Update { name: name.to_owned(), signed, profile });
    }

    pub fn register(&mut self, id: &str, key: &NodeKey) {
        self.publish(&node_name(CLUSTER, id), key.public().to_keys());
    }

    pub fn list(&mut self, ids: &[&str]) {
        let readers = Readers::new(ids.iter().map(|id| (*id).to_owned())).unwrap();
        let keys = [(Readers::APPLICATION.to_owned(), readers.to_bytes().into())].into();
        self.publish(&readers_name(CLUSTER), keys);
    }

    /// An epoch with all that was published, ratified by a verifier; the nodes' clock is that of its head.
    pub fn epoch(&self) -> u64 {
        let mut world = self.local.world.lock().unwrap();
        let results = world.epoch();
        assert!(results.iter().all(Result::is_ok), "{results:?}");
        let epoch = world.machine(0).state().ratified;
        world.ratify(epoch, 11);
        world.settle();
        self.clock.0.store(world.now_ms, Ordering::SeqCst);
        epoch
    }

    pub fn later(&self, by: Duration) {
        self.clock.0.fetch_add(by.as_millis() as u64, Ordering::SeqCst);
    }

    pub fn memory(&self, id: &str) -> PathBuf {
        self.folder.path().join(format!("memory-{id}"))
    }

    pub fn settings(&self, id: &str, more: &str) -> Settings {
        let path = self.folder.path().join(format!("{id}.key"));
        if !path.exists() {
            Self::key(id).create(&path).unwrap();
        }
        let folder = self.folder.path().display();
        let text = format!(
            "cluster={CLUSTER},node={id},key_file={folder}/{id}.key,realm={folder}/realm,memory={folder}/memory-{id},check_after=0{more}"
        );
        Settings::from_config(&Config::parse(&text).unwrap()).unwrap()
    }

    pub fn try_open(&self, id: &str, more: &str, replicas: &[&Replica]) -> Result<KeyserverModule, Fault> {
        let replicas = replicas.iter().map(|replica| Arc::new((*replica).clone()) as Arc<dyn Transport>).collect();
        KeyserverModule::with_replicas(self.settings(id, more), &self.environment, replicas)
    }

    /// A node that asks the site's replica, and looks before each checkpoint.
    pub fn open(&self, id: &str) -> KeyserverModule {
        self.try_open(id, "", &[&self.replica]).unwrap()
    }

    /// A node that only reads.
    pub fn reader(&self, id: &str) -> KeyserverModule {
        self.try_open(id, "", &[]).unwrap()
    }
}

/// A data key and what a module made of it.
pub fn wrapped(module: &KeyserverModule, byte: u8) -> WrappedKey {
    let key = DataKey::from_secret(SecretKey::copy_from(&[byte; 32]));
    module.data_keys().unwrap().wrap(&key, &HERE).unwrap()
}

pub fn opens(module: &KeyserverModule, wrapped: &WrappedKey, byte: u8) -> bool {
    match module.data_keys().unwrap().unwrap(wrapped, &HERE) {
        Ok(key) => {
            assert_eq!(key.expose(), &[byte; 32]);
            true
        }
        Err(Fault::UnknownKek { .. }) => false,
        Err(other) => panic!("{other}"),
    }
}

pub fn changed(module: &KeyserverModule) -> Vec<u8> {
    match module.get_key_blob().unwrap() {
        BlobAnswer::Changed(blob) => blob,
        BlobAnswer::Unchanged => panic!("the blob is unchanged"),
    }
}

/// A checkpoint with a changed blob.
pub fn checkpoint(module: &KeyserverModule) -> Vec<u8> {
    let blob = changed(module);
    module.get_key_complete(&Completion::Persisted { lsn: 1 }).unwrap();
    blob
}

pub fn unchanged(module: &KeyserverModule) {
    assert_eq!(module.get_key_blob().unwrap(), BlobAnswer::Unchanged);
}

pub fn decoded(blob: &[u8]) -> KekBlob {
    KekBlob::from_bytes(blob).unwrap()
}

pub fn readers_of(blob: &[u8]) -> Vec<String> {
    decoded(blob).wraps.iter().map(|wrap| wrap.id.clone()).collect()
}
