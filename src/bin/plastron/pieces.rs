//! An object, or a range of it, as a stream of pieces in order, several being fetched at once.

use std::ops::Range;
use std::sync::Arc;

use bytes::Bytes;
use futures::stream::{self, Stream, StreamExt};
use plastron::FileHandle;
use tokio::sync::{OwnedSemaphorePermit, Semaphore};

use crate::failure::{Failure, Result};

/// A range of an object to read from start to end.
#[derive(Debug)]
pub(crate) struct Pieces {
    object: FileHandle,
    range: Range<u64>,
    memory: Arc<Semaphore>,
}

/// Bytes that hold their share of the memory until they are dropped.
#[derive(Debug)]
pub(crate) struct Piece {
    bytes: Bytes,
    _share: OwnedSemaphorePermit,
}

impl AsRef<[u8]> for Piece {
    fn as_ref(&self) -> &[u8] {
        &self.bytes
    }
}

impl Pieces {
    /// Bytes of one piece.
    pub(crate) const SIZE: u64 = 8 << 20;

    /// Pieces in memory at once, whatever the number of objects: 128 MiB.
    pub(crate) const IN_FLIGHT: usize = 16;

    /// Pieces of one object in flight.
    const AHEAD: usize = 8;

    /// `range` of `object`, bounded by `memory`, of which each piece takes one permit.
    pub(crate) fn of(object: FileHandle, range: Range<u64>, memory: Arc<Semaphore>) -> Self {
        Self { object, range, memory }
    }

    /// The pieces in order. Permits are granted in the order they are asked for, so the piece that is needed next has its
    /// permit before any later one of the same object.
    pub(crate) fn stream(self) -> impl Stream<Item = Result<Piece>> + Send + Unpin {
        let Self { object, range, memory } = self;
        let starts = (range.start..range.end).step_by(Self::SIZE as usize);
        let reads = stream::iter(starts).map(move |start| {
            let (object, memory) = (object.clone(), memory.clone());
            let end = range.end.min(start + Self::SIZE);
            async move {
                let share = memory.acquire_owned().await.map_err(|_| Failure::other("reading was given up"))?;
                Ok(Piece { bytes: object.read(start..end).await?, _share: share })
            }
        });
        reads.buffered(Self::AHEAD)
    }
}
