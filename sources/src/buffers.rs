//! Large buffers for what is read, used again and again.
//!
//! A large read takes a buffer of megabytes, and drops it a moment later on another thread. Asked for such sizes over and over, an
//! allocator either returns the pages each time, and the next read pays for fresh ones, or keeps them, in as many heaps as there are
//! threads: with glibc's that was 100 MiB for a reader that needs 30. So each bucket keeps a few and lends them out. Callers see
//! ordinary [`Bytes`]; the buffer comes back when the last of them is dropped.

use std::fmt;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use bytes::Bytes;

/// The smallest buffer that is kept, bytes; smaller ones are what allocators are good at.
const LEAST_BYTES: usize = 1 << 20;

/// Kept at the most, bytes: as many requests of the default part size as a reader ahead has in flight.
const KEPT_BYTES: usize = 32 << 20;

/// The buffers of one bucket that nobody uses at the moment.
#[derive(Default)]
pub(crate) struct Buffers(Mutex<Vec<Vec<u8>>>);

/// A buffer on loan, empty at first; goes back when it, or the last [`Bytes`] made of it, is dropped.
#[derive(Debug)]
pub(crate) struct Buffer {
    pub(crate) bytes: Vec<u8>,
    home: Arc<Buffers>,
}

impl Buffers {
    /// An empty buffer with room for `length` bytes.
    pub(crate) fn take(self: &Arc<Self>, length: usize) -> Buffer {
        let fits = |buffer: &Vec<u8>| (length..=length.saturating_mul(2)).contains(&buffer.capacity());
        let kept = (length >= LEAST_BYTES)
            .then(|| {
                let mut free = self.lock();
                free.iter().rposition(fits).map(|at| free.remove(at))
            })
            .flatten();
        Buffer { bytes: kept.unwrap_or_else(|| Vec::with_capacity(length)), home: Arc::clone(self) }
    }

    fn lock(&self) -> MutexGuard<'_, Vec<Vec<u8>>> {
        // Nothing panics while it holds the lock.
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Buffer {
    /// As immutable bytes, without copying.
    pub(crate) fn freeze(mut self) -> Bytes {
        if self.bytes.capacity() < LEAST_BYTES {
            return std::mem::take(&mut self.bytes).into();
        }
        Bytes::from_owner(self)
    }
}

impl AsRef<[u8]> for Buffer {
    fn as_ref(&self) -> &[u8] {
        &self.bytes
    }
}

impl Drop for Buffer {
    fn drop(&mut self) {
        let mut buffer = std::mem::take(&mut self.bytes);
        if buffer.capacity() < LEAST_BYTES {
            return;
        }
        buffer.clear();
        let mut free = self.home.lock();
        free.push(buffer);
        // The oldest go: what is read now is of other sizes, perhaps.
        let mut bytes: usize = free.iter().map(Vec::capacity).sum();
        free.retain(|buffer| {
            let keep = bytes <= KEPT_BYTES;
            bytes -= if keep { 0 } else { buffer.capacity() };
            keep
        });
    }
}

impl fmt::Debug for Buffers {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Buffers({} free)", self.lock().len())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const MIB: usize = 1 << 20;

    fn filled(pool: &Arc<Buffers>, length: usize, byte: u8) -> Bytes {
        let mut buffer = pool.take(length);
        assert!(buffer.bytes.is_empty() && buffer.bytes.capacity() >= length);
        buffer.bytes.resize(length, byte);
        buffer.freeze()
    }

    #[test]
    fn buffers_come_back_when_the_last_user_is_gone() {
        let pool = Arc::new(Buffers::default());
        let bytes = filled(&pool, 3 * MIB, 7);
        let part = bytes.slice(5..9);
        let place = bytes.as_ptr();
        drop(bytes);
        assert_eq!(pool.lock().len(), 0);
        assert_eq!(&part[..], [7; 4]);
        drop(part);
        assert_eq!(pool.lock().len(), 1);
        // One of about that size gets it, one of another size does not.
        assert_ne!(filled(&pool, MIB, 1).as_ptr(), place);
        assert_eq!(filled(&pool, 2 * MIB, 1).as_ptr(), place);
        let unfinished = pool.take(3 * MIB);
        assert_eq!(unfinished.bytes.as_ptr(), place);
        drop(unfinished);
        assert_eq!(pool.lock().len(), 2);
    }

    #[test]
    fn small_ones_and_too_many_are_not_kept() {
        let pool = Arc::new(Buffers::default());
        drop(filled(&pool, MIB - 1, 1));
        drop(filled(&pool, 0, 1));
        assert_eq!(pool.lock().len(), 0);
        let held: Vec<Bytes> = (0..9).map(|_| filled(&pool, 8 * MIB, 1)).collect();
        drop(held);
        assert_eq!(pool.lock().len(), 4);
        drop(filled(&pool, 2 * MIB, 1));
        assert_eq!(pool.lock().iter().map(|buffer| buffer.capacity() / MIB).collect::<Vec<_>>(), [8, 8, 8, 2]);
        drop(filled(&pool, 64 * MIB, 1));
        assert_eq!(pool.lock().len(), 0);
    }
}
