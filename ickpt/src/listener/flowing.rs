//! A stream to a peer that has to take what it is given.
//!
//! Invariant: a write that moves nothing for as long as the patience lasts fails, so that whoever does not read its answer does not keep a connection. Who reads
//! a little now and then is no better off: a socket is writable again only when a good part of its buffer is free.

use std::io;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, ready};
use std::time::Duration;

use plastron_sources::clock::{Clock, Sleep};
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};

/// The stream.
pub(super) struct Flowing<S> {
    stream: S,
    patience: Duration,
    clock: Arc<dyn Clock>,
    /// There while a write waits.
    stalled: Option<Sleep>,
}

impl<S: Unpin> Flowing<S> {
    pub(super) fn new(stream: S, patience: Duration, clock: Arc<dyn Clock>) -> Self {
        Self { stream, patience, clock, stalled: None }
    }

    /// What `write` says; an error if it has waited for too long.
    fn watched<T>(
        &mut self,
        cx: &mut Context<'_>,
        write: impl FnOnce(Pin<&mut S>, &mut Context<'_>) -> Poll<io::Result<T>>,
    ) -> Poll<io::Result<T>> {
        let written = write(Pin::new(&mut self.stream), cx);
        if written.is_ready() {
            self.stalled = None;
            return written;
        }
        let stalled = self.stalled.get_or_insert_with(|| self.clock.sleep(self.patience));
        ready!(stalled.as_mut().poll(cx));
        self.stalled = None;
        Poll::Ready(Err(io::Error::new(io::ErrorKind::TimedOut, "the peer does not take what it is given")))
    }
}

impl<S: AsyncRead + Unpin> AsyncRead for Flowing<S> {
    fn poll_read(mut self: Pin<&mut Self>, cx: &mut Context<'_>, buf: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_read(cx, buf)
    }
}

impl<S: AsyncWrite + Unpin> AsyncWrite for Flowing<S> {
    fn poll_write(mut self: Pin<&mut Self>, cx: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        self.watched(cx, |stream, cx| stream.poll_write(cx, bytes))
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        slices: &[io::IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        self.watched(cx, |stream, cx| stream.poll_write_vectored(cx, slices))
    }

    fn is_write_vectored(&self) -> bool {
        self.stream.is_write_vectored()
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        self.watched(cx, |stream, cx| stream.poll_flush(cx))
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        self.watched(cx, |stream, cx| stream.poll_shutdown(cx))
    }
}

#[cfg(test)]
mod tests {
    use plastron_sources::clock::SystemClock;
    use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};

    use super::*;

    const PATIENCE: Duration = Duration::from_secs(10);

    // Time goes on by itself when there is nothing else to do: the machine's speed has no part in it.
    #[tokio::test(start_paused = true)]
    async fn who_takes_nothing_is_left_and_who_takes_a_little_in_time_is_not() {
        let (near, mut far) = tokio::io::duplex(16);
        let mut near = Flowing::new(near, PATIENCE, Arc::new(SystemClock));
        let reading = tokio::spawn(async move {
            let mut all = Vec::new();
            let mut some = [0; 16];
            while all.len() < 160 {
                SystemClock.sleep(PATIENCE / 2).await;
                let count = far.read(&mut some).await.unwrap();
                all.extend_from_slice(&some[..count]);
            }
            (all, far)
        });
        near.write_all(&[7; 160]).await.unwrap();
        let (all, _far) = reading.await.unwrap();
        assert_eq!(all, [7; 160]);
        let error = near.write_all(&[7; 160]).await.unwrap_err();
        assert_eq!(error.kind(), io::ErrorKind::TimedOut);
    }
}
