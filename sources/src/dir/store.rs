//! The directory bucket behind `object_store`'s trait.
//!
//! One hop to a blocking thread for each call, none for a small read of what is in memory; an object that is larger than a part is
//! read part by part, one ahead.

use std::fmt;
use std::ops::Range;
use std::sync::Arc;

use async_trait::async_trait;
use bytes::Bytes;
use futures::StreamExt;
use futures::stream::{self, BoxStream};
use object_store::list::{PaginatedListOptions, PaginatedListResult, PaginatedListStore};
use object_store::path::Path;
use object_store::{
    Attribute, Attributes, CopyOptions, GetOptions, GetResult, GetResultPayload, ListResult, MultipartUpload,
    ObjectMeta, ObjectStore, PutMode, PutMultipartOptions, PutOptions, PutPayload, PutResult, RenameOptions, Result,
};

use super::ahead::{AheadFile, WritesAhead};
use super::blocking::{blocking, drop_elsewhere};
use super::count::Count;
use super::fault::error;
use super::list::{Listed, Lister};
use super::pages::Paused;
use super::read::{METADATA, Opened, etag_of, resolve};
use super::tree::Tree;
use super::upload::DirUpload;
use crate::error::Fault;
use crate::stats::{RequestKind, Stats};

/// Removals in flight of one stream of names; those in one directory share their syncs.
const REMOVALS: usize = 16;

/// Entries looked up in one go while listing; the first go is a small one, for those who want to know whether there is anything.
const BATCH: usize = 1024;
const FIRST_BATCH: usize = 16;

/// A bucket that is a directory.
pub(super) struct DirStore {
    tree: Arc<Tree>,
    readonly: bool,
    /// What is read in one go, bytes.
    part_size: u64,
    paused: Arc<Paused>,
    count: Count,
}

impl DirStore {
    /// The store of `tree`; requests are counted in `stats`.
    pub(super) fn new(tree: Arc<Tree>, readonly: bool, part_size: u64, stats: Arc<Stats>) -> Self {
        let count = Count::new(stats, Arc::clone(&tree.clock));
        Self { tree, readonly, part_size, paused: Arc::default(), count }
    }

    /// Where bytes can be written before their object is created.
    pub(super) fn ahead(&self) -> WritesAhead {
        WritesAhead::new(Arc::clone(&self.tree))
    }

    fn refuse_if_readonly(&self, name: &Path) -> Result<()> {
        if self.readonly { Err(readonly_refusal(name)) } else { Ok(()) }
    }

    async fn get(&self, location: &Path, options: GetOptions) -> Result<GetResult> {
        if let Some(result) = self.tree.get_now(location, &options) {
            return result;
        }
        let (tree, name, part_size) = (Arc::clone(&self.tree), location.clone(), self.part_size);
        blocking(move || {
            let fault = |fault| error(name.as_ref(), fault);
            let opened = tree.open(&name).map_err(fault)?;
            options.check_preconditions(&opened.meta)?;
            let range = resolve(options.range.as_ref(), opened.meta.size).map_err(fault)?;
            // Who names the object's tag has asked for its attributes before; anyone else may just be opening it, at whatever place.
            let attributes =
                if options.if_match.is_none() { tree.attributes(&opened).map_err(fault)? } else { Attributes::new() };
            let meta = opened.meta.clone();
            let payload = if options.head {
                stream::empty().boxed()
            } else {
                let (first, rest) = split(&range, part_size);
                let first = tree.read(&opened, first).map_err(fault)?;
                let first = stream::once(std::future::ready(Ok(first)));
                if rest.is_empty() { first.boxed() } else { first.chain(parts(tree, opened, rest, part_size)).boxed() }
            };
            let payload = GetResultPayload::Stream(payload);
            Ok(GetResult { payload, meta, range, attributes, extensions: Default::default() })
        })
        .await
    }

    async fn get_several(&self, location: &Path, ranges: &[Range<u64>]) -> Result<Vec<Bytes>> {
        if let Some(bytes) = self.tree.get_ranges_now(location, ranges) {
            return Ok(bytes);
        }
        let (tree, name, ranges) = (Arc::clone(&self.tree), location.clone(), ranges.to_vec());
        blocking(move || {
            let opened = tree.open(&name).map_err(|fault| error(name.as_ref(), fault))?;
            let size = opened.meta.size;
            let read = |range| tree.read(&opened, resolve(Some(&range), size)?);
            let bytes = ranges.into_iter().map(|range| read(range.into())).collect::<Result<_, Fault>>();
            bytes.map_err(|fault| error(name.as_ref(), fault))
        })
        .await
    }

