//! All requests under way, found by what they bring: no two of them bring the same.
//!
//! The table holds weak references; a flight lives as long as a waiter or a read-ahead window holds it, and removes itself when
//! it goes. An answer that a window holds can be read by everybody.
//!
//! All granules of one object are in one shard, so that a claim of several is one step. A flight must never be dropped while a
//! shard is locked, since dropping it locks that shard: `claim` hands everything it looked at to the outside.

use std::collections::HashMap;
use std::ops::Range;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, Weak};

use bytes::Bytes;

use crate::flight::Flight;

/// Shards of the table.
const SHARDS: usize = 16;

/// A granule of an object, by number.
type Key = (u64, u64);
type Shard = HashMap<Key, Weak<Flight>>;

/// The table.
#[derive(Debug, Default)]
pub(crate) struct Flights {
    shards: [Mutex<Shard>; SHARDS],
    /// Entries in all shards, so that a lookup costs nothing while there is no flight.
    entries: AtomicUsize,
}

/// What [`Flights::claim`] found for some granules, in order.
#[derive(Debug, Default)]
pub(crate) struct Claim {
    /// Flights that bring, or brought, some of the granules; those that were made for it included.
    pub(crate) flights: Vec<Arc<Flight>>,
    /// Granules that turned out to be in the cache by now.
    pub(crate) landed: Vec<u64>,
    /// Kept only to be dropped outside the lock.
    finished: Vec<Arc<Flight>>,
}

