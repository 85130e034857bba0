//! Answers by HTTP/2 that go on: one whose server has nothing to say for long is not broken off, and one that its peer does not take is.
//!
//! The connections' clock runs as fast as it can, so that each has been idle for long, and is old, at once; nothing depends on how fast that is.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::panic,
    reason = "tests say what they expect by failing"
)]

use std::convert::Infallible;
use std::net::SocketAddr;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use bytes::Bytes;
use http::{Request, Response, StatusCode};
use http_body_util::{BodyExt as _, Empty, StreamBody};
use hyper::body::Frame;
use hyper::client::conn::http2::{Builder, SendRequest};
use hyper_util::rt::{TokioExecutor, TokioIo};
use plastron_ickpt::listener::{Serving, serve};
use plastron_sources::clock::{Clock, SystemClock};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::{mpsc, watch};

/// Never over in a test.
const LONG: Duration = Duration::from_secs(3_600);

/// A clock whose sleeps are short, however long they are to be. It counts them.
#[derive(Debug, Default)]
struct Quick(AtomicUsize);

impl Clock for Quick {
    fn monotonic(&self) -> Duration {
        SystemClock.monotonic()
    }

    fn wall(&self) -> std::time::SystemTime {
        SystemClock.wall()
    }

    fn sleep(&self, _: Duration) -> plastron_sources::clock::Sleep {
        self.0.fetch_add(1, Ordering::Relaxed);
        SystemClock.sleep(Duration::from_millis(1))
    }
}

type Said = mpsc::Receiver<Bytes>;

/// Answers the next call by what is said.
async fn serving(clock: Arc<Quick>) -> (SocketAddr, Arc<Mutex<Option<Said>>>, watch::Sender<bool>) {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    let (stop, stopped) = watch::channel(false);
    let serving = Serving {
        tls: None,
        max_connections: 8,
        max_streams: Some(8),
        head_timeout: LONG,
        write_timeout: LONG,
        clock,
        stop: stopped,
    };
    let next: Arc<Mutex<Option<Said>>> = Arc::default();
    let said = Arc::clone(&next);
    let answer = move |_, _| {
        let mut said = said.lock().unwrap().take().unwrap();
        async move {
            let frames = futures::stream::poll_fn(move |cx| said.poll_recv(cx));
            Response::new(StreamBody::new(futures::StreamExt::map(frames, |bytes| {
                Ok::<_, Infallible>(Frame::data(bytes))
            })))
        }
    };
    tokio::spawn(serve(listener, serving, answer));
    (address, next, stop)
}

/// A client, and what tells when its connection is at its end.
async fn connect(
    address: SocketAddr,
    builder: &Builder<TokioExecutor>,
) -> (SendRequest<Empty<Bytes>>, tokio::task::JoinHandle<()>) {
    let stream = TokioIo::new(TcpStream::connect(address).await.unwrap());
    let (sender, connection) = builder.handshake(stream).await.unwrap();
    let ended = tokio::spawn(async move {
        let _ = connection.await;
    });
    (sender, ended)
}

fn request() -> Request<Empty<Bytes>> {
    Request::get("http://a/").body(Empty::new()).unwrap()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_answer_that_has_nothing_to_say_for_long_goes_on() {
    let clock = Arc::new(Quick::default());
    let (address, next, _stop) = serving(Arc::clone(&clock)).await;
    let (say, said) = mpsc::channel(1);
    *next.lock().unwrap() = Some(said);
    let (mut sender, _ended) = connect(address, &Builder::new(TokioExecutor::new())).await;
    let answer = sender.send_request(request()).await.unwrap();
    assert_eq!(answer.status(), StatusCode::OK);
    let mut body = answer.into_body();
    for text in ["one", "two"] {
        // The connection has been idle so many times as long as one may be, and grown older than it may.
        let before = clock.0.load(Ordering::Relaxed);
        while clock.0.load(Ordering::Relaxed) < before + 100 {
            SystemClock.sleep(Duration::from_millis(1)).await;
        }
        say.send(Bytes::from(text)).await.unwrap();
        assert_eq!(body.frame().await.unwrap().unwrap().into_data().unwrap(), text);
    }
    drop(say);
    assert!(body.collect().await.unwrap().to_bytes().is_empty(), "it ends as it should");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_answer_that_is_not_taken_is_broken_off() {
    let (address, next, _stop) = serving(Arc::default()).await;
    for window in [0, 65_535] {
        let (say, said) = mpsc::channel(1);
        *next.lock().unwrap() = Some(said);
        let mut builder = Builder::new(TokioExecutor::new());
        builder.initial_stream_window_size(window);
        let (mut sender, ended) = connect(address, &builder).await;
        let answer = sender.send_request(request()).await.unwrap();
        // There is always more, and it is never read.
        while say.send(Bytes::from(vec![7; 16 << 10])).await.is_ok() {}
        ended.await.unwrap();
        drop(answer);
    }
}
