//! `memory_store`: a bucket in this process's memory, for tests and examples.
//!
//! It keeps every promise that Plastron asks of a store: conditional creates in one request and in parts, metadata, `If-Match`,
//! and paged listings in bytewise order. Every opening is a new, empty bucket; it lives as long as a handle of it.

use std::collections::BTreeMap;
use std::fmt;
use std::ops::Bound;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use async_trait::async_trait;
use bytes::Bytes;
use futures::stream::{self, BoxStream, StreamExt};
use object_store::list::{PaginatedListOptions, PaginatedListResult, PaginatedListStore};
use object_store::path::Path;
use object_store::{
    Attributes, CopyMode, CopyOptions, GetOptions, GetResult, GetResultPayload, ListResult, MultipartUpload,
    ObjectMeta, ObjectStore, PutMode, PutMultipartOptions, PutOptions, PutPayload, PutResult, Result, UploadPart,
};

use crate::clock::Clock;
use crate::error::Fault;
use crate::options::BucketOptions;
use crate::source::{LargeCreate, Provider, Source};
use crate::stats::{Outcome, RequestKind, Stats};

/// Entries of one page of a listing, as with S3.
const PAGE_ENTRIES: usize = 1000;

/// Opens a new, empty bucket.
pub(crate) fn open(options: &BucketOptions, stats: Arc<Stats>) -> Source {
    let store = MemoryStore::new(Arc::clone(&options.clock), stats);
    Source {
        provider: Provider::Memory,
        store: Arc::new(store.clone()),
        pages: Some(Arc::new(store)),
        quirks: Arc::default(),
        address: format!("memory://{}", options.bucket),
        large_create: LargeCreate::Native,
        ahead: None,
    }
}

/// An object store in memory. Clones share the objects.
#[derive(Clone)]
pub(crate) struct MemoryStore {
    objects: Arc<Mutex<Objects>>,
    clock: Arc<dyn Clock>,
    stats: Arc<Stats>,
}

#[derive(Debug, Default)]
struct Objects {
    by_key: BTreeMap<String, Entry>,
    created: u64,
}

#[derive(Debug, Clone)]
struct Entry {
    data: Bytes,
    attributes: Attributes,
    meta: ObjectMeta,
}

impl MemoryStore {
    pub(crate) fn new(clock: Arc<dyn Clock>, stats: Arc<Stats>) -> Self {
        Self { objects: Arc::default(), clock, stats }
    }

    /// Takes the last byte off an object, as no store should.
    #[cfg(test)]
    pub(crate) fn shrink(&self, key: &str) {
        if let Some(entry) = self.lock().by_key.get_mut(key) {
            entry.data.truncate(entry.data.len() - 1);
            entry.meta.size -= 1;
        }
    }

    fn lock(&self) -> MutexGuard<'_, Objects> {
        // Nothing panics while it holds the lock, and every change is one insertion or removal.
        self.objects.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Counts a request, which took no time worth telling.
    fn count<T>(&self, kind: RequestKind, up: u64, down: u64, result: Result<T>) -> Result<T> {
        let outcome = match &result {
            Ok(_) => Outcome::Ok,
            Err(object_store::Error::NotFound { .. }) => Outcome::NotFound,
            Err(
                object_store::Error::AlreadyExists { .. }
                | object_store::Error::Precondition { .. }
                | object_store::Error::NotModified { .. },
            ) => Outcome::Conflict,
            Err(_) => Outcome::Refused,
        };
        let down = if result.is_ok() { down } else { 0 };
        self.stats.record(kind, outcome, up, down, Duration::ZERO);
        result
    }

    fn insert(&self, location: &Path, data: Bytes, attributes: Attributes, mode: PutMode) -> Result<PutResult> {
        let mut objects = self.lock();
        let existing = objects.by_key.get(location.as_ref());
        match mode {
            PutMode::Create if existing.is_some() => {
                return Err(object_store::Error::AlreadyExists {
                    path: location.to_string(),
                    source: Fault::ObjectExists.into(),
                });
            }
            PutMode::Update(version)
                if existing.and_then(|entry| entry.meta.e_tag.as_ref()) != version.e_tag.as_ref() =>
            {
                return Err(object_store::Error::Precondition {
                    path: location.to_string(),
                    source: "the object is another one now".into(),
                });
            }
            _ => {}
        }
        objects.created += 1;
        let e_tag = Some(format!("\"{}\"", objects.created));
        let meta = ObjectMeta {
            location: location.clone(),
            last_modified: self.clock.wall().into(),
            size: data.len() as u64,
            e_tag: e_tag.clone(),
            version: None,
        };
        objects.by_key.insert(location.to_string(), Entry { data, attributes, meta });
        Ok(PutResult { e_tag, version: None, extensions: Default::default() })
    }

