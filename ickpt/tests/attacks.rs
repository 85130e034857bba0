//! What an attacker tries, and gets nothing by.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::panic,
    reason = "tests say what they expect by failing"
)]

mod support;

use std::net::IpAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use plastron_ickpt::stand_in::{Mischief, READER, StandIn, WRITER};
use plastron_ickpt::{AllowList, Origin, Resolver, Resolving, Service};
use support::{Bench, header, settings, verdict};

#[tokio::test]
async fn the_metadata_address_and_all_its_spellings() {
    let bench = Bench::start().await;
    for host in [
        "169.254.169.254",
        "[::ffff:169.254.169.254]",
        "[::ffff:a9fe:a9fe]",
        "2852039166",
        "0xa9fea9fe",
        "0251.0376.0251.0376",
        "169.254.43518",
        "metadata.google.internal",
        "[fd00:ec2::254]",
        "100.100.100.200",
    ] {
        let answer = bench.of("GET", "/", &format!("http://{host}/latest/meta-data"), WRITER, b"").await;
        assert!(matches!(verdict(&answer), (400, "storage-url") | (403, "origin")), "{host}: {:?}", verdict(&answer));
    }
    // An operator can't list it either.
    for origin in ["http://169.254.169.254", "http://[fe80::1]", "http://[fd00:ec2::254]", "http://2852039166"] {
        assert!(AllowList::parse([origin]).is_err(), "{origin}");
    }
}

#[tokio::test]
async fn other_spellings_of_an_allowed_loopback_address() {
    let bench = Bench::start().await;
    let port = bench.store.address().port();
    bench.store.object("/v1/a", b"1");
    for host in [
        "127.1",
        "2130706433",
        "0x7f000001",
        "0x7f.0.0.1",
        "0177.0.0.1",
        "017700000001",
        "127.0.0.01",
        "127.0.0.1.",
        "[::ffff:127.0.0.1]",
        "[::ffff:7f00:1]",
        "[::1]",
        "localhost",
    ] {
        let answer = bench.of("GET", "/", &format!("http://{host}:{port}/v1/a"), WRITER, b"").await;
        assert!(matches!(verdict(&answer), (400, "storage-url") | (403, "origin")), "{host}: {:?}", verdict(&answer));
    }
    assert_eq!(bench.store.requests(), (0, 0));
}

/// A name server that changes its mind.
#[derive(Debug)]
struct Rebinding {
    answers: Vec<Vec<IpAddr>>,
    asked: AtomicUsize,
}

impl Resolver for Rebinding {
    fn resolve(&self, host: &str) -> Resolving {
        assert_eq!(host, "swift.example.org");
        let answer = self.answers[self.asked.fetch_add(1, Ordering::SeqCst).min(self.answers.len() - 1)].clone();
        Box::pin(async move { Ok(answer) })
    }
}

#[tokio::test]
async fn a_name_that_is_bound_again() {
    let folder = tempfile::tempdir().unwrap();
    let mut bench = Bench::start().await;
    let port = bench.store.address().port();
    bench.store.object("/v1/a", b"1");
    let forbidden = ["127.0.0.1", "169.254.169.254", "::1", "::ffff:127.0.0.1", "0.0.0.0"];
    let mut answers: Vec<Vec<IpAddr>> = forbidden.iter().map(|address| vec![address.parse().unwrap()]).collect();
    // A good one among bad ones does not help.
    answers.push(vec!["10.255.255.1".parse().unwrap(), "127.0.0.1".parse().unwrap()]);
    let count = answers.len();
    let resolver = Arc::new(Rebinding { answers, asked: AtomicUsize::new(0) });
    let origin = format!("http://swift.example.org:{port}");
    let mut service = Service::new(settings(folder.path(), &origin, ""));
    service.resolver = Arc::clone(&resolver) as Arc<dyn Resolver>;
    let service = service.start().await.unwrap();
    bench.origin = Origin::parse(&format!("http://{}", service.address())).unwrap();
    for _ in 0..count {
        let answer = bench.of("GET", "/", &format!("{origin}/v1/a"), WRITER, b"").await;
        assert_eq!(verdict(&answer), (403, "origin"));
    }
    assert_eq!((bench.store.requests(), resolver.asked.load(Ordering::SeqCst)), ((0, 0), count));
}

#[tokio::test]
async fn a_redirect_is_not_followed() {
    let bench = Bench::start().await;
    let elsewhere = StandIn::start().await.unwrap();
    let target = elsewhere.object("/v1/b", b"stolen");
    let url = bench.store.object("/v1/a", b"1");
    bench.store.spoil("/v1/a", Some(Mischief::Redirect(target)));
    let answer = bench.of("GET", "/", &url, WRITER, b"").await;
    assert_eq!((verdict(&answer), elsewhere.requests()), ((502, "store-answer"), (0, 0)));
}

