//! An object that is open for reading.

use std::fmt;
use std::ops::Range;
use std::sync::Arc;

use bytes::{Bytes, BytesMut};
use futures::stream::{self, BoxStream, StreamExt, TryStreamExt};
use object_store::ObjectStoreExt;
use object_store::path::Path;
use tokio::sync::OnceCell;

use super::{PieceReader, Span, coalesce, split};
use crate::bucket::{Found, OpenBucket};
use crate::creation_id::CreationId;
use crate::error::{Error, Fault, Result};
use crate::fault_of::fault_of;
use crate::object_info::ObjectInfo;
use crate::options::ChecksumPolicy;
use crate::stats::Event;
use crate::sums::{BlockSums, SumsPlace, decode_side_object, side_object_bytes, side_object_name};

/// An object that is open for reading; made by [`crate::Bucket::open_object`]. Cheap to clone; holds no connection.
///
/// It stands for the object that was there when it was opened: if something replaces that object, reads fail with `Conflict`
/// rather than mix the two. Every byte it returns has been verified against the checksums taken when the object was written,
/// unless something other than Plastron wrote it ([`crate::Checksums::None`]).
#[derive(Clone)]
pub struct Object(Arc<Inner>);

struct Inner {
    bucket: Arc<OpenBucket>,
    key: Path,
    info: ObjectInfo,
    sums: Sums,
    /// Made at the first read: sums that are at the side are fetched then, once.
    reader: OnceCell<PieceReader>,
}

enum Sums {
    None,
    Inline(BlockSums),
    Side(CreationId, u32),
}

impl Object {
    pub(crate) fn new(bucket: Arc<OpenBucket>, name: &str, key: Path, found: &Found) -> Result<Self, Fault> {
        let (info, creation) = bucket.info(name, found)?;
        let sums = match creation {
            None if bucket.options.checksums == ChecksumPolicy::Required => {
                return Err(Fault::Unsupported(
                    "the object carries no checksums, so something other than Plastron wrote it, and the bucket is opened with \
                     checksums=required; checksums=available reads it unverified"
                        .to_owned(),
                ));
            }
            None => Sums::None,
            Some(creation) => match creation.place {
                SumsPlace::Inline(sums) => Sums::Inline(sums),
                SumsPlace::Side(id) => Sums::Side(id, creation.block),
            },
        };
        Ok(Self(Arc::new(Inner { bucket, key, info, sums, reader: OnceCell::new() })))
    }

    /// What is known about the object.
    pub fn info(&self) -> &ObjectInfo {
        &self.0.info
    }

    /// The object's name.
    pub fn name(&self) -> &str {
        &self.0.info.name
    }

    /// Size, bytes.
    pub fn size(&self) -> u64 {
        self.0.info.size
    }

    /// The provider's entity tag at open.
    pub fn etag(&self) -> &str {
        &self.0.info.etag
    }

    /// Reads exactly `range`. An empty range takes no request. What is larger than `part_size` is fetched in pieces, up to
    /// `part_concurrency` at once, and put together in memory; for more than memory holds there is [`Object::stream`].
    ///
    /// # Errors
    /// `Invalid` for a range that is not within the object; `Corrupt` for bytes that fail their checksum twice; `Conflict` if the
    /// object was replaced; `NotFound` if it is gone; `Unauthorized`, `Unavailable`.
    pub async fn read(&self, range: Range<u64>) -> Result<Bytes> {
        Box::pin(self.read_range(range)).await.map_err(|fault| self.error(fault))
    }

    /// Reads the whole object into memory.
    ///
    /// # Errors
    /// As [`Object::read`].
    pub async fn read_all(&self) -> Result<Bytes> {
        self.read(0..self.size()).await
    }

    /// Reads several ranges, which may overlap and come in any order, and returns them in that order. Ranges less than 1 MiB apart
    /// share requests; up to `part_concurrency` requests run at once.
    ///
    /// # Errors
    /// As [`Object::read`]; the first error ends it all.
    pub async fn read_many(&self, ranges: &[Range<u64>]) -> Result<Vec<Bytes>> {
        Box::pin(self.read_ranges(ranges)).await.map_err(|fault| self.error(fault))
    }