    fn listing(&self, prefix: Option<&Path>, after: Option<Path>) -> BoxStream<'static, Result<ObjectMeta>> {
        let lister = Lister::new(Arc::clone(&self.tree), below(prefix), after.map(String::from), false);
        let state = (Some(Box::new(lister)), FIRST_BATCH, self.count.clone());
        stream::unfold(state, |(lister, size, count)| async move {
            let mut lister = lister?;
            let batch = blocking(move || {
                let mut found = Vec::with_capacity(size);
                while found.len() < size {
                    match lister.next() {
                        Some(Ok(Listed::Object(meta))) => found.push(Ok(meta)),
                        Some(Ok(Listed::Prefix(_))) => {}
                        Some(Err(error)) => found.push(Err(error)),
                        None => return Ok((found, None)),
                    }
                }
                Ok((found, Some(lister)))
            });
            Some(match count.request(RequestKind::List, 0, batch, |_| 0).await {
                Ok((found, lister)) => (stream::iter(found), (lister, BATCH, count)),
                Err(error) => (stream::iter(vec![Err(error)]), (None, BATCH, count)),
            })
        })
        .flatten()
        .boxed()
    }
}

impl fmt::Debug for DirStore {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("DirStore")
            .field("path", &self.tree.root.show(""))
            .field("staging", &self.tree.staging)
            .field("readonly", &self.readonly)
            .finish_non_exhaustive()
    }
}

impl fmt::Display for DirStore {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}({})", super::fault::STORE, self.tree.root.show("").display())
    }
}

#[async_trait]
impl ObjectStore for DirStore {
    async fn put_opts(&self, location: &Path, payload: PutPayload, options: PutOptions) -> Result<PutResult> {
        self.refuse_if_readonly(location)?;
        if options.mode != PutMode::Create {
            let reason = "objects are never overwritten: a directory bucket puts with PutMode::Create only";
            return Err(error(location.as_ref(), Fault::Unsupported(reason.to_owned())));
        }
        let attribute = attribute_of(location, &options.attributes)?;
        let (tree, name) = (Arc::clone(&self.tree), location.clone());
        let length = payload.content_length() as u64;
        let ahead = options.extensions.get::<AheadFile>().cloned();
        let creating = blocking(move || {
            let created = tree.create(&name, payload.as_ref(), attribute.as_deref(), ahead.as_ref());
            let stat = created.map_err(|fault| error(name.as_ref(), fault))?;
            Ok(PutResult { e_tag: Some(etag_of(&stat)), version: None, extensions: Default::default() })
        });
        self.count.request(RequestKind::Put, length, creating, |_| 0).await
    }

    async fn put_multipart_opts(
        &self,
        location: &Path,
        options: PutMultipartOptions,
    ) -> Result<Box<dyn MultipartUpload>> {
        self.refuse_if_readonly(location)?;
        let attribute = attribute_of(location, &options.attributes)?;
        let (tree, count, name) = (Arc::clone(&self.tree), self.count.clone(), location.clone());
        let beginning = blocking(move || {
            let upload = DirUpload::begin(tree, count, name.clone(), attribute);
            Ok(Box::new(upload.map_err(|fault| error(name.as_ref(), fault))?) as Box<dyn MultipartUpload>)
        });
        self.count.request(RequestKind::CreateMultipart, 0, beginning, |_| 0).await
    }

    async fn get_opts(&self, location: &Path, options: GetOptions) -> Result<GetResult> {
        if options.version.is_some() {
            let reason = "a directory bucket has no versions: objects never change";
            return Err(error(location.as_ref(), Fault::Unsupported(reason.to_owned())));
        }
        let kind = if options.head { RequestKind::Head } else { RequestKind::Get };
        let down = move |got: &GetResult| if kind == RequestKind::Head { 0 } else { got.range.end - got.range.start };
        self.count.request(kind, 0, self.get(location, options), down).await
    }

    async fn get_ranges(&self, location: &Path, ranges: &[Range<u64>]) -> Result<Vec<Bytes>> {
        let down = |all: &Vec<Bytes>| all.iter().map(|bytes| bytes.len() as u64).sum();
        self.count.request(RequestKind::Get, 0, self.get_several(location, ranges), down).await
    }

    fn delete_stream(&self, locations: BoxStream<'static, Result<Path>>) -> BoxStream<'static, Result<Path>> {
        let (tree, count, readonly) = (Arc::clone(&self.tree), self.count.clone(), self.readonly);
        locations
            .map(move |location| {
                let (tree, count) = (Arc::clone(&tree), count.clone());
                async move {
                    let location = location?;
                    if readonly {
                        return Err(readonly_refusal(&location));
                    }
                    let removing = blocking(move || {
                        tree.remove(&location).map_err(|fault| error(location.as_ref(), fault))?;
                        Ok(location)
                    });
                    count.request(RequestKind::Delete, 0, removing, |_| 0).await
                }
            })
            .buffered(REMOVALS)
            .boxed()
    }

    fn list(&self, prefix: Option<&Path>) -> BoxStream<'static, Result<ObjectMeta>> {
        self.listing(prefix, None)
    }

