//! A store in memory whose every request can be made to fail.

use std::collections::BTreeMap;
use std::fmt;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use async_trait::async_trait;
use bytes::{Bytes, BytesMut};
use futures::stream::{self, BoxStream, StreamExt, TryStreamExt};
use object_store::list::{PaginatedListOptions, PaginatedListResult, PaginatedListStore};
use object_store::path::Path;
use object_store::{
    CopyOptions, GetOptions, GetResult, GetResultPayload, ListResult, MultipartUpload, ObjectMeta, ObjectStore,
    PutMode, PutMultipartOptions, PutOptions, PutPayload, PutResult, Result, UploadPart,
};

use crate::clock::{Clock as _, SystemClock};
use crate::error::Fault;
use crate::memory::MemoryStore;
use crate::source::Provider;
use crate::stats::Stats;

/// A kind of request.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Op {
    Put,
    Begin,
    Part,
    Complete,
    Abort,
    Get,
    Head,
    Delete,
    List,
}

/// What becomes of a request.
pub(crate) enum Fate {
    /// It does what it should.
    Go,
    /// It does nothing and fails.
    Fail(object_store::Error),
    /// It does what it should, and then fails.
    Lose(object_store::Error),
    /// It never ends, and does nothing.
    Hang,
    /// It does what it should, and never ends.
    GoAndHang,
    /// A read whose byte at this offset has a bit flipped.
    Flip(usize),
    /// A read that ends after so many bytes.
    Truncate(usize),
    /// A create that replaces what is there.
    Overwrite,
    /// A read that ignores its conditions.
    Unconditional,
    /// A listing that ignores where to begin.
    FromTheStart,
    /// A listing backwards.
    Reversed,
}

/// Decides on a request by its kind, its key, and how many of the kind there were before it.
type Judge = Box<dyn FnMut(Op, &str, usize) -> Fate + Send>;

/// A store in memory whose every request can be made to fail. Clones are the same store.
#[derive(Clone)]
pub(crate) struct FaultyStore {
    /// The store behind it, which never fails.
    pub(crate) memory: MemoryStore,
    /// Whether it pages listings, as clouds do.
    pub(crate) pages: bool,
    pub(crate) stats: Arc<Stats>,
    judge: Arc<Mutex<Judge>>,
    calls: Arc<Mutex<BTreeMap<Op, usize>>>,
    /// How long a request takes to the store, and its answer back, at the most; and the state of the draws.
    distance: Arc<Mutex<(u64, u64)>>,
    /// Uploads that were begun and neither completed nor aborted.
    open_uploads: Arc<AtomicUsize>,
}

/// An error that may go away.
pub(crate) fn busy() -> object_store::Error {
    let fault = Fault::Busy { status: 503, code: "SlowDown".to_owned(), message: "slow down".to_owned() };
    object_store::Error::Generic { store: "faulty", source: fault.into() }
}

impl FaultyStore {
    pub(crate) fn new() -> Self {
        let stats = Arc::new(Stats::new(Provider::Memory));
        Self {
            memory: MemoryStore::new(Arc::new(SystemClock), Arc::clone(&stats)),
            pages: true,
            stats,
            judge: Arc::new(Mutex::new(Box::new(|_, _, _| Fate::Go))),
            calls: Arc::default(),
            distance: Arc::default(),
            open_uploads: Arc::default(),
        }
    }

    /// A store that lists as one stream, as a directory does.
    pub(crate) fn streaming() -> Self {
        Self { pages: false, ..Self::new() }
    }

    /// From now on `judge` decides, and requests are counted anew.
    pub(crate) fn judge(&self, judge: impl FnMut(Op, &str, usize) -> Fate + Send + 'static) {
        *self.judge.lock().unwrap() = Box::new(judge);
        self.calls.lock().unwrap().clear();
    }

    /// Request number `at` (from 0) of kind `op` gets this fate, once.
    pub(crate) fn once(&self, op: Op, at: usize, fate: Fate) {
        let mut fate = Some(fate);
        self.judge(
            move |found, _, count| if (found, count) == (op, at) { fate.take().unwrap_or(Fate::Go) } else { Fate::Go },
        );
    }

    /// Nothing fails any more, and requests are counted anew.
    pub(crate) fn heal(&self) {
        self.judge(|_, _, _| Fate::Go);
    }

