//! Every row of the contract's table.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::panic,
    reason = "tests say what they expect by failing"
)]

mod support;

use plastron_ickpt::stand_in::{Mischief, READER, STRANGER, WRITER};
use plastron_sources::clock::{Clock as _, SystemClock};
use support::{Bench, header, verdict};

const LOW: &[u8] = b"0000000000000003 00000000000000A1 0000000000001000 0000000000000010";
const HIGH: &[u8] = b"0000000000000003 0000000000000001 0000000000001000 0000000000000011";

fn epoch(number: u128) -> String {
    format!("{number:032x}")
}

fn stamp(number: u128, count: u64) -> String {
    format!("{number:032x}-{count:016x}")
}

#[tokio::test]
async fn head_is_204_and_needs_nothing() {
    let bench = Bench::start().await;
    for path in ["/", "/anything?at=all"] {
        let answer = bench.call("HEAD", path, &[], b"").await;
        assert_eq!((answer.status, answer.body.len()), (204, 0));
    }
    assert_eq!(bench.store.requests(), (0, 0));
}

#[tokio::test]
async fn another_method_is_405_with_allow() {
    let bench = Bench::start().await;
    for method in ["PATCH", "OPTIONS", "TRACE", "COPY"] {
        let answer = bench.call(method, "/", &[], b"").await;
        assert_eq!(
            (verdict(&answer), header(&answer, "allow")),
            ((405, "method"), "DELETE, GET, HEAD, POST, PUT"),
            "{method}"
        );
    }
}

#[tokio::test]
async fn a_storage_url_that_cannot_be_is_400() {
    let bench = Bench::start().await;
    let url = bench.store.object("/v1/a", b"1");
    let authority = bench.store.address().to_string();
    for bad in [
        String::new(),
        "/v1/a".to_owned(),
        format!("ftp://{authority}/v1/a"),
        format!("http://u:p@{authority}/v1/a"),
        format!("{url}?x=1"),
        format!("{url}#x"),
        format!("http://{authority}"),
        format!("http://{authority}/a/../b"),
        format!("http://{authority}/{}", "a".repeat(5000)),
    ] {
        for method in ["GET", "PUT", "POST", "DELETE"] {
            let answer = bench.of(method, "/", &bad, WRITER, b"1").await;
            assert_eq!(verdict(&answer), (400, "storage-url"), "{method} {bad}");
        }
    }
    let missing = bench.call("GET", "/", &[("X-Auth-Token", WRITER)], b"").await;
    let twice = bench
        .call("GET", "/", &[("X-Storage-Url", &url), ("X-Storage-Url", &url), ("X-Auth-Token", WRITER)], b"")
        .await;
    assert_eq!((verdict(&missing), verdict(&twice)), ((400, "storage-url"), (400, "storage-url")));
    assert_eq!(bench.store.requests(), (0, 0));
}

#[tokio::test]
async fn an_origin_that_is_not_listed_is_403() {
    let bench = Bench::start().await;
    let port = bench.store.address().port();
    bench.store.object("/v1/a", b"1");
    for origin in [
        "http://127.0.0.1:1".to_owned(),
        format!("https://127.0.0.1:{port}"),
        format!("http://localhost:{port}"),
        "http://example.org".to_owned(),
    ] {
        let answer = bench.of("GET", "/", &format!("{origin}/v1/a"), WRITER, b"").await;
        assert_eq!(verdict(&answer), (403, "origin"), "{origin}");
    }
    assert_eq!(bench.store.requests(), (0, 0));
}

#[tokio::test]
async fn without_a_list_every_origin_is_403() {
    let folder = tempfile::tempdir().unwrap();
    let mut bench = Bench::start().await;
    let url = bench.store.object("/v1/a", b"1");
    let service = plastron_ickpt::Service::new(support::settings(folder.path(), "", "")).start().await.unwrap();
    bench.origin = plastron_ickpt::Origin::parse(&format!("http://{}", service.address())).unwrap();
    assert_eq!(verdict(&bench.of("GET", "/", &url, WRITER, b"").await), (403, "origin"));
}

