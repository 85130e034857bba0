//! A stand-in for Swift, as far as the service speaks to it; for tests and for `bench`. It keeps objects in memory, knows some tokens, and misbehaves
//! on request.
//!
//! It speaks HTTP/1.1 by hand, to be no heavier beside what is measured than it must: of a request it reads method, path, token, `If-None-Match` and a body with a
//! length, and an answer is one write.

use std::collections::HashMap;
use std::io;
use std::net::SocketAddr;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use bytes::{Buf as _, Bytes, BytesMut};
use plastron_sources::clock::{Clock as _, SystemClock};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::{TcpListener, TcpStream};
use tokio::task::JoinHandle;

/// Bytes of a request, with its body.
const MAX_REQUEST_BYTES: usize = 256 << 10;
/// Headers of a request.
const MAX_HEADERS: usize = 32;
/// The body of an answer that has no other.
const WORDS: &[u8] = b"<html>the store's own words</html>";

/// A token that may read and write.
pub const WRITER: &str = "AUTH_tk-writer-5d41402abc4b2a76";
/// A token that may only read.
pub const READER: &str = "AUTH_tk-reader-7d793037a0760186";
/// A token that is known and may nothing.
pub const STRANGER: &str = "AUTH_tk-stranger-9ae0ea9e3c9c6e1b";

/// How an object's answers are spoiled.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub enum Mischief {
    /// This status, with the object's bytes as body.
    Status(u16),
    /// A redirect to this URL.
    Redirect(String),
    /// An answer after so many milliseconds.
    Slow(u64),
    /// No answer, ever.
    Silence,
    /// A body without end.
    Endless,
    /// Says that it is compressed.
    Compressed,
    /// Headers without end.
    LongHeaders,
    /// GET is answered, PUT with this status.
    PutStatus(u16),
}

#[derive(Debug, Default)]
struct State {
    objects: Mutex<HashMap<String, Bytes>>,
    mischief: Mutex<HashMap<String, Mischief>>,
    gets: AtomicU64,
    puts: AtomicU64,
}

/// A stand-in that runs until it is dropped.
#[derive(Debug)]
pub struct StandIn {
    address: SocketAddr,
    state: Arc<State>,
    task: JoinHandle<()>,
}

impl StandIn {
    /// Starts one on 127.0.0.1.
    ///
    /// # Errors
    /// If there is no free port.
    pub async fn start() -> io::Result<Self> {
        let listener = TcpListener::bind(("127.0.0.1", 0)).await?;
        let address = listener.local_addr()?;
        let state = Arc::new(State::default());
        let shared = Arc::clone(&state);
        let task = tokio::spawn(async move {
            while let Ok((stream, _)) = listener.accept().await {
                let _ = stream.set_nodelay(true);
                let state = Arc::clone(&shared);
                // Whoever hangs up does so on purpose.
                tokio::spawn(async move { converse(stream, &state).await.is_ok() });
            }
        });
        Ok(Self { address, state, task })
    }

    /// Where it listens.
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// `http://127.0.0.1:port`.
    pub fn origin(&self) -> String {
        format!("http://{}", self.address)
    }

    /// Puts an object there and gives its URL.
    pub fn object(&self, path: &str, bytes: &'static [u8]) -> String {
        lock(&self.state.objects).insert(path.to_owned(), Bytes::from_static(bytes));
        format!("{}{path}", self.origin())
    }

    /// The bytes of an object.
    pub fn bytes(&self, path: &str) -> Option<Bytes> {
        lock(&self.state.objects).get(path).cloned()
    }

    /// Spoils the answers about an object, or not any more.
    pub fn spoil(&self, path: &str, mischief: Option<Mischief>) {
        let mut all = lock(&self.state.mischief);
        match mischief {
            Some(mischief) => all.insert(path.to_owned(), mischief),
            None => all.remove(path),
        };
    }

    /// GETs and PUTs so far.
    pub fn requests(&self) -> (u64, u64) {
        (self.state.gets.load(Ordering::Relaxed), self.state.puts.load(Ordering::Relaxed))
    }
}

impl Drop for StandIn {
    fn drop(&mut self) {
        self.task.abort();
    }
}

fn lock<T>(mutex: &Mutex<T>) -> std::sync::MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

/// What one request asks.
struct Asked {
    write: bool,
    only_new: bool,
    may_read: Result<(), u16>,
    may_write: Result<(), u16>,
    path: String,
    body: Bytes,
}

