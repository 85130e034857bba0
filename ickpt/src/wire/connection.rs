//! One connection: a request is written, and its answer read, by whoever asks.
//!
//! No task stands between them and the socket, so an exchange is one write, one wait and one read. The answer ends where its head says; a connection
//! on which anything is left over, or that was left in the middle of an answer, is never used again.

use std::fmt;

use bytes::{Bytes, BytesMut};
use futures::FutureExt as _;
use http::{Request, Version};
use tokio::io::{AsyncRead, AsyncReadExt as _, AsyncWrite, AsyncWriteExt as _};
use zeroize::Zeroize as _;

use super::answer::{Answer, WireError};
use super::framing::{Framing, Head, end_of_head};
use super::tls::trouble;
use crate::storage_url::Origin;

/// Bytes of an answer's headers, and of the lines between chunks.
const MAX_HEAD_BYTES: usize = 32 * 1024;
/// Answers of the sort "continue" before the one that counts.
const MAX_INTERIM: u32 = 8;
/// Bytes that are read at a time, at least.
const READ_BYTES: usize = 4096;
/// Bytes of the line in front of a chunk: its length.
const LENGTH_BYTES: usize = 18;
/// Bodies up to this are written together with their head.
const MAX_JOINED_BYTES: usize = 16 * 1024;

/// What can be read and written.
pub(super) trait Duplex: AsyncRead + AsyncWrite + Send + Unpin {}
impl<T: AsyncRead + AsyncWrite + Send + Unpin> Duplex for T {}

/// Why an exchange failed.
#[derive(Debug)]
pub(super) enum Failure {
    /// The connection was closed before a byte of the answer came.
    Closed(String),
    /// Later, or otherwise.
    Wire(WireError),
}

fn broken(what: impl fmt::Display) -> Failure {
    Failure::Wire(WireError::Broken(what.to_string()))
}

impl From<Failure> for WireError {
    fn from(failure: Failure) -> Self {
        match failure {
            Failure::Closed(what) => Self::Broken(what),
            Failure::Wire(error) => error,
        }
    }
}

/// A connection.
pub(super) struct Connection {
    stream: Box<dyn Duplex>,
    incoming: BytesMut,
    /// Holds a token while it is written, and is wiped then.
    outgoing: Vec<u8>,
    is_clean: bool,
}

impl fmt::Debug for Connection {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Connection").field("is_clean", &self.is_clean).finish_non_exhaustive()
    }
}

impl Connection {
    pub(super) fn new(stream: Box<dyn Duplex>) -> Self {
        Self { stream, incoming: BytesMut::new(), outgoing: Vec::new(), is_clean: true }
    }

    /// Whether another exchange may begin: the last one came to its end, nothing is left of it, and neither an end nor
    /// anything that was not asked for has come since.
    pub(super) fn is_ready(&mut self) -> bool {
        self.is_clean && self.incoming.is_empty() && self.stream.read_buf(&mut self.incoming).now_or_never().is_none()
    }

    /// Whether the last exchange left the connection fit for another.
    pub(super) fn is_clean(&self) -> bool {
        self.is_clean && self.incoming.is_empty()
    }

    /// Sends a request, and reads an answer with a body of `limit` bytes at the most.
    pub(super) async fn exchange(
        &mut self,
        origin: &Origin,
        request: &Request<Bytes>,
        limit: usize,
    ) -> Result<Answer, Failure> {
        // Whoever drops this leaves it in the middle.
        self.is_clean = false;
        let written = self.write(origin, request).await;
        // It may have been answered before it was read to its end.
        let head = match (self.head().await, written) {
            (Err(Failure::Closed(_)), Err(error)) => return Err(Failure::Closed(trouble(&error))),
            (head, _) => head?,
        };
        let body = self.body(head.framing, limit).await?;
        self.is_clean = head.keeps;
        Ok(Answer { version: Version::HTTP_11, status: head.status, headers: head.headers, body })
    }

    async fn write(&mut self, origin: &Origin, request: &Request<Bytes>) -> std::io::Result<()> {
        let body = request.body();
        let out = &mut self.outgoing;
        out.extend_from_slice(request.method().as_str().as_bytes());
        out.push(b' ');
        let path = request.uri().path_and_query().map_or("/", http::uri::PathAndQuery::as_str);
        out.extend_from_slice(path.as_bytes());
        out.extend_from_slice(b" HTTP/1.1\r\nhost: ");
        origin.write_authority(out);
        for (name, value) in request.headers() {
            out.extend_from_slice(b"\r\n");
            out.extend_from_slice(name.as_str().as_bytes());
            out.extend_from_slice(b": ");
            out.extend_from_slice(value.as_bytes());
        }
        if !body.is_empty() || matches!(*request.method(), http::Method::PUT | http::Method::POST) {
            out.extend_from_slice(format!("\r\ncontent-length: {}", body.len()).as_bytes());
        }
        out.extend_from_slice(b"\r\n\r\n");
        let is_joined = body.len() <= MAX_JOINED_BYTES;
        if is_joined {
            out.extend_from_slice(body);
        }
        let written = self.stream.write_all(out).await;
        out.zeroize();
        written?;
        if !is_joined {
            self.stream.write_all(body).await?;
        }
        self.stream.flush().await
    }

    /// Reads more. Nothing at the end.
    async fn fill(&mut self) -> std::io::Result<usize> {
        self.incoming.reserve(READ_BYTES);
        self.stream.read_buf(&mut self.incoming).await
    }