    /// Reads `range` piece by piece, in order. At most `part_concurrency` pieces of `part_size` bytes are held in memory.
    /// Each error ends the stream; they are those of [`Object::read`].
    pub fn stream(&self, range: Range<u64>) -> BoxStream<'static, Result<Bytes>> {
        let object = self.clone();
        let opened = async move {
            object.check(&range)?;
            if range.is_empty() {
                return Ok(stream::empty().boxed());
            }
            let reader = object.reader().await?.clone();
            Ok::<_, Fault>(pieces(&reader, range))
        };
        let object = self.clone();
        stream::once(opened).try_flatten().map_err(move |fault| object.error(fault)).boxed()
    }

    pub(super) async fn read_range(&self, range: Range<u64>) -> Result<Bytes, Fault> {
        self.check(&range)?;
        if range.is_empty() {
            return Ok(Bytes::new());
        }
        let reader = self.reader().await?;
        let aligned = reader.align(range.clone());
        if aligned.end - aligned.start <= reader.piece_size() {
            let piece = reader.read(aligned.clone()).await?;
            return Ok(cut(&piece, aligned.start, &range));
        }
        // Each piece has its place in the whole, where threads put them side by side.
        let mut rest = BytesMut::with_capacity(length(&range)?);
        let mut places = Vec::new();
        for piece in split(aligned, reader.piece_size()) {
            let wanted = range.start.max(piece.start)..range.end.min(piece.end);
            let later = rest.split_off(length(&wanted)?);
            places.push((piece, wanted, std::mem::replace(&mut rest, later)));
        }
        let mut pieces = stream::iter(places)
            .map(|(piece, wanted, place)| reader.read_into(piece, wanted, place))
            .buffered(reader.bucket.options.part_concurrency.max(1));
        let mut whole = BytesMut::new();
        while let Some(piece) = pieces.try_next().await? {
            // They lie next to each other, so that nothing is copied.
            whole.unsplit(piece);
        }
        Ok(whole.freeze())
    }

    async fn read_ranges(&self, ranges: &[Range<u64>]) -> Result<Vec<Bytes>, Fault> {
        ranges.iter().try_for_each(|range| self.check(range))?;
        let mut results = vec![Bytes::new(); ranges.len()];
        if ranges.iter().all(Range::is_empty) {
            return Ok(results);
        }
        let reader = self.reader().await?;
        let aligned: Vec<Range<u64>> = ranges
            .iter()
            .map(|range| if range.is_empty() { range.clone() } else { reader.align(range.clone()) })
            .collect();
        let spans = coalesce(&aligned);
        // All pieces of all spans in one queue, so that few large spans and many small ones use the same concurrency.
        let queue: Vec<Range<u64>> =
            spans.iter().flat_map(|span| split(span.range.clone(), reader.piece_size())).collect();
        let concurrency = reader.bucket.options.part_concurrency.max(1);
        let mut fetched = stream::iter(queue)
            .map(|piece| async move { reader.read(piece.clone()).await.map(|bytes| (piece, bytes)) })
            .buffered(concurrency);
        for Span { range, wanted } in spans {
            let whole = match fetched.try_next().await? {
                Some((piece, bytes)) if piece == range => bytes,
                first => {
                    let mut whole = BytesMut::with_capacity(length(&range)?);
                    let mut next = first;
                    while let Some((piece, bytes)) = next {
                        whole.extend_from_slice(&bytes);
                        next = if piece.end < range.end { fetched.try_next().await? } else { None };
                    }
                    whole.freeze()
                }
            };
            for at in wanted {
                if let (Some(result), Some(wanted)) = (results.get_mut(at), ranges.get(at)) {
                    *result = cut(&whole, range.start, wanted);
                }
            }
        }
        Ok(results)
    }

    pub(super) fn check(&self, range: &Range<u64>) -> Result<(), Fault> {
        let size = self.size();
        if range.start > range.end || range.end > size {
            return Err(Fault::Range { start: range.start, end: range.end, size });
        }
        Ok(())
    }

    pub(super) async fn reader(&self) -> Result<&PieceReader, Fault> {
        let inner = &*self.0;
        inner.reader.get_or_try_init(|| inner.open_reader()).await
    }

    fn error(&self, fault: Fault) -> Error {
        self.0.bucket.error("get", self.name(), fault)
    }
}

