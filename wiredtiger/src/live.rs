//! The structures of ours that are alive: a pointer from WiredTiger is looked up here before it is followed, so that a call on something
//! that was closed already is `EINVAL` and not a crash.

use std::collections::BTreeSet;
use std::sync::{Mutex, MutexGuard, PoisonError};

/// Addresses of one type of structure.
#[derive(Debug)]
pub(crate) struct Live(Mutex<BTreeSet<usize>>);

impl Live {
    /// None alive.
    pub(crate) const fn new() -> Self {
        Self(Mutex::new(BTreeSet::new()))
    }

    /// Moves `value` to the heap and remembers it.
    pub(crate) fn insert<T>(&self, value: T) -> *mut T {
        let pointer = Box::into_raw(Box::new(value));
        self.lock().insert(pointer as usize);
        pointer
    }

    /// Whether `pointer` was inserted and not yet removed.
    pub(crate) fn contains<T>(&self, pointer: *mut T) -> bool {
        self.lock().contains(&(pointer as usize))
    }

    /// Takes the structure back; `None` if it is not alive. Only one caller ever gets it.
    ///
    /// # Safety
    /// `pointer` must be of the type it was inserted with, and nobody else may use it any more.
    pub(crate) unsafe fn remove<T>(&self, pointer: *mut T) -> Option<Box<T>> {
        if !self.lock().remove(&(pointer as usize)) {
            return None;
        }
        // SAFETY: it came from `Box::into_raw` in `insert`, with the same type by contract, and was in the set until now, so it is taken once.
        Some(unsafe { Box::from_raw(pointer) })
    }

    fn lock(&self) -> MutexGuard<'_, BTreeSet<usize>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
