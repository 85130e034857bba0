//! Each rule of the fault proxy does what it says, seen from both ends of the wire.

#![allow(clippy::unwrap_used, clippy::indexing_slicing, reason = "a test says what it expects by failing")]
#![allow(clippy::disallowed_methods, reason = "tests of delays measure real time")]

use std::convert::Infallible;
use std::io::ErrorKind;
use std::net::{Ipv4Addr, SocketAddr};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use bytes::Bytes;
use http::{HeaderMap, Request, Response};
use http_body_util::{BodyExt as _, Full};
use hyper::body::Incoming;
use hyper::service::service_fn;
use hyper_util::rt::TokioIo;
use plastron_localstack::{Fault, FaultProxy, Match, Point, Rule, Rules};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::{TcpListener, TcpStream};

/// What the server saw of one request: its head, and its body if it came whole.
type Seen = (HeaderMap, Option<Bytes>);

/// A server that answers every request with the request's own body, and remembers all.
#[derive(Clone)]
struct Echo {
    address: SocketAddr,
    seen: Arc<Mutex<Vec<Seen>>>,
}

impl Echo {
    async fn start() -> Self {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await.unwrap();
        let echo = Self { address: listener.local_addr().unwrap(), seen: Arc::default() };
        let seen = Arc::clone(&echo.seen);
        tokio::spawn(async move {
            loop {
                let (stream, _) = listener.accept().await.unwrap();
                let seen = Arc::clone(&seen);
                let service = service_fn(move |request: Request<Incoming>| {
                    let seen = Arc::clone(&seen);
                    async move {
                        let (parts, body) = request.into_parts();
                        let body = body.collect().await.ok().map(|body| body.to_bytes());
                        seen.lock().unwrap().push((parts.headers, body.clone()));
                        let mut response = Response::new(Full::new(body.unwrap_or_default()));
                        response.headers_mut().insert("x-answer", "yes".parse().unwrap());
                        Ok::<_, Infallible>(response)
                    }
                });
                tokio::spawn(
                    hyper::server::conn::http1::Builder::new().serve_connection(TokioIo::new(stream), service),
                );
            }
        });
        echo
    }

    async fn proxy(&self, rules: impl IntoIterator<Item = Rule>) -> FaultProxy {
        FaultProxy::before(format!("http://{}", self.address)).rules(Rules::new(1, rules)).start().await.unwrap()
    }

    fn seen(&self) -> Vec<Seen> {
        self.seen.lock().unwrap().clone()
    }
}

/// What a client sees: all bytes up to the end of the connection, and how it ended.
struct Outcome {
    text: String,
    end: Result<(), ErrorKind>,
    took: Duration,
}

impl Outcome {
    fn status(&self) -> u16 {
        self.text.split(' ').nth(1).and_then(|status| status.parse().ok()).unwrap_or(0)
    }

    fn body(&self) -> &str {
        self.text.split_once("\r\n\r\n").map_or("", |(_, body)| body)
    }
}

/// PUTs `body` over a connection of its own, and reads until it ends.
async fn put(proxy: &FaultProxy, path: &str, headers: &str, body: &str) -> Outcome {
    let start = Instant::now();
    let address = proxy.url().strip_prefix("http://").unwrap().to_owned();
    let mut stream = TcpStream::connect(&address).await.unwrap();
    let length = body.len();
    let head =
        format!("PUT {path} HTTP/1.1\r\nhost: signed.example:99\r\nconnection: close\r\ncontent-length: {length}\r\n");
    let request = format!("{head}{headers}\r\n{body}");
    let mut bytes = Vec::new();
    let end = match stream.write_all(request.as_bytes()).await {
        Ok(()) => stream.read_to_end(&mut bytes).await.map(|_| ()).map_err(|error| error.kind()),
        Err(error) => Err(error.kind()),
    };
    Outcome { text: String::from_utf8_lossy(&bytes).into_owned(), end, took: start.elapsed() }
}

/// Long enough to see that nothing comes; nothing that is to happen has to happen within it.
const A_WHILE: Duration = Duration::from_millis(300);

