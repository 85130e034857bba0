//! What unit tests of the page log share: keys that never change, and objects in memory whose every request can be made to fail.

use std::collections::BTreeMap;
use std::ops::Range;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use async_trait::async_trait;
use bytes::Bytes;
use plastron_keys::{
    Binding, BlobAnswer, Completion, DataKey, DataKeyWrapper, Kek, KekId, KeyEnvironment, KeyManagement, KeyModule,
    KeyRandom, SecretKey, WrappedKey,
};
use plastron_sources::{Error, Fault, Result};

use super::objects::{LogObjectAhead, LogObjectWriter, LogObjects, ObjectPlace};
use super::{LogState, PageLog, PageLogFault, PageLogOptions};

/// A key module with one KEK, which never changes: not that of the crate, whose keys the golden files must not depend on.
#[derive(Debug)]
struct OneKey {
    kek: Kek,
    random: Arc<dyn KeyRandom>,
}

type KeyResult<T> = std::result::Result<T, plastron_keys::Fault>;

impl KeyModule for OneKey {
    fn name(&self) -> &str {
        "one_key"
    }

    fn load_key_blob(&self, _blob: &[u8]) -> KeyResult<()> {
        Ok(())
    }

    fn get_key_blob(&self) -> KeyResult<BlobAnswer> {
        Ok(BlobAnswer::Unchanged)
    }

    fn get_key_complete(&self, _completion: &Completion) -> KeyResult<()> {
        Ok(())
    }

    fn data_keys(&self) -> Option<&dyn DataKeyWrapper> {
        Some(self)
    }
}

impl DataKeyWrapper for OneKey {
    fn wrap(&self, key: &DataKey, binding: &Binding) -> KeyResult<WrappedKey> {
        self.kek.wrap(key, binding, &*self.random)
    }

    fn unwrap(&self, wrapped: &WrappedKey, binding: &Binding) -> KeyResult<DataKey> {
        self.kek.unwrap(wrapped, binding)
    }
}

/// Keys made of `seed`, which never change.
pub(crate) fn fixed_keys(seed: &str) -> KeyManagement {
    let environment = KeyEnvironment::default();
    let repeat = |at: usize| seed.as_bytes()[at % seed.len()];
    let kek = Kek::new(KekId(std::array::from_fn(repeat)), SecretKey::copy_from(&std::array::from_fn(repeat)));
    let module = OneKey { kek, random: Arc::clone(&environment.random) };
    KeyManagement::from_module(Box::new(module), environment)
}

/// Options of a small log.
pub(crate) fn small_options() -> PageLogOptions {
    let mut options = PageLogOptions::new();
    options.segment_size = 8 << 10;
    options.memory = 64 << 10;
    options.index_block_size = 512;
    options.run_segments = 3;
    options.flush_age = Duration::from_millis(5);
    options.read_wait = Duration::from_millis(20);
    options
}

/// The database of tests.
pub(crate) const DATABASE: u128 = 0x0706_0504_0302_0100;

/// What becomes of a create.
#[derive(Debug, Clone)]
pub(crate) enum Fate {
    /// It does what it should.
    Go,
    /// It fails, and does nothing.
    Fail(Fault),
    /// It does what it should, and nobody hears of it.
    Lose(Fault),
    /// It waits until [`MemoryObjects::release`].
    Hold,
}

type Judge = Box<dyn FnMut(&str) -> Fate + Send>;

/// Objects in memory.
pub(crate) struct MemoryObjects {
    objects: Mutex<BTreeMap<String, Bytes>>,
    judge: Mutex<Judge>,
    held: tokio::sync::watch::Sender<Vec<String>>,
    /// Bytes that were written before their object was created.
    ahead: tokio::sync::watch::Sender<u64>,
}

/// A fault that may go away.
pub(crate) fn busy() -> Fault {
    Fault::Busy { status: 503, code: "SlowDown".to_owned(), message: "slow down".to_owned() }
}

impl MemoryObjects {
    pub(crate) fn new() -> Arc<Self> {
        let judge: Judge = Box::new(|_| Fate::Go);
        Arc::new(Self {
            objects: Mutex::default(),
            judge: Mutex::new(judge),
            held: tokio::sync::watch::Sender::new(Vec::new()),
            ahead: tokio::sync::watch::Sender::new(0),
        })
    }

    /// Decides on every create from now on.
    pub(crate) fn judge(&self, judge: impl FnMut(&str) -> Fate + Send + 'static) {
        *self.judge.lock().unwrap() = Box::new(judge);
    }

    /// Lets the object go that is held longest, or waits for one to be held.
    pub(crate) async fn release(&self, name: &str) {
        let mut held = self.held.subscribe();
        held.wait_for(|held| held.iter().any(|one| one == name)).await.unwrap();
        self.held.send_modify(|held| held.retain(|one| one != name));
    }

    /// Waits until so many creates are held, and says which.
    pub(crate) async fn held(&self, count: usize) -> Vec<String> {
        self.held.subscribe().wait_for(|held| held.len() >= count).await.unwrap().clone()
    }

    /// Waits until so many bytes were written before their object was created.
    pub(crate) async fn ahead(&self, bytes: u64) {
        self.ahead.subscribe().wait_for(|ahead| *ahead >= bytes).await.unwrap();
    }

