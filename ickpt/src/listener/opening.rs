//! Which HTTP a peer speaks, by the first bytes that it sends on a plain connection.
//!
//! Who begins with the preface of RFC 9113, section 3.4, speaks HTTP/2; whatever else comes is for HTTP/1.1 to judge. No byte is lost: those that were looked at are read
//! again by whoever serves.

use std::io::{self, Cursor};

use bytes::BytesMut;
use tokio::io::{AsyncRead, AsyncReadExt as _, AsyncWrite};

const PREFACE: &[u8] = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n";
/// Bytes that are read at first: most requests.
const FIRST_BYTES: usize = 2048;

/// Reads until it is known whether HTTP/2 is spoken, and tells; the stream begins with what was read.
pub(super) async fn look<S>(mut stream: S) -> io::Result<(bool, impl AsyncRead + AsyncWrite + Unpin)>
where
    S: AsyncRead + AsyncWrite + Unpin,
{
    let mut front = BytesMut::with_capacity(FIRST_BYTES);
    loop {
        let begins = PREFACE.starts_with(&front) && front.len() < PREFACE.len();
        if !begins || stream.read_buf(&mut front).await? == 0 {
            let is_second = front.starts_with(PREFACE);
            let (read, write) = tokio::io::split(stream);
            return Ok((is_second, tokio::io::join(Cursor::new(front).chain(read), write)));
        }
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
                    let (is_second, mut opened) = look(near).await.unwrap();
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