#[tokio::test]
async fn without_rules_everything_passes_as_it_is() {
    let echo = Echo::start().await;
    let proxy = echo.proxy([]).await;
    let outcome = put(&proxy, "/a%20b?x=1", "x-own: v\r\nauthorization: secret\r\n", "hello").await;
    assert_eq!((outcome.status(), outcome.body(), outcome.end), (200, "hello", Ok(())));
    let (headers, body) = echo.seen().remove(0);
    assert_eq!(headers["host"], "signed.example:99");
    assert_eq!(headers["x-own"], "v");
    assert_eq!(headers["authorization"], "secret");
    assert_eq!(body.unwrap(), "hello");

    assert_eq!(proxy.requests().total(), 1);
    assert_eq!(proxy.requests().count("PUT", "/a%20b"), 1);
    assert_eq!(proxy.requests().count("GET", "/"), 0);
    assert_eq!(proxy.body_bytes(), (5, 5));
    assert!(proxy.faults().is_empty());
    let record = proxy.records().remove(0);
    assert_eq!((record.method.as_str(), record.path.as_str(), record.query.as_str()), ("PUT", "/a%20b", "x=1"));
    assert_eq!(record.headers["x-own"], "v");
    assert!(!record.headers.contains_key("authorization"));
    proxy.clear_counters();
    assert_eq!((proxy.requests().total(), proxy.records().len()), (0, 0));
}

#[tokio::test]
async fn rules_change_while_it_runs() {
    let echo = Echo::start().await;
    let proxy = echo.proxy([]).await;
    proxy.add_rule(Rule::new(Fault::Status { code: 500, retry_after_s: None, point: Point::Before }).times(1));
    assert_eq!(put(&proxy, "/", "", "").await.status(), 500);
    assert_eq!(put(&proxy, "/", "", "").await.status(), 200);
    let always = Rule::new(Fault::Status { code: 429, retry_after_s: None, point: Point::Before });
    proxy.set_rules(Rules::new(0, [always.when(Match::method("PUT").path("/x"))]));
    assert_eq!(put(&proxy, "/x", "", "").await.status(), 429);
    assert_eq!(put(&proxy, "/y", "", "").await.status(), 200);
    proxy.clear_rules();
    assert_eq!(put(&proxy, "/x", "", "").await.status(), 200);
}

#[tokio::test]
async fn latency() {
    let echo = Echo::start().await;
    let proxy = echo.proxy([Rule::new(Fault::Latency { fixed_ms: 100, jitter_ms: 20 })]).await;
    let outcome = put(&proxy, "/", "", "x").await;
    assert_eq!(outcome.status(), 200);
    assert!(outcome.took >= Duration::from_millis(100), "{:?}", outcome.took);
    assert_eq!(proxy.faults()["latency"], 1);
}

#[tokio::test]
async fn status_before_the_server() {
    let echo = Echo::start().await;
    let rule = Rule::new(Fault::Status { code: 503, retry_after_s: Some(7), point: Point::Before });
    let proxy = echo.proxy([rule]).await;
    let outcome = put(&proxy, "/", "", "x").await;
    assert_eq!(outcome.status(), 503);
    assert!(outcome.text.contains("retry-after: 7\r\n"), "{}", outcome.text);
    assert!(outcome.body().contains("<Code>SlowDown</Code>"));
    assert!(echo.seen().is_empty());
}

#[tokio::test]
async fn status_after_the_server() {
    let echo = Echo::start().await;
    let rule = Rule::new(Fault::Status { code: 500, retry_after_s: None, point: Point::After });
    let proxy = echo.proxy([rule]).await;
    let outcome = put(&proxy, "/", "", "x").await;
    assert_eq!(outcome.status(), 500);
    assert_eq!(echo.seen().remove(0).1.unwrap(), "x");
}

#[tokio::test]
async fn refusal() {
    let echo = Echo::start().await;
    let proxy = echo.proxy([Rule::new(Fault::Refusal { status: 400, code: "ExpiredToken".into() })]).await;
    let outcome = put(&proxy, "/", "", "x").await;
    assert_eq!(outcome.status(), 400);
    assert!(outcome.body().contains("<Code>ExpiredToken</Code>"));
    assert!(outcome.text.contains("x-ms-error-code: ExpiredToken\r\n"), "{}", outcome.text);
    assert!(echo.seen().is_empty());
}