    /// From now on each way takes up to `most` milliseconds of tokio's time, drawn from `seed`: requests overtake each other.
    pub(crate) fn is_far(&self, most: u64, seed: u64) {
        *self.distance.lock().unwrap() = (most, seed | 1);
    }

    async fn way(&self) {
        let drawn = {
            let (most, state) = &mut *self.distance.lock().unwrap();
            *state ^= *state << 13;
            *state ^= *state >> 7;
            *state ^= *state << 17;
            if *most == 0 { 0 } else { *state % *most }
        };
        if drawn > 0 {
            SystemClock.sleep(Duration::from_millis(drawn)).await;
        }
    }

    /// Requests of kind `op` since the judge was set.
    pub(crate) fn count(&self, op: Op) -> usize {
        self.calls.lock().unwrap().get(&op).copied().unwrap_or_default()
    }

    pub(crate) fn open_uploads(&self) -> usize {
        self.open_uploads.load(Ordering::SeqCst)
    }

    /// All keys there are.
    pub(crate) async fn keys(&self) -> Vec<String> {
        self.memory.list(None).map_ok(|meta| meta.location.to_string()).try_collect().await.unwrap()
    }

    /// Writes an object as another program would.
    pub(crate) async fn plant(&self, key: &str, data: impl Into<PutPayload>) {
        self.memory.put_opts(&Path::parse(key).unwrap(), data.into(), PutOptions::default()).await.unwrap();
    }

    fn fate(&self, op: Op, key: &str) -> Fate {
        let count = {
            let mut calls = self.calls.lock().unwrap();
            let count = calls.entry(op).or_default();
            *count += 1;
            *count - 1
        };
        (self.judge.lock().unwrap())(op, key, count)
    }

    /// Does `work` as fate will have it.
    async fn run<T>(&self, fate: Fate, work: impl Future<Output = Result<T>>) -> Result<T> {
        self.way().await;
        let answer = match fate {
            Fate::Fail(error) => Err(error),
            Fate::Hang => std::future::pending().await,
            Fate::Lose(error) => match work.await {
                Ok(_) => Err(error),
                failed => failed,
            },
            Fate::GoAndHang => {
                let _ = work.await;
                std::future::pending().await
            }
            _ => work.await,
        };
        self.way().await;
        answer
    }
}

impl fmt::Debug for FaultyStore {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "FaultyStore({:?})", self.memory)
    }
}

impl fmt::Display for FaultyStore {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("faulty")
    }
}

#[async_trait]
impl ObjectStore for FaultyStore {
    async fn put_opts(&self, location: &Path, payload: PutPayload, mut options: PutOptions) -> Result<PutResult> {
        let fate = self.fate(Op::Put, location.as_ref());
        if matches!(fate, Fate::Overwrite) {
            options.mode = PutMode::Overwrite;
        }
        self.run(fate, self.memory.put_opts(location, payload, options)).await
    }

    async fn put_multipart_opts(
        &self,
        location: &Path,
        options: PutMultipartOptions,
    ) -> Result<Box<dyn MultipartUpload>> {
        let fate = self.fate(Op::Begin, location.as_ref());
        let work = async {
            let inner = self.memory.put_multipart_opts(location, options.clone()).await?;
            self.open_uploads.fetch_add(1, Ordering::SeqCst);
            let parts = Vec::new();
            let upload =
                FaultyUpload { store: self.clone(), location: location.clone(), options, parts, inner, open: true };
            Ok(Box::new(upload) as Box<dyn MultipartUpload>)
        };
        self.run(fate, work).await
    }

    async fn get_opts(&self, location: &Path, mut options: GetOptions) -> Result<GetResult> {
        let fate = self.fate(if options.head { Op::Head } else { Op::Get }, location.as_ref());
        if matches!(fate, Fate::Unconditional) {
            options.if_match = None;
        }
        let change = match &fate {
            Fate::Flip(at) => Some((*at, usize::MAX)),
            Fate::Truncate(length) => Some((usize::MAX, *length)),
            _ => None,
        };
        let got = self.run(fate, self.memory.get_opts(location, options)).await?;
        let Some((flip, length)) = change else { return Ok(got) };
        let (attributes, meta, range) = (got.attributes.clone(), got.meta.clone(), got.range.clone());
        let mut bytes = BytesMut::from(got.bytes().await?);
        if let Some(byte) = bytes.get_mut(flip) {
            *byte ^= 0x10;
        }
        bytes.truncate(length);
        let payload = GetResultPayload::Stream(stream::iter([Ok(Bytes::from(bytes))]).boxed());
        Ok(GetResult { payload, meta, range, attributes, extensions: Default::default() })
    }

