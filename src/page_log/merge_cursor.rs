//! Walks through several indexes at once, in the order of their keys, in bounded memory.

use std::collections::VecDeque;
use std::sync::Arc;

use super::PageLogFault;
use super::codec::{IndexBlock, IndexEntry};
use super::durable::{Durable, LiveSegment};
use super::lsn::Lsn;
use super::objects::LogObjects;
use super::record::Key;
use super::run::Run;

/// Entries that are unpacked at once, from each index.
const AT_ONCE: usize = 256;

/// One of several indexes.
#[derive(Debug)]
struct Source {
    index: Index,
    limit: Lsn,
    name: String,
    waiting: VecDeque<IndexEntry>,
    /// Where to go on; none at the end.
    next: Option<Key>,
}

#[derive(Debug)]
enum Index {
    Segment(Arc<LiveSegment>),
    Run { run: Arc<Run>, block: Option<(usize, IndexBlock)> },
}

/// Walks through several indexes at once.
#[derive(Debug)]
pub(crate) struct MergeCursor {
    sources: Vec<Source>,
}

impl MergeCursor {
    /// From `from` on through runs and then segments of `durable`, which is how they are counted in what [`MergeCursor::next`] gives.
    pub(crate) fn new(durable: &Durable, from: Key) -> Self {
        let runs = durable.runs.iter().map(|run| Source {
            limit: run.reference().limit,
            name: run.reference().object_name(),
            index: Index::Run { run: Arc::clone(run), block: None },
            waiting: VecDeque::new(),
            next: Some(from),
        });
        let segments = durable.segments.iter().map(|segment| Source {
            limit: segment.reference.limit,
            name: segment.reference.object_name(),
            index: Index::Segment(Arc::clone(segment)),
            waiting: VecDeque::new(),
            next: Some(from),
        });
        Self { sources: runs.chain(segments).collect() }
    }

    /// The next entry that was not abandoned, and the number of its index.
    ///
    /// # Errors
    /// `Corrupt`; those of the bucket.
    pub(crate) async fn next(&mut self, objects: &dyn LogObjects) -> Result<Option<(usize, IndexEntry)>, PageLogFault> {
        let mut lowest: Option<(usize, Key)> = None;
        for (number, source) in self.sources.iter_mut().enumerate() {
            if let Some(key) = source.peek(objects).await?
                && lowest.is_none_or(|(_, other)| key < other)
            {
                lowest = Some((number, key));
            }
        }
        let Some((number, _)) = lowest else { return Ok(None) };
        let entry = self.sources.get_mut(number).and_then(|source| source.waiting.pop_front());
        Ok(entry.map(|entry| (number, entry)))
    }
}

impl Source {
    /// The key of its next entry.
    async fn peek(&mut self, objects: &dyn LogObjects) -> Result<Option<Key>, PageLogFault> {
        loop {
            if let Some(entry) = self.waiting.front() {
                return Ok(Some(entry.key));
            }
            let Some(from) = self.next else { return Ok(None) };
            self.fill(from, objects).await?;
        }
    }

    async fn fill(&mut self, from: Key, objects: &dyn LogObjects) -> Result<(), PageLogFault> {
        let (block, following) = match &mut self.index {
            Index::Segment(segment) => (segment.index.clone(), None),
            Index::Run { run, block } => {
                let wanted = match block {
                    Some((number, _)) => *number,
                    None => run.block_of(&from).unwrap_or(0),
                };
                if wanted >= run.blocks() {
                    self.next = None;
                    return Ok(());
                }
                let current = match block.take() {
                    Some((_, current)) => current,
                    None => run.block(wanted, objects).await?,
                };
                *block = Some((wanted, current.clone()));
                (current, Some(wanted + 1).filter(|next| *next < run.blocks()))
            }
        };
        let damaged = |damage| PageLogFault::damaged(self.name.as_str(), damage);
        let mut last = None;
        let mut count = 0;
        for entry in block.seek(&from).map_err(damaged)?.take(AT_ONCE) {
            let entry = entry.map_err(damaged)?;
            last = Some(entry.key);
            count += 1;
            if entry.key.lsn <= self.limit {
                self.waiting.push_back(entry);
            }
        }
        let more = last.and_then(after).filter(|_| count == AT_ONCE);
        match (more, following, &mut self.index) {
            (Some(next), _, _) => self.next = Some(next),
            (None, Some(number), Index::Run { run, block }) => {
                *block = Some((number, run.block(number, objects).await?));
                self.next = Some(last.and_then(after).unwrap_or(from));
            }
            _ => self.next = None,
        }
        Ok(())
    }
}

/// The next key there can be.
pub(crate) fn after(key: Key) -> Option<Key> {
    let lsn = key.lsn.get().checked_add(1);
    match (lsn, key.page.checked_add(1), key.table.checked_add(1)) {
        (Some(lsn), _, _) => Some(Key { lsn: Lsn::new(lsn), ..key }),
        (None, Some(page), _) => Some(Key::new(key.table, page, Lsn::NONE)),
        (None, None, Some(table)) => Some(Key::new(table, 0, Lsn::NONE)),
        (None, None, None) => None,
    }
}
