//! An origin that knows what it was asked, and can be slow, fail, or hang.
#![allow(dead_code, unreachable_pub, reason = "each test program uses a part of it")]

use std::ops::Range;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, OnceLock};
use std::time::Duration;

use async_trait::async_trait;
use bytes::Bytes;
use plastron_cache::{Cache, CacheOptions, CachedObject, Fetch, ObjectId};
use plastron_sources::{Error, Fault};
use tokio::runtime::Handle;
use tokio::sync::Semaphore;

/// Bytes that are repeated to make an object: a length that no power of two divides, so that no two blocks are alike.
const TAPE_BYTES: u64 = 1_000_003;

/// The bytes of `range` of the object with `seed`.
pub fn content(seed: u64, range: Range<u64>) -> Vec<u8> {
    static TAPE: OnceLock<Vec<u8>> = OnceLock::new();
    let tape = TAPE.get_or_init(|| {
        let mixed = |n: u64| (n ^ (n >> 7)).wrapping_mul(0x9e37_79b9_7f4a_7c15);
        (0..TAPE_BYTES).map(|n| (mixed(mixed(n)) >> 40) as u8).collect()
    });
    let mut bytes = Vec::with_capacity((range.end - range.start) as usize);
    let mut at = ((range.start + seed % TAPE_BYTES * 7919) % TAPE_BYTES) as usize;
    while bytes.len() < bytes.capacity() {
        let part = &tape[at..tape.len().min(at + bytes.capacity() - bytes.len())];
        bytes.extend_from_slice(part);
        at = 0;
    }
    bytes
}

/// One object's origin.
#[derive(Debug)]
pub struct Origin {
    pub seed: u64,
    pub size: u64,
    /// Every range it was asked for.
    pub asked: Mutex<Vec<Range<u64>>>,
    /// How long each answer takes.
    pub delay: Duration,
    /// Answers that may be given; unlimited unless a test takes permits away.
    pub gate: Semaphore,
    /// Answers under way.
    pub under_way: AtomicUsize,
    /// The most there ever were.
    pub most_under_way: AtomicUsize,
    /// Requests that ended without an answer being taken.
    pub cancelled: AtomicUsize,
    pub failing: AtomicBool,
    pub panicking: AtomicBool,
    pub short: AtomicBool,
}

impl Origin {
    pub fn new(seed: u64, size: u64) -> Arc<Self> {
        Self::slow(seed, size, Duration::ZERO)
    }

    pub fn slow(seed: u64, size: u64, delay: Duration) -> Arc<Self> {
        Arc::new(Self {
            seed,
            size,
            asked: Mutex::default(),
            delay,
            gate: Semaphore::new(Semaphore::MAX_PERMITS),
            under_way: AtomicUsize::new(0),
            most_under_way: AtomicUsize::new(0),
            cancelled: AtomicUsize::new(0),
            failing: AtomicBool::new(false),
            panicking: AtomicBool::new(false),
            short: AtomicBool::new(false),
        })
    }

    /// Nothing is answered until [`Origin::open`].
    pub fn close(&self) {
        self.gate.forget_permits(Semaphore::MAX_PERMITS);
    }

    pub fn open(&self) {
        self.gate.add_permits(Semaphore::MAX_PERMITS - self.gate.available_permits());
    }

    pub fn asked(&self) -> Vec<Range<u64>> {
        self.asked.lock().unwrap().clone()
    }

    pub fn requests(&self) -> usize {
        self.asked.lock().unwrap().len()
    }

    pub fn id(&self) -> ObjectId {
        ObjectId::new("test", format!("object {}", self.seed), "etag", self.size)
    }

    pub fn check(&self, range: Range<u64>, bytes: &[u8]) {
        assert_eq!(bytes.len() as u64, range.end - range.start);
        let expected = content(self.seed, range.clone());
        if expected != bytes {
            let first = expected.iter().zip(bytes).position(|(expected, found)| expected != found);
            panic!("wrong bytes in {range:?}, the first at {first:?}");
        }
    }
}

struct UnderWay<'a>(&'a Origin, bool);

impl Drop for UnderWay<'_> {
    fn drop(&mut self) {
        self.0.under_way.fetch_sub(1, Ordering::SeqCst);
        self.0.cancelled.fetch_add(usize::from(!self.1), Ordering::SeqCst);
    }
}

#[async_trait]
impl Fetch for Origin {
    async fn fetch(&self, range: Range<u64>) -> Result<Bytes, Error> {
        assert!(range.start < range.end && range.end <= self.size, "{range:?} of {}", self.size);
        self.asked.lock().unwrap().push(range.clone());
        let now = self.under_way.fetch_add(1, Ordering::SeqCst) + 1;
        self.most_under_way.fetch_max(now, Ordering::SeqCst);
        let mut under_way = UnderWay(self, false);
        if self.delay > Duration::ZERO {
            #[allow(clippy::disallowed_methods, reason = "tests pause tokio's clock")]
            tokio::time::sleep(self.delay).await;
        }
        let permit = self.gate.acquire().await.unwrap();
        drop(permit);
        under_way.1 = true;
        if self.panicking.load(Ordering::SeqCst) {
            panic!("as the test wants it");
        }
        if self.failing.load(Ordering::SeqCst) {
            let fault = Fault::Busy { status: 503, code: "SlowDown".into(), message: "later".into() };
            return Err(Error::new("get", "object", fault));
        }
        let end = range.end - u64::from(self.short.load(Ordering::SeqCst));
        Ok(content(self.seed, range.start..end).into())
    }
}

/// A cache without disk.
pub fn memory_cache(change: impl FnOnce(&mut CacheOptions)) -> Cache {
    let mut options = CacheOptions::new();
    change(&mut options);
    Cache::open(options, Handle::current()).unwrap()
}

/// An origin and a handle to its object.
pub fn open(cache: &Cache, origin: &Arc<Origin>) -> (Arc<CachedObject>, Arc<dyn Fetch>) {
    (Arc::new(cache.object(origin.id())), origin.clone())
}