impl Flights {
    fn shard(&self, object: u64) -> Option<MutexGuard<'_, Shard>> {
        let shard = self.shards.get(object as usize % SHARDS)?;
        Some(shard.lock().unwrap_or_else(PoisonError::into_inner))
    }

    /// The block, if a flight that brought it is still held. `granule` is the block's.
    pub(crate) fn ready(&self, object: u64, granule: u64, block: u64) -> Option<Bytes> {
        if self.entries.load(Ordering::Relaxed) == 0 {
            return None;
        }
        let flight = self.shard(object)?.get(&(object, granule))?.upgrade()?;
        flight.ready(block)
    }

    /// Joins the flights that bring `granules` of `object`, and makes flights for the rest: `make` is called once for each run of
    /// at most `longest` granules, under the lock, so it must only spawn. `landed` says that a granule is in the cache by now; it
    /// closes the gap between a reader's lookup and this claim.
    pub(crate) fn claim(
        &self,
        object: u64,
        granules: Range<u64>,
        longest: u64,
        landed: impl Fn(u64) -> bool,
        mut make: impl FnMut(Range<u64>) -> Option<Arc<Flight>>,
    ) -> Claim {
        let mut claim = Claim::default();
        let Some(mut shard) = self.shard(object) else { return claim };
        let mut open: Option<Range<u64>> = None;
        let mut take_off = |run: Option<Range<u64>>, shard: &mut Shard, claim: &mut Claim| {
            if let Some(flight) = run.and_then(&mut make) {
                for granule in flight.granules.clone() {
                    if shard.insert((object, granule), Arc::downgrade(&flight)).is_none() {
                        self.entries.fetch_add(1, Ordering::Relaxed);
                    }
                }
                claim.flights.push(flight);
            }
        };
        for granule in granules {
            let found = shard.get(&(object, granule)).and_then(Weak::upgrade);
            let usable = match found {
                Some(flight) if flight.failed() => {
                    claim.finished.push(flight);
                    None
                }
                other => other,
            };
            let known = usable.is_some() || landed(granule);
            if !known && open.as_ref().is_some_and(|run| run.end - run.start < longest) {
                open = open.map(|run| run.start..granule + 1);
                continue;
            }
            take_off(open.take(), &mut shard, &mut claim);
            match usable {
                Some(flight) if claim.flights.last().is_some_and(|last| Arc::ptr_eq(last, &flight)) => {
                    claim.finished.push(flight);
                }
                Some(flight) => claim.flights.push(flight),
                None if known => claim.landed.push(granule),
                None => open = Some(granule..granule + 1),
            }
        }
        take_off(open.take(), &mut shard, &mut claim);
        drop(shard);
        claim
    }

    /// Makes all flights unfindable; those who hold one still get its answer.
    pub(crate) fn clear(&self) {
        for shard in &self.shards {
            let mut shard = shard.lock().unwrap_or_else(PoisonError::into_inner);
            self.entries.fetch_sub(shard.len(), Ordering::Relaxed);
            shard.clear();
        }
    }

    /// Called by a flight that is being dropped.
    pub(crate) fn remove(&self, flight: &Flight) {
        let Some(mut shard) = self.shard(flight.object) else { return };
        for granule in flight.granules.clone() {
            let key = (flight.object, granule);
            if shard.get(&key).is_some_and(|entry| std::ptr::eq(entry.as_ptr(), flight)) {
                shard.remove(&key);
                self.entries.fetch_sub(1, Ordering::Relaxed);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::flight::{Landing, Purpose};
    use tokio::sync::watch;

    /// A flight of 1-block granules that lands when the returned sender says so.
    fn flight(
        home: &Arc<Flights>,
        granules: Range<u64>,
    ) -> (Arc<Flight>, watch::Sender<Option<crate::flight::Outcome>>) {
        let (sender, receiver) = watch::channel(None);
        let task = tokio::spawn(std::future::pending::<()>()).abort_handle();
        let ranges = (granules.clone(), granules);
        (Arc::new(Flight::new(Purpose::Demand, 7, ranges, receiver, task, Arc::downgrade(home))), sender)
    }

    #[tokio::test]
    async fn a_claim_joins_what_flies_and_makes_the_rest_in_runs() {
        let flights = Arc::new(Flights::default());
        let mut made = Vec::new();
        let mut senders = Vec::new();
        let mut make = |range: Range<u64>| {
            made.push(range.clone());
            let (flight, sender) = flight(&flights, range);
            senders.push(sender);
            Some(flight)
        };
        let first = flights.claim(7, 10..12, 100, |_| false, &mut make);
        assert_eq!(first.flights.len(), 1);
        let second = flights.claim(7, 6..20, 4, |granule| granule == 14, &mut make);
        assert_eq!(made, [10..12, 6..10, 12..14, 15..19, 19..20]);
        assert_eq!(second.landed, [14]);
        let order: Vec<_> = second.flights.iter().map(|flight| flight.granules.clone()).collect();
        assert_eq!(order, [6..10, 10..12, 12..14, 15..19, 19..20]);
        assert!(Arc::ptr_eq(&first.flights[0], &second.flights[1]));

        senders[0].send(Some(Ok(vec![Bytes::from("a"), Bytes::from("b")].into()))).unwrap();
        assert!(matches!(first.flights[0].wait(11).await, Landing::Block(block) if block == "b"));
        assert_eq!(flights.ready(7, 11, 11), Some(Bytes::from("b")));
        assert_eq!(flights.ready(7, 12, 12), None);
        drop(first);
        assert_eq!(flights.ready(7, 10, 10), Some(Bytes::from("a")), "the second claim holds it still");
        drop(second);
        assert_eq!(flights.ready(7, 10, 10), None);
        assert_eq!(flights.entries.load(Ordering::Relaxed), 0);
    }

    #[tokio::test]
    async fn a_failed_flight_is_replaced_and_its_successor_stays() {
        let flights = Arc::new(Flights::default());
        let (old, sender) = flight(&flights, 0..2);
        let first = flights.claim(7, 0..2, 9, |_| false, |_| Some(Arc::clone(&old)));
        let error = plastron_sources::Error::new("get", "x", plastron_sources::Fault::NoSuchObject);
        sender.send(Some(Err(error))).unwrap();
        let (new, sender) = flight(&flights, 0..2);
        let second = flights.claim(7, 0..2, 9, |_| false, |_| Some(Arc::clone(&new)));
        assert!(Arc::ptr_eq(&second.flights[0], &new));
        drop((first, old));
        sender.send(Some(Ok(vec![Bytes::from("a"), Bytes::from("b")].into()))).unwrap();
        assert_eq!(flights.ready(7, 0, 0), Some(Bytes::from("a")));
        flights.clear();
        assert_eq!(flights.ready(7, 0, 0), None);
        drop((second, new));
        assert_eq!(flights.entries.load(Ordering::Relaxed), 0);
    }

    #[tokio::test]
    async fn the_task_ends_with_its_last_holder() {
        let flights = Arc::new(Flights::default());
        let (sender, receiver) = watch::channel(None);
        let task = tokio::spawn(async move {
            std::future::pending::<()>().await;
            drop(sender);
        });
        let handle = task.abort_handle();
        let flight = Arc::new(Flight::new(Purpose::Ahead, 7, (0..1, 0..1), receiver, handle, Arc::downgrade(&flights)));
        let waiter = tokio::spawn({
            let flight = Arc::clone(&flight);
            async move { flight.wait(0).await }
        });
        drop(flight);
        tokio::task::yield_now().await;
        assert!(!task.is_finished(), "the waiter holds it");
        waiter.abort();
        assert!(task.await.unwrap_err().is_cancelled());
    }
}