impl Inner {
    async fn open_reader(&self) -> Result<PieceReader, Fault> {
        let sums = match &self.sums {
            Sums::None => None,
            Sums::Inline(sums) => Some(sums.clone()),
            Sums::Side(id, block) => Some(self.side_sums(*id, *block).await?),
        };
        Ok(PieceReader {
            bucket: Arc::clone(&self.bucket),
            name: self.info.name.as_str().into(),
            key: self.key.clone(),
            size: self.info.size,
            etag: self.info.etag.as_str().into(),
            sums,
        })
    }

    async fn side_sums(&self, id: CreationId, block: u32) -> Result<BlockSums, Fault> {
        let side = self.bucket.names.key(&side_object_name(id), true)?;
        let corrupt = |check: String| Fault::Corrupt {
            what: format!("the checksums of {}, in {side}", self.info.name),
            start: 0,
            end: self.info.size,
            check,
        };
        let mut heal = true;
        let sums = loop {
            let length = side_object_bytes(self.info.size, block);
            let bytes =
                match self.bucket.source.store.get_range(&side, 0..length).await.map_err(|error| fault_of(&error)) {
                    Ok(bytes) => bytes,
                    // They go after their object does: is it being removed?
                    Err(Fault::NoSuchObject) => {
                        return Err(match self.bucket.look(&self.key).await? {
                            Some(_) => corrupt("they are missing, though the object is there".to_owned()),
                            None => self.bucket.missing().await,
                        });
                    }
                    Err(fault) => return Err(fault),
                };
            match decode_side_object(id, &bytes) {
                // A bit may have flipped on the way.
                Err(Fault::Corrupt { .. }) if heal => {
                    self.bucket.stats.count(Event::CorruptRead);
                    heal = false;
                }
                decoded => break decoded?,
            }
        };
        if (sums.size(), sums.block()) != (self.info.size, block) {
            return Err(corrupt(format!(
                "they are of {} bytes in blocks of {}; the object has {} bytes in blocks of {block}",
                sums.size(),
                sums.block(),
                self.info.size
            )));
        }
        Ok(sums)
    }
}

impl fmt::Debug for Object {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Object").field(&self.0.info).finish()
    }
}

/// The verified pieces of `range`, in order, cut to it.
fn pieces(reader: &PieceReader, range: Range<u64>) -> BoxStream<'static, Result<Bytes, Fault>> {
    let concurrency = reader.bucket.options.part_concurrency.max(1);
    let reader = reader.clone();
    stream::iter(split(reader.align(range.clone()), reader.piece_size()))
        .map(move |piece| {
            let (reader, range) = (reader.clone(), range.clone());
            async move {
                let bytes = reader.read(piece.clone()).await?;
                let wanted = range.start.max(piece.start)..range.end.min(piece.end);
                Ok(cut(&bytes, piece.start, &wanted))
            }
        })
        .buffered(concurrency)
        .boxed()
}

/// The bytes of `wanted` out of `bytes`, which begin at `start`. Whoever calls has made sure that they are there.
pub(super) fn cut(bytes: &Bytes, start: u64, wanted: &Range<u64>) -> Bytes {
    let offset = |at: u64| usize::try_from(at.saturating_sub(start)).unwrap_or(usize::MAX).min(bytes.len());
    let slice = bytes.slice(offset(wanted.start)..offset(wanted.end));
    // A slice keeps all of `bytes` in memory; a small one is worth a copy.
    if slice.len() < bytes.len() / 4 { Bytes::copy_from_slice(&slice) } else { slice }
}

pub(super) fn length(range: &Range<u64>) -> Result<usize, Fault> {
    usize::try_from(range.end - range.start)
        .map_err(|_| Fault::Unsupported("more bytes than this machine can address; use stream".to_owned()))
}