#[tokio::test]
async fn reset_before_the_server() {
    let echo = Echo::start().await;
    let proxy = echo.proxy([Rule::new(Fault::Reset { point: Point::Before })]).await;
    let outcome = put(&proxy, "/", "", "x").await;
    assert_eq!((outcome.text.as_str(), outcome.end), ("", Err(ErrorKind::ConnectionReset)));
    assert!(echo.seen().is_empty());
    assert_eq!(proxy.faults()["reset"], 1);
}

#[tokio::test]
async fn reset_after_the_server() {
    let echo = Echo::start().await;
    let proxy = echo.proxy([Rule::new(Fault::Reset { point: Point::After })]).await;
    let outcome = put(&proxy, "/", "", "x").await;
    assert_eq!((outcome.text.as_str(), outcome.end), ("", Err(ErrorKind::ConnectionReset)));
    assert_eq!(echo.seen().remove(0).1.unwrap(), "x");
}

#[tokio::test]
async fn lost_acknowledgement() {
    let echo = Echo::start().await;
    let proxy = echo.proxy([Rule::new(Fault::LostAcknowledgement)]).await;
    let outcome = put(&proxy, "/", "", "x").await;
    assert_eq!((outcome.text.as_str(), outcome.end), ("", Ok(())), "an orderly end without an answer");
    assert_eq!(echo.seen().remove(0).1.unwrap(), "x");
    assert_eq!(proxy.faults()["lost_acknowledgement"], 1);
}

#[tokio::test]
async fn truncated_response() {
    let echo = Echo::start().await;
    let proxy = echo.proxy([Rule::new(Fault::TruncateResponse { at: 3, silent: false })]).await;
    let outcome = put(&proxy, "/", "", "abcdef").await;
    assert_eq!((outcome.status(), outcome.body()), (200, "abc"));
    assert!(outcome.text.contains("content-length: 6\r\n"), "{}", outcome.text);
    assert_eq!(proxy.faults()["truncate_response"], 1);
    // A body that ends before is not touched.
    assert_eq!(put(&proxy, "/", "", "ab").await.body(), "ab");
    assert_eq!(proxy.faults()["truncate_response"], 1);
}

#[tokio::test]
async fn silently_truncated_response() {
    let echo = Echo::start().await;
    let proxy = echo.proxy([Rule::new(Fault::TruncateResponse { at: 3, silent: true })]).await;
    let outcome = put(&proxy, "/", "", "abcdef").await;
    assert_eq!((outcome.status(), outcome.body(), outcome.end), (200, "abc", Ok(())));
    assert!(outcome.text.contains("content-length: 3\r\n"), "{}", outcome.text);
    assert_eq!(proxy.faults()["truncate_response"], 1);
}

#[tokio::test]
async fn truncated_request() {
    let echo = Echo::start().await;
    let proxy = echo.proxy([Rule::new(Fault::TruncateRequest { at: 3 })]).await;
    let outcome = put(&proxy, "/", "", "abcdef").await;
    assert_eq!((outcome.text.as_str(), outcome.end), ("", Err(ErrorKind::ConnectionReset)));
    assert_eq!(proxy.faults()["truncate_request"], 1);
    let seen = echo.seen();
    assert!(seen.is_empty() || seen[0].1.is_none(), "the server never has the whole body");
}

/// As Node does: it says 400 to a request that breaks off.
#[tokio::test]
async fn what_a_server_says_to_a_truncated_request_is_not_passed_on() {
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await.unwrap();
    let upstream = format!("http://{}", listener.local_addr().unwrap());
    tokio::spawn(async move {
        let (mut stream, _) = listener.accept().await.unwrap();
        let mut part = [0; 1024];
        assert!(stream.read(&mut part).await.unwrap() > 0);
        stream.write_all(b"HTTP/1.1 400 Bad Request\r\ncontent-length: 0\r\n\r\n").await.unwrap();
        std::future::pending::<()>().await;
    });
    let rule = Rule::new(Fault::TruncateRequest { at: 3 });
    let proxy = FaultProxy::before(upstream).rules(Rules::new(1, [rule])).start().await.unwrap();
    let outcome = put(&proxy, "/", "", "abcdef").await;
    assert_eq!((outcome.text.as_str(), outcome.end), ("", Err(ErrorKind::ConnectionReset)));
}

