//! HTTP/2: who shares connections and who does not, and what hostile peers get by it.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::panic,
    reason = "tests say what they expect by failing"
)]

mod support;

use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use futures::future::join_all;
use http::{Request, Version};
use plastron_ickpt::listener::{Serving, serve};
use plastron_ickpt::quorum::{HttpInstance, HttpInstanceOptions, Instance as _};
use plastron_ickpt::stand_in::{Mischief, WRITER};
use plastron_ickpt::{HttpClient, HttpClientOptions, Origin, StorageUrl, WireError, client_config};
use plastron_sources::clock::{Clock as _, SystemClock};
use support::Bench;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::{TcpListener, TcpStream};

const PREFACE: &[u8] = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n";
const DATA: u8 = 0;
const HEADERS: u8 = 1;
const RST_STREAM: u8 = 3;
const SETTINGS: u8 = 4;
const CONTINUATION: u8 = 9;
const END_STREAM: u8 = 1;
const END_HEADERS: u8 = 4;
/// Long for a machine, however busy: what never happens is noticed.
const PATIENCE: Duration = Duration::from_secs(300);

fn frame(kind: u8, flags: u8, stream: u32, payload: &[u8]) -> Vec<u8> {
    let mut frame = (payload.len() as u32).to_be_bytes()[1..].to_vec();
    frame.extend_from_slice(&[kind, flags]);
    frame.extend_from_slice(&stream.to_be_bytes());
    frame.extend_from_slice(payload);
    frame
}

/// Headers as HPACK writes them without any table.
fn block(headers: &[(&str, &str)]) -> Vec<u8> {
    let mut block = Vec::new();
    for (name, value) in headers {
        block.push(0);
        for text in [name, value] {
            assert!(text.len() < 127);
            block.push(text.len() as u8);
            block.extend_from_slice(text.as_bytes());
        }
    }
    block
}

fn head(method: &str, url: &str) -> Vec<u8> {
    block(&[
        (":method", method),
        (":scheme", "http"),
        (":authority", "i"),
        (":path", "/1"),
        ("x-storage-url", url),
        ("x-auth-token", WRITER),
    ])
}

/// A peer that sends frames of its own making.
struct Peer(TcpStream);

impl Peer {
    /// Has greeted with these settings.
    async fn greet(bench: &Bench, settings: &[u8]) -> Self {
        let mut peer = Self(TcpStream::connect(bench.service.as_ref().unwrap().address()).await.unwrap());
        peer.send(&[PREFACE, &frame(SETTINGS, 0, 0, settings)].concat()).await;
        peer
    }

    /// Sends, or finds out that nobody listens any more.
    async fn send(&mut self, bytes: &[u8]) -> bool {
        self.0.write_all(bytes).await.is_ok()
    }

    /// The next frame: type, flags, stream, payload. None at the end.
    async fn next(&mut self) -> Option<(u8, u8, u32, Vec<u8>)> {
        let reading = async {
            let mut head = [0; 9];
            self.0.read_exact(&mut head).await.ok()?;
            let mut payload = vec![0; u32::from_be_bytes([0, head[0], head[1], head[2]]) as usize];
            self.0.read_exact(&mut payload).await.ok()?;
            Some((head[3], head[4], u32::from_be_bytes([head[5], head[6], head[7], head[8]]), payload))
        };
        tokio::time::timeout(PATIENCE, reading).await.expect("the service goes on or hangs up")
    }

    /// Waits until the service hangs up.
    async fn left(mut self) -> Vec<(u8, u8, u32, Vec<u8>)> {
        let mut all = Vec::new();
        while let Some(frame) = self.next().await {
            all.push(frame);
        }
        all
    }
}

async fn others_are_served(bench: &Bench) {
    assert_eq!(bench.call("HEAD", "/", &[], b"").await.status, 204, "others are served");
}

fn sharing(after: Option<usize>) -> HttpClient {
    let mut options = HttpClientOptions::new(client_config(None).unwrap());
    options.share_after = after;
    HttpClient::new(options)
}

fn get(url: &str) -> Request<Bytes> {
    Request::get("/").header("X-Storage-Url", url).header("X-Auth-Token", WRITER).body(Bytes::new()).unwrap()
}

#[tokio::test]
async fn few_calls_have_connections_of_their_own_and_more_share_some() {
    let bench = Bench::start().await;
    let url = bench.store.object("/v1/a", b"1");
    let client = sharing(Some(2));
    let calls = (0..100).map(|_| client.send(&bench.origin, get(&url), 1 << 16));
    let versions: Vec<_> = join_all(calls).await.into_iter().map(|answer| answer.unwrap().version).collect();
    assert_eq!(versions[..2], [Version::HTTP_11; 2]);
    assert_eq!(versions[2..], [Version::HTTP_2; 98]);
    for _ in 0..3 {
        assert_eq!(client.send(&bench.origin, get(&url), 1 << 16).await.unwrap().version, Version::HTTP_11);
    }
}

