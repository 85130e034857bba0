//! Cold reads from far away: with read-ahead against without, and many readers of one block.
//!
//! [`Far`] puts the same delay in front of every request for bytes: either in this process, between the cache and a bucket in memory,
//! which needs no server; or, where a bucket is behind plain HTTP, on the wire ([`super::delay_line`]), so that everything from the
//! file handle to the server takes part. Each arm has a new cache.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use async_trait::async_trait;
use bytes::Bytes;
use plastron::clock::{Clock, SystemClock};
use plastron::{Bucket, BucketOptions, CacheOptions, FileHandle, FileSystem, Provider, RequestKind, Store};
use plastron_cache::{CachedObject, Fetch, ObjectId, Priority};
use plastron_sources::Object;
use tokio::task::JoinSet;

use super::bucket::Subject;
use super::content;
use super::delay_line::DelayLine;
use super::meter::Meter;
use super::pairs::{Pairs, Plan, Work};
use super::row::{Goal, Row, Unit};
use super::sizes::Sizes;
use crate::context::Stopwatch;
use crate::failure::{Failure, Result};
use crate::quantity;

/// How much faster read-ahead should make it.
const GOAL: f64 = 10.0;

/// Rows of one place.
pub(super) const ROWS: usize = 2;

/// Bytes of one read of the sequential reader. Four blocks at once are fetched together even without read-ahead, which helps that
/// side; engines read less at a time.
const READ_BYTES: u64 = 1 << 20;

/// Bytes of one read of each of the crowd.
const CROWD_BYTES: u64 = 4 << 10;

/// Pairs, so that there is a middle one.
const PAIRS: usize = 3;

/// Times that the crowd comes; the worst counts.
const CROWDS: usize = 5;

/// An object that is far away.
pub(super) struct Far {
    place: String,
    origin: Origin,
    size: u64,
}

enum Origin {
    /// In this process, delayed before each request.
    Delayed { object: Object, latency: Duration, requests: Arc<AtomicU64> },
    /// Behind a delay on the wire. The line ends when it is dropped.
    Wire { bucket: Bucket, name: String, _line: DelayLine },
}

impl Far {
    /// In this process.
    pub(super) async fn near(sizes: &Sizes) -> Result<Self> {
        let bucket =
            Bucket::open(BucketOptions::new(Provider::Memory, "bench")).await.map_err(plastron::Error::from)?;
        bucket.put("far", content::bytes(sizes.far, 5)).await.map_err(plastron::Error::from)?;
        let object = bucket.open_object("far").await.map_err(plastron::Error::from)?;
        let origin = Origin::Delayed { object, latency: sizes.latency, requests: Arc::default() };
        Ok(Self { place: "memory".to_owned(), origin, size: sizes.far })
    }

    /// At `subject`, which must be behind plain HTTP; none if it is not. The object is the caller's to remove.
    pub(super) async fn wire(subject: &Subject, sizes: &Sizes) -> Result<Option<Self>> {
        let Some(line) = DelayLine::start(subject.options.endpoint.as_deref(), sizes.latency).await? else {
            return Ok(None);
        };
        let name = subject.name("far");
        subject.put(&name, content::bytes(sizes.far, 5)).await?;
        let mut options = subject.options.clone();
        options.endpoint = Some(line.endpoint().to_owned());
        options.readonly = true;
        // A second request for a slow read is a request: here they are counted.
        options.hedge.enabled = false;
        let bucket = Box::pin(Bucket::open(options)).await.map_err(plastron::Error::from)?;
        let origin = Origin::Wire { bucket, name, _line: line };
        Ok(Some(Self { place: subject.label.to_owned(), origin, size: sizes.far }))
    }

