//! What a replica does with connections that keep it waiting, and with too many of them.
//!
//! Nothing here depends on how fast the machine is: short deadlines are only ever missed by whoever never does what is waited for.
#![cfg(feature = "http")]
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::indexing_slicing, clippy::panic, reason = "a test")]

mod support;

use std::sync::Arc;
use std::time::Duration;

use plastron_keyserver::server::{Server, ServerOptions};
use plastron_sources::clock::{Clock as _, SystemClock};
use support::hurry::Hurry;
use support::replica::runner;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;

/// Long enough never to be over in a test.
const LONG: Duration = Duration::from_secs(3_600);
const SHORT: Duration = Duration::from_millis(100);

fn options() -> ServerOptions {
    let mut options = ServerOptions::new("127.0.0.1:0".parse().unwrap(), Arc::new(SystemClock));
    (options.client_timeout, options.deadline) = (LONG, LONG);
    options
}

async fn open(server: &Server, first: &str) -> TcpStream {
    let mut stream = TcpStream::connect(server.address()).await.unwrap();
    // A server that has seen enough may close before all is written.
    let _ = stream.write_all(first.as_bytes()).await;
    stream
}

async fn rest(mut stream: TcpStream) -> String {
    let mut answer = Vec::new();
    // A connection that is closed while bytes are on their way to it is reset.
    let _ = stream.read_to_end(&mut answer).await;
    String::from_utf8(answer).unwrap()
}

/// Asks for the metrics on a connection that stays open.
async fn ask(stream: &mut TcpStream) -> String {
    stream.write_all(b"GET /metrics HTTP/1.1\r\nhost: a\r\n\r\n").await.unwrap();
    let mut answer = Vec::new();
    loop {
        let text = String::from_utf8_lossy(&answer).into_owned();
        if let Some((head, body)) = text.split_once("\r\n\r\n") {
            let length = head.lines().find_map(|line| line.strip_prefix("content-length: ")).unwrap();
            if body.len() == length.parse::<usize>().unwrap() {
                return text;
            }
        }
        assert_ne!(stream.read_buf(&mut answer).await.unwrap(), 0, "{text}");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn connections_that_say_nothing_or_never_finish_their_headers_are_closed_and_others_are_served() {
    let mut options = options();
    (options.client_timeout, options.most_connections) = (SHORT, 2);
    let server = Server::start(runner(), options).await.unwrap();
    let mut silent = Vec::new();
    for first in ["", "GET /metrics HTTP/1.1\r\nhost: a\r\nx-slow: "] {
        for _ in 0..4 {
            silent.push(open(&server, first).await);
        }
    }
    // One that goes on and on with its headers, too.
    let mut dripping = open(&server, "GET /metrics HTTP/1.1\r\nx: ").await;
    while dripping.write_all(b"y").await.is_ok() {
        SystemClock.sleep(Duration::from_millis(5)).await;
    }
    // All places are taken by them, four times over; whoever asks has one in the end. If this machine is too slow for him, he asks again.
    let mut answer = String::new();
    while !answer.starts_with("HTTP/1.1 200") {
        answer = rest(open(&server, "GET /metrics HTTP/1.1\r\nhost: a\r\nconnection: close\r\n\r\n").await).await;
    }
    for stream in silent {
        let answer = rest(stream).await;
        assert!(answer.is_empty() || answer.starts_with("HTTP/1.1 408"), "{answer}");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn beyond_the_cap_who_comes_waits_until_a_connection_is_closed() {
    let mut options = options();
    options.most_connections = 2;
    let server = Server::start(runner(), options).await.unwrap();
    let (mut one, mut two) = (open(&server, "").await, open(&server, "").await);
    assert!(ask(&mut one).await.starts_with("HTTP/1.1 200") && ask(&mut two).await.starts_with("HTTP/1.1 200"));
    let request = "GET /metrics HTTP/1.1\r\nhost: a\r\nconnection: close\r\n\r\n";
    let mut three = open(&server, request).await;
    // Those that are in are served, and he is not.
    for _ in 0..20 {
        assert!(ask(&mut one).await.starts_with("HTTP/1.1 200"));
    }
    let early = three.try_read(&mut [0; 1]).unwrap_err();
    assert_eq!(early.kind(), std::io::ErrorKind::WouldBlock);
    drop(two);
    let mut first = [0; 12];
    three.read_exact(&mut first).await.unwrap();
    assert_eq!(&first, b"HTTP/1.1 200");
    assert!(ask(&mut one).await.starts_with("HTTP/1.1 200"));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_body_that_never_ends_is_given_up_and_so_is_one_that_is_too_large() {
    let mut options = options();
    options.clock = Arc::new(Hurry);
    let server = Server::start(runner(), options.clone()).await.unwrap();
    let head = |length: usize| format!("POST /v1/update HTTP/1.1\r\nhost: a\r\ncontent-length: {length}\r\n\r\n");
    let answer = rest(open(&server, &(head(100) + "half")).await).await;
    assert!(answer.starts_with("HTTP/1.1 408") && answer.contains("the body did not come within"), "{answer}");
    options.clock = Arc::new(SystemClock);
    let server = Server::start(runner(), options).await.unwrap();
    // Without a length that says so, too.
    let chunked = "POST /v1/update HTTP/1.1\r\nhost: a\r\ntransfer-encoding: chunked\r\n\r\n40000\r\n".to_owned();
    for request in [head(300_000) + &"x".repeat(300_000), chunked + &"x".repeat(0x40000)] {
        let answer = rest(open(&server, &request).await).await;
        assert!(answer.starts_with("HTTP/1.1 413") && answer.contains("bytes at the most"), "{answer}");
    }
}