#[tokio::test]
async fn long_values_pass_both_ways() {
    let bench = Bench::start().await;
    let url = bench.store.object("/v1/a", b"1");
    let client = sharing(Some(0));
    for length in [1, 16_384, 16_385, 65_535, 65_536] {
        let value: Vec<_> = (0..length).map(|at| at as u8).collect();
        for (method, body) in [("PUT", Bytes::from(value.clone())), ("POST", Bytes::new())] {
            let request = Request::builder().method(method).uri("/1").header("X-Storage-Url", &url);
            let request = request.header("X-Auth-Token", WRITER).body(body).unwrap();
            let answer = client.send(&bench.origin, request, 1 << 16).await.unwrap();
            assert!(matches!(answer.status, 200 | 204), "{method} {length}: {}", answer.status);
        }
        assert_eq!(client.send(&bench.origin, get(&url), 1 << 16).await.unwrap().body, value, "{length}");
        let short = client.send(&bench.origin, get(&url), length - 1).await;
        assert!(matches!(short, Err(WireError::TooLarge(_))), "{short:?}");
    }
}

#[tokio::test]
async fn an_instance_that_speaks_http_1_only_is_asked_by_it_and_once() {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let origin = Origin::parse(&format!("http://{}", listener.local_addr().unwrap())).unwrap();
    let (stop, stopped) = tokio::sync::watch::channel(false);
    let serving = Serving {
        tls: None,
        max_connections: 64,
        max_streams: None,
        head_timeout: PATIENCE,
        write_timeout: PATIENCE,
        clock: Arc::new(SystemClock),
        stop: stopped,
    };
    let heard = Arc::new(std::sync::Mutex::new(Vec::new()));
    let hears = Arc::clone(&heard);
    let serving = tokio::spawn(serve(listener, serving, move |_, request: Request<hyper::body::Incoming>| {
        hears.lock().unwrap().push(request.uri().path().to_owned());
        std::future::ready(http::Response::new(http_body_util::Full::new(Bytes::from_static(b"old"))))
    }));
    let client = sharing(Some(0));
    let calls = (0..20).map(|number| {
        let request = Request::post(format!("/{number:02}")).body(Bytes::from_static(b"v")).unwrap();
        client.send(&origin, request, 64)
    });
    for answer in join_all(calls).await {
        let answer = answer.unwrap();
        assert_eq!((answer.version, &*answer.body), (Version::HTTP_11, &b"old"[..]));
    }
    let mut heard = heard.lock().unwrap().clone();
    heard.sort();
    assert_eq!(heard, (0..20).map(|number| format!("/{number:02}")).collect::<Vec<_>>());
    stop.send_replace(true);
    drop(client);
    serving.await.unwrap();
}

#[tokio::test]
async fn the_token_is_never_put_into_a_table() {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let origin = Origin::parse(&format!("http://{}", listener.local_addr().unwrap())).unwrap();
    let server = tokio::spawn(async move {
        let mut peer = Peer(listener.accept().await.unwrap().0);
        let mut preface = [0; PREFACE.len()];
        peer.0.read_exact(&mut preface).await.unwrap();
        peer.send(&frame(SETTINGS, 0, 0, b"")).await;
        let mut blocks = Vec::new();
        while blocks.len() < 2 {
            if let (HEADERS, flags, stream, block) = peer.next().await.unwrap() {
                assert_eq!(flags & END_HEADERS, END_HEADERS);
                blocks.push(fields(&block));
                // 404, which no instance says without a reason.
                peer.send(&frame(HEADERS, END_STREAM | END_HEADERS, stream, &[0x8d])).await;
            }
        }
        blocks
    });
    let url = StorageUrl::parse("http://s/v1/a").unwrap();
    let instance = HttpInstance::new(origin, HttpInstanceOptions::new(url, WRITER.to_owned(), sharing(Some(0))));
    for _ in 0..2 {
        let told = instance.look(None).await.unwrap_err().to_string();
        assert!(told.contains("404") && !told.contains(WRITER), "{told}");
    }
    // Method, scheme, authority, path, URL, token, and what to keep; the second time most of it from the table.
    for kinds in server.await.unwrap() {
        assert_eq!(kinds.len(), 7, "{kinds:?}");
        // Neither is the URL, which is another one for each volume.
        assert!(kinds[4..6].iter().all(|kind| *kind == Field::NeverIndexed), "{kinds:?}");
    }
}

