//! What a replica makes of calls by gRPC that are wrong, too large, too slow or too many, and what a client makes of such answers.
//!
//! What is right is in the suites of the other interface, which are run by gRPC, too: `http.rs`, `tls.rs`, `key_module_tls.rs`, `command.rs`. Nothing here depends on how fast the
//! machine is.
#![cfg(feature = "grpc")]
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::indexing_slicing, clippy::panic, reason = "a test")]

mod support;

use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use futures::FutureExt as _;
use http_body_util::{BodyExt as _, Full, StreamBody};
use hyper::body::Frame;
use hyper::client::conn::http2::SendRequest;
use hyper::header::{HeaderMap, HeaderValue};
use hyper::{Request, Response, StatusCode};
use hyper_util::rt::{TokioExecutor, TokioIo};
use plastron_keyserver::grpc::{self as wire, expression, lookup_request};
use plastron_keyserver::proto::*;
use plastron_keyserver::server::{Server, ServerOptions};
use plastron_keyserver::transport::Transport;
use plastron_keyserver::{Error, ErrorKind};
use plastron_sources::clock::SystemClock;
use prost::Message as _;
use support::hurry::Hurry;
use support::reaching::reach;
use support::replica::runner;
use support::{Book, key};
use tokio::net::TcpStream;

/// Long enough never to be over in a test.
const LONG: Duration = Duration::from_secs(3_600);
const SERVICE: &str = "/plastron.keyserver.v1.Keyserver/";

fn options() -> ServerOptions {
    let mut options = ServerOptions::new("127.0.0.1:0".parse().unwrap(), Arc::new(SystemClock));
    (options.client_timeout, options.deadline) = (LONG, LONG);
    options
}

async fn connect(address: &str) -> SendRequest<Full<Bytes>> {
    let stream = TokioIo::new(TcpStream::connect(address).await.unwrap());
    let (sender, connection) = hyper::client::conn::http2::handshake(TokioExecutor::new(), stream).await.unwrap();
    tokio::spawn(connection);
    sender
}

/// What came back.
#[derive(Debug, PartialEq, Eq)]
struct Verdict {
    /// HTTP's, and gRPC's.
    status: (u16, Option<u8>),
    kind: String,
    reason: String,
    text: String,
}

impl Verdict {
    fn of(status: StatusCode, headers: &HeaderMap) -> Self {
        let text = |name: &str| headers.get(name).map_or("", |value| value.to_str().unwrap()).to_owned();
        Self {
            status: (status.as_u16(), text("grpc-status").parse().ok()),
            kind: text("plastron-kind"),
            reason: text("plastron-reason"),
            text: text("grpc-message"),
        }
    }
}

/// Makes a call with those bytes and headers.
async fn call(address: &str, path: &str, headers: &[(&str, &str)], body: &[u8]) -> (Verdict, Bytes) {
    let mut request = Request::post(format!("http://{address}{path}")).header("te", "trailers");
    if !headers.iter().any(|(name, _)| *name == "content-type") {
        request = request.header("content-type", "application/grpc");
    }
    for (name, value) in headers {
        request = request.header(*name, *value);
    }
    let mut sender = connect(address).await;
    let request = request.body(Full::new(Bytes::copy_from_slice(body))).unwrap();
    let (head, body) = sender.send_request(request).await.unwrap().into_parts();
    let body = body.collect().await.unwrap();
    let headers = body.trailers().cloned().unwrap_or(head.headers);
    (Verdict::of(head.status, &headers), body.to_bytes())
}

/// A message behind its prefix.
fn framed(message: &[u8]) -> Vec<u8> {
    [&[0][..], &(message.len() as u32).to_be_bytes(), message].concat()
}

fn lookup_of(name: &str) -> wire::LookupRequest {
    wire::LookupRequest { name: name.to_owned(), ..wire::LookupRequest::default() }
}