    async fn head(&mut self) -> Result<Head, Failure> {
        for _ in 0..MAX_INTERIM {
            let bytes = self.bytes_of_head().await?;
            let head = Head::parse(&bytes).map_err(broken)?;
            match head.status {
                101 => return Err(broken("it changes to another protocol")),
                100..=199 => {}
                _ => return Ok(head),
            }
        }
        Err(broken("it says 'continue' again and again"))
    }

    async fn bytes_of_head(&mut self) -> Result<BytesMut, Failure> {
        let mut known = 0;
        loop {
            let end = end_of_head(&self.incoming, known);
            if let Some(end) = end.filter(|end| *end <= MAX_HEAD_BYTES) {
                return Ok(self.incoming.split_to(end));
            }
            known = self.incoming.len();
            if end.is_some() || known > MAX_HEAD_BYTES {
                return Err(broken(format!("its headers have more than {MAX_HEAD_BYTES} bytes")));
            }
            match self.fill().await {
                Ok(0) if known == 0 => return Err(Failure::Closed("it was closed".to_owned())),
                Err(error) if known == 0 => return Err(Failure::Closed(trouble(&error))),
                Ok(0) => return Err(broken("it was closed within the headers")),
                Err(error) => return Err(broken(error)),
                Ok(_) => {}
            }
        }
    }

    async fn body(&mut self, framing: Framing, limit: usize) -> Result<Bytes, Failure> {
        let too_large = Failure::Wire(WireError::TooLarge(limit));
        match framing {
            Framing::Length(length) => match usize::try_from(length) {
                Ok(length) if length <= limit => self.take(length).await,
                _ => Err(too_large),
            },
            Framing::UntilClosed => loop {
                if self.incoming.len() > limit {
                    return Err(too_large);
                }
                if self.fill().await.map_err(broken)? == 0 {
                    return Ok(std::mem::take(&mut self.incoming).freeze());
                }
            },
            Framing::Chunked => {
                let mut body = BytesMut::new();
                let mut spoken = 0;
                loop {
                    let line = self.line(&mut spoken, LENGTH_BYTES).await?;
                    let length = chunk_length(&line).ok_or_else(|| broken("the length of a chunk is no number"))?;
                    if length == 0 {
                        // What stands behind the last one is as good as headers, and means nothing here.
                        while !self.line(&mut spoken, 0).await?.is_empty() {}
                        return Ok(body.freeze());
                    }
                    if length > (limit - body.len()) as u64 {
                        return Err(too_large);
                    }
                    body.extend_from_slice(&self.take(length as usize).await?);
                    if &*self.take(2).await? != b"\r\n" {
                        return Err(broken("a chunk does not end where it says"));
                    }
                }
            }
        }
    }

    /// The next `length` bytes.
    async fn take(&mut self, length: usize) -> Result<Bytes, Failure> {
        while self.incoming.len() < length {
            if self.fill().await.map_err(broken)? == 0 {
                return Err(broken("it was closed within the body"));
            }
        }
        // A copy: the buffer stays whole, and with the connection.
        Ok(Bytes::copy_from_slice(&self.incoming.split_to(length)))
    }

    /// The next line without its end. What all of a body's have beyond `free` bytes each is as long as a head, at the most.
    async fn line(&mut self, spoken: &mut usize, free: usize) -> Result<Bytes, Failure> {
        let mut known = 0;
        loop {
            let found = self.incoming.get(known..).and_then(|rest| rest.iter().position(|byte| *byte == b'\n'));
            if let Some(at) = found {
                *spoken += (known + at).saturating_sub(free);
                let line = self.take(known + at + 1).await?;
                let line = line.strip_suffix(b"\r\n").ok_or_else(|| broken("a line does not end as lines do"))?;
                return Ok(Bytes::copy_from_slice(line));
            }
            known = self.incoming.len();
            if *spoken + known > MAX_HEAD_BYTES {
                return Err(broken("the lines between its chunks are too long"));
            }
            if self.fill().await.map_err(broken)? == 0 {
                return Err(broken("it was closed within the body"));
            }
        }
    }
}

/// The number in front of a chunk; an extension may stand behind it.
fn chunk_length(line: &[u8]) -> Option<u64> {
    let digits = line.split(|byte| matches!(byte, b';' | b' ' | b'\t')).next()?;
    let text = std::str::from_utf8(digits).ok().filter(|text| text.bytes().all(|byte| byte.is_ascii_hexdigit()))?;
    u64::from_str_radix(text, 16).ok()
}

/// What is made of an answer that comes in these pieces: status and body, or nothing. Nothing at all if it is waited for; for fuzzing.
pub(crate) fn answer_in(front: &[u8], back: &[u8]) -> Option<Option<(u16, Bytes)>> {
    let piece = |bytes: &[u8]| std::io::Cursor::new(bytes.to_vec());
    let pieces = piece(front).chain(piece(back));
    let mut connection = Connection::new(Box::new(tokio::io::join(pieces, tokio::io::sink())));
    let origin = Origin::parse("http://s").ok()?;
    let answer = connection.exchange(&origin, &Request::new(Bytes::new()), 4096).now_or_never()?;
    Some(answer.ok().map(|answer| (answer.status, answer.body)))
}

#[cfg(test)]
#[path = "connection_test.rs"]
mod test;