#[tokio::test]
async fn corrupted_response() {
    let echo = Echo::start().await;
    let proxy = echo.proxy([Rule::new(Fault::CorruptResponse { at: Some(2) })]).await;
    assert_eq!(put(&proxy, "/", "", "abcdef").await.body(), "abbdef");
    assert_eq!(echo.seen().remove(0).1.unwrap(), "abcdef");
    assert_eq!(proxy.faults()["corrupt_response"], 1);
}

#[tokio::test]
async fn corrupted_request_at_random_places() {
    let echo = Echo::start().await;
    let proxy = echo.proxy([Rule::new(Fault::CorruptRequest { at: None })]).await;
    let mut places = std::collections::BTreeSet::new();
    for _ in 0..40 {
        assert_eq!(put(&proxy, "/", "", "aaaaaa").await.status(), 200);
    }
    for (_, body) in echo.seen() {
        let body = body.unwrap();
        let changed: Vec<_> = (0..body.len()).filter(|place| body[*place] != b'a').collect();
        assert_eq!(changed.len(), 1, "one byte of {body:?}");
        assert_eq!(body[changed[0]] ^ b'a', 1, "one bit of it");
        places.insert(changed[0]);
    }
    assert_eq!(places.len(), 6, "every place is hit in 40 tries");
    assert_eq!(put(&proxy, "/", "", "").await.status(), 200);
    assert_eq!(proxy.faults()["corrupt_request"], 40, "an empty body has nothing to corrupt");
}

#[tokio::test]
async fn hang_before_the_answer() {
    let echo = Echo::start().await;
    let proxy = echo.proxy([Rule::new(Fault::Hang { at: None })]).await;
    let mut waiting = std::pin::pin!(put(&proxy, "/", "", "x"));
    while !proxy.faults().contains_key("hang") {
        assert!(tokio::time::timeout(Duration::from_millis(1), &mut waiting).await.is_err());
    }
    assert!(tokio::time::timeout(A_WHILE, &mut waiting).await.is_err());
    assert!(echo.seen().is_empty());
    assert_eq!(proxy.faults()["hang"], 1);
}

#[tokio::test]
async fn hang_within_the_body() {
    let echo = Echo::start().await;
    let proxy = echo.proxy([Rule::new(Fault::Hang { at: Some(3) })]).await;
    let address = proxy.url().strip_prefix("http://").unwrap().to_owned();
    let mut stream = TcpStream::connect(&address).await.unwrap();
    stream.write_all(b"PUT / HTTP/1.1\r\nhost: h\r\ncontent-length: 6\r\n\r\nabcdef").await.unwrap();
    let mut bytes = Vec::new();
    while !bytes.ends_with(b"\r\n\r\nabc") {
        assert_ne!(stream.read_buf(&mut bytes).await.unwrap(), 0);
    }
    let more = tokio::time::timeout(A_WHILE, stream.read_buf(&mut bytes)).await;
    assert!(more.is_err(), "the connection stays open");
    assert_eq!(proxy.faults()["hang"], 1);
}

#[tokio::test]
async fn stripped_headers() {
    let echo = Echo::start().await;
    let answer = Fault::StripResponseHeaders { names: vec!["x-answer".into()] };
    let proxy = echo.proxy([Rule::new(Fault::strip_conditions()), Rule::new(answer)]).await;
    let outcome = put(&proxy, "/", "If-None-Match: *\r\nx-own: v\r\n", "x").await;
    assert_eq!(outcome.status(), 200);
    assert!(!outcome.text.contains("x-answer"));
    let (headers, _) = echo.seen().remove(0);
    assert!(!headers.contains_key("if-none-match"));
    assert_eq!(headers["x-own"], "v");
    put(&proxy, "/", "", "x").await;
    assert_eq!(proxy.faults()["strip_request_headers"], 1, "only when there was one");
    assert_eq!(proxy.faults()["strip_response_headers"], 2);
}

#[tokio::test]
async fn bandwidth() {
    let echo = Echo::start().await;
    let proxy = echo.proxy([Rule::new(Fault::Bandwidth { bytes_per_second: 1_000_000 })]).await;
    let body = "x".repeat(100_000);
    let outcome = put(&proxy, "/", "", &body).await;
    assert_eq!(outcome.body(), body);
    // 100 kB up and 100 kB down at 1 MB/s.
    assert!(outcome.took >= Duration::from_millis(195), "{:?}", outcome.took);
}

