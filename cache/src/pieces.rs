//! One read, cut at block boundaries, and how each piece is found: memory, flights, disk, origin, in this order.

use std::ops::Range;
use std::sync::Arc;
use std::sync::atomic::Ordering;

use bytes::Bytes;
use plastron_sources::{Error, Fault};

use crate::budgets::LONGEST_FETCH_BYTES;
use crate::current_block::{CurrentBlock, Room};
use crate::fetch::{Fetch, Priority};
use crate::flight::{Landing, Purpose};
use crate::known_objects::KnownObject;
use crate::stats::{Event, Tier};
use crate::tiers::{Errand, Tiers};

/// How often a read begins again because what it waited for went away: a read-ahead was cancelled, or a block that was there was
/// evicted before it could be taken.
const MOST_ROUNDS: usize = 8;

/// The part of one block that a read is about.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Piece {
    pub(crate) block: u64,
    /// The bytes within the block.
    pub(crate) within: Range<usize>,
}

/// What is done with a block that is read from disk.
#[derive(Debug)]
pub(crate) enum Keep {
    /// Only the piece is read.
    Part,
    /// The block is read whole, and the handle holds it until its reader goes on.
    Here(Room),
    /// The block is read whole and put into memory.
    Memory,
}

/// Who reads what, and how.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Reading<'a> {
    pub(crate) tiers: &'a Arc<Tiers>,
    pub(crate) object: &'a Arc<KnownObject>,
    pub(crate) priority: Priority,
    /// Whether the reader goes from front to back.
    pub(crate) scan: bool,
    /// The block it is in.
    pub(crate) current: &'a CurrentBlock,
}

impl<'a> Reading<'a> {
    /// The pieces of `range`, in order. Their bytes are as many as the range's, if that is within the object.
    pub(crate) fn pieces(self, range: &Range<u64>) -> impl Iterator<Item = Piece> + use<> {
        let geometry = self.tiers.geometry;
        let (range, blocks) = (range.clone(), geometry.blocks(range));
        blocks.map(move |block| {
            let start = geometry.start(block);
            let end = start.saturating_add(geometry.block_bytes() as u64).min(range.end);
            Piece { block, within: (range.start.max(start) - start) as usize..(end - start) as usize }
        })
    }

    /// What is done with a block that is read from disk for `piece`. One that was touched lately enters memory. For a small read out of
    /// the blue just the piece is read; for one of a reader that will go on in the block, the block. Lets go of the block that the
    /// handle held, if another is to take its place.
    pub(crate) fn keep(self, piece: &Piece) -> Keep {
        if self.tiers.budgets.memory == 0 && self.priority == Priority::Data {
            return Keep::Part;
        }
        let touched = self.tiers.touches.touch(&self.object.key(piece.block));
        if touched || self.priority == Priority::Index {
            return Keep::Memory;
        }
        let block_bytes = self.tiers.geometry.block_bytes();
        if !self.scan || piece.within.len() == block_bytes {
            return Keep::Part;
        }
        let goes_on = piece.within.end < self.tiers.geometry.len(piece.block, self.object.size());
        if !goes_on {
            return Keep::Part;
        }
        self.current.vacate(&self.tiers.current, block_bytes).map_or(Keep::Memory, Keep::Here)
    }

    /// The block, if the handle holds it or it is in memory.
    pub(crate) fn at_hand(self, block: u64) -> Option<Bytes> {
        let held = self.current.get(&self.object.key(block), self.tiers.generation.load(Ordering::Acquire));
        held.or_else(|| self.tiers.in_memory(self.object, block, self.priority))
    }

    /// Keeps a whole block that was read from disk when nothing had been dropped since `generation`.
    pub(crate) fn settle(self, block: u64, generation: u64, data: Bytes, keep: Keep) {
        match keep {
            Keep::Part => {}
            Keep::Here(room) => self.current.hold(self.object.key(block), generation, data, room),
            Keep::Memory => self.tiers.memory.insert(self.object.key(block), data, self.priority),
        }
    }

    /// The bytes of `range`, piece by piece.
    pub(crate) async fn read(self, fetch: &Arc<dyn Fetch>, range: &Range<u64>) -> Result<Vec<Bytes>, Error> {
        let mut found: Vec<(Piece, Option<Bytes>)> = self.pieces(range).map(|piece| (piece, None)).collect();
        let hits = self.take_from_memory(&mut found);
        self.tiers.stats.hit(Tier::Memory, hits);
        if hits < found.len() as u64 {
            let hits = self.take_from_disk(&mut found).await;
            self.tiers.stats.hit(Tier::Disk, hits);
        }
        let missing = found.iter().filter(|(_, bytes)| bytes.is_none()).count();
        self.tiers.stats.add(Event::Misses, missing as u64);
        if missing > 0 {
            self.take_from_origin(fetch, &mut found).await?;
        }
        Ok(found.into_iter().filter_map(|(_, bytes)| bytes).collect())
    }

