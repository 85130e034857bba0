//! What unit tests of the bucket registry share: a store of turtle objects in virtual time, that stalls, fails, loses answers, does
//! late what it was asked for long ago, and watches over what must hold.

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex};
use std::time::{Duration, SystemTime};

use async_trait::async_trait;
use bytes::Bytes;
use futures::stream::{self, BoxStream, StreamExt};
use plastron_sources::clock::{Clock, Entropy, SystemClock};
use plastron_sources::{Error, Fault, Result};

use super::BucketRegistry;
use super::objects::{ListedTurtle, TurtleObjects, name};

/// Entries of a page of a listing: few, so that pages are apart in time.
const PAGE: usize = 3;

/// SplitMix64, shared.
#[derive(Debug)]
pub(super) struct Dice(AtomicU64);

impl Dice {
    pub(super) fn new(seed: u64) -> Arc<Self> {
        Arc::new(Self(AtomicU64::new(seed)))
    }

    pub(super) fn below(&self, bound: u64) -> u64 {
        self.next_u64() % bound
    }

    /// Mostly some milliseconds; sometimes up to twenty minutes.
    pub(super) fn stall(&self) -> Duration {
        match self.below(10) {
            0 => Duration::from_millis(self.below(20 * 60_000)),
            1 => Duration::from_millis(self.below(60_000)),
            _ => Duration::from_millis(self.below(100)),
        }
    }
}

impl Entropy for Dice {
    fn next_u64(&self) -> u64 {
        let state = self.0.fetch_add(0x9e37_79b9_7f4a_7c15, Ordering::Relaxed).wrapping_add(0x9e37_79b9_7f4a_7c15);
        let z = (state ^ (state >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        let z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        z ^ (z >> 31)
    }
}

/// In which a request ends for ever.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Moment {
    Before,
    After,
}

#[derive(Debug, Default)]
struct State {
    objects: BTreeMap<u64, Bytes>,
    /// Everything that was the newest when it was created: number 1 first.
    history: Vec<Bytes>,
    /// What must not be, and was.
    violations: Vec<String>,
    orphans: u64,
    requests: u64,
    crash: Option<(u64, Moment)>,
}

/// The store itself.
#[derive(Debug)]
pub(super) struct SimStore {
    state: Mutex<State>,
    dice: Arc<Dice>,
    /// Whether requests stall and fail.
    rough: bool,
    etags: bool,
}

/// Who asks.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Role {
    Leader,
    Gc,
}

/// One who asks.
#[derive(Debug, Clone)]
pub(super) struct SimObjects {
    store: Arc<SimStore>,
    role: Role,
}

enum Fate {
    Go,
    Fail,
    LoseAnswer,
    Late(Duration),
}

impl SimStore {
    pub(super) fn new(seed: u64, rough: bool) -> Arc<Self> {
        Arc::new(Self { state: Mutex::default(), dice: Dice::new(seed), rough, etags: seed % 2 == 1 })
    }

    pub(super) fn dice(&self) -> Arc<Dice> {
        Arc::clone(&self.dice)
    }

    pub(super) fn registry(self: &Arc<Self>, role: Role) -> BucketRegistry {
        let objects = SimObjects { store: Arc::clone(self), role };
        let registry =
            BucketRegistry::over(Arc::new(objects), Arc::new(SystemClock), self.dice(), Arc::from("sim://volume"));
        registry.polling(Duration::from_millis(200), Duration::from_secs(10))
    }

    /// Ends the request of this number, counted from here, for ever.
    pub(super) fn crash_at(&self, request: u64, moment: Moment) {
        let mut state = self.state.lock().unwrap();
        state.crash = Some((state.requests + request, moment));
    }

    /// No crash any more.
    pub(super) fn go_on(&self) {
        self.state.lock().unwrap().crash = None;
    }

    pub(super) fn requests(&self) -> u64 {
        self.state.lock().unwrap().requests
    }

    pub(super) fn violation(&self, what: String) {
        self.state.lock().unwrap().violations.push(what);
    }

    pub(super) fn violations(&self) -> Vec<String> {
        self.state.lock().unwrap().violations.clone()
    }

    pub(super) fn history(&self) -> Vec<Bytes> {
        self.state.lock().unwrap().history.clone()
    }

    pub(super) fn orphans(&self) -> u64 {
        self.state.lock().unwrap().orphans
    }

    pub(super) fn numbers(&self) -> Vec<u64> {
        self.state.lock().unwrap().objects.keys().copied().collect()
    }

    /// Removes one, as GC does, at once.
    pub(super) fn take(&self, sequence: u64) {
        self.state.lock().unwrap().objects.remove(&sequence).unwrap();
    }

    /// Puts bytes there that no registry wrote.
    pub(super) fn plant(&self, sequence: u64, bytes: Bytes) {
        self.state.lock().unwrap().objects.insert(sequence, bytes);
    }