    fn entry(&self, location: &Path) -> Result<Entry> {
        self.lock().by_key.get(location.as_ref()).cloned().ok_or_else(|| object_store::Error::NotFound {
            path: location.to_string(),
            source: Fault::NoSuchObject.into(),
        })
    }

    /// Up to `limit` objects and common prefixes whose keys begin with `prefix` and come after `after`, and whether there are more.
    fn page(&self, prefix: &str, after: Option<&str>, delimiter: bool, limit: usize) -> (ListResult, Option<String>) {
        let objects = self.lock();
        let mut page = ListResult { common_prefixes: Vec::new(), objects: Vec::new(), extensions: Default::default() };
        let mut last: Option<String> = None;
        let mut rolled: Option<String> = None;
        let start = match after {
            Some(after) if after >= prefix => Bound::Excluded(after),
            _ => Bound::Included(prefix),
        };
        for (key, entry) in objects.by_key.range::<str, _>((start, Bound::Unbounded)) {
            let Some(rest) = key.strip_prefix(prefix) else { break };
            let roll = rest.find('/').filter(|_| delimiter).and_then(|slash| key.get(..=prefix.len() + slash));
            if let Some(roll) = roll {
                let seen = rolled.as_deref() == Some(roll) || after.is_some_and(|after| after.starts_with(roll));
                if seen {
                    continue;
                }
            }
            if page.objects.len() + page.common_prefixes.len() == limit {
                return (page, last);
            }
            match roll {
                Some(roll) => {
                    page.common_prefixes.push(Path::parse(roll).unwrap_or_default());
                    rolled = Some(roll.to_owned());
                    last = rolled.clone();
                }
                None => {
                    page.objects.push(entry.meta.clone());
                    last = Some(key.clone());
                }
            }
        }
        (page, None)
    }
}

impl fmt::Debug for MemoryStore {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "MemoryStore({} objects)", self.lock().by_key.len())
    }
}

impl fmt::Display for MemoryStore {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("memory_store")
    }
}

#[async_trait]
impl ObjectStore for MemoryStore {
    async fn put_opts(&self, location: &Path, payload: PutPayload, options: PutOptions) -> Result<PutResult> {
        let data = Bytes::from(payload);
        let length = data.len() as u64;
        self.count(RequestKind::Put, length, 0, self.insert(location, data, options.attributes, options.mode))
    }

    async fn put_multipart_opts(
        &self,
        location: &Path,
        options: PutMultipartOptions,
    ) -> Result<Box<dyn MultipartUpload>> {
        let upload = MemoryUpload {
            store: self.clone(),
            location: location.clone(),
            attributes: options.attributes,
            parts: Arc::default(),
            begun: 0,
        };
        self.count(RequestKind::CreateMultipart, 0, 0, Ok(Box::new(upload)))
    }

    async fn get_opts(&self, location: &Path, options: GetOptions) -> Result<GetResult> {
        let head = options.head;
        let kind = if head { RequestKind::Head } else { RequestKind::Get };
        let got = self.entry(location).and_then(|entry| {
            options.check_preconditions(&entry.meta)?;
            let range = match options.range.filter(|_| !head) {
                Some(range) => range.as_range(entry.meta.size).map_err(|error| object_store::Error::Generic {
                    store: "memory_store",
                    source: error.to_string().into(),
                })?,
                None => 0..entry.meta.size,
            };
            let at = |offset: u64| usize::try_from(offset).unwrap_or(usize::MAX).min(entry.data.len());
            let data = if head { Bytes::new() } else { entry.data.slice(at(range.start)..at(range.end)) };
            Ok(GetResult {
                payload: GetResultPayload::Stream(stream::iter([Ok(data)]).boxed()),
                attributes: entry.attributes,
                meta: entry.meta,
                range,
                extensions: Default::default(),
            })
        });
        let down = got.as_ref().map_or(0, |got| if head { 0 } else { got.range.end - got.range.start });
        self.count(kind, 0, down, got)
    }