#[tokio::test]
async fn endless_and_compressed_bodies() {
    let bench = Bench::start().await;
    let url = bench.store.object("/v1/a", b"1");
    for mischief in [Mischief::Endless, Mischief::Compressed] {
        bench.store.spoil("/v1/a", Some(mischief.clone()));
        assert_eq!(verdict(&bench.of("GET", "/", &url, WRITER, b"").await), (502, "store-answer"), "{mischief:?}");
        assert_eq!(verdict(&bench.of("PUT", "/1", &url, WRITER, b"v").await), (502, "store-answer"), "{mischief:?}");
    }
    assert_eq!(bench.store.requests().1, 0, "nothing was put back");
    // A client's endless body.
    bench.store.spoil("/v1/a", None);
    let mut bytes = format!("PUT /1 HTTP/1.1\r\nHost: i\r\nX-Storage-Url: {url}\r\nX-Auth-Token: {WRITER}\r\nTransfer-Encoding: chunked\r\n\r\n").into_bytes();
    for _ in 0..20 {
        bytes.extend_from_slice(b"2000\r\n");
        bytes.extend_from_slice(&[b'x'; 0x2000]);
        bytes.extend_from_slice(b"\r\n");
    }
    let answer = bench.raw(&bytes).await;
    assert!(answer.starts_with("HTTP/1.1 413"), "{answer}");
}

#[tokio::test]
async fn slow_headers_and_slow_bodies() {
    let bench = Bench::with("RequestTimeout: 300ms").await;
    let url = bench.store.object("/v1/a", b"1");
    let answer = bench.raw(b"GET / HTTP/1.1\r\nHost: i\r\nX-Slow: ").await;
    assert!(answer.is_empty() || answer.starts_with("HTTP/1.1 408"), "{answer}");
    let head = format!(
        "PUT /1 HTTP/1.1\r\nHost: i\r\nX-Storage-Url: {url}\r\nX-Auth-Token: {WRITER}\r\nContent-Length: 10\r\n\r\nv"
    );
    let answer = bench.raw_answer(head.as_bytes()).await;
    assert!(answer.starts_with("HTTP/1.1 408") && answer.contains("x-ickpt-reason: too-slow"), "{answer}");
    assert_eq!(bench.store.requests(), (0, 0));
    bench.is_served().await;
}

#[tokio::test]
async fn headers_without_end() {
    let bench = Bench::start().await;
    let long = format!("GET / HTTP/1.1\r\nHost: i\r\nX-Long: {}", "y".repeat(200_000));
    let many = format!("GET / HTTP/1.1\r\n{}\r\n", "X-Many: 1\r\n".repeat(100));
    for bytes in [long, many] {
        let answer = bench.raw(bytes.as_bytes()).await;
        assert!(
            answer.is_empty() || answer.starts_with("HTTP/1.1 431") || answer.starts_with("HTTP/1.1 400"),
            "{answer}"
        );
    }
    assert_eq!(bench.call("HEAD", "/", &[], b"").await.status, 204);
}

#[tokio::test]
async fn line_ends_in_headers_and_paths() {
    let bench = Bench::start().await;
    let url = bench.store.object("/v1/a", b"1");
    for bytes in [
        format!(
            "GET / HTTP/1.1\r\nHost: i\r\nX-Storage-Url: {url}\rX-Injected: 1\r\nX-Auth-Token: {WRITER}\r\nConnection: close\r\n\r\n"
        ),
        format!(
            "GET / HTTP/1.1\r\nHost: i\r\nX-Storage-Url: {url}%0d%0aX-Injected:%201\r\nX-Auth-Token: nobody\r\nConnection: close\r\n\r\n"
        ),
        format!("GET / HTTP/1.1\r\nHost: i\r\nX-Storage-Url: {url}\r\nX-Auth-Token: a\rb\r\nConnection: close\r\n\r\n"),
        format!("GET / HTTP/1.1\r\nHost: i\r\nX-Storage-Url: {url}\r\nX-Auth-Token: a\0b\r\nConnection: close\r\n\r\n"),
        format!(
            "GET / HTTP/1.1\r\nHost: i\r\nX-Storage-Url: {url}\r\n folded\r\nX-Auth-Token: {WRITER}\r\nConnection: close\r\n\r\n"
        ),
        "GET /a\rb HTTP/1.1\r\nHost: i\r\nConnection: close\r\n\r\n".to_owned(),
    ] {
        let answer = bench.raw(bytes.as_bytes()).await;
        let refused = answer.is_empty() || answer.starts_with("HTTP/1.1 400") || answer.starts_with("HTTP/1.1 401");
        assert!(refused && !answer.to_lowercase().contains("x-injected"), "{bytes:?}: {answer}");
    }
}