#[tokio::test]
async fn what_the_store_answers_is_told_in_its_own_code_or_as_502_503_504() {
    let bench = Bench::start().await;
    let url = bench.store.object("/v1/a", b"secret of the store");
    let get = async |token| bench.of("GET", "/", &url, token, b"").await;
    assert_eq!(verdict(&get("AUTH_tk-of-nobody").await), (401, "store-unauthorized"));
    assert_eq!(verdict(&get(STRANGER).await), (403, "store-forbidden"));
    let missing = format!("{}/v1/none", bench.store.origin());
    assert_eq!(verdict(&bench.of("GET", "/", &missing, WRITER, b"").await), (404, "store-not-found"));
    for (mischief, expected) in [
        (Mischief::Status(500), (502, "store-answer")),
        (Mischief::Status(204), (502, "store-answer")),
        (Mischief::Status(418), (502, "store-answer")),
        (Mischief::Status(429), (503, "store-busy")),
        (Mischief::LongHeaders, (502, "store-answer")),
    ] {
        bench.store.spoil("/v1/a", Some(mischief.clone()));
        let answer = get(WRITER).await;
        assert_eq!(verdict(&answer), expected, "{mischief:?}");
        let said = String::from_utf8_lossy(&answer.body);
        assert!(!said.contains("store's own words") && !said.contains("secret"), "{said}");
    }
    // Only what is never answered is asked where there is little time.
    let bench = Bench::with("SwiftTimeout: 500ms").await;
    let url = bench.store.object("/v1/a", b"1");
    bench.store.spoil("/v1/a", Some(Mischief::Silence));
    assert_eq!(verdict(&bench.of("GET", "/", &url, WRITER, b"").await), (504, "store-too-slow"));
    // Nobody listens there, and nobody else can.
    let socket = tokio::net::TcpSocket::new_v4().unwrap();
    socket.bind("127.0.0.1:0".parse().unwrap()).unwrap();
    let gone = socket.local_addr().unwrap();
    let bench = Bench::with(&format!("AllowedStorageOrigins: http://{gone}")).await;
    assert_eq!(
        verdict(&bench.of("GET", "/", &format!("http://{gone}/v1/a"), WRITER, b"").await),
        (502, "store-unreachable")
    );
}

#[tokio::test]
async fn a_token_that_is_missing_or_empty_is_401() {
    let bench = Bench::start().await;
    let url = bench.store.object("/v1/a", b"1");
    for method in ["GET", "PUT", "POST", "DELETE"] {
        let missing = bench.call(method, "/", &[("X-Storage-Url", &url)], b"1").await;
        let empty = bench.of(method, "/", &url, "", b"1").await;
        assert_eq!((verdict(&missing), verdict(&empty)), ((401, "token-missing"), (401, "token-missing")), "{method}");
    }
    let twice = [("X-Storage-Url", url.as_str()), ("X-Auth-Token", WRITER), ("X-Auth-Token", READER)];
    assert_eq!(verdict(&bench.call("GET", "/", &twice, b"").await), (400, "header"));
    assert_eq!(bench.store.requests(), (0, 0));
}

#[tokio::test]
async fn get_put_post_delete() {
    let mut bench = Bench::start().await;
    let url = bench.store.object("/v1/AUTH_a/c/o", b"of the store");
    let get = async |bench: &Bench| {
        let answer = bench.of("GET", "/", &url, READER, b"").await;
        assert_eq!(answer.status, 200);
        (answer.body.clone(), header(&answer, "x-ickpt-source").to_owned())
    };
    assert_eq!(get(&bench).await, ("of the store".into(), "store".to_owned()));
    assert_eq!(bench.of("PUT", "/0123456789abcdef", &url, WRITER, LOW).await.status, 204);
    let posted = bench.of("POST", "/0123456789abcdef", &url, WRITER, b"").await;
    assert_eq!((posted.status, header(&posted, "x-ickpt-source")), (200, "committed"));
    assert_eq!(get(&bench).await, (LOW.into(), "committed".to_owned()));
    assert_eq!(bench.of("POST", "/0123456789abcdef", &url, WRITER, b"").await.status, 200, "repeated");
    bench.restart().await;
    assert_eq!(get(&bench).await, (LOW.into(), "committed".to_owned()));
    assert_eq!(bench.of("POST", "/0123456789abcdef", &url, WRITER, b"").await.status, 200, "repeated after a restart");
    // Another spelling of the same URL is the same.
    let spelled = url.replace("http://", "HTTP://");
    assert_eq!(bench.of("GET", "/", &spelled, READER, b"").await.body, LOW);
    assert_eq!(bench.of("DELETE", "/", &url, WRITER, b"").await.status, 204);
    assert_eq!(bench.of("POST", "/", &url, WRITER, b"").await.status, 200);
    assert_eq!(get(&bench).await, ("of the store".into(), "store".to_owned()));
    bench.restart().await;
    assert_eq!(get(&bench).await, ("of the store".into(), "store".to_owned()));
    assert_eq!(bench.of("DELETE", "/", &url, WRITER, b"").await.status, 204);
    assert_eq!(bench.of("POST", "/", &url, WRITER, b"").await.status, 200, "a deletion of nothing");
    assert_eq!(bench.store.bytes("/v1/AUTH_a/c/o").unwrap(), "of the store", "the store's object is as it was");
}