    fn delete_stream(&self, locations: BoxStream<'static, Result<Path>>) -> BoxStream<'static, Result<Path>> {
        let store = self.clone();
        locations
            .map(move |location| {
                let location = location?;
                let removed = store.lock().by_key.remove(location.as_ref());
                let result = removed.map(|_| location.clone()).ok_or_else(|| object_store::Error::NotFound {
                    path: location.to_string(),
                    source: Fault::NoSuchObject.into(),
                });
                store.count(RequestKind::Delete, 0, 0, result)
            })
            .boxed()
    }

    fn list(&self, prefix: Option<&Path>) -> BoxStream<'static, Result<ObjectMeta>> {
        self.list_with_offset(prefix, &Path::default())
    }

    fn list_with_offset(&self, prefix: Option<&Path>, offset: &Path) -> BoxStream<'static, Result<ObjectMeta>> {
        let prefix = prefix.filter(|prefix| !prefix.is_root()).map(|prefix| format!("{prefix}/")).unwrap_or_default();
        let store = self.clone();
        let after = (!offset.is_root()).then(|| offset.to_string());
        stream::unfold(Some(after), move |state| {
            let page = state.map(|after| store.page(&prefix, after.as_deref(), false, PAGE_ENTRIES));
            let counted = store.clone();
            async move {
                let (page, next) = page?;
                let page = counted.count(RequestKind::List, 0, 0, Ok(page));
                Some((stream::iter(page.into_iter().flat_map(|page| page.objects).map(Ok)), next.map(Some)))
            }
        })
        .flatten()
        .boxed()
    }

    async fn list_with_delimiter(&self, prefix: Option<&Path>) -> Result<ListResult> {
        let prefix = prefix.filter(|prefix| !prefix.is_root()).map(|prefix| format!("{prefix}/")).unwrap_or_default();
        self.count(RequestKind::List, 0, 0, Ok(self.page(&prefix, None, true, usize::MAX).0))
    }

    async fn copy_opts(&self, from: &Path, to: &Path, options: CopyOptions) -> Result<()> {
        let mode = match options.mode {
            CopyMode::Create => PutMode::Create,
            CopyMode::Overwrite => PutMode::Overwrite,
        };
        let copied = self.entry(from).and_then(|entry| self.insert(to, entry.data, entry.attributes, mode));
        self.count(RequestKind::Copy, 0, 0, copied.map(drop))
    }
}

#[async_trait]
impl PaginatedListStore for MemoryStore {
    async fn list_paginated(&self, prefix: Option<&str>, options: PaginatedListOptions) -> Result<PaginatedListResult> {
        let after = options.page_token.or(options.offset);
        let limit = options.max_keys.unwrap_or(PAGE_ENTRIES).clamp(1, PAGE_ENTRIES);
        let delimiter = options.delimiter.is_some();
        let (result, page_token) = self.page(prefix.unwrap_or_default(), after.as_deref(), delimiter, limit);
        self.count(RequestKind::List, 0, 0, Ok(PaginatedListResult { result, page_token }))
    }
}

/// An upload in parts; nothing is seen of it until it completes, and then only if the name is free.
#[derive(Debug)]
struct MemoryUpload {
    store: MemoryStore,
    location: Path,
    attributes: Attributes,
    parts: Arc<Mutex<BTreeMap<usize, PutPayload>>>,
    begun: usize,
}

#[async_trait]
impl MultipartUpload for MemoryUpload {
    fn put_part(&mut self, data: PutPayload) -> UploadPart {
        let (parts, store, at) = (Arc::clone(&self.parts), self.store.clone(), self.begun);
        self.begun += 1;
        Box::pin(async move {
            let length = data.content_length() as u64;
            parts.lock().unwrap_or_else(PoisonError::into_inner).insert(at, data);
            store.count(RequestKind::PutPart, length, 0, Ok(()))
        })
    }

    async fn complete(&mut self) -> Result<PutResult> {
        let parts = std::mem::take(&mut *self.parts.lock().unwrap_or_else(PoisonError::into_inner));
        let completed = if parts.len() == self.begun {
            let data = Bytes::from(parts.into_values().flatten().collect::<PutPayload>());
            self.store.insert(&self.location, data, std::mem::take(&mut self.attributes), PutMode::Create)
        } else {
            Err(object_store::Error::Generic { store: "memory_store", source: "a part is missing".into() })
        };
        self.store.count(RequestKind::Complete, 0, 0, completed)
    }

    async fn abort(&mut self) -> Result<()> {
        self.parts.lock().unwrap_or_else(PoisonError::into_inner).clear();
        self.store.count(RequestKind::Abort, 0, 0, Ok(()))
    }
}