/// How a field of a block stands to the table (RFC 7541, section 6).
#[derive(Debug, PartialEq, Eq)]
enum Field {
    FromTable,
    IntoTable,
    NotIndexed,
    NeverIndexed,
}

/// The fields of a block. Their lengths are below 127 each, so that every number is one byte or, in a prefix of 4 or 6 bits, two.
fn fields(mut block: &[u8]) -> Vec<Field> {
    let mut all = Vec::new();
    while let Some(&first) = block.first() {
        let (field, bits) = match first {
            0x80.. => (Field::FromTable, 7),
            0x40..0x80 => (Field::IntoTable, 6),
            0x20..0x40 => panic!("the table changes its size"),
            0x10..0x20 => (Field::NeverIndexed, 4),
            0..0x10 => (Field::NotIndexed, 4),
        };
        let index = first & ((1 << bits) - 1);
        block = &block[if index == (1 << bits) - 1 { 2 } else { 1 }..];
        let strings = match (&field, index) {
            (Field::FromTable, _) => 0,
            (_, 0) => 2,
            _ => 1,
        };
        for _ in 0..strings {
            block = &block[1 + usize::from(block[0] & 0x7f)..];
        }
        all.push(field);
    }
    all
}

#[tokio::test]
async fn too_many_calls_on_one_connection_and_on_all() {
    let bench = Bench::with("MaxConnections: 8").await;
    let url = bench.store.object("/v1/a", b"1");
    bench.store.spoil("/v1/a", Some(Mischief::Silence));
    let mut peer = Peer::greet(&bench, b"").await;
    let mut bytes = Vec::new();
    for number in 0..128 {
        bytes.extend(frame(HEADERS, END_STREAM | END_HEADERS, 2 * number + 1, &head("GET", &url)));
    }
    peer.send(&bytes).await;
    // Eight run, as many as there may be connections; the others are told so.
    let mut told = 0;
    while told < 120 {
        if let (HEADERS, ..) = peer.next().await.unwrap() {
            told += 1;
        }
    }
    let answer = bench.call("GET", "/", &[("X-Storage-Url", &url), ("X-Auth-Token", WRITER)], b"").await;
    assert_eq!(support::verdict(&answer), (503, "overloaded"));
    drop(peer);

    let bench = Bench::start().await;
    let url = bench.store.object("/v1/a", b"1");
    bench.store.spoil("/v1/a", Some(Mischief::Silence));
    let mut peer = Peer::greet(&bench, b"").await;
    let mut bytes = Vec::new();
    for number in 0..200 {
        bytes.extend(frame(HEADERS, END_STREAM | END_HEADERS, 2 * number + 1, &head("GET", &url)));
    }
    peer.send(&bytes).await;
    let mut refused = 0;
    while refused < 200 - 128 {
        if let (RST_STREAM, _, _, code) = peer.next().await.unwrap() {
            assert_eq!(code, [0, 0, 0, 7], "REFUSED_STREAM");
            refused += 1;
        }
    }
    others_are_served(&bench).await;
}

#[tokio::test]
async fn calls_that_are_taken_back_again_and_again() {
    let bench = Bench::start().await;
    let url = bench.store.object("/v1/a", b"1");
    bench.store.spoil("/v1/a", Some(Mischief::Silence));
    let mut peer = Peer::greet(&bench, b"").await;
    for number in 0..10_000 {
        let call = frame(HEADERS, END_STREAM | END_HEADERS, 2 * number + 1, &head("GET", &url));
        let back = frame(RST_STREAM, 0, 2 * number + 1, &[0, 0, 0, 8]);
        if !peer.send(&[call, back].concat()).await {
            break;
        }
    }
    peer.left().await;
    assert!(bench.store.requests().0 < 1000, "{:?}", bench.store.requests());
    // Slowly, each call after the one before has begun.
    let mut peer = Peer::greet(&bench, b"").await;
    let before = bench.store.requests().0;
    let mut number = 0;
    'all: loop {
        number += 1;
        assert!(number < 1000, "it goes on for ever");
        if !peer.send(&frame(HEADERS, END_STREAM | END_HEADERS, 2 * number - 1, &head("GET", &url))).await {
            break;
        }
        while bench.store.requests().0 < before + u64::from(number) {
            let mut some = [0; 1024];
            let reading = tokio::time::timeout(Duration::from_millis(1), peer.0.read(&mut some)).await;
            if matches!(reading, Ok(Ok(0) | Err(_))) {
                break 'all;
            }
        }
        peer.send(&frame(RST_STREAM, 0, 2 * number - 1, &[0, 0, 0, 8])).await;
    }
    assert!(number > 50, "who takes back a few calls goes on: {number}");
    bench.store.spoil("/v1/a", None);
    others_are_served(&bench).await;
}

