//! Blocks waiting to be written: bounded by bytes, each block once, never in a reader's way.

use std::collections::{HashSet, VecDeque};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};

use bytes::Bytes;
use tokio::sync::Notify;

use super::layout::BlockName;
use crate::fetch::Priority;
use crate::known_objects::KnownObject;

/// A block that could be written.
#[derive(Debug, Clone)]
pub(crate) struct Offer {
    pub(crate) object: Arc<KnownObject>,
    /// The object's number when the block was asked for; another one now means that it was invalidated.
    pub(crate) number: u64,
    pub(crate) block: u64,
    pub(crate) data: Bytes,
    /// Brought by a reader that goes through the object from end to end.
    pub(crate) scan: bool,
    pub(crate) priority: Priority,
}

/// How [`WriteQueue::push`] ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Pushed {
    /// It waits.
    Queued,
    /// It waits already, or is being written.
    Known,
    /// There is no room, or the queue is closed.
    Full,
}

/// The queue. Writers take from it; it is idle when nothing waits and nothing is being written.
#[derive(Debug)]
pub(crate) struct WriteQueue {
    limit: u64,
    state: Mutex<State>,
    work: Condvar,
    changed: Notify,
}

#[derive(Debug, Default)]
struct State {
    offers: VecDeque<(BlockName, Offer)>,
    known: HashSet<BlockName>,
    bytes: u64,
    open: bool,
    closed: bool,
}

impl WriteQueue {
    /// For `limit` bytes. Writers get nothing before [`WriteQueue::start`].
    pub(crate) fn new(limit: u64) -> Self {
        Self { limit, state: Mutex::default(), work: Condvar::new(), changed: Notify::new() }
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Puts a block at the end.
    pub(crate) fn push(&self, name: BlockName, offer: Offer) -> Pushed {
        let mut state = self.lock();
        let bytes = state.bytes + offer.data.len() as u64;
        if state.closed || bytes > self.limit {
            return Pushed::Full;
        }
        if !state.known.insert(name) {
            return Pushed::Known;
        }
        state.bytes = bytes;
        state.offers.push_back((name, offer));
        self.work.notify_one();
        Pushed::Queued
    }

    /// Lets writers begin.
    pub(crate) fn start(&self) {
        self.lock().open = true;
        self.work.notify_all();
        self.changed.notify_waiters();
    }

    /// Waits for the next block; `None` when the queue is closed. What was taken must be [`WriteQueue::done`] with.
    pub(crate) fn take(&self) -> Option<(BlockName, Offer)> {
        let mut state = self.lock();
        loop {
            if state.closed {
                return None;
            }
            if state.open
                && let Some(next) = state.offers.pop_front()
            {
                return Some(next);
            }
            state = self.work.wait(state).unwrap_or_else(PoisonError::into_inner);
        }
    }

    /// A block that was taken is written or given up.
    pub(crate) fn done(&self, name: &BlockName, bytes: usize) {
        let mut state = self.lock();
        state.known.remove(name);
        state.bytes = state.bytes.saturating_sub(bytes as u64);
        drop(state);
        self.changed.notify_waiters();
    }

    /// Throws away what waits; returns how many blocks that were.
    pub(crate) fn clear(&self) -> usize {
        let mut state = self.lock();
        let offers = std::mem::take(&mut state.offers);
        for (name, offer) in &offers {
            state.known.remove(name);
            state.bytes = state.bytes.saturating_sub(offer.data.len() as u64);
        }
        drop(state);
        self.changed.notify_waiters();
        offers.len()
    }

    /// Lets writers go home and takes nothing more; returns how many blocks are lost by that.
    pub(crate) fn close(&self) -> usize {
        self.lock().closed = true;
        self.work.notify_all();
        self.clear()
    }

    /// Whether nothing waits and nothing is being written.
    pub(crate) fn is_idle(&self) -> bool {
        let state = self.lock();
        state.known.is_empty() || state.closed
    }

    /// Ends when the queue was idle at some moment, or is closed.
    pub(crate) async fn idle(&self) {
        self.until(Self::is_idle).await;
    }

    /// Ends when the queue was idle at some moment after [`WriteQueue::start`], or is closed.
    pub(crate) async fn settled(&self) {
        self.until(|queue| {
            let state = queue.lock();
            state.closed || (state.open && state.known.is_empty())
        })
        .await;
    }

    /// Ends when there was room for `bytes` at some moment, or the queue is closed or not being worked on.
    pub(crate) async fn room(&self, bytes: u64) {
        self.until(|queue| {
            let state = queue.lock();
            state.closed || !state.open || state.bytes + bytes.min(queue.limit) <= queue.limit
        })
        .await;
    }

    async fn until(&self, holds: impl Fn(&Self) -> bool) {
        loop {
            let mut changed = std::pin::pin!(self.changed.notified());
            changed.as_mut().enable();
            if holds(self) {
                return;
            }
            changed.await;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::geometry::Geometry;
    use crate::known_objects::KnownObjects;
    use crate::object_id::ObjectId;

    fn offer(block: u64) -> (BlockName, Offer) {
        let object = KnownObjects::new(Geometry::new(4096).unwrap()).intern(ObjectId::new("a", "b", "c", 1));
        let offer =
            Offer { number: 1, object, block, data: Bytes::from(vec![0; 100]), scan: false, priority: Priority::Data };
        (BlockName { digest: 1, shift: 12, block }, offer)
    }

    #[tokio::test]
    async fn it_is_bounded_holds_each_block_once_and_keeps_the_order() {
        let queue = Arc::new(WriteQueue::new(350));
        let push = |block| {
            let (name, offer) = offer(block);
            queue.push(name, offer)
        };
        queue.idle().await;
        assert_eq!([push(1), push(1), push(2), push(3), push(4)].map(|p| p as u8), [0, 1, 0, 0, 2]);
        queue.room(100).await; // nobody works on it: don't wait
        queue.start();
        let taken = queue.take().unwrap();
        assert_eq!((taken.0.block, push(1)), (1, Pushed::Full));
        let waiting = tokio::spawn({
            let queue = Arc::clone(&queue);
            async move { queue.room(100).await }
        });
        tokio::task::yield_now().await;
        assert!(!waiting.is_finished());
        queue.done(&taken.0, 100);
        waiting.await.unwrap();
        assert_eq!(queue.take().unwrap().0.block, 2);
        assert!(!queue.is_idle());
        assert_eq!(queue.close(), 1);
        assert!(queue.take().is_none() && push(9) == Pushed::Full);
        queue.idle().await;
    }

    #[tokio::test]
    async fn it_is_not_settled_before_it_is_started() {
        let queue = Arc::new(WriteQueue::new(350));
        let waiting = tokio::spawn({
            let queue = Arc::clone(&queue);
            async move { queue.settled().await }
        });
        tokio::task::yield_now().await;
        assert!(queue.is_idle() && !waiting.is_finished());
        queue.start();
        waiting.await.unwrap();
    }

    #[test]
    fn closing_wakes_writers() {
        let queue = WriteQueue::new(1000);
        queue.start();
        std::thread::scope(|scope| {
            let writers: Vec<_> = (0..4).map(|_| scope.spawn(|| queue.take().is_none())).collect();
            let (name, one) = offer(1);
            queue.push(name, one);
            while queue.lock().offers.len() == 1 {
                std::thread::yield_now();
            }
            queue.close();
            let went_home =
                writers.into_iter().filter(|_| true).map(|writer| writer.join().unwrap()).filter(|x| *x).count();
            assert_eq!(went_home, 3);
        });
    }
}
