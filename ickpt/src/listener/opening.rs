//! Which HTTP a peer speaks, by the first bytes that it sends on a plain connection.
//!
//! Who begins with the preface of RFC 9113, section 3.4, speaks HTTP/2; whatever else comes is for HTTP/1.1 to judge. No byte is lost: those that were looked at are read
//! again by whoever serves.

use std::io;
use std::pin::Pin;
use std::task::{Context, Poll};

use bytes::{Buf as _, BytesMut};
use tokio::io::{AsyncRead, AsyncReadExt as _, AsyncWrite, ReadBuf};

const PREFACE: &[u8] = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n";
/// Bytes that are read at first: most requests.
const FIRST_BYTES: usize = 2048;

/// A stream whose first bytes were looked at already.
#[derive(Debug)]
pub(super) struct Opened<S> {
    front: BytesMut,
    stream: S,
}

impl<S: AsyncRead + Unpin> Opened<S> {
    /// Reads until it is known whether HTTP/2 is spoken, and tells.
    pub(super) async fn look(mut stream: S) -> io::Result<(bool, Self)> {
        let mut front = BytesMut::with_capacity(FIRST_BYTES);
        loop {
            let begins = PREFACE.starts_with(&front) && front.len() < PREFACE.len();
            if !begins || stream.read_buf(&mut front).await? == 0 {
                return Ok((front.starts_with(PREFACE), Self { front, stream }));
            }
        }
    }
}

impl<S: AsyncRead + Unpin> AsyncRead for Opened<S> {
    fn poll_read(mut self: Pin<&mut Self>, cx: &mut Context<'_>, buf: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        if self.front.is_empty() {
            return Pin::new(&mut self.stream).poll_read(cx, buf);
        }
        let count = self.front.len().min(buf.remaining());
        buf.put_slice(self.front.get(..count).unwrap_or_default());
        self.front.advance(count);
        if self.front.is_empty() {
            self.front = BytesMut::new();
        }
        Poll::Ready(Ok(()))
    }
}

impl<S: AsyncWrite + Unpin> AsyncWrite for Opened<S> {
    fn poll_write(mut self: Pin<&mut Self>, cx: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.stream).poll_write(cx, bytes)
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        slices: &[io::IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.stream).poll_write_vectored(cx, slices)
    }

    fn is_write_vectored(&self) -> bool {
        self.stream.is_write_vectored()
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_flush(cx)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_shutdown(cx)
    }
}

#[cfg(test)]
mod tests {
    use tokio::io::AsyncWriteExt as _;

    use super::*;

    #[tokio::test]
    async fn what_was_looked_at_is_read_again() {
        for (text, expected) in [
            (&b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n\0\0\0"[..], true),
            (b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n", true),
            (b"PRI * HTTP/2.0\r\n\r\nSM\r\n\rX", false),
            (b"PRI * HTTP/2.0\r\n", false),
            (b"PUT / HTTP/1.1\r\n\r\n", false),
            (b"\0", false),
            (b"", false),
        ] {
            for piece in [1, 5, usize::MAX] {
                let (near, mut far) = tokio::io::duplex(64);
                let writing = async {
                    for piece in text.chunks(piece.min(text.len()).max(1)) {
                        far.write_all(piece).await.unwrap();
                        tokio::task::yield_now().await;
                    }
                    drop(far);
                };
                let reading = async {
                    let (is_second, mut opened) = Opened::look(near).await.unwrap();
                    let mut all = Vec::new();
                    opened.read_to_end(&mut all).await.unwrap();
                    (is_second, all)
                };
                let ((), (is_second, all)) = tokio::join!(writing, reading);
                assert_eq!((is_second, &*all), (expected, text));
            }
        }
    }
}