    fn list_with_offset(&self, prefix: Option<&Path>, offset: &Path) -> BoxStream<'static, Result<ObjectMeta>> {
        self.listing(prefix, Some(offset.clone()))
    }

    async fn list_with_delimiter(&self, prefix: Option<&Path>) -> Result<ListResult> {
        let mut lister = Lister::new(Arc::clone(&self.tree), below(prefix), None, true);
        let listing = blocking(move || {
            let mut result =
                ListResult { common_prefixes: Vec::new(), objects: Vec::new(), extensions: Default::default() };
            while let Some(listed) = lister.next() {
                match listed? {
                    Listed::Object(meta) => result.objects.push(meta),
                    Listed::Prefix(path) => result.common_prefixes.push(path),
                }
            }
            Ok(result)
        });
        self.count.request(RequestKind::List, 0, listing, |_| 0).await
    }

    async fn copy_opts(&self, from: &Path, _to: &Path, _options: CopyOptions) -> Result<()> {
        let reason = "a directory bucket does not copy objects: put the bytes again under the other name";
        Err(error(from.as_ref(), Fault::Unsupported(reason.to_owned())))
    }

    async fn rename_opts(&self, from: &Path, _to: &Path, _options: RenameOptions) -> Result<()> {
        let reason = "objects are never renamed: put the bytes under the other name and remove this one";
        Err(error(from.as_ref(), Fault::Unsupported(reason.to_owned())))
    }
}

#[async_trait]
impl PaginatedListStore for DirStore {
    async fn list_paginated(&self, prefix: Option<&str>, options: PaginatedListOptions) -> Result<PaginatedListResult> {
        let (tree, paused, prefix) = (Arc::clone(&self.tree), Arc::clone(&self.paused), prefix.map(str::to_owned));
        let listing = blocking(move || paused.page(&tree, prefix.as_deref(), options));
        self.count.request(RequestKind::List, 0, listing, |_| 0).await
    }
}

/// What all names below `prefix` begin with.
fn below(prefix: Option<&Path>) -> String {
    prefix.filter(|prefix| !prefix.is_root()).map(|prefix| format!("{prefix}/")).unwrap_or_default()
}

fn readonly_refusal(name: &Path) -> object_store::Error {
    error(
        name.as_ref(),
        Fault::Unsupported("the bucket is opened with readonly=true; open it without to write".to_owned()),
    )
}

/// The one attribute that a file can carry.
fn attribute_of(name: &Path, attributes: &Attributes) -> Result<Option<String>> {
    let mut value = None;
    for (attribute, given) in attributes {
        match attribute {
            Attribute::Metadata(key) if key == METADATA => value = Some(given.to_string()),
            other => {
                let reason = format!("a directory bucket keeps only the user metadata `{METADATA}`, not {other:?}");
                return Err(error(name.as_ref(), Fault::Unsupported(reason)));
            }
        }
    }
    Ok(value)
}

/// `range` cut after `size` bytes.
fn split(range: &Range<u64>, size: u64) -> (Range<u64>, Range<u64>) {
    let middle = range.start.saturating_add(size).min(range.end);
    (range.start..middle, middle..range.end)
}

/// The bytes of `range` in parts, the next one being read while one is used.
fn parts(tree: Arc<Tree>, opened: Opened, range: Range<u64>, size: u64) -> impl futures::Stream<Item = Result<Bytes>> {
    let opened = Arc::new(Closing(Some(opened)));
    let ranges = std::iter::successors(Some(split(&range, size)), move |(_, rest)| {
        (!rest.is_empty()).then(|| split(rest, size))
    });
    stream::iter(ranges.map(|(part, _)| part))
        .map(move |part| {
            let (tree, opened) = (Arc::clone(&tree), Arc::clone(&opened));
            blocking(move || {
                let Some(opened) = &opened.0 else { return Ok(Bytes::new()) };
                tree.read(opened, part).map_err(|fault| error(opened.meta.location.as_ref(), fault))
            })
        })
        .buffered(2)
}

/// A file that is closed on a blocking thread: it may be the last to hold a removed object's blocks.
struct Closing(Option<Opened>);

impl Drop for Closing {
    fn drop(&mut self) {
        if let Some(opened) = self.0.take() {
            drop_elsewhere(opened);
        }
    }
}