#[tokio::test]
async fn post_without_that_transaction_is_410_with_a_reason() {
    let mut bench = Bench::start().await;
    let url = bench.store.object("/v1/a", b"1");
    let call = async |bench: &Bench, method: &str, path: &str| bench.of(method, path, &url, WRITER, b"v").await;
    assert_eq!(verdict(&call(&bench, "POST", "/1").await), (410, "nothing-staged"));
    call(&bench, "PUT", "/1").await;
    assert_eq!(verdict(&call(&bench, "POST", "/2").await), (410, "other-path"));
    assert_eq!(verdict(&call(&bench, "POST", "/1?").await), (410, "other-path"), "byte for byte");
    call(&bench, "PUT", "/3").await;
    call(&bench, "GET", "/").await;
    assert_eq!(verdict(&call(&bench, "POST", "/3").await), (410, "discarded"));
    call(&bench, "PUT", "/5").await;
    bench.restart().await;
    assert_eq!(
        verdict(&call(&bench, "POST", "/5").await),
        (410, "nothing-staged"),
        "what is staged is gone after a restart"
    );
    assert_eq!(call(&bench, "GET", "/").await.body, "1");
    let short = Bench::with("TransactionTimeout: 300ms").await;
    let url = short.store.object("/v1/a", b"1");
    assert_eq!(short.of("PUT", "/4", &url, WRITER, b"v").await.status, 204);
    SystemClock.sleep(std::time::Duration::from_millis(400)).await;
    assert_eq!(verdict(&short.of("POST", "/4", &url, WRITER, b"").await), (410, "expired"));
}

#[tokio::test]
async fn only_an_authorized_get_discards() {
    let bench = Bench::start().await;
    let url = bench.store.object("/v1/a", b"1");
    assert_eq!(bench.of("PUT", "/1", &url, WRITER, b"v").await.status, 204);
    assert_eq!(bench.of("GET", "/", &url, STRANGER, b"").await.status, 403);
    assert_eq!(bench.of("GET", "/", &url, "nobody", b"").await.status, 401);
    assert_eq!(bench.call("GET", "/", &[("X-Storage-Url", &url)], b"").await.status, 401);
    let keep = [("X-Storage-Url", url.as_str()), ("X-Auth-Token", READER), ("X-Ickpt-Keep", "staged")];
    assert_eq!(bench.call("GET", "/", &keep, b"").await.status, 200);
    assert_eq!(bench.of("POST", "/1", &url, WRITER, b"").await.status, 200);
}

#[tokio::test]
async fn bodies_that_are_empty_or_too_long_are_400_and_413() {
    let bench = Bench::start().await;
    let url = bench.store.object("/v1/a", b"1");
    assert_eq!(verdict(&bench.of("PUT", "/1", &url, WRITER, b"").await), (400, "body-empty"));
    assert_eq!(verdict(&bench.of("PUT", "/1", &url, WRITER, &vec![b'x'; 65_537]).await), (413, "body-too-large"));
    assert_eq!(bench.of("PUT", "/1", &url, WRITER, &vec![b'x'; 65_536]).await.status, 204);
    assert_eq!(bench.of("POST", "/1", &url, WRITER, b"").await.status, 200);
    assert_eq!(bench.of("GET", "/", &url, READER, b"").await.body, vec![b'x'; 65_536]);
    let small = Bench::with("MaxBodyBytes: 67").await;
    let url = small.store.object("/v1/a", b"1");
    assert_eq!(verdict(&small.of("PUT", "/1", &url, WRITER, &[b'x'; 68]).await), (413, "body-too-large"));
    assert_eq!(small.of("PUT", "/1", &url, WRITER, LOW).await.status, 204);
}

