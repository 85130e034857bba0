//! Objects that this cache knows, and the number each has.
//!
//! Keys of blocks in memory hold a number instead of address, name, etag and size. A number is never given twice, so a forgotten
//! or invalidated object's blocks can't be mistaken for another's; they only grow old. The table is bounded: beyond its capacity
//! the object that was opened longest ago and that nobody holds any more is forgotten. Objects that are held are bounded by
//! their holders.

use std::collections::{HashMap, VecDeque};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};

use crate::block_key::BlockKey;
use crate::geometry::Geometry;
use crate::object_id::ObjectId;

/// Objects remembered when nobody holds them.
const CAPACITY: usize = 1 << 16;

/// One object: who it is, and how its blocks are called.
#[derive(Debug)]
pub(crate) struct KnownObject {
    pub(crate) id: ObjectId,
    /// Names its files on disk.
    pub(crate) digest: u128,
    number: AtomicU64,
}

impl KnownObject {
    /// The number its blocks have in memory now.
    pub(crate) fn number(&self) -> u64 {
        self.number.load(Ordering::Acquire)
    }

    /// The key of `block` now.
    pub(crate) fn key(&self, block: u64) -> BlockKey {
        BlockKey { object: self.number(), block }
    }

    /// Bytes.
    pub(crate) fn size(&self) -> u64 {
        self.id.size()
    }
}

/// The table.
#[derive(Debug)]
pub(crate) struct KnownObjects {
    geometry: Geometry,
    capacity: usize,
    next: AtomicU64,
    table: Mutex<Table>,
}

#[derive(Debug, Default)]
struct Table {
    objects: HashMap<ObjectId, Arc<KnownObject>>,
    /// In the order in which they came, or were last found to be in use.
    order: VecDeque<Arc<KnownObject>>,
}

impl KnownObjects {
    /// An empty table.
    pub(crate) fn new(geometry: Geometry) -> Self {
        Self::with_capacity(geometry, CAPACITY)
    }

    fn with_capacity(geometry: Geometry, capacity: usize) -> Self {
        Self { geometry, capacity, next: AtomicU64::new(1), table: Mutex::default() }
    }

    /// The object `id`, entered if it is new.
    pub(crate) fn intern(&self, id: ObjectId) -> Arc<KnownObject> {
        let mut table = self.table.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(known) = table.objects.get(&id) {
            return Arc::clone(known);
        }
        let known = Arc::new(KnownObject {
            digest: id.digest(self.geometry.shift()),
            number: AtomicU64::new(self.next.fetch_add(1, Ordering::Relaxed)),
            id: id.clone(),
        });
        table.objects.insert(id, Arc::clone(&known));
        table.order.push_back(Arc::clone(&known));
        table.shrink(self.capacity);
        known
    }

    /// Gives `object` a new number, so that none of its blocks in memory is found again. Returns the old one.
    pub(crate) fn renumber(&self, object: &KnownObject) -> u64 {
        object.number.swap(self.next.fetch_add(1, Ordering::Relaxed), Ordering::AcqRel)
    }
}

impl Table {
    /// Looks at a few of the oldest, so that one call stays cheap however many are held.
    fn shrink(&mut self, capacity: usize) {
        /// The table's own two references.
        const OWN: usize = 2;
        for _ in 0..8 {
            if self.order.len() <= capacity {
                return;
            }
            let Some(oldest) = self.order.pop_front() else { return };
            // A handle is made from a reference that is handed out under this lock, so a count of two can't grow meanwhile.
            if Arc::strong_count(&oldest) > OWN {
                self.order.push_back(oldest);
            } else {
                self.objects.remove(&oldest.id);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn id(n: u64) -> ObjectId {
        ObjectId::new("memory", format!("object {n}"), "e", n)
    }

    #[test]
    fn the_same_object_has_the_same_number_until_it_is_renumbered() {
        let table = KnownObjects::new(Geometry::new(4096).unwrap());
        let (a, b) = (table.intern(id(1)), table.intern(id(2)));
        assert_ne!(a.number(), b.number());
        assert_eq!(table.intern(id(1)).number(), a.number());
        let old = table.renumber(&a);
        assert!(a.number() != old && a.number() != b.number());
        assert_eq!(table.intern(id(1)).number(), a.number());
    }

    #[test]
    fn only_objects_that_nobody_holds_are_forgotten() {
        let table = KnownObjects::with_capacity(Geometry::new(4096).unwrap(), 10);
        let held: Vec<_> = (0..5).map(|n| table.intern(id(n))).collect();
        for n in 5..1000 {
            table.intern(id(n));
        }
        assert_eq!(table.table.lock().unwrap().objects.len(), 10);
        for object in &held {
            assert_eq!(table.intern(object.id.clone()).number(), object.number());
        }
        let many: Vec<_> = (2000..2100).map(|n| table.intern(id(n))).collect();
        assert!(table.table.lock().unwrap().objects.len() >= 105);
        drop((many, held));
        for n in 3000..3200 {
            table.intern(id(n));
        }
        assert_eq!(table.table.lock().unwrap().objects.len(), 10);
    }
}
