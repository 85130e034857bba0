//! Where the bytes of a synchronous read go: into a buffer of the caller's, or to a function that takes them piece by piece.

use std::sync::Arc;

use crate::buffers::Buffers;

/// Takes the bytes of one read, in order.
pub(crate) trait Destination {
    /// Takes bytes that are in memory; `None` if there is no room for them.
    fn put(&mut self, bytes: &[u8]) -> Option<()>;

    /// Takes `len` bytes that `read` fetches; `None` if it fails or there is no room for them.
    fn fill(&mut self, buffers: &Arc<Buffers>, len: usize, read: impl FnOnce(&mut [u8]) -> bool) -> Option<()>;
}

/// A buffer; what is left of it is not filled yet.
#[derive(Debug)]
pub(crate) struct Slice<'a>(pub(crate) &'a mut [u8]);

impl<'a> Slice<'a> {
    fn next(&mut self, len: usize) -> Option<&'a mut [u8]> {
        let (now, later) = std::mem::take(&mut self.0).split_at_mut_checked(len)?;
        self.0 = later;
        Some(now)
    }
}

impl Destination for Slice<'_> {
    fn put(&mut self, bytes: &[u8]) -> Option<()> {
        self.next(bytes.len())?.copy_from_slice(bytes);
        Some(())
    }

    fn fill(&mut self, _: &Arc<Buffers>, len: usize, read: impl FnOnce(&mut [u8]) -> bool) -> Option<()> {
        read(self.next(len)?).then_some(())
    }
}

/// A function.
#[derive(Debug)]
pub(crate) struct Pieces<F>(pub(crate) F);

impl<F: FnMut(&[u8])> Destination for Pieces<F> {
    fn put(&mut self, bytes: &[u8]) -> Option<()> {
        (self.0)(bytes);
        Some(())
    }

    fn fill(&mut self, buffers: &Arc<Buffers>, len: usize, read: impl FnOnce(&mut [u8]) -> bool) -> Option<()> {
        let mut buffer = buffers.take(len);
        read(buffer.as_mut()).then(|| (self.0)(buffer.as_ref()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn three_pieces(to: &mut impl Destination) -> Option<()> {
        let buffers = Buffers::new(4096);
        to.put(b"one ")?;
        to.fill(&buffers, 4, |bytes| {
            bytes.copy_from_slice(b"two ");
            true
        })?;
        to.put(b"three")
    }

    #[test]
    fn pieces_arrive_in_order() {
        let mut buffer = [0; 13];
        assert_eq!(three_pieces(&mut Slice(&mut buffer)), Some(()));
        assert_eq!(&buffer, b"one two three");
        let mut taken = Vec::new();
        assert_eq!(three_pieces(&mut Pieces(|bytes: &[u8]| taken.extend_from_slice(bytes))), Some(()));
        assert_eq!(taken, b"one two three");
    }

    #[test]
    fn what_does_not_fit_and_what_cannot_be_read_is_told() {
        assert_eq!(three_pieces(&mut Slice(&mut [0; 12])), None);
        let buffers = Buffers::new(4096);
        assert_eq!(Slice(&mut [0; 9]).fill(&buffers, 9, |_| false), None);
        let mut taken = 0;
        assert_eq!(Pieces(|bytes: &[u8]| taken += bytes.len()).fill(&buffers, 9, |_| false), None);
        assert_eq!(taken, 0);
    }
}