#[tokio::test]
async fn lower_values_are_409_and_stale_fences_412() {
    let bench = Bench::start().await;
    let url = bench.store.object("/v1/a", b"1");
    bench.of("PUT", "/1", &url, WRITER, HIGH).await;
    assert_eq!(bench.of("POST", "/1", &url, WRITER, b"").await.status, 200);
    assert_eq!(verdict(&bench.of("PUT", "/2", &url, WRITER, LOW).await), (409, "older"));
    let with = async |method: &str, path: &str, name: &str, value: &str, body: &[u8]| {
        bench.call(method, path, &[("X-Storage-Url", &url), ("X-Auth-Token", WRITER), (name, value)], body).await
    };
    let taken = with("GET", "/", "X-Ickpt-Fence", &epoch(7), b"").await;
    assert_eq!((taken.status, header(&taken, "x-ickpt-promised")), (200, epoch(7).as_str()));
    let stale = with("GET", "/", "X-Ickpt-Fence", &epoch(6), b"").await;
    assert_eq!((verdict(&stale), header(&stale, "x-ickpt-promised")), ((412, "fenced"), epoch(7).as_str()));
    assert_eq!(verdict(&with("PUT", "/3", "X-Ickpt-Version", &stamp(6, 1), b"v").await), (412, "fenced"));
    assert_eq!(verdict(&bench.of("PUT", "/3", &url, WRITER, HIGH).await), (412, "fenced"));
    assert_eq!(with("PUT", "/4", "X-Ickpt-Version", &stamp(7, 2), b"v").await.status, 204);
    assert_eq!(bench.of("POST", "/4", &url, WRITER, b"").await.status, 200);
    assert_eq!(verdict(&with("PUT", "/5", "X-Ickpt-Version", &stamp(7, 1), b"w").await), (409, "older"));
    assert_eq!(verdict(&with("PUT", "/5", "X-Ickpt-Version", &stamp(7, 2), b"w").await), (409, "older"));
    assert_eq!(verdict(&bench.of("PUT", "/5", &url, WRITER, HIGH).await), (409, "unversioned"));
    // A fence between PUT and POST.
    assert_eq!(with("PUT", "/6", "X-Ickpt-Version", &stamp(7, 3), b"x").await.status, 204);
    assert_eq!(with("GET", "/", "X-Ickpt-Fence", &epoch(8), b"").await.status, 200);
    assert_eq!(verdict(&bench.of("POST", "/6", &url, WRITER, b"").await), (410, "discarded"));
    let read = bench.of("GET", "/", &url, READER, b"").await;
    assert_eq!((read.body.as_ref(), header(&read, "x-ickpt-version")), (&b"v"[..], stamp(7, 2).as_str()));
    for (name, value) in
        [("X-Ickpt-Fence", "7"), ("X-Ickpt-Version", "7-1"), ("X-Ickpt-Members", "x"), ("X-Ickpt-Keep", "all")]
    {
        assert_eq!(verdict(&with("GET", "/", name, value, b"").await), (400, "header"), "{name}");
    }
}

#[tokio::test]
async fn whoever_may_only_read_changes_nothing() {
    let bench = Bench::start().await;
    let url = bench.store.object("/v1/a", b"1");
    assert_eq!(verdict(&bench.of("PUT", "/1", &url, READER, b"v").await), (403, "store-forbidden"));
    assert_eq!(verdict(&bench.of("DELETE", "/1", &url, READER, b"").await), (403, "store-forbidden"));
    bench.of("PUT", "/2", &url, WRITER, b"v").await;
    assert_eq!(verdict(&bench.of("POST", "/2", &url, READER, b"").await), (403, "store-forbidden"));
    let fence = [("X-Storage-Url", url.as_str()), ("X-Auth-Token", READER), ("X-Ickpt-Fence", &epoch(1))];
    assert_eq!(
        verdict(&bench.call("GET", "/", &fence, b"").await),
        (403, "store-forbidden"),
        "to take over is to change"
    );
    assert_eq!(bench.of("POST", "/2", &url, WRITER, b"").await.status, 200);
    assert_eq!(bench.store.bytes("/v1/a").unwrap(), "1", "the probe changes nothing");
    bench.store.spoil("/v1/a", Some(Mischief::PutStatus(401)));
    assert_eq!(verdict(&bench.of("PUT", "/3", &url, WRITER, b"v").await), (401, "store-unauthorized"));
    bench.store.spoil("/v1/a", Some(Mischief::PutStatus(507)));
    assert_eq!(verdict(&bench.of("PUT", "/3", &url, WRITER, b"v").await), (502, "store-answer"));
}