#[tokio::test]
async fn headers_given_twice_and_two_lengths() {
    let bench = Bench::start().await;
    let url = bench.store.object("/v1/a", b"1");
    let other = bench.store.object("/v1/b", b"2");
    let base = [("X-Storage-Url", url.as_str()), ("X-Auth-Token", WRITER)];
    for extra in [("X-Storage-Url", other.as_str()), ("x-storage-url", url.as_str()), ("X-Auth-Token", READER)] {
        let answer = bench.call("GET", "/", &[base[0], base[1], extra], b"").await;
        assert_eq!(answer.status, 400, "{extra:?}");
    }
    for name in ["X-Ickpt-Fence", "X-Ickpt-Version", "X-Ickpt-Members", "X-Ickpt-Keep"] {
        let answer = bench.call("GET", "/", &[base[0], base[1], (name, "1"), (name, "1")], b"").await;
        assert_eq!(verdict(&answer), (400, "header"), "{name}");
    }
    let head = format!("PUT /1 HTTP/1.1\r\nHost: i\r\nX-Storage-Url: {url}\r\nX-Auth-Token: {WRITER}\r\n");
    for lengths in ["Content-Length: 1\r\nContent-Length: 2\r\n", "Content-Length: -1\r\n", "Content-Length: 1, 2\r\n"]
    {
        let answer = bench.raw(format!("{head}{lengths}Connection: close\r\n\r\nv").as_bytes()).await;
        assert!(answer.is_empty() || answer.starts_with("HTTP/1.1 400"), "{lengths}: {answer}");
    }
    assert_eq!(bench.store.requests(), (0, 0));
}

#[tokio::test]
async fn ten_thousand_staged_urls() {
    let bench = Bench::with("MaxStagedEntries: 500").await;
    let urls: Vec<_> = (0..10_000).map(|number| bench.store.object(&format!("/v1/{number}"), b"1")).collect();
    let first = bench.of("PUT", "/mine", &urls[0], WRITER, b"mine").await;
    assert_eq!(first.status, 204);
    let mut staged = 0;
    for chunk in urls[1..].chunks(64) {
        let calls = chunk.iter().map(|url| bench.of("PUT", "/theirs", url, WRITER, b"theirs"));
        for answer in futures::future::join_all(calls).await {
            match answer.status {
                204 => staged += 1,
                _ => assert_eq!((verdict(&answer), header(&answer, "retry-after")), ((503, "overloaded"), "1")),
            }
        }
    }
    assert_eq!(staged, 499);
    assert_eq!(
        bench.of("POST", "/mine", &urls[0], WRITER, b"").await.status,
        200,
        "who was there before is not driven out"
    );
    assert_eq!(bench.of("PUT", "/mine", &urls[9_999], WRITER, b"mine").await.status, 204, "there is room again");
}

#[tokio::test]
async fn a_post_of_somebody_else() {
    let bench = Bench::start().await;
    let (mine, theirs) = (bench.store.object("/v1/a", b"1"), bench.store.object("/v1/b", b"2"));
    assert_eq!(bench.of("PUT", "/0123456789abcdef", &mine, WRITER, b"v").await.status, 204);
    assert_eq!(verdict(&bench.of("POST", "/0123456789abcdef", &theirs, WRITER, b"").await), (410, "nothing-staged"));
    assert_eq!(verdict(&bench.of("POST", "/0123456789abcdef", &mine, READER, b"").await), (403, "store-forbidden"));
    assert_eq!(verdict(&bench.of("POST", "/0123456789abcdee", &mine, WRITER, b"").await), (410, "other-path"));
    assert_eq!(bench.of("POST", "/0123456789abcdef", &mine, WRITER, b"").await.status, 200);
}

#[tokio::test]
async fn another_scheme_for_the_same_store() {
    let bench = Bench::start().await;
    let url = bench.store.object("/v1/a", b"1");
    bench.of("PUT", "/1", &url, WRITER, b"v").await;
    bench.of("POST", "/1", &url, WRITER, b"").await;
    // The key is what follows "://": with the other scheme somebody else could answer for the same key.
    let forged = url.replace("http://", "https://");
    for method in ["GET", "PUT", "POST", "DELETE"] {
        assert_eq!(verdict(&bench.of(method, "/1", &forged, WRITER, b"v").await), (403, "origin"), "{method}");
    }
    assert_eq!(bench.of("GET", "/", &url, WRITER, b"").await.body, "v");
}