    /// All rows of this place.
    pub(super) async fn rows(&self, sizes: &Sizes, meter: &Meter) -> Result<Vec<Row>> {
        let latency = sizes.latency.as_millis();
        let title = format!("cold sequential {} behind {latency} ms, read-ahead", quantity::bytes(self.size));
        meter.row(&title);
        let ours = async |_| self.front_to_back(CacheOptions::new().read_ahead).await;
        let peer = async |_| self.front_to_back(0).await;
        // The side without read-ahead takes ten seconds, nearly all of it asleep: a few pairs agree, and there is nothing to warm up.
        let plan = Plan { least: PAIRS, budget: Duration::ZERO, warm_up: false, ..sizes.plan };
        let pairs = Pairs::run(plan, meter, ours, peer).await?;
        let place = self.place.as_str();
        let ahead = Row::compared(title, place, Unit::MibPerSecond, &pairs, "no read-ahead", Goal::Ratio(GOAL));

        let title = format!("{} readers of one cold block", sizes.crowd);
        meter.row(&title);
        let mut most = 0;
        for _ in 0..CROWDS {
            most = most.max(self.crowd(sizes.crowd).await?);
        }
        Ok(vec![ahead, Row::alone(title, place, Unit::Requests, most as f64, Goal::Exactly(1.0))])
    }

    /// Reads it all in order through a new cache.
    async fn front_to_back(&self, read_ahead: u64) -> Result<Work> {
        let reader = self.open(read_ahead).await?;
        let watch = Stopwatch::start();
        for start in (0..self.size).step_by(READ_BYTES as usize) {
            let end = self.size.min(start + READ_BYTES);
            let bytes = reader.read(start, end).await?;
            if bytes.len() as u64 != end - start {
                return Err(Failure::other("a read came back short"));
            }
        }
        Ok(Work { amount: self.size as f64 / f64::from(1 << 20), elapsed: watch.elapsed() })
    }

    /// Requests that `readers` readers make of one block that no one has.
    async fn crowd(&self, readers: usize) -> Result<u64> {
        let reader = Arc::new(self.open(0).await?);
        // The first read of a large object fetches its checksums, too; that is not what is counted here.
        reader.read(self.size - 1, self.size).await?;
        let before = self.requests();
        let mut crowd = JoinSet::new();
        for n in 0..readers as u64 {
            let reader = Arc::clone(&reader);
            // Each its own part of the block, as far as there are enough parts.
            let start = (n * CROWD_BYTES) % (128 << 10);
            crowd.spawn(async move { reader.read(start, start + CROWD_BYTES).await.map(drop) });
        }
        while let Some(done) = crowd.join_next().await {
            done??;
        }
        Ok(self.requests() - before)
    }

    async fn open(&self, read_ahead: u64) -> Result<Reader> {
        let mut options = CacheOptions::new();
        options.read_ahead = read_ahead;
        let cache = Store::open_cache(options).await?;
        match &self.origin {
            Origin::Delayed { object, latency, requests } => {
                let origin = Delayed { object: object.clone(), latency: *latency, requests: Arc::clone(requests) };
                let id = ObjectId::new("bench", "far", object.etag(), object.size());
                Ok(Reader::Delayed(Box::new(cache.object(id)), Arc::new(origin)))
            }
            Origin::Wire { bucket, name, .. } => {
                let files = FileSystem::from_parts(bucket.clone(), Some(cache));
                Ok(Reader::File(files.open_file(name).await?))
            }
        }
    }

    /// Requests for bytes so far.
    fn requests(&self) -> u64 {
        match &self.origin {
            Origin::Delayed { requests, .. } => requests.load(Ordering::Relaxed),
            Origin::Wire { bucket, .. } => bucket.stats().requests_of(RequestKind::Get),
        }
    }
}

/// Reads a far object through a cache.
enum Reader {
    Delayed(Box<CachedObject>, Arc<dyn Fetch>),
    File(FileHandle),
}

impl Reader {
    async fn read(&self, start: u64, end: u64) -> Result<Bytes> {
        Ok(match self {
            Self::Delayed(object, origin) => {
                object.read(origin, start..end, Priority::Data).await.map_err(plastron::Error::from)?
            }
            Self::File(file) => file.read(start..end).await?,
        })
    }
}

/// An object that takes its time for every request.
struct Delayed {
    object: Object,
    latency: Duration,
    requests: Arc<AtomicU64>,
}

#[async_trait]
impl Fetch for Delayed {
    async fn fetch(&self, range: std::ops::Range<u64>) -> std::result::Result<Bytes, plastron_sources::Error> {
        self.requests.fetch_add(1, Ordering::Relaxed);
        SystemClock.sleep(self.latency).await;
        self.object.read(range).await
    }
}
