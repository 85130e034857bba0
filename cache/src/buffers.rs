//! Memory for blocks, used again and again.
//!
//! A fetch returns one large buffer; each block is copied out of it into a buffer of its own, so that evicting a block frees
//! exactly that block. (A slice would keep the whole fetch alive: one hot block of 256 KiB would pin 8 MiB.) Copying costs a
//! few microseconds; asking the allocator for fresh pages costs more, so the buffers of evicted blocks are kept for reuse, up to
//! a small bound. Only full blocks are pooled; an object's short last block has a buffer of exactly its length.

use std::sync::{Arc, Mutex, PoisonError};

use bytes::Bytes;

/// Bytes kept for reuse at the most.
pub(crate) const POOLED_BYTES: usize = 8 << 20;

/// The pool of one cache.
#[derive(Debug)]
pub(crate) struct Buffers {
    block_bytes: usize,
    keep: usize,
    free: Mutex<Vec<Box<[u8]>>>,
}

impl Buffers {
    /// A pool of buffers of `block_bytes`.
    pub(crate) fn new(block_bytes: usize) -> Arc<Self> {
        let keep = (POOLED_BYTES / block_bytes.max(1)).clamp(1, 256);
        Arc::new(Self { block_bytes, keep, free: Mutex::new(Vec::new()) })
    }

    /// A buffer of `len` bytes with unspecified (old) content.
    pub(crate) fn take(self: &Arc<Self>, len: usize) -> Buffer {
        let pooled = if len == self.block_bytes { self.lock().pop() } else { None };
        Buffer { bytes: pooled.unwrap_or_else(|| vec![0; len].into_boxed_slice()), home: Arc::clone(self) }
    }

    /// A block that holds a copy of `data`.
    pub(crate) fn copy(self: &Arc<Self>, data: &[u8]) -> Bytes {
        let mut buffer = self.take(data.len());
        buffer.as_mut().copy_from_slice(data);
        buffer.freeze()
    }

    fn lock(&self) -> std::sync::MutexGuard<'_, Vec<Box<[u8]>>> {
        self.free.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// One buffer; goes back to its pool when it, or the last `Bytes` made of it, is dropped.
#[derive(Debug)]
pub(crate) struct Buffer {
    bytes: Box<[u8]>,
    home: Arc<Buffers>,
}

impl Buffer {
    /// As immutable bytes, without copying.
    pub(crate) fn freeze(self) -> Bytes {
        Bytes::from_owner(self)
    }
}

impl AsRef<[u8]> for Buffer {
    fn as_ref(&self) -> &[u8] {
        &self.bytes
    }
}

impl AsMut<[u8]> for Buffer {
    fn as_mut(&mut self) -> &mut [u8] {
        &mut self.bytes
    }
}

impl Drop for Buffer {
    fn drop(&mut self) {
        if self.bytes.len() == self.home.block_bytes {
            let mut free = self.home.lock();
            if free.len() < self.home.keep {
                free.push(std::mem::take(&mut self.bytes));
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn buffers_come_back_and_are_bounded() {
        let pool = Buffers::new(1 << 20);
        let held: Vec<Bytes> = (0..20).map(|i| pool.copy(&vec![i; 1 << 20])).collect();
        assert!(held.iter().enumerate().all(|(i, bytes)| bytes.iter().all(|byte| *byte == i as u8)));
        let slice = held.first().unwrap().slice(5..6);
        drop(held);
        assert_eq!(pool.lock().len(), 8);
        assert_eq!(&slice[..], [0]);
        let _short = pool.copy(&[1, 2, 3]);
        assert_eq!(pool.lock().len(), 8);
        let _full = pool.take(1 << 20);
        assert_eq!(pool.lock().len(), 7);
    }
}