async fn answers(address: &str) {
    let by_replicas = wire::LookupRequest {
        quorum: Some(lookup_request::Quorum::Signers(wire::Signers::Replicas.into())),
        ..lookup_of("node/a/1")
    };
    let (verdict, _) = call(address, &format!("{SERVICE}Lookup"), &[], &framed(&by_replicas.encode_to_vec())).await;
    assert_eq!(verdict.status, (200, Some(0)), "{verdict:?}");
}

/// An expression in an expression, so deep.
fn deep(levels: usize) -> wire::Expression {
    let mut inner = wire::Expression { kind: Some(expression::Kind::Key(0)) };
    for _ in 1..levels {
        let threshold = wire::Threshold { threshold: 1, of: vec![inner] };
        inner = wire::Expression { kind: Some(expression::Kind::Threshold(threshold)) };
    }
    inner
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_is_no_message_is_refused_by_the_status_of_the_table() {
    let runner = runner();
    runner.state().wait_for(|state| state.ratified > 0).await.unwrap();
    let server = Server::start(Arc::clone(&runner), options()).await.unwrap();
    let address = &server.address().to_string();
    let book = Book::new();
    let update = wire::UpdateRequest::from(&book.update("node/a/1", 1));
    let signed = update.signed.clone().unwrap();
    let quorum = |quorum| wire::LookupRequest { quorum: Some(quorum), ..lookup_of("a") };
    let policy = |keys: Vec<Bytes>, quorum| {
        let policy = wire::AuthorizationPolicy { keys, quorum };
        wire::LookupRequest { quorum: Some(lookup_request::Quorum::Policy(policy)), ..lookup_of("a") }
    };
    let a_key = Bytes::copy_from_slice(key(20).public().as_bytes());
    let with = |entry: wire::SignedEntry| wire::UpdateRequest { signed: Some(entry), ..update.clone() };
    let twice = [signed.signatures.clone(), signed.signatures.clone()].concat();
    let mut crowd = signed.clone();
    crowd.signatures = vec![signed.signatures[0].clone(); 257];
    let token = |token: String| wire::RegisterRequest { update: Some(update.clone()), token };
    let certified = |chain: Vec<Bytes>, scheme| wire::RegisterCertifiedRequest {
        update: Some(update.clone()),
        chain,
        scheme,
        signature: Bytes::new(),
    };
    let garbage = Bytes::from_static(&[0x5a; 100]);
    let ratification = |key: &Bytes, signature: &Bytes| wire::PushRatificationRequest {
        epoch: 1,
        signature: Some(wire::Signature { key: key.clone(), signature: signature.clone() }),
    };
    let nested = |levels| policy(vec![a_key.clone()], Some(deep(levels))).encode_to_vec();
    for (path, message, why) in [
        // No Protocol Buffers, and none of the right shape.
        ("Lookup", vec![0xff; 40], "failed to decode"),
        ("Update", framed(&[0x0a, 0xff, 0xff, 0xff, 0xff, 0x0f]), "failed to decode"),
        ("Lookup", lookup_of("a").encode_to_vec()[..2].to_vec(), "failed to decode"),
        ("Lookup", wire::LookupRequest::default().encode_to_vec(), "name: "),
        ("Lookup", lookup_of("a b").encode_to_vec(), "name: "),
        ("Lookup", lookup_of(&"a".repeat(257)).encode_to_vec(), "name: "),
        ("Lookup", quorum(lookup_request::Quorum::Signers(7)).encode_to_vec(), "7 is no sort of signers"),
        ("Lookup", policy(vec![a_key.slice(..31)], Some(deep(1))).encode_to_vec(), "a key has 32 bytes"),
        ("Lookup", policy(vec![a_key.clone()], None).encode_to_vec(), "it is missing"),
        ("Lookup", policy(Vec::new(), Some(deep(1))).encode_to_vec(), "0 keys"),
        ("Lookup", policy(vec![a_key.clone(); 129], Some(deep(1))).encode_to_vec(), "of at most 128"),
        ("Lookup", nested(2), "threshold over one thing"),
        ("Lookup", nested(9), "deeper than 8"),
        ("Lookup", nested(40), "deeper than 8"),
        ("Lookup", nested(1_000), "failed to decode"),
        // Garbage within bytes.
        ("Update", wire::UpdateRequest::default().encode_to_vec(), "name: "),
        ("Update", wire::UpdateRequest { signed: None, ..update.clone() }.encode_to_vec(), "it is missing"),
        (
            "Update",
            with(wire::SignedEntry { entry: garbage.clone(), ..signed.clone() }).encode_to_vec(),
            "entry is corrupt",
        ),
        ("Update", with(wire::SignedEntry { signatures: twice, ..signed.clone() }).encode_to_vec(), "two of the key"),
        ("Update", with(crowd).encode_to_vec(), "257, of at most 256"),
        (
            "Update",
            wire::UpdateRequest { profile: garbage.clone(), ..update.clone() }.encode_to_vec(),
            "profile is corrupt",
        ),
        ("Register", token("t".repeat(16_385)).encode_to_vec(), "more than 16384 bytes"),
        ("Register", wire::RegisterRequest::default().encode_to_vec(), "update"),
        ("RegisterCertified", certified(vec![garbage.clone(); 6], 0x0807).encode_to_vec(), "5 certificates"),
        ("RegisterCertified", certified(vec![garbage.clone()], 0x1_0000).encode_to_vec(), "above 65535"),
        ("History", wire::HistoryRequest::default().encode_to_vec(), "name: "),
        ("PushRatification", wire::PushRatificationRequest::default().encode_to_vec(), "it is missing"),
        ("PushRatification", ratification(&garbage, &garbage).encode_to_vec(), "its key is not 32 bytes"),
        ("PushRatification", ratification(&a_key, &garbage).encode_to_vec(), "it has 64 bytes"),
        (
            "ChangePolicy",
            wire::ChangePolicyRequest { policy: garbage.clone(), signatures: Vec::new() }.encode_to_vec(),
            "realm policy",
        ),
        (
            "ChangeIssuers",
            wire::ChangeIssuersRequest { issuers: garbage.clone(), signatures: Vec::new() }.encode_to_vec(),
            "list of issuers",
        ),
        (
            "ChangeAuthorities",
            wire::ChangeAuthoritiesRequest { authorities: garbage.clone(), signatures: Vec::new() }.encode_to_vec(),
            "list of authorities",
        ),
        ("VerifierStream", vec![0x08], "failed to decode"),
        ("Status", vec![0x07], "failed to decode"),
    ] {
        let (verdict, body) = call(address, &format!("{SERVICE}{path}"), &[], &framed(&message)).await;
        assert_eq!((verdict.status, &*verdict.kind), ((200, Some(3)), "invalid"), "{path}, {why}: {verdict:?}");
        assert!(verdict.reason == "invalid" && body.is_empty(), "{path}, {why}: {verdict:?}");
        let text = verdict.text.replace("%20", " ");
        assert!(text.contains(why), "{path}, {why}: {verdict:?}");
    }
    // No framing, and other promises that are not kept.
    let right = framed(&lookup_of("node/a/1").encode_to_vec());
    let compressed = [&[1][..], &right[1..]].concat();
    let lying = [&[0, 0, 0, 0, 200][..], &right[5..]].concat();
    let huge = [&[0, 0xff, 0xff, 0xff, 0xff][..], &right[5..]].concat();
    let two = [&right[..], &right[..]].concat();
    let large = framed(&vec![0; 300_000]);
    for (path, headers, body, status, kind, reason) in [
        ("Lookup", &[][..], &b""[..], 3, "invalid", "invalid"),
        ("Lookup", &[], &right[..4], 3, "invalid", "invalid"),
        ("Lookup", &[], &lying, 3, "invalid", "invalid"),
        ("Lookup", &[], &two, 3, "invalid", "invalid"),
        ("Lookup", &[], &[&[2][..], &right[1..]].concat(), 3, "invalid", "invalid"),
        ("Lookup", &[("grpc-timeout", "soon")], &right, 3, "invalid", "invalid"),
        ("Lookup", &[], &huge, 8, "invalid", "too-large"),
        ("Update", &[], &large, 8, "invalid", "too-large"),
        ("Lookup", &[("grpc-encoding", "gzip")], &compressed, 12, "unsupported", "unsupported"),
        ("Nothing", &[], &right, 12, "unsupported", "unsupported"),
        ("../../other/Call", &[], &right, 12, "unsupported", "unsupported"),
    ] {
        let (verdict, _) = call(address, &format!("{SERVICE}{path}"), headers, body).await;
        assert_eq!(
            (verdict.status, &*verdict.kind, &*verdict.reason),
            ((200, Some(status)), kind, reason),
            "{path}: {verdict:?}"
        );
    }
    for content in ["application/json", "application/grpc-web", "application/grpc+json", "text/plain"] {
        let (verdict, _) = call(address, &format!("{SERVICE}Lookup"), &[("content-type", content)], &right).await;
        assert_eq!(verdict.status, (415, None), "{content}");
    }
    // HTTP/1.1 cannot carry it.
    let (mut first, connection) =
        hyper::client::conn::http1::handshake(TokioIo::new(TcpStream::connect(address).await.unwrap())).await.unwrap();
    tokio::spawn(connection);
    let request =
        Request::post(format!("{SERVICE}Lookup")).header("host", "a").header("content-type", "application/grpc");
    let answer = first.send_request(request.body(Full::new(Bytes::from(right))).unwrap()).await.unwrap();
    assert_eq!(answer.status(), StatusCode::HTTP_VERSION_NOT_SUPPORTED);
    answers(address).await;
    // What was refused is counted as that, by what was asked.
    let mut second = connect(address).await;
    let metrics = second
        .send_request(Request::get(format!("http://{address}/metrics")).body(Full::default()).unwrap())
        .await
        .unwrap();
    let metrics = String::from_utf8(metrics.into_body().collect().await.unwrap().to_bytes().to_vec()).unwrap();
    for line in [
        "{request=\"lookup\",result=\"done\"} 1\n",
        "{request=\"register\",result=\"refused\"} 4\n",
        "{request=\"ratify\",result=\"refused\"} 3\n",
        "{request=\"stream\",result=\"refused\"} 1\n",
        "{request=\"history\",result=\"failed\"} 0\n",
    ] {
        assert!(metrics.contains(line), "{line}{metrics}");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn deadlines_are_kept_the_replicas_and_those_of_who_asks() {
    let runner = runner();
    let server = Server::start(Arc::clone(&runner), options()).await.unwrap();
    let address = &server.address().to_string();
    // Nobody has signed the change, so that it is never made.
    let policy = RealmPolicy { generation: 1, ..runner.directory().realm().policy.clone() };
    let change = wire::ChangePolicyRequest::from(&PolicyChange { policy, signatures: Default::default() });
    let change = framed(&change.encode_to_vec());
    let (verdict, _) = call(address, &format!("{SERVICE}ChangePolicy"), &[("grpc-timeout", "20m")], &change).await;
    assert_eq!((verdict.status, &*verdict.kind, &*verdict.reason), ((200, Some(4)), "unavailable", "timeout"));
    let mut hasty = options();
    hasty.deadline = Duration::from_millis(20);
    let hasty = Server::start(Arc::clone(&runner), hasty).await.unwrap();
    let hasty = &hasty.address().to_string();
    let (verdict, _) = call(hasty, &format!("{SERVICE}ChangePolicy"), &[("grpc-timeout", "1H")], &change).await;
    assert_eq!(verdict.status, (200, Some(4)));
    // A stream that has nothing to say says so.
    let far = wire::VerifierStreamRequest { epoch: u64::MAX, change: 0 };
    let far = framed(&far.encode_to_vec());
    let (verdict, body) = call(address, &format!("{SERVICE}VerifierStream"), &[("grpc-timeout", "20m")], &far).await;
    assert_eq!((verdict.status, &*verdict.reason, body.len()), ((200, Some(4)), "timeout", 0));
    answers_in_time(address).await;
}

async fn answers_in_time(address: &str) {
    let status = framed(&wire::StatusRequest {}.encode_to_vec());
    let (verdict, body) = call(address, &format!("{SERVICE}Status"), &[("grpc-timeout", "1H")], &status).await;
    assert_eq!(verdict.status, (200, Some(0)), "{verdict:?}");
    let status = wire::StatusResponse::decode(&body[5..]).unwrap();
    assert!(status.realm.len() == 32 && status.failure.is_none());
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_message_that_never_comes_is_given_up() {
    let mut options = options();
    options.clock = Arc::new(Hurry);
    let server = Server::start(runner(), options).await.unwrap();
    let address = server.address().to_string();
    // The connection may be ended before the answer is read, since its clock is in a hurry, too; then it is tried again.
    loop {
        let stream = TokioIo::new(TcpStream::connect(&address).await.unwrap());
        let (mut sender, connection) =
            hyper::client::conn::http2::handshake(TokioExecutor::new(), stream).await.unwrap();
        tokio::spawn(connection);
        let half = futures::stream::iter([Ok::<_, std::io::Error>(Frame::data(Bytes::from_static(b"\0\0")))]);
        let body = StreamBody::new(futures::StreamExt::chain(half, futures::stream::pending()));
        let request =
            Request::post(format!("http://{address}{SERVICE}Update")).header("content-type", "application/grpc");
        if let Ok(answer) = sender.send_request(request.body(body).unwrap()).await {
            let verdict = Verdict::of(answer.status(), answer.headers());
            break assert_eq!((verdict.status, &*verdict.reason), ((200, Some(4)), "timeout"), "{verdict:?}");
        }
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn too_many_at_once_are_told_so_or_wait() {
    let runner = runner();
    runner.state().wait_for(|state| state.ratified > 0).await.unwrap();
    let mut none = options();
    none.most_requests = 0;
    let none = Server::start(Arc::clone(&runner), none).await.unwrap();
    let status = framed(&wire::StatusRequest {}.encode_to_vec());
    let (verdict, _) = call(&none.address().to_string(), &format!("{SERVICE}Status"), &[], &status).await;
    assert_eq!((verdict.status, &*verdict.kind, &*verdict.reason), ((200, Some(8)), "unavailable", "overloaded"));
    // Verifiers.
    let mut few = options();
    few.most_streams = 1;
    let few = Server::start(Arc::clone(&runner), few).await.unwrap();
    let replica = reach(&format!("grpc://{}", few.address()), None);
    let first = StreamPosition { epoch: 1, change: 0 };
    let page = replica.stream(first).await.unwrap();
    let other = reach(&format!("grpc://{}", few.address()), None);
    let refused = other.stream(first).await.unwrap_err();
    assert!(refused.is_retryable() && refused.to_string().contains("streams: too much at once"), "{refused}");
    // Who is gone gives up his place.
    let after = page.end();
    assert!(replica.stream(after).now_or_never().is_none(), "nothing is new");
    drop(replica);
    loop {
        match other.stream(first).await {
            Ok(again) => break assert_eq!(again, page),
            Err(error) => assert!(error.is_retryable(), "{error}"),
        }
    }
    // Calls on one connection: the seventeenth waits until one of the others has ended.
    let server = Server::start(Arc::clone(&runner), options()).await.unwrap();
    let address = &server.address().to_string();
    let mut one = connect(address).await;
    let request = |call: &str, message: Vec<u8>| {
        let request =
            Request::post(format!("http://{address}{SERVICE}{call}")).header("content-type", "application/grpc");
        request.body(Full::new(Bytes::from(framed(&message)))).unwrap()
    };
    let far = wire::VerifierStreamRequest { epoch: u64::MAX, change: 0 }.encode_to_vec();
    let mut open = Vec::new();
    for _ in 0..16 {
        open.push(one.send_request(request("VerifierStream", far.clone())).await.unwrap());
    }
    let mut last = Box::pin(one.send_request(request("Status", Vec::new())));
    answers(address).await;
    assert!((&mut last).now_or_never().is_none());
    drop(open.pop());
    assert_eq!(last.await.unwrap().status(), StatusCode::OK);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_verifier_listens_on_one_stream_until_the_replica_stops_and_finds_the_next() {
    let runner = runner();
    let server = Server::start(Arc::clone(&runner), options()).await.unwrap();
    let address = server.address();
    let replica = reach(&format!("grpc://{address}"), None);
    let book = Book::new();
    let realm = runner.directory().realm().clone();
    let mut at = StreamPosition { epoch: 1, change: 0 };
    for number in 0..3 {
        let update = support::first_update(&realm, &book.secret, &format!("node/a/{number}"), 20, number);
        let epoch = replica.update(&update).await.unwrap();
        while at.epoch <= epoch {
            let page = replica.stream(at).await.unwrap();
            assert_eq!(page.from, at);
            at = page.end();
        }
    }
    // As it was asked for, and from the beginning again, which is another stream.
    let all = replica.stream(StreamPosition { epoch: 1, change: 0 }).await.unwrap();
    assert_eq!(all.end(), at);
    let http = reach(&format!("http://{address}"), None);
    assert_eq!(http.stream(StreamPosition { epoch: 1, change: 0 }).await.unwrap(), all, "the same by either way");
    let text = {
        let mut sender = connect(&address.to_string()).await;
        let answer =
            sender.send_request(Request::get(format!("http://{address}/metrics")).body(Full::default()).unwrap());
        String::from_utf8(answer.await.unwrap().into_body().collect().await.unwrap().to_bytes().to_vec()).unwrap()
    };
    assert!(text.contains("{request=\"stream\",result=\"done\"} 3\n"), "two by gRPC, one by HTTP: {text}");
    // It stops although somebody listens.
    let stopping = server.stop(&SystemClock, LONG);
    let listening = replica.stream(all.end());
    let (ended, ()) = tokio::join!(listening, stopping);
    let ended = ended.unwrap_err();
    assert!(ended.is_retryable(), "{ended}");
    let mut options = options();
    options.address = address;
    let _again = Server::start(Arc::clone(&runner), options).await.unwrap();
    assert_eq!(replica.stream(StreamPosition { epoch: 1, change: 0 }).await.unwrap(), all);
    assert!(replica.history("node/a/1", 0).await.unwrap().items.len() == 1);
}

/// A replica that gives every call this message, and ends it with that status.
async fn giving(message: Vec<u8>, status: &'static str) -> Arc<dyn Transport> {
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    tokio::spawn(async move {
        while let Ok((stream, _)) = listener.accept().await {
            let message = message.clone();
            let service = hyper::service::service_fn(move |_| {
                let message = message.clone();
                async move {
                    let mut trailers = HeaderMap::new();
                    trailers.insert("grpc-status", HeaderValue::from_static(status));
                    trailers.insert("grpc-message", HeaderValue::from_static("so%20it%20is%0a"));
                    let frames = [Frame::data(Bytes::from(message)), Frame::trailers(trailers)];
                    let body = StreamBody::new(futures::stream::iter(frames.map(Ok::<_, std::io::Error>)));
                    let answer = Response::builder().header("content-type", "application/grpc").body(body);
                    Ok::<_, std::convert::Infallible>(answer.unwrap())
                }
            });
            let connection = hyper::server::conn::http2::Builder::new(TokioExecutor::new());
            tokio::spawn(connection.serve_connection(TokioIo::new(stream), service));
        }
    });
    reach(&format!("grpc://{address}"), None)
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_is_no_answer_is_refused_by_the_client() {
    let (_, answer) = Book::new().answer("node/a/1", &[]);
    let right = wire::LookupResponse::from(&answer);
    let request =
        LookupRequest { name: "node/a/1".to_owned(), epoch: 0, quorum: Quorum::Replicas, known_generation: 0 };
    let fine = giving(framed(&right.encode_to_vec()), "0").await;
    assert_eq!(fine.lookup(&request).await.unwrap(), answer);
    let garbage = Bytes::from_static(&[0x5a; 100]);
    let step = wire::PolicyStep { head: right.head.clone(), policy: garbage.clone() };
    for damaged in [
        wire::LookupResponse::default(),
        wire::LookupResponse { index_proof: garbage.clone(), ..right.clone() },
        wire::LookupResponse { tree_proof: garbage.clone(), ..right.clone() },
        wire::LookupResponse { head: None, ..right.clone() },
        wire::LookupResponse { steps: vec![step.clone()], ..right.clone() },
        wire::LookupResponse { steps: vec![step; 17], ..right.clone() },
        wire::LookupResponse { found: Some(wire::Found { entry: garbage.clone(), profile: garbage }), ..right.clone() },
    ] {
        let replica = giving(framed(&damaged.encode_to_vec()), "0").await;
        let error = replica.lookup(&request).await.unwrap_err();
        assert!(matches!(error, Error::Corrupt { .. }), "{error}");
    }
    // No message, none that can be one, one that is too large, and whatever else they say.
    for (message, status, kind) in [
        (Vec::new(), "0", ErrorKind::Unavailable),
        (framed(&[0xff; 40]), "0", ErrorKind::Unavailable),
        (vec![0, 0xff, 0xff, 0xff, 0xff, 1, 2, 3], "0", ErrorKind::Invalid),
        (Vec::new(), "3", ErrorKind::Invalid),
        (Vec::new(), "5", ErrorKind::NotFound),
        (Vec::new(), "7", ErrorKind::Unauthorized),
        (Vec::new(), "10", ErrorKind::Conflict),
        (Vec::new(), "14", ErrorKind::Unavailable),
        (Vec::new(), "99", ErrorKind::Unavailable),
        (framed(&right.encode_to_vec()), "13", ErrorKind::Unavailable),
    ] {
        let replica = giving(message, status).await;
        let error = replica.lookup(&request).await.unwrap_err();
        assert_eq!(error.kind(), kind, "{status}: {error}");
        assert!(!error.to_string().contains('\n'), "{error}");
        let update = Book::new().update("node/a/1", 1);
        assert!(replica.update(&update).await.is_err());
        assert!(replica.stream(StreamPosition { epoch: 1, change: 0 }).await.is_err());
    }
    // Nobody there, and somebody who speaks something else.
    let silent = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let address = silent.local_addr().unwrap();
    drop(silent);
    let nobody = reach(&format!("grpc://{address}"), None).lookup(&request).await.unwrap_err();
    assert!(matches!(nobody, Error::Request { .. }), "{nobody}");
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    tokio::spawn(async move {
        while let Ok((mut stream, _)) = listener.accept().await {
            let _ = tokio::io::AsyncWriteExt::write_all(&mut stream, b"HTTP/1.1 400 Bad Request\r\n\r\n").await;
        }
    });
    let stranger = reach(&format!("grpc://{address}"), None).lookup(&request).await.unwrap_err();
    assert!(matches!(stranger, Error::Request { .. }), "{stranger}");
}