#[tokio::test]
async fn every_call_asks_the_store_anew() {
    let bench = Bench::start().await;
    let url = bench.store.object("/v1/a", b"1");
    bench.of("PUT", "/1", &url, WRITER, b"v").await;
    bench.of("POST", "/1", &url, WRITER, b"").await;
    assert_eq!(bench.store.requests(), (2, 2));
    bench.of("GET", "/", &url, READER, b"").await;
    assert_eq!(bench.store.requests(), (3, 2));
    bench.store.spoil("/v1/a", Some(Mischief::Status(401)));
    assert_eq!(bench.of("GET", "/", &url, READER, b"").await.status, 401, "nothing is remembered");
}

#[tokio::test]
async fn the_store_is_asked_again_as_often_as_it_is_said() {
    let bench = Bench::with("SwiftRetryLimit: 2\nSwiftRetryDelay: 1ms\nSwiftRetryExpBackoff: 2").await;
    let url = bench.store.object("/v1/a", b"1");
    bench.store.spoil("/v1/a", Some(Mischief::Status(500)));
    assert_eq!(verdict(&bench.of("GET", "/", &url, READER, b"").await), (502, "store-answer"));
    assert_eq!(bench.store.requests(), (3, 0));
    bench.store.spoil("/v1/a", Some(Mischief::Status(403)));
    assert_eq!(bench.of("GET", "/", &url, READER, b"").await.status, 403);
    assert_eq!(bench.store.requests(), (4, 0), "a refusal is final");
}

#[tokio::test]
async fn metrics_and_stop_have_a_port_of_their_own() {
    let mut bench = Bench::with("MetricsPort: 0").await;
    let url = bench.store.object("/v1/a", b"1");
    bench.of("PUT", "/1", &url, WRITER, b"v").await;
    bench.of("POST", "/1", &url, WRITER, b"").await;
    assert_eq!(bench.of("GET", "/metrics", &url, "nobody", b"").await.status, 401, "not on the service's port");
    let service = bench.service.take().unwrap();
    let main = std::mem::replace(
        &mut bench.origin,
        plastron_ickpt::Origin::parse(&format!("http://{}", service.metrics_address().unwrap())).unwrap(),
    );
    let page = bench.call("GET", "/metrics", &[], b"").await;
    let text = String::from_utf8(page.body.to_vec()).unwrap();
    for line in [
        "ickpt_calls_total{method=\"PUT\",status=\"204\"} 1",
        "ickpt_calls_total{method=\"GET\",status=\"401\"} 1",
        "ickpt_commits_total 1",
        "ickpt_staged 0",
        "ickpt_store_requests_total 5",
    ] {
        assert!(text.lines().any(|found| found == line), "{line} is not in\n{text}");
    }
    assert!(!text.contains("AUTH_tk"), "{text}");
    assert_eq!(bench.call("GET", "/stop", &[], b"").await.status, 404);
    assert_eq!(bench.call("POST", "/stop", &[], b"").await.status, 202);
    service.stopped().await;
    assert!(tokio::net::TcpStream::connect(main.authority()).await.is_err());
}

#[tokio::test]
async fn a_graceful_stop_answers_the_calls_that_run() {
    let mut bench = Bench::start().await;
    let url = bench.store.object("/v1/a", b"1");
    bench.of("PUT", "/1", &url, WRITER, b"v").await;
    bench.store.spoil("/v1/a", Some(Mischief::Slow(300)));
    let service = bench.service.take().unwrap();
    let (client, origin) = (bench.client.clone(), bench.origin.clone());
    let request = http::Request::post("/1").header("X-Storage-Url", &url).header("X-Auth-Token", WRITER);
    let request = request.body(bytes::Bytes::new()).unwrap();
    let before = bench.store.requests().0;
    let call = tokio::spawn(async move { client.send(&origin, request, 1 << 16).await });
    while bench.store.requests().0 == before {
        tokio::task::yield_now().await;
    }
    service.stop();
    assert_eq!(call.await.unwrap().unwrap().status, 200);
    service.stopped().await;
    bench.store.spoil("/v1/a", None);
    let service = plastron_ickpt::Service::new(support::settings(bench.folder.path(), &bench.store.origin(), ""));
    bench.service = Some(service.start().await.unwrap());
    bench.origin =
        plastron_ickpt::Origin::parse(&format!("http://{}", bench.service.as_ref().unwrap().address())).unwrap();
    assert_eq!(bench.of("GET", "/", &url, READER, b"").await.body, "v");
}
