//! An object store in virtual time, for the simulation: requests stall, fail, lose their answers, and are done long after whoever asked is gone;
//! processes are killed. It keeps what every turtle that was ever the newest said, and watches over what must never be removed.
//!
//! What becomes of a request depends on the seed, the process, the kind of the request, the object, and how often that process asked for it before;
//! not on the order in which the tasks of one moment run. So a seed that fails once fails again.

use std::collections::{BTreeMap, HashMap};
use std::fmt;
use std::ops::Bound;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex};
use std::time::{Duration, SystemTime};

use async_trait::async_trait;
use bytes::Bytes;
use futures::stream::{self, BoxStream, StreamExt};
use object_store::list::{PaginatedListOptions, PaginatedListResult, PaginatedListStore};
use object_store::path::Path;
use object_store::{
    Attributes, CopyOptions, Error, GetOptions, GetResult, GetResultPayload, ListResult, MultipartUpload, ObjectMeta,
    ObjectStore, PutMode, PutMultipartOptions, PutOptions, PutPayload, PutResult, Result,
};
use plastron_registry::{Pin, PinName, TurtleObject};
use plastron_sources::clock::{Clock, Entropy};
use plastron_sources::{Bucket, BucketOptions, Fault, Provider};

use super::published::Published;
use super::simulated_model::Historic;
use super::simulated_time::{Dice, SimClock, mix, stall};

/// Entries of a page of a listing: few, so that pages are apart in time.
const PAGE: usize = 7;
/// A create may be on its way for so long: less than the window within which nothing is removed.
const LONGEST_ON_ITS_WAY: u64 = 40 * 60_000;

#[derive(Debug, Clone)]
struct Entry {
    data: Bytes,
    attributes: Attributes,
    meta: ObjectMeta,
}

#[derive(Debug, Default)]
struct State {
    objects: BTreeMap<String, Entry>,
    created: u64,
    history: Vec<Historic>,
    /// When pins were created, by their owner and the LSN that they pin.
    pins: HashMap<(String, u64), Vec<SystemTime>>,
    violations: Vec<String>,
    orphans: u64,
    requests: u64,
}

/// The store itself.
#[derive(Debug)]
pub(super) struct SimStore {
    state: Mutex<State>,
    seed: u64,
    clock: SimClock,
}

/// One process's connection.
#[derive(Debug)]
pub(super) struct Connection {
    store: Arc<SimStore>,
    process: u64,
    /// Whether its requests stall and fail.
    rough: bool,
    killed: AtomicBool,
    /// Whether every request fails.
    down: AtomicBool,
    /// What every request takes.
    slow: Mutex<Duration>,
    /// Requests whose kind and object begin so wait.
    held: Mutex<Option<&'static str>>,
    asked: Mutex<HashMap<u64, u64>>,
}

impl SimStore {
    pub(super) fn new(seed: u64) -> Arc<Self> {
        Arc::new(Self { state: Mutex::default(), seed, clock: SimClock::new(Duration::ZERO) })
    }

    pub(super) fn clock(&self) -> SimClock {
        self.clock
    }

    /// The same objects without pins, in a store of its own: the history as it is at this moment.
    pub(super) fn frozen(&self) -> Arc<Self> {
        let mut objects = self.state.lock().unwrap().objects.clone();
        objects.retain(|key, _| !key.starts_with(PinName::PREFIX));
        let state = Mutex::new(State { objects, ..State::default() });
        Arc::new(Self { state, seed: self.seed, clock: self.clock })
    }

    pub(super) fn violation(&self, what: String) {
        self.state.lock().unwrap().violations.push(what);
    }

    pub(super) fn violations(&self) -> Vec<String> {
        self.state.lock().unwrap().violations.clone()
    }

    pub(super) fn history(&self) -> Vec<Historic> {
        self.state.lock().unwrap().history.clone()
    }

    /// The epoch of the leader that took over last.
    pub(super) fn epoch(&self) -> u64 {
        self.state.lock().unwrap().history.last().map_or(0, |newest| newest.object.epoch)
    }

    pub(super) fn orphans(&self) -> u64 {
        self.state.lock().unwrap().orphans
    }

