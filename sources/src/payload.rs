//! The bytes of an object to be written.

use std::collections::VecDeque;

use bytes::Bytes;

/// The bytes of an object to be written, in one or more pieces; made from what holds bytes, without copying them.
#[derive(Debug, Clone, Default)]
pub struct Payload(VecDeque<Bytes>);

impl Payload {
    /// Bytes in all pieces together.
    pub fn len(&self) -> u64 {
        self.0.iter().map(|piece| piece.len() as u64).sum()
    }

    /// Whether there are no bytes.
    pub fn is_empty(&self) -> bool {
        self.0.iter().all(Bytes::is_empty)
    }

    /// The pieces, in order.
    pub fn pieces(&self) -> impl Iterator<Item = &Bytes> {
        self.0.iter()
    }

    /// The pieces themselves, in order.
    pub(crate) fn into_pieces(self) -> impl Iterator<Item = Bytes> {
        self.0.into_iter()
    }

    /// Adds a piece at the end.
    pub(crate) fn push(&mut self, piece: Bytes) {
        if !piece.is_empty() {
            self.0.push_back(piece);
        }
    }

    /// Takes the first `length` bytes off; fewer if there are fewer.
    pub(crate) fn take_front(&mut self, mut length: usize) -> Self {
        let mut front = Self::default();
        while length > 0
            && let Some(mut piece) = self.0.pop_front()
        {
            let now = piece.split_to(length.min(piece.len()));
            length -= now.len();
            front.push(now);
            if !piece.is_empty() {
                self.0.push_front(piece);
            }
        }
        front
    }
}

impl From<Bytes> for Payload {
    fn from(bytes: Bytes) -> Self {
        let mut payload = Self::default();
        payload.push(bytes);
        payload
    }
}

impl From<Vec<Bytes>> for Payload {
    fn from(pieces: Vec<Bytes>) -> Self {
        pieces.into_iter().collect()
    }
}

impl From<Vec<u8>> for Payload {
    fn from(bytes: Vec<u8>) -> Self {
        Bytes::from(bytes).into()
    }
}

impl From<String> for Payload {
    fn from(text: String) -> Self {
        Bytes::from(text).into()
    }
}

impl From<&'static [u8]> for Payload {
    fn from(bytes: &'static [u8]) -> Self {
        Bytes::from_static(bytes).into()
    }
}

impl<const N: usize> From<&'static [u8; N]> for Payload {
    fn from(bytes: &'static [u8; N]) -> Self {
        Bytes::from_static(bytes).into()
    }
}

impl From<&'static str> for Payload {
    fn from(text: &'static str) -> Self {
        Bytes::from_static(text.as_bytes()).into()
    }
}

impl FromIterator<Bytes> for Payload {
    fn from_iter<I: IntoIterator<Item = Bytes>>(pieces: I) -> Self {
        let mut payload = Self::default();
        pieces.into_iter().for_each(|piece| payload.push(piece));
        payload
    }
}

impl From<Payload> for object_store::PutPayload {
    fn from(payload: Payload) -> Self {
        payload.0.into_iter().collect()
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn taking_from_the_front_cuts_without_loss(
            pieces in proptest::collection::vec(proptest::collection::vec(any::<u8>(), 0..20), 0..8), length in 0..200_usize,
        ) {
            let whole = pieces.concat();
            let mut rest: Payload = pieces.into_iter().map(Bytes::from).collect();
            prop_assert_eq!(rest.len(), whole.len() as u64);
            let front = rest.take_front(length);
            let cut = length.min(whole.len());
            let flat = |payload: &Payload| payload.pieces().flatten().copied().collect::<Vec<u8>>();
            prop_assert_eq!(flat(&front), &whole[..cut]);
            prop_assert_eq!(flat(&rest), &whole[cut..]);
            prop_assert_eq!(rest.is_empty(), cut == whole.len());
        }
    }
}