    pub(crate) fn names(&self) -> Vec<String> {
        self.objects.lock().unwrap().keys().cloned().collect()
    }

    pub(crate) fn bytes(&self, name: &str) -> Bytes {
        self.objects.lock().unwrap()[name].clone()
    }

    pub(crate) fn change(&self, name: &str, change: impl FnOnce(&mut Vec<u8>)) {
        let mut objects = self.objects.lock().unwrap();
        let mut bytes = objects[name].to_vec();
        change(&mut bytes);
        objects.insert(name.to_owned(), bytes.into());
    }

    pub(crate) fn put(&self, name: &str, bytes: Bytes) {
        self.insert(name, bytes).unwrap();
    }

    pub(crate) fn remove(&self, name: &str) {
        self.objects.lock().unwrap().remove(name);
    }

    fn insert(&self, name: &str, bytes: Bytes) -> Result<()> {
        let mut objects = self.objects.lock().unwrap();
        if objects.contains_key(name) {
            return Err(Error::new("put", name, Fault::ObjectExists));
        }
        objects.insert(name.to_owned(), bytes);
        Ok(())
    }
}

/// An object that is being created.
struct Growing {
    objects: Arc<MemoryObjects>,
    name: String,
    bytes: Vec<u8>,
}

#[async_trait]
impl LogObjectWriter for Growing {
    async fn write(&mut self, bytes: Bytes) -> Result<()> {
        self.bytes.extend_from_slice(&bytes);
        Ok(())
    }

    async fn finish(self: Box<Self>) -> Result<()> {
        self.objects.create(&self.name, vec![self.bytes.into()]).await
    }
}

#[async_trait]
impl LogObjectAhead for Growing {
    async fn write(&mut self, pieces: Vec<Bytes>) {
        pieces.iter().for_each(|piece| self.bytes.extend_from_slice(piece));
        let written: u64 = pieces.iter().map(|piece| piece.len() as u64).sum();
        self.objects.ahead.send_modify(|ahead| *ahead += written);
    }

    async fn create(self: Box<Self>, rest: Vec<Bytes>) -> Result<()> {
        let pieces = std::iter::once(self.bytes.into()).chain(rest).collect();
        self.objects.create(&self.name, pieces).await
    }
}

/// Objects behind an `Arc`, as a log has them.
pub(crate) struct Shelf(pub(crate) Arc<MemoryObjects>);

#[async_trait]
impl LogObjects for Shelf {
    async fn create(&self, name: &str, pieces: Vec<Bytes>) -> Result<()> {
        self.0.create(name, pieces).await
    }

    async fn ahead(&self, name: &str) -> Option<Box<dyn LogObjectAhead>> {
        let (objects, name) = (Arc::clone(&self.0), name.to_owned());
        Some(Box::new(Growing { objects, name, bytes: Vec::new() }))
    }

    async fn begin(&self, name: &str) -> Result<Box<dyn LogObjectWriter>> {
        let (objects, name) = (Arc::clone(&self.0), name.to_owned());
        Ok(Box::new(Growing { objects, name, bytes: Vec::new() }))
    }

    async fn read(&self, place: &ObjectPlace, range: Range<u64>) -> Result<Bytes> {
        let bytes = self.0.objects.lock().unwrap().get(&place.name).cloned();
        let bytes = bytes.ok_or_else(|| Error::new("get", place.name.as_str(), Fault::NoSuchObject))?;
        let size = bytes.len() as u64;
        if range.end > size || size != place.size {
            let fault = Fault::Range { start: range.start, end: range.end, size };
            return Err(Error::new("get", place.name.as_str(), fault));
        }
        Ok(bytes.slice(range.start as usize..range.end as usize))
    }

    async fn read_afresh(&self, place: &ObjectPlace, range: Range<u64>) -> Result<Bytes> {
        self.read(place, range).await
    }

    async fn admit(&self, _place: &ObjectPlace, _pieces: Vec<Bytes>) {}
}

impl MemoryObjects {
    async fn create(&self, name: &str, pieces: Vec<Bytes>) -> Result<()> {
        let fate = (self.judge.lock().unwrap())(name);
        match fate {
            Fate::Go => {}
            Fate::Fail(fault) => return Err(Error::new("put", name, fault)),
            Fate::Lose(fault) => {
                self.insert(name, pieces.concat().into())?;
                return Err(Error::new("put", name, fault));
            }
            Fate::Hold => {
                let mut held = self.held.subscribe();
                self.held.send_modify(|held| held.push(name.to_owned()));
                held.wait_for(|held| !held.iter().any(|one| one == name)).await.unwrap();
            }
        }
        self.insert(name, pieces.concat().into())
    }

    /// Opens a log over these objects.
    pub(crate) async fn open(
        self: &Arc<Self>,
        state: &LogState,
        epoch: Option<u64>,
        options: PageLogOptions,
        keys: KeyManagement,
    ) -> std::result::Result<PageLog, PageLogFault> {
        PageLog::open_over(Arc::new(Shelf(Arc::clone(self))), keys, options, state, epoch).await
    }

    /// Opens a new small log in the clear.
    pub(crate) async fn new_log(self: &Arc<Self>, options: PageLogOptions) -> PageLog {
        self.open(&LogState::new(DATABASE), Some(1), options, KeyManagement::none()).await.unwrap()
    }
}
