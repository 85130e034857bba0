//! Opening an object by reading a part of it: one request instead of two.
//!
//! Whoever knows how long an object is and wants a part of it — a page of a segment, a block of an index — need not ask for its metadata
//! first: the answer to a ranged GET carries the same as that to a HEAD. What comes is verified by what came with it.

use std::ops::Range;
use std::sync::Arc;

use bytes::Bytes;
use object_store::path::Path;
use object_store::{GetOptions, GetRange, GetResult};

use super::Object;
use super::object::cut;
use crate::bucket::{Found, OpenBucket};
use crate::error::Fault;
use crate::fault_of::fault_of;
use crate::sums::BLOCK_BYTES;

impl OpenBucket {
    /// Opens the object at `key` and reads `range` of it, which is not empty.
    pub(crate) async fn open_reading(
        self: &Arc<Self>,
        name: &str,
        key: Path,
        range: Range<u64>,
    ) -> Result<(Object, Bytes), Fault> {
        let block = u64::from(BLOCK_BYTES);
        let start = range.start / block * block;
        let asked = start..range.end.checked_next_multiple_of(block).unwrap_or(u64::MAX);
        let got = match self.ask(&key, &asked).await {
            Ok(got) => got,
            Err(fault) => return Err(self.explain(fault).await),
        };
        let (object, first) = self.open_with(name, key, &asked, got).await?;
        object.check(&range)?;
        let reader = object.reader().await?;
        // An object may have blocks of another size than Plastron makes today; then it is read again.
        let came = start..start + first.len() as u64;
        let bytes = match reader.align(came.clone()) == came {
            true => cut(&reader.verified(start, first).await?, start, &range),
            false => object.read_range(range).await?,
        };
        Ok((object, bytes))
    }

    /// Asks for `range` of what is at `key`, which nothing is known of yet.
    pub(super) async fn ask(&self, key: &Path, range: &Range<u64>) -> Result<GetResult, Fault> {
        let options = GetOptions { range: Some(GetRange::Bounded(range.clone())), ..GetOptions::default() };
        let got = self.source.store.get_opts(key, options).await.map_err(|error| fault_of(&error))?;
        self.answered();
        Ok(got)
    }

    /// The object that `got` tells of, which is the answer to [`OpenBucket::ask`] for `asked`, and its bytes; not verified, but no fewer
    /// than the object has there.
    pub(super) async fn open_with(
        self: &Arc<Self>,
        name: &str,
        key: Path,
        asked: &Range<u64>,
        got: GetResult,
    ) -> Result<(Object, Bytes), Fault> {
        let found = Found::of(&got);
        let bytes = got.bytes().await.map_err(|error| fault_of(&error))?;
        let object = Object::new(Arc::clone(self), name, key, &found)?;
        let expected = object.size().min(asked.end).saturating_sub(asked.start);
        if bytes.len() as u64 != expected {
            return Err(Fault::Corrupt {
                what: name.to_owned(),
                start: asked.start,
                end: asked.start + expected,
                check: format!("the store sent {} bytes instead of {expected}", bytes.len()),
            });
        }
        Ok((object, bytes))
    }
}

#[cfg(test)]
mod tests {
    use crate::testing::{Fate, FaultyStore, Op, bucket_over, noise};
    use crate::{Error, ErrorKind};

    #[tokio::test]
    async fn one_request_opens_and_reads_what_is_verified() {
        let store = FaultyStore::new();
        let bucket = bucket_over(&store).await;
        let data = noise(900_000);
        bucket.put("a", data.clone()).await.unwrap();
        for range in [0..1_u64, 5..300_000, 262_144..524_288, 899_999..900_000, 0..900_000] {
            let before = store.count(Op::Get) + store.count(Op::Head);
            let (object, bytes) = bucket.open_object_reading("a", range.clone()).await.unwrap();
            assert_eq!(&bytes[..], &data[range.start as usize..range.end as usize]);
            assert_eq!(store.count(Op::Get) + store.count(Op::Head) - before, 1);
            assert_eq!(object.read(7..9).await.unwrap(), data[7..9]);
        }
        for (name, range, kind) in [
            ("a", 0..900_001_u64, ErrorKind::Invalid),
            ("a", 3..3, ErrorKind::Invalid),
            ("b", 0..1, ErrorKind::NotFound),
        ] {
            let result = bucket.open_object_reading(name, range).await;
            assert_eq!(result.map(|_| ()).map_err(|error: Error| error.kind()), Err(kind), "{name}");
        }
        // A flipped bit is read again; two are corrupt.
        store.judge(|op, _, count| if op == Op::Get && count.is_multiple_of(2) { Fate::Flip(3) } else { Fate::Go });
        let (_, bytes) = bucket.open_object_reading("a", 0..10).await.unwrap();
        assert_eq!(bytes, data[..10]);
        store.judge(|op, _, _| if op == Op::Get { Fate::Flip(3) } else { Fate::Go });
        let error = bucket.open_object_reading("a", 0..10).await.unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Corrupt);
    }
}
