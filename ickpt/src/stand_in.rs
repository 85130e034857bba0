//! A stand-in for Swift, as far as the service speaks to it; for tests and for `bench`. It keeps objects in memory, knows some tokens, and misbehaves
//! on request.

use std::collections::HashMap;
use std::io;
use std::net::SocketAddr;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use bytes::Bytes;
use futures::stream;
use http::{Method, Request, Response, header};
use http_body_util::combinators::BoxBody;
use http_body_util::{BodyExt as _, Full, StreamBody};
use hyper::body::{Frame, Incoming};
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper_util::rt::TokioIo;
use plastron_sources::clock::{Clock as _, SystemClock};
use tokio::net::TcpListener;
use tokio::task::JoinHandle;

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

type Body = BoxBody<Bytes, io::Error>;

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
                tokio::spawn(async move {
                    let service = service_fn(move |request| answer(Arc::clone(&state), request));
                    // Whoever hangs up does so on purpose.
                    let _ = http1::Builder::new().serve_connection(TokioIo::new(stream), service).await;
                });
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

fn full(bytes: Bytes) -> Body {
    Full::new(bytes).map_err(|never| match never {}).boxed()
}

fn status(status: u16) -> Response<Body> {
    let mut response = Response::new(full(Bytes::from_static(b"<html>the store's own words</html>")));
    *response.status_mut() = http::StatusCode::from_u16(status).unwrap_or_default();
    response
}

async fn answer(state: Arc<State>, request: Request<Incoming>) -> io::Result<Response<Body>> {
    let write = request.method() == Method::PUT;
    if write { &state.puts } else { &state.gets }.fetch_add(1, Ordering::Relaxed);
    let path = request.uri().path().to_owned();
    let token =
        request.headers().get("x-auth-token").and_then(|value| value.to_str().ok()).unwrap_or_default().to_owned();
    let only_new = request.headers().get(header::IF_NONE_MATCH).is_some_and(|value| value == "*");
    let body = request.into_body().collect().await.map_err(io::Error::other)?.to_bytes();
    let mischief = lock(&state.mischief).get(&path).cloned();
    match mischief {
        None => {}
        Some(Mischief::PutStatus(code)) if write => return Ok(status(code)),
        Some(Mischief::PutStatus(_)) => {}
        Some(Mischief::Status(code)) => return Ok(status(code)),
        Some(Mischief::Redirect(target)) => {
            let mut response = status(302);
            if let Ok(target) = target.parse() {
                response.headers_mut().insert(header::LOCATION, target);
            }
            return Ok(response);
        }
        Some(Mischief::Slow(wait)) => SystemClock.sleep(Duration::from_millis(wait)).await,
        Some(Mischief::Silence) => std::future::pending().await,
        Some(Mischief::Endless) => {
            let chunk = || Ok(Frame::data(Bytes::from_static(&[b'x'; 8192])));
            let body = StreamBody::new(stream::repeat_with(chunk));
            return Ok(Response::new(body.boxed()));
        }
        Some(Mischief::Compressed) => {
            let mut response = Response::new(full(Bytes::from_static(b"\x1f\x8b\x08\x00")));
            response.headers_mut().insert(header::CONTENT_ENCODING, http::HeaderValue::from_static("gzip"));
            return Ok(response);
        }
        Some(Mischief::LongHeaders) => {
            let mut response = status(200);
            for number in 0..90 {
                let name = http::HeaderName::try_from(format!("x-long-{number}")).map_err(io::Error::other)?;
                let value = http::HeaderValue::try_from("y".repeat(1000)).map_err(io::Error::other)?;
                response.headers_mut().insert(name, value);
            }
            return Ok(response);
        }
    }
    match (token.as_str(), write) {
        (WRITER, _) | (READER, false) => {}
        (READER | STRANGER, _) => return Ok(status(403)),
        _ => return Ok(status(401)),
    }
    let mut objects = lock(&state.objects);
    let found = objects.get(&path).cloned();
    Ok(match (write, found) {
        (false, Some(bytes)) => Response::new(full(bytes)),
        (false, None) => status(404),
        (true, Some(_)) if only_new => status(412),
        (true, _) => {
            objects.insert(path, body);
            status(201)
        }
    })
}
