//! Whether the other side speaks HTTP/2, by the first bytes that it sends.
//!
//! A server that speaks it begins with its SETTINGS (RFC 9113, section 3.4); one that does not says something else, or nothing. Nothing is asked before that is known, so
//! whoever only knows HTTP/1.1 has been asked nothing.

use std::io;
use std::pin::Pin;
use std::task::{Context, Poll, ready};

use tokio::io::{AsyncRead, ReadBuf};
use tokio::sync::oneshot;

/// Bytes in front of a frame: length (3), type, flags, stream (4).
const HEAD_BYTES: usize = 9;
/// The type of SETTINGS.
const SETTINGS: u8 = 4;

/// The reading side of a stream, whose first bytes are looked at as they pass.
pub(super) struct FirstFrame<S> {
    stream: S,
    head: Vec<u8>,
    tell: Option<oneshot::Sender<bool>>,
}

impl<S> FirstFrame<S> {
    /// It, and where it is told what the other side speaks.
    pub(super) fn new(stream: S) -> (Self, oneshot::Receiver<bool>) {
        let (tell, told) = oneshot::channel();
        (Self { stream, head: Vec::with_capacity(HEAD_BYTES), tell: Some(tell) }, told)
    }

    fn look(&mut self, bytes: &[u8]) -> io::Result<()> {
        self.head.extend(bytes.iter().take(HEAD_BYTES - self.head.len()));
        let is_second = match *self.head.as_slice() {
            // Not an acknowledgement, and of the connection.
            [_, _, _, kind, flags, a, b, c, d] => kind == SETTINGS && flags == 0 && [a, b, c, d] == [0; 4],
            // The end.
            _ if bytes.is_empty() => false,
            _ => return Ok(()),
        };
        if let Some(tell) = self.tell.take() {
            // Nobody may be waiting any more.
            let _ = tell.send(is_second).is_ok();
        }
        if is_second { Ok(()) } else { Err(io::Error::new(io::ErrorKind::InvalidData, "it does not speak HTTP/2")) }
    }
}

impl<S: AsyncRead + Unpin> AsyncRead for FirstFrame<S> {
    fn poll_read(mut self: Pin<&mut Self>, cx: &mut Context<'_>, buf: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        let before = buf.filled().len();
        ready!(Pin::new(&mut self.stream).poll_read(cx, buf))?;
        if self.tell.is_some() {
            let new = buf.filled().get(before..).unwrap_or_default();
            self.look(new)?;
        }
        Poll::Ready(Ok(()))
    }
}

#[cfg(test)]
mod test {
    use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};

    use super::*;

    #[tokio::test]
    async fn settings_and_nothing_else_are_an_answer() {
        for (bytes, expected) in [
            (&b"\0\0\0\x04\0\0\0\0\0"[..], Some(true)),
            (b"\0\0\x06\x04\0\0\0\0\0\0\x03\0\0\0\x64", Some(true)),
            (b"\0\0\0\x04\x01\0\0\0\0", Some(false)),
            (b"\0\0\0\x04\0\0\0\0\x01", Some(false)),
            (b"\0\0\0\x06\0\0\0\0\0", Some(false)),
            (b"HTTP/1.1 400 Bad Request\r\n\r\n", Some(false)),
            (b"HTTP", Some(false)),
            (b"", Some(false)),
        ] {
            for piece in [1, 4, usize::MAX] {
                let (near, mut far) = tokio::io::duplex(64);
                far.write_all(bytes).await.unwrap();
                drop(far);
                let (mut first, told) = FirstFrame::new(near);
                let (mut all, mut some) = (Vec::new(), [0; 64]);
                let ended = loop {
                    match first.read(&mut some[..piece.min(64)]).await {
                        Ok(0) => break true,
                        Ok(count) => all.extend_from_slice(&some[..count]),
                        Err(_) => break false,
                    }
                };
                assert_eq!((told.await.ok(), ended), (expected, expected == Some(true)), "{bytes:?} by {piece}");
                assert!(!ended || all == bytes, "every byte is passed on");
            }
        }
    }
}