    pub(super) fn requests(&self) -> u64 {
        self.state.lock().unwrap().requests
    }

    /// All that stands under `prefix`.
    pub(super) fn names(&self, prefix: &str) -> Vec<String> {
        self.state.lock().unwrap().objects.keys().filter(|key| key.starts_with(prefix)).cloned().collect()
    }

    /// Whether pins of `owner` on the checkpoint at `lsn` have followed each other without a gap up to now, for those who take a lease for over
    /// `grace` after its end.
    pub(super) fn is_pinned(&self, owner: &str, lsn: u64, holds: Duration) -> bool {
        let state = self.state.lock().unwrap();
        let Some(created) = state.pins.get(&(owner.to_owned(), lsn)) else { return false };
        let ends = created.iter().skip(1).copied().chain([self.clock.wall()]);
        created.iter().zip(ends).all(|(created, end)| end <= *created + holds)
    }

    fn insert(&self, key: &str, data: Bytes, attributes: Attributes) -> Result<PutResult> {
        let mut state = self.state.lock().unwrap();
        if state.objects.contains_key(key) {
            return Err(Error::AlreadyExists { path: key.to_owned(), source: Fault::ObjectExists.into() });
        }
        self.note(&mut state, key, &data);
        state.created += 1;
        let e_tag = Some(format!("\"{}\"", state.created));
        let meta = ObjectMeta {
            location: Path::parse(key).unwrap(),
            last_modified: self.clock.wall().into(),
            size: data.len() as u64,
            e_tag: e_tag.clone(),
            version: None,
        };
        state.objects.insert(key.to_owned(), Entry { data, attributes, meta });
        Ok(PutResult { e_tag, version: None, extensions: Default::default() })
    }

    /// Looks at what is being created.
    fn note(&self, state: &mut State, key: &str, data: &Bytes) {
        if let Some(sequence) = sequence(key) {
            let newest = state.history.len() as u64;
            if sequence <= newest {
                state.orphans += 1;
                return;
            }
            if sequence != newest + 1 {
                state.violations.push(format!("turtle {sequence} was created, and the newest was {newest}"));
            }
            let (object, version) = TurtleObject::decode(data).unwrap();
            let published = object.content.as_ref().map(|content| Published::decode(version, content).unwrap());
            state.history.push(Historic { object, version, published });
        } else if PinName::parse(key).is_some() {
            let pin = Pin::decode(data).unwrap();
            let lsn = plastron_registry::Turtle::decode(&pin.turtle).unwrap().checkpoint_lsn;
            state.pins.entry((pin.owner.to_string(), lsn)).or_default().push(self.clock.wall());
        }
    }

    fn remove(&self, key: &str) -> Result<()> {
        let mut state = self.state.lock().unwrap();
        if state.objects.remove(key).is_none() {
            return Err(Error::NotFound { path: key.to_owned(), source: Fault::NoSuchObject.into() });
        }
        let newest = state.history.last();
        let named = newest.and_then(|newest| newest.published.as_ref()).is_some_and(|newest| {
            let kek = newest.turtle.kek.as_ref().is_some_and(|kek| kek.object == key);
            let run = newest.state.runs.iter().any(|run| run.object_name() == key);
            kek || run || newest.state.segments.iter().any(|segment| segment.object_name() == key)
        });
        if named || newest.is_some_and(|newest| sequence(key) == Some(newest.object.sequence)) {
            state.violations.push(format!("{key} was removed, which the newest turtle needs"));
        }
        Ok(())
    }

    fn entry(&self, key: &str) -> Result<Entry> {
        let found = self.state.lock().unwrap().objects.get(key).cloned();
        found.ok_or_else(|| Error::NotFound { path: key.to_owned(), source: Fault::NoSuchObject.into() })
    }

