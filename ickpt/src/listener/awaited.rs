//! An answer's body, which tells while the peer waits for it.
//!
//! An answer can be long in coming to its end because whoever gives it has nothing to say yet, or because its peer does not take what there is. The first is a call that goes
//! on; the second keeps memory, and is not waited for. They are told apart by who is waited for: a body that has said that nothing is there waits for its
//! server, and one that is not asked for more waits for its peer.

use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::AtomicU64;
use std::sync::atomic::Ordering::Relaxed;
use std::task::{Context, Poll};

use http_body::{Body, Frame, SizeHint};

/// The body; the number counts those that wait for their server.
pub(super) struct Awaited<B> {
    body: B,
    waiting: Arc<AtomicU64>,
    is_waiting: bool,
}

impl<B> Awaited<B> {
    pub(super) fn new(body: B, waiting: Arc<AtomicU64>) -> Self {
        Self { body, waiting, is_waiting: false }
    }

    fn tell(&mut self, is_waiting: bool) {
        match (self.is_waiting, is_waiting) {
            (false, true) => self.waiting.fetch_add(1, Relaxed),
            (true, false) => self.waiting.fetch_sub(1, Relaxed),
            _ => return,
        };
        self.is_waiting = is_waiting;
    }
}

impl<B> Drop for Awaited<B> {
    fn drop(&mut self) {
        self.tell(false);
    }
}

impl<B: Body + Unpin> Body for Awaited<B> {
    type Data = B::Data;
    type Error = B::Error;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Self::Data>, Self::Error>>> {
        let frame = Pin::new(&mut self.body).poll_frame(cx);
        self.tell(frame.is_pending());
        frame
    }

    fn is_end_stream(&self) -> bool {
        self.body.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        self.body.size_hint()
    }
}

#[cfg(test)]
mod tests {
    use std::convert::Infallible;

    use bytes::Bytes;
    use futures::FutureExt as _;
    use http_body_util::{BodyExt as _, Full};

    use super::*;

    /// Says nothing until it is let, and then one thing.
    struct Late(Option<Bytes>, bool);

    impl Body for Late {
        type Data = Bytes;
        type Error = Infallible;

        fn poll_frame(mut self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<Option<Result<Frame<Bytes>, Infallible>>> {
            if !self.1 {
                return Poll::Pending;
            }
            Poll::Ready(self.0.take().map(|bytes| Ok(Frame::data(bytes))))
        }
    }

    #[test]
    fn a_body_waits_from_when_it_had_nothing_to_say_until_it_has_or_is_gone() {
        let waiting = Arc::new(AtomicU64::new(0));
        let now = || waiting.load(Relaxed);
        let late =
            |bytes: &'static [u8]| Awaited::new(Late(Some(Bytes::from_static(bytes)), false), Arc::clone(&waiting));
        let (mut one, mut two) = (late(b"one"), late(b"two"));
        assert_eq!(now(), 0, "nobody has asked");
        assert!(one.frame().now_or_never().is_none() && one.frame().now_or_never().is_none());
        assert!(two.frame().now_or_never().is_none());
        assert_eq!(now(), 2);
        one.body.1 = true;
        let frame = one.frame().now_or_never().unwrap().unwrap().unwrap();
        assert_eq!(frame.into_data().unwrap(), "one");
        assert_eq!(now(), 1, "what was said is for the peer to take");
        drop(two);
        assert_eq!(now(), 0);
        let mut full = Awaited::new(Full::new(Bytes::from_static(b"all")), Arc::clone(&waiting));
        assert_eq!(full.size_hint().exact(), Some(3));
        assert!(full.frame().now_or_never().is_some() && full.is_end_stream() && now() == 0);
    }
}