#[tokio::test]
async fn a_share_of_requests() {
    let echo = Echo::start().await;
    let rule = Rule::new(Fault::Status { code: 500, retry_after_s: None, point: Point::Before }).probability(0.25);
    let proxy = echo.proxy([rule]).await;
    let mut failed = 0;
    for _ in 0..400 {
        failed += u64::from(put(&proxy, "/", "", "").await.status() == 500);
    }
    assert!((70..=130).contains(&failed), "{failed} of 400 at 0.25");
    assert_eq!(proxy.faults()["status"], failed);
    assert_eq!(proxy.requests().total(), 400);
}

#[tokio::test]
async fn an_upstream_that_is_gone_is_told_apart_from_every_fault() {
    // Taken, and not listened on.
    let listener = tokio::net::TcpSocket::new_v4().unwrap();
    listener.bind("127.0.0.1:0".parse().unwrap()).unwrap();
    let gone = listener.local_addr().unwrap();
    let proxy = FaultProxy::before(format!("http://{gone}")).start().await.unwrap();
    let outcome = put(&proxy, "/", "", "x").await;
    assert_eq!(outcome.status(), 502);
    assert!(outcome.body().contains("FaultProxyUpstream"));
    for url in ["https://127.0.0.1:1", "127.0.0.1:1", "http://", "no url"] {
        assert!(FaultProxy::before(url).start().await.is_err(), "{url}");
    }
}

#[tokio::test]
async fn bodies_stream() {
    // A server that sends its answer in two pieces, the second only when it is told to.
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await.unwrap();
    let address = listener.local_addr().unwrap();
    let (go, wait) = tokio::sync::oneshot::channel::<()>();
    let server = tokio::spawn(async move {
        let (mut stream, _) = listener.accept().await.unwrap();
        let mut head = [0; 1000];
        let mut length = stream.read(&mut head).await.unwrap();
        while !head[..length].ends_with(b"first") {
            length += stream.read(&mut head[length..]).await.unwrap();
        }
        stream.write_all(b"HTTP/1.1 200 OK\r\ncontent-length: 6\r\n\r\none").await.unwrap();
        wait.await.unwrap();
        stream.write_all(b"two").await.unwrap();
    });
    let proxy = FaultProxy::before(format!("http://{address}")).start().await.unwrap();
    let mut stream = TcpStream::connect(proxy.url().strip_prefix("http://").unwrap()).await.unwrap();
    // The first half of the request reaches the server, and the first half of the answer comes back, before the rest exists.
    stream.write_all(b"PUT / HTTP/1.1\r\nhost: h\r\ncontent-length: 11\r\n\r\nfirst").await.unwrap();
    let mut seen = Vec::new();
    while !seen.ends_with(b"one") {
        assert_ne!(stream.read_buf(&mut seen).await.unwrap(), 0);
    }
    go.send(()).unwrap();
    while !seen.ends_with(b"onetwo") {
        assert_ne!(stream.read_buf(&mut seen).await.unwrap(), 0);
    }
    server.await.unwrap();
}

#[tokio::test]
async fn waits_for_no_timer() {
    let echo = Echo::start().await;
    let proxy = echo.proxy([]).await;
    let mut through = TcpStream::connect(proxy.url().strip_prefix("http://").unwrap()).await.unwrap();
    // What small packets wait for, the delayed acknowledgement of TCP, takes 40 ms each time, but for the first few of a connection. What
    // this machine's other work costs is nobody's business here: so many round trips without it are enough, whenever they come.
    let mut quick = 0;
    for _ in 0..3000 {
        quick += u32::from(round_trip(&mut through).await < Duration::from_millis(30));
        if quick == 100 {
            return;
        }
    }
    panic!("only {quick} of 3000 round trips were quick");
}

async fn round_trip(stream: &mut TcpStream) -> Duration {
    let start = Instant::now();
    stream.write_all(b"PUT / HTTP/1.1\r\nhost: h\r\ncontent-length: 1\r\n\r\nx").await.unwrap();
    let mut seen = Vec::new();
    while !seen.ends_with(b"\r\n\r\nx") {
        assert_ne!(stream.read_buf(&mut seen).await.unwrap(), 0);
    }
    start.elapsed()
}