    fn create(&self, sequence: u64, bytes: Bytes) -> Result<()> {
        let mut state = self.state.lock().unwrap();
        if state.objects.contains_key(&sequence) {
            return Err(Error::new("put", name(sequence), Fault::ObjectExists));
        }
        let newest = state.history.len() as u64;
        if sequence > newest {
            if sequence != newest + 1 {
                state.violations.push(format!("{sequence} was created, and the newest was {newest}"));
            }
            state.history.push(bytes.clone());
        } else {
            state.orphans += 1;
        }
        state.objects.insert(sequence, bytes);
        Ok(())
    }

    fn remove(&self, sequence: u64, role: Role) -> Result<()> {
        let mut state = self.state.lock().unwrap();
        let Some(bytes) = state.objects.remove(&sequence) else {
            return Err(Error::new("delete", name(sequence), Fault::NoSuchObject));
        };
        if sequence == state.history.len() as u64 {
            state.violations.push(format!("the newest, {sequence}, was removed"));
        }
        if role == Role::Leader && state.history.get(sequence as usize - 1) == Some(&bytes) {
            state.violations.push(format!("a leader removed {sequence}, which is part of the history"));
        }
        Ok(())
    }

    /// Half of the stores have none. (The CRC of what ends with its own CRC would be the same for all.)
    fn etag(&self, bytes: &[u8]) -> String {
        if self.etags { format!("\"{:08x}\"", crc32c::crc32c(&bytes[8..bytes.len() - 4])) } else { String::new() }
    }

    fn page(&self, after: u64) -> Vec<ListedTurtle> {
        let state = self.state.lock().unwrap();
        let turtles = state.objects.range(after + 1..).take(PAGE);
        turtles
            .map(|(sequence, bytes)| {
                ListedTurtle::new(
                    name(*sequence),
                    *sequence,
                    bytes.len() as u64,
                    SystemTime::UNIX_EPOCH,
                    &self.etag(bytes),
                )
            })
            .collect()
    }

    fn fate(&self, create: bool) -> Fate {
        match self.dice.below(100) {
            _ if !self.rough => Fate::Go,
            0..6 => Fate::Fail,
            6..12 => Fate::LoseAnswer,
            12..20 if create => Fate::Late(self.dice.stall() + self.dice.stall()),
            _ => Fate::Go,
        }
    }

    async fn pause(&self) {
        if self.rough {
            SystemClock.sleep(self.dice.stall()).await;
        }
    }

    /// Runs one request.
    async fn request<T>(
        self: &Arc<Self>,
        create: bool,
        act: impl FnOnce(&Self) -> Result<T> + Send + 'static,
    ) -> Result<T> {
        let crash = {
            let mut state = self.state.lock().unwrap();
            state.requests += 1;
            state.crash.filter(|(request, _)| *request == state.requests).map(|(_, moment)| moment)
        };
        self.pause().await;
        if crash == Some(Moment::Before) {
            std::future::pending::<()>().await;
        }
        let result = match self.fate(create) {
            Fate::Go => act(self),
            Fate::Fail => Err(busy()),
            Fate::LoseAnswer => act(self).and(Err(busy())),
            Fate::Late(wait) => {
                let store = Arc::clone(self);
                tokio::spawn(async move {
                    SystemClock.sleep(wait).await;
                    drop(act(&store));
                });
                Err(busy())
            }
        };
        if crash == Some(Moment::After) {
            std::future::pending::<()>().await;
        }
        self.pause().await;
        result
    }
}

#[async_trait]
impl TurtleObjects for SimObjects {
    fn list_after(&self, after: u64) -> BoxStream<'static, Result<ListedTurtle>> {
        let store = Arc::clone(&self.store);
        let pages = stream::unfold(Some(after), move |after| {
            let store = Arc::clone(&store);
            async move {
                let after = after?;
                match store.request(false, move |store| Ok(store.page(after))).await {
                    Ok(page) => {
                        let next = page.last().filter(|_| page.len() == PAGE).map(|turtle| turtle.sequence);
                        Some((page.into_iter().map(Ok).collect(), next))
                    }
                    Err(error) => Some((vec![Err(error)], None)),
                }
            }
        });
        pages.flat_map(stream::iter).boxed()
    }

    async fn get(&self, sequence: u64) -> Result<(String, Bytes)> {
        let act = move |store: &SimStore| {
            let bytes = store.state.lock().unwrap().objects.get(&sequence).cloned();
            bytes
                .map(|bytes| (store.etag(&bytes).trim_matches('"').to_owned(), bytes))
                .ok_or_else(|| Error::new("get", name(sequence), Fault::NoSuchObject))
        };
        self.store.request(false, act).await
    }

    async fn create(&self, sequence: u64, bytes: Bytes) -> Result<()> {
        self.store.request(true, move |store| store.create(sequence, bytes)).await
    }

    async fn remove(&self, sequence: u64) -> Result<()> {
        let role = self.role;
        self.store.request(false, move |store| store.remove(sequence, role)).await
    }
}

/// A fault that may pass.
fn busy() -> Error {
    let fault = Fault::Busy { status: 503, code: "SlowDown".to_owned(), message: "slow down".to_owned() };
    Error::new("request", "sim://volume", fault)
}