    fn page(&self, prefix: &str, after: Option<&str>) -> PaginatedListResult {
        let state = self.state.lock().unwrap();
        let start = match after {
            Some(after) if after >= prefix => Bound::Excluded(after),
            _ => Bound::Included(prefix),
        };
        let found = state.objects.range::<str, _>((start, Bound::Unbounded));
        let objects: Vec<ObjectMeta> = found
            .take_while(|(key, _)| key.starts_with(prefix))
            .take(PAGE)
            .map(|(_, entry)| entry.meta.clone())
            .collect();
        let page_token = objects.last().filter(|_| objects.len() == PAGE).map(|last| last.location.to_string());
        let result = ListResult { common_prefixes: Vec::new(), objects, extensions: Default::default() };
        PaginatedListResult { result, page_token }
    }
}

/// The number of a turtle of the database without a prefix.
fn sequence(key: &str) -> Option<u64> {
    key.strip_prefix("_plastron/turtle/")?.strip_suffix(".turtle")?.parse().ok()
}

fn busy() -> Error {
    let fault = Fault::Busy { status: 503, code: "SlowDown".to_owned(), message: "slow down".to_owned() };
    Error::Generic { store: "sim", source: fault.into() }
}

impl Connection {
    pub(super) fn new(store: &Arc<SimStore>, process: u64, rough: bool) -> Arc<Self> {
        let (killed, down, store) = (AtomicBool::new(false), AtomicBool::new(false), Arc::clone(store));
        let (slow, held, asked) = (Mutex::default(), Mutex::default(), Mutex::default());
        Arc::new(Self { store, process, rough, killed, down, slow, held, asked })
    }

    /// A bucket over it, whose calendar is so far ahead.
    pub(super) fn bucket(self: &Arc<Self>, ahead: Duration, dice: &Arc<Dice>) -> Bucket {
        let mut options = BucketOptions::new(Provider::Memory, "sim");
        options.clock = Arc::new(self.store.clock.ahead(ahead));
        options.entropy = Arc::clone(dice) as Arc<dyn Entropy>;
        let wire = Arc::new(Wire(Arc::clone(self)));
        Bucket::over_store(Arc::clone(&wire) as Arc<dyn ObjectStore>, wire, options).unwrap()
    }

    /// The process is no more: none of its requests that is not on its way is ever done.
    pub(super) fn kill(&self) {
        self.killed.store(true, Ordering::Relaxed);
    }

    /// From here on every request fails, or none does on this account.
    pub(super) fn set_down(&self, down: bool) {
        self.down.store(down, Ordering::Relaxed);
    }

    /// From here on every request takes so long.
    pub(super) fn set_slow(&self, each: Duration) {
        *self.slow.lock().unwrap() = each;
    }

    /// Lets requests whose kind and object begin so wait, until something else is said.
    pub(super) fn hold(&self, held: Option<&'static str>) {
        *self.held.lock().unwrap() = held;
    }

    async fn pause(&self, roll: u64) {
        if self.rough {
            self.store.clock.sleep(stall(roll)).await;
        }
        if self.killed.load(Ordering::Relaxed) {
            std::future::pending::<()>().await;
        }
    }

    /// A roll for this request, the same whatever else happens at this moment.
    fn roll(&self, kind: &str, key: &str) -> u64 {
        let mut hash = mix(self.store.seed ^ mix(self.process));
        for byte in kind.bytes().chain(key.bytes()) {
            hash = (hash ^ u64::from(byte)).wrapping_mul(0x0100_0000_01b3);
        }
        let mut asked = self.asked.lock().unwrap();
        let count = asked.entry(hash).or_default();
        *count += 1;
        mix(hash.wrapping_add(*count))
    }