#[tokio::test]
async fn headers_without_end() {
    let bench = Bench::start().await;
    let mut peer = Peer::greet(&bench, b"").await;
    peer.send(&frame(HEADERS, END_STREAM, 1, &head("GET", "http://s/a"))).await;
    let more = frame(CONTINUATION, 0, 1, &block(&[("x-long", &"y".repeat(120))]));
    for _ in 0..100_000 {
        if !peer.send(&more).await {
            break;
        }
    }
    peer.left().await;
    // A block that ends, and is too long.
    let mut peer = Peer::greet(&bench, b"").await;
    let value = "y".repeat(120);
    let long = [head("GET", "http://s/a"), block(&[("x-long", value.as_str()); 300])].concat();
    peer.send(&frame(HEADERS, END_STREAM, 1, &long[..16_000])).await;
    peer.send(&frame(CONTINUATION, 0, 1, &long[16_000..32_000])).await;
    peer.send(&frame(CONTINUATION, END_HEADERS, 1, &long[32_000..])).await;
    let answer = loop {
        match peer.next().await {
            Some((HEADERS, _, _, payload)) => break Some(payload),
            Some((RST_STREAM, ..)) | None => break None,
            Some(_) => {}
        }
    };
    // In the code of RFC 7541, appendix B.
    let is_431 = |block: Vec<u8>| block.windows(4).any(|text| text == [0x83, 0x69, 0x90, 0xff]);
    assert!(answer.is_none_or(is_431), "431, or an end");
    others_are_served(&bench).await;
}

#[tokio::test]
async fn who_is_slow_or_takes_nothing_is_left() {
    let bench = Bench::with("RequestTimeout: 300ms").await;
    let url = bench.store.object("/v1/a", b"a value that nobody takes");
    // It says nothing more: before the preface is whole, after it, within the headers.
    let address = bench.service.as_ref().unwrap().address();
    let mut peer = Peer(TcpStream::connect(address).await.unwrap());
    peer.send(&PREFACE[..10]).await;
    assert!(peer.left().await.is_empty());
    Peer::greet(&bench, b"").await.left().await;
    let mut peer = Peer::greet(&bench, b"").await;
    peer.send(&frame(HEADERS, END_STREAM, 1, &head("GET", &url)[..20])).await;
    peer.left().await;
    // Its windows are shut, so that the body can't be sent. (One that this machine holds up is left before: then it comes again.)
    let answered = |frames: &[(u8, u8, u32, Vec<u8>)]| frames.iter().any(|frame| (frame.0, frame.2) == (HEADERS, 1));
    let mut frames = Vec::new();
    for _ in 0..100 {
        if !answered(&frames) {
            let mut peer = Peer::greet(&bench, &[0, 4, 0, 0, 0, 0]).await;
            peer.send(&frame(HEADERS, END_STREAM | END_HEADERS, 1, &head("GET", &url))).await;
            frames = peer.left().await;
        }
    }
    assert!(answered(&frames), "{frames:?}");
    assert!(frames.iter().all(|(kind, _, _, payload)| *kind != DATA || payload.is_empty()), "{frames:?}");
    // Its body does not come.
    let mut said = String::new();
    for _ in 0..100 {
        if said.is_empty() {
            let mut peer = Peer::greet(&bench, b"").await;
            peer.send(&frame(HEADERS, END_HEADERS, 1, &head("PUT", &url))).await;
            peer.send(&frame(DATA, 0, 1, b"v")).await;
            let data = peer.left().await.into_iter().filter(|(kind, ..)| *kind == DATA).map(|(.., payload)| payload);
            said = String::from_utf8(data.flatten().collect()).unwrap();
        }
    }
    assert!(said.contains("did not come within RequestTimeout"), "{said}");
    assert_eq!(bench.store.requests().1, 0);
    bench.is_served().await;
}

#[tokio::test]
async fn calls_that_run_are_answered_when_it_stops() {
    let mut bench = Bench::start().await;
    let url = bench.store.object("/v1/a", b"1");
    bench.store.spoil("/v1/a", Some(Mischief::Slow(200)));
    let client = sharing(Some(0));
    let service = bench.service.take().unwrap();
    let calls = join_all((0..10).map(|_| client.send(&bench.origin, get(&url), 1 << 16)));
    let stopping = async {
        while bench.store.requests().0 < 10 {
            SystemClock.sleep(Duration::from_millis(1)).await;
        }
        service.stop();
    };
    let (answers, ()) = tokio::join!(calls, stopping);
    for answer in answers {
        let answer = answer.unwrap();
        assert_eq!((answer.version, answer.status, &*answer.body), (Version::HTTP_2, 200, &b"1"[..]));
    }
    service.stopped().await;
}