    fn delete_stream(&self, locations: BoxStream<'static, Result<Path>>) -> BoxStream<'static, Result<Path>> {
        let store = self.clone();
        locations
            .then(move |location| {
                let store = store.clone();
                async move {
                    let location = location?;
                    let fate = store.fate(Op::Delete, location.as_ref());
                    let one = stream::iter([Ok(location.clone())]).boxed();
                    let work = async { store.memory.delete_stream(one).try_collect::<Vec<_>>().await };
                    store.run(fate, work).await.map(|_| location)
                }
            })
            .boxed()
    }

    fn list(&self, prefix: Option<&Path>) -> BoxStream<'static, Result<ObjectMeta>> {
        match self.fate(Op::List, prefix.map(AsRef::as_ref).unwrap_or_default()) {
            Fate::Fail(error) => stream::iter([Err(error)]).boxed(),
            _ => self.memory.list(prefix),
        }
    }

    fn list_with_offset(&self, prefix: Option<&Path>, offset: &Path) -> BoxStream<'static, Result<ObjectMeta>> {
        match self.fate(Op::List, prefix.map(AsRef::as_ref).unwrap_or_default()) {
            Fate::Fail(error) => stream::iter([Err(error)]).boxed(),
            _ => self.memory.list_with_offset(prefix, offset),
        }
    }

    async fn list_with_delimiter(&self, prefix: Option<&Path>) -> Result<ListResult> {
        self.memory.list_with_delimiter(prefix).await
    }

    async fn copy_opts(&self, from: &Path, to: &Path, options: CopyOptions) -> Result<()> {
        self.memory.copy_opts(from, to, options).await
    }
}

#[async_trait]
impl PaginatedListStore for FaultyStore {
    async fn list_paginated(
        &self,
        prefix: Option<&str>,
        mut options: PaginatedListOptions,
    ) -> Result<PaginatedListResult> {
        let fate = self.fate(Op::List, prefix.unwrap_or_default());
        if matches!(fate, Fate::FromTheStart) {
            options.offset = None;
        }
        let reversed = matches!(fate, Fate::Reversed);
        let mut page = self.run(fate, self.memory.list_paginated(prefix, options)).await?;
        if reversed {
            page.result.objects.reverse();
        }
        Ok(page)
    }
}

#[derive(Debug)]
struct FaultyUpload {
    store: FaultyStore,
    location: Path,
    options: PutMultipartOptions,
    parts: Vec<PutPayload>,
    inner: Box<dyn MultipartUpload>,
    open: bool,
}

impl FaultyUpload {
    fn close(&mut self) {
        if std::mem::take(&mut self.open) {
            self.store.open_uploads.fetch_sub(1, Ordering::SeqCst);
        }
    }
}

#[async_trait]
impl MultipartUpload for FaultyUpload {
    fn put_part(&mut self, data: PutPayload) -> UploadPart {
        let (store, location) = (self.store.clone(), self.location.clone());
        self.parts.push(data.clone());
        let part = self.inner.put_part(data);
        Box::pin(async move { store.run(store.fate(Op::Part, location.as_ref()), part).await })
    }

    async fn complete(&mut self) -> Result<PutResult> {
        let fate = self.store.fate(Op::Complete, self.location.as_ref());
        if matches!(fate, Fate::Overwrite) {
            self.close();
            let whole = self.parts.iter().flatten().cloned().collect();
            let options = PutOptions { attributes: self.options.attributes.clone(), ..PutOptions::default() };
            return self.store.memory.put_opts(&self.location, whole, options).await;
        }
        let store = self.store.clone();
        let work = async {
            let completed = self.inner.complete().await?;
            self.close();
            Ok(completed)
        };
        store.run(fate, work).await
    }

    async fn abort(&mut self) -> Result<()> {
        let fate = self.store.fate(Op::Abort, self.location.as_ref());
        let store = self.store.clone();
        let work = async {
            self.inner.abort().await?;
            self.close();
            Ok(())
        };
        store.run(fate, work).await
    }
}