    /// Runs one request; `write` says whether it may be done late.
    async fn request<T: Send + 'static>(
        &self,
        kind: &str,
        key: &str,
        write: bool,
        act: impl FnOnce(&SimStore) -> Result<T> + Send + 'static,
    ) -> Result<T> {
        self.store.state.lock().unwrap().requests += 1;
        let roll = self.roll(kind, key);
        self.pause(roll).await;
        let slow = *self.slow.lock().unwrap();
        if !slow.is_zero() {
            self.store.clock.sleep(slow).await;
        }
        let request = format!("{kind} {key}");
        while self.held.lock().unwrap().is_some_and(|held| request.starts_with(held)) {
            self.store.clock.sleep(Duration::from_millis(100)).await;
        }
        let (fate, more, store) = (mix(roll ^ 1) % 100, mix(roll ^ 2), Arc::clone(&self.store));
        let result = match fate {
            _ if self.down.load(Ordering::Relaxed) => Err(busy()),
            _ if !self.rough => act(&store),
            0..5 => Err(busy()),
            5..10 => act(&store).and(Err(busy())),
            // Done later, or not before whoever asked has gone.
            10..30 if write => {
                let wait = stall(more).min(Duration::from_millis(LONGEST_ON_ITS_WAY));
                let done = tokio::spawn(async move {
                    store.clock.sleep(wait).await;
                    act(&store)
                });
                if fate < 16 { Err(busy()) } else { done.await.unwrap() }
            }
            _ => act(&store),
        };
        self.pause(mix(roll ^ 3)).await;
        result
    }
}

/// What a bucket is over.
#[derive(Debug)]
struct Wire(Arc<Connection>);

impl fmt::Display for Wire {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "sim of process {}", self.0.process)
    }
}

#[async_trait]
impl ObjectStore for Wire {
    async fn put_opts(&self, location: &Path, payload: PutPayload, options: PutOptions) -> Result<PutResult> {
        assert_eq!(options.mode, PutMode::Create, "{location} is created, never replaced");
        let (key, data) = (location.to_string(), Bytes::from(payload));
        let act = move |store: &SimStore| store.insert(&key, data, options.attributes);
        self.0.request("put", location.as_ref(), true, act).await
    }

    async fn put_multipart_opts(&self, _: &Path, _: PutMultipartOptions) -> Result<Box<dyn MultipartUpload>> {
        Err(Error::Generic { store: "sim", source: "nothing here is so large".into() })
    }

    async fn get_opts(&self, location: &Path, options: GetOptions) -> Result<GetResult> {
        let key = location.to_string();
        let act = move |store: &SimStore| {
            let Entry { data, attributes, meta } = store.entry(&key)?;
            options.check_preconditions(&meta)?;
            let range = match options.range.filter(|_| !options.head) {
                Some(range) => range
                    .as_range(meta.size)
                    .map_err(|error| Error::Generic { store: "sim", source: error.to_string().into() })?,
                None => 0..meta.size,
            };
            let body = if options.head { Bytes::new() } else { data.slice(range.start as usize..range.end as usize) };
            let payload = GetResultPayload::Stream(stream::iter([Ok(body)]).boxed());
            Ok(GetResult { payload, attributes, meta, range, extensions: Default::default() })
        };
        self.0.request("get", location.as_ref(), false, act).await
    }

    fn delete_stream(&self, locations: BoxStream<'static, Result<Path>>) -> BoxStream<'static, Result<Path>> {
        let connection = Arc::clone(&self.0);
        let deleted = locations.then(move |location| {
            let connection = Arc::clone(&connection);
            async move {
                let location = location?;
                let key = location.to_string();
                connection.request("delete", location.as_ref(), true, move |store| store.remove(&key)).await?;
                Ok(location)
            }
        });
        deleted.boxed()
    }

    fn list(&self, _: Option<&Path>) -> BoxStream<'static, Result<ObjectMeta>> {
        stream::iter([Err(Error::Generic { store: "sim", source: "pages are listed".into() })]).boxed()
    }

    async fn list_with_delimiter(&self, _: Option<&Path>) -> Result<ListResult> {
        Err(Error::Generic { store: "sim", source: "pages are listed".into() })
    }

    async fn copy_opts(&self, _: &Path, _: &Path, _: CopyOptions) -> Result<()> {
        Err(Error::Generic { store: "sim", source: "nothing is copied".into() })
    }
}

#[async_trait]
impl PaginatedListStore for Wire {
    async fn list_paginated(&self, prefix: Option<&str>, options: PaginatedListOptions) -> Result<PaginatedListResult> {
        let (prefix, after) = (prefix.unwrap_or_default().to_owned(), options.page_token.or(options.offset));
        let target = format!("{prefix} {after:?}");
        self.0.request("list", &target, false, move |store| Ok(store.page(&prefix, after.as_deref()))).await
    }
}