impl Asked {
    /// Takes the first request from `bytes`, if all of it is there.
    fn take(bytes: &mut BytesMut) -> io::Result<Option<Self>> {
        let odd = |what: &str| io::Error::new(io::ErrorKind::InvalidData, what.to_owned());
        let mut space = [httparse::EMPTY_HEADER; MAX_HEADERS];
        let mut head = httparse::Request::new(&mut space);
        let httparse::Status::Complete(length) = head.parse(bytes).map_err(io::Error::other)? else {
            return if bytes.len() > MAX_REQUEST_BYTES { Err(odd("the request is too long")) } else { Ok(None) };
        };
        let find = |name: &str| head.headers.iter().find(|found| found.name.eq_ignore_ascii_case(name));
        let body = match find("content-length") {
            Some(found) => std::str::from_utf8(found.value).ok().and_then(|text| text.parse().ok()),
            None if find("transfer-encoding").is_some() => None,
            None => Some(0),
        };
        let body: usize =
            body.filter(|body| *body <= MAX_REQUEST_BYTES).ok_or_else(|| odd("the body has no length"))?;
        if bytes.len() < length + body {
            return Ok(None);
        }
        let token = find("x-auth-token").map_or(&[][..], |found| found.value);
        let (may_read, may_write) = match token {
            _ if token == WRITER.as_bytes() => (Ok(()), Ok(())),
            _ if token == READER.as_bytes() => (Ok(()), Err(403)),
            _ if token == STRANGER.as_bytes() => (Err(403), Err(403)),
            _ => (Err(401), Err(401)),
        };
        let mut asked = Self {
            write: head.method == Some("PUT"),
            only_new: find("if-none-match").is_some_and(|found| found.value == b"*"),
            may_read,
            may_write,
            path: head.path.unwrap_or_default().to_owned(),
            body: Bytes::new(),
        };
        bytes.advance(length);
        asked.body = Bytes::copy_from_slice(&bytes.split_to(body));
        Ok(Some(asked))
    }
}

/// Appends an answer.
fn say(out: &mut Vec<u8>, status: u16, more: &str, body: &[u8]) {
    out.extend_from_slice(format!("HTTP/1.1 {status} \r\n{more}content-length: {}\r\n\r\n", body.len()).as_bytes());
    out.extend_from_slice(body);
}

impl State {
    /// What a store does.
    fn answer(&self, asked: Asked, out: &mut Vec<u8>) {
        let Asked { write, only_new, may_read, may_write, path, body } = asked;
        if let Err(status) = if write { may_write } else { may_read } {
            return say(out, status, "", WORDS);
        }
        let mut objects = lock(&self.objects);
        match (write, objects.get(&path)) {
            (false, Some(bytes)) => say(out, 200, "", bytes),
            (false, None) => say(out, 404, "", WORDS),
            (true, Some(_)) if only_new => say(out, 412, "", WORDS),
            (true, _) => {
                objects.insert(path, body);
                say(out, 201, "", WORDS);
            }
        }
    }
}

/// Answers one request after the other.
async fn converse(mut stream: TcpStream, state: &State) -> io::Result<()> {
    let (mut incoming, mut out) = (BytesMut::with_capacity(4096), Vec::new());
    loop {
        let Some(asked) = Asked::take(&mut incoming)? else {
            if stream.read_buf(&mut incoming).await? == 0 {
                return Ok(());
            }
            continue;
        };
        if asked.write { &state.puts } else { &state.gets }.fetch_add(1, Ordering::Relaxed);
        let mischief = lock(&state.mischief).get(&asked.path).cloned();
        match mischief {
            None => state.answer(asked, &mut out),
            Some(mischief) => misbehave(&mut stream, state, asked, mischief, &mut out).await?,
        }
        stream.write_all(&out).await?;
        out.clear();
    }
}

async fn misbehave(
    stream: &mut TcpStream,
    state: &State,
    asked: Asked,
    mischief: Mischief,
    out: &mut Vec<u8>,
) -> io::Result<()> {
    match mischief {
        Mischief::PutStatus(code) if asked.write => say(out, code, "", WORDS),
        Mischief::PutStatus(_) => state.answer(asked, out),
        Mischief::Status(code) => say(out, code, "", WORDS),
        Mischief::Redirect(target) => say(out, 302, &format!("location: {target}\r\n"), WORDS),
        Mischief::Slow(wait) => {
            SystemClock.sleep(Duration::from_millis(wait)).await;
            state.answer(asked, out);
        }
        Mischief::Silence => std::future::pending().await,
        Mischief::Endless => {
            stream.write_all(b"HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n").await?;
            let chunk = [&b"2000\r\n"[..], &[b'x'; 0x2000], b"\r\n"].concat();
            loop {
                stream.write_all(&chunk).await?;
            }
        }
        Mischief::Compressed => say(out, 200, "content-encoding: gzip\r\n", b"\x1f\x8b\x08\x00"),
        Mischief::LongHeaders => {
            let long = "y".repeat(1000);
            let more: String = (0..90).map(|number| format!("x-long-{number}: {long}\r\n")).collect();
            say(out, 200, &more, WORDS);
        }
    }
    Ok(())
}