    fn take_from_memory(self, wanted: &mut [(Piece, Option<Bytes>)]) -> u64 {
        let mut hits = 0;
        for (piece, bytes) in wanted.iter_mut().filter(|(_, bytes)| bytes.is_none()) {
            *bytes = self.at_hand(piece.block).map(|block| part(&block, piece));
            hits += u64::from(bytes.is_some());
        }
        hits
    }

    /// All at once on one thread where blocking is allowed.
    async fn take_from_disk(self, wanted: &mut [(Piece, Option<Bytes>)]) -> u64 {
        let Some(disk) = &self.tiers.disk else { return 0 };
        let pieces: Vec<(usize, Piece, Keep)> = (wanted.iter().enumerate())
            .filter(|(_, (piece, bytes))| bytes.is_none() && disk.may_have(self.object, piece.block))
            .map(|(place, (piece, _))| (place, piece.clone(), self.keep(piece)))
            .collect();
        if pieces.is_empty() {
            return 0;
        }
        let (tiers, object) = (Arc::clone(self.tiers), Arc::clone(self.object));
        let generation = self.tiers.generation.load(Ordering::Acquire);
        let read = self.tiers.runtime.spawn_blocking(move || {
            let read = |(place, piece, keep): (usize, Piece, Keep)| {
                let disk = tiers.disk.as_ref()?;
                if matches!(keep, Keep::Part) {
                    let mut buffer = tiers.buffers.take(piece.within.len());
                    let hit = disk.part(&object, piece.block, &piece.within, buffer.as_mut());
                    return hit.then(|| (place, buffer.freeze(), None));
                }
                let block = disk.block(&object, piece.block)?;
                Some((place, part(&block, &piece), Some((piece.block, block, keep))))
            };
            pieces.into_iter().filter_map(read).collect::<Vec<_>>()
        });
        // It fails only when the runtime shuts down; then nothing was found.
        let read = read.await.unwrap_or_default();
        let hits = read.len() as u64;
        for (place, bytes, whole) in read {
            if let Some((_, slot)) = wanted.get_mut(place) {
                *slot = Some(bytes);
            }
            if let Some((block, data, keep)) = whole {
                self.settle(block, generation, data, keep);
            }
        }
        hits
    }

    async fn take_from_origin(
        self,
        fetch: &Arc<dyn Fetch>,
        wanted: &mut [(Piece, Option<Bytes>)],
    ) -> Result<(), Error> {
        let errand = Errand {
            object: Arc::clone(self.object),
            fetch: Arc::clone(fetch),
            purpose: Purpose::Demand,
            priority: self.priority,
            scan: self.scan,
        };
        for _ in 0..MOST_ROUNDS {
            self.fly(&errand, wanted).await?;
            self.take_from_memory(wanted);
            if wanted.iter().all(|(_, bytes)| bytes.is_some()) {
                return Ok(());
            }
        }
        let fault = Fault::Busy {
            status: 0,
            code: "Lost".to_owned(),
            message: "the request ended without an answer; is the runtime shutting down?".to_owned(),
        };
        Err(Error::new("get", self.object.id.name(), fault))
    }

    /// Claims every run of missing granules, then waits for all that flies.
    async fn fly(self, errand: &Errand, wanted: &mut [(Piece, Option<Bytes>)]) -> Result<(), Error> {
        let geometry = self.tiers.geometry;
        let mut runs: Vec<Range<u64>> = Vec::new();
        for (piece, _) in wanted.iter().filter(|(_, bytes)| bytes.is_none()) {
            let granule = geometry.granule_of(piece.block);
            match runs.last_mut() {
                Some(run) if run.end > granule => {}
                Some(run) if run.end == granule => run.end = granule + 1,
                _ => runs.push(granule..granule + 1),
            }
        }
        let claims: Vec<_> =
            (runs.into_iter()).map(|run| self.tiers.claim(errand, run, LONGEST_FETCH_BYTES, |_| true)).collect();
        for (piece, bytes) in wanted.iter_mut().filter(|(_, bytes)| bytes.is_none()) {
            let flights = claims.iter().flat_map(|claim| &claim.flights);
            let Some(flight) = flights.into_iter().find(|flight| flight.blocks.contains(&piece.block)) else {
                continue;
            };
            match flight.wait(piece.block).await {
                Landing::Block(block) => {
                    if flight.purpose == Purpose::Ahead || self.priority == Priority::Index {
                        self.tiers.memory.insert(self.object.key(piece.block), block.clone(), self.priority);
                    }
                    *bytes = Some(part(&block, piece));
                }
                // Nobody waited for it when it was sent, so perhaps nobody retried as hard as a reader deserves.
                Landing::Failed(_) if flight.purpose == Purpose::Ahead => {}
                Landing::Failed(error) => return Err(error),
                Landing::Lost => {}
            }
        }
        Ok(())
    }
}

/// The piece's bytes of its block.
fn part(block: &Bytes, piece: &Piece) -> Bytes {
    block.slice(piece.within.start.min(block.len())..piece.within.end.min(block.len()))
}
