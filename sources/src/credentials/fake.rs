//! For tests: a clock that stands still until told and a server that answers what it is told and keeps what it was
//! asked.

use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::time::{Duration, SystemTime};

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpListener;
use tokio::sync::watch;

use crate::clock::{Clock, Sleep};

/// 2026-01-01T00:00:00Z, where every [`FakeClock`] starts.
pub(crate) fn start() -> SystemTime {
    SystemTime::UNIX_EPOCH + Duration::from_secs(1_767_225_600)
}

/// A clock that moves only by [`FakeClock::advance`].
#[derive(Debug)]
pub(crate) struct FakeClock(watch::Sender<Duration>);

impl FakeClock {
    pub(crate) fn new() -> Arc<Self> {
        // Not zero: "never" is often written as zero.
        Arc::new(Self(watch::Sender::new(Duration::from_secs(1_000))))
    }

    pub(crate) fn advance(&self, by: Duration) {
        self.0.send_modify(|now| *now += by);
    }
}

impl Clock for FakeClock {
    fn monotonic(&self) -> Duration {
        *self.0.borrow()
    }

    fn wall(&self) -> SystemTime {
        start() + (self.monotonic() - Duration::from_secs(1_000))
    }

    fn sleep(&self, duration: Duration) -> Sleep {
        let until = self.monotonic() + duration;
        let mut now = self.0.subscribe();
        Box::pin(async move {
            let _ = now.wait_for(|now| *now >= until).await;
        })
    }
}

/// An HTTP server on loopback.
pub(crate) struct FakeServer {
    pub(crate) url: String,
    seen: Arc<Mutex<Vec<String>>>,
    task: tokio::task::JoinHandle<()>,
}

impl FakeServer {
    /// Each request is answered by the next of `answers` (status and body), the last one for ever.
    pub(crate) async fn start(answers: Vec<(u16, String)>) -> Self {
        let served = AtomicUsize::new(0);
        Self::answering(move |_| answers[served.fetch_add(1, Ordering::SeqCst).min(answers.len() - 1)].clone()).await
    }

    /// Each request, its head and body, is answered by `answer`.
    pub(crate) async fn answering(answer: impl Fn(&str) -> (u16, String) + Send + 'static) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let url = format!("http://{}", listener.local_addr().unwrap());
        let seen = Arc::new(Mutex::new(Vec::new()));
        let log = Arc::clone(&seen);
        let task = tokio::spawn(async move {
            while let Ok((mut stream, _)) = listener.accept().await {
                let mut text = Vec::new();
                let mut chunk = [0; 4096];
                while let Ok(read @ 1..) = stream.read(&mut chunk).await {
                    text.extend_from_slice(&chunk[..read]);
                    if is_whole(&text) {
                        break;
                    }
                }
                let request = String::from_utf8_lossy(&text).into_owned();
                let (status, body) = answer(&request);
                log.lock().unwrap().push(request);
                // The second header is what the instance metadata service of AWS sends with its token.
                let answer = format!(
                    "HTTP/1.1 {status} X\r\ncontent-type: application/json\r\nx-aws-ec2-metadata-token-ttl-seconds: 21600\r\n\
                     content-length: {}\r\nconnection: close\r\n\r\n{body}",
                    body.len()
                );
                let _ = stream.write_all(answer.as_bytes()).await;
            }
        });
        Self { url, seen, task }
    }

    /// Every request so far: head and body.
    pub(crate) fn seen(&self) -> Vec<String> {
        self.seen.lock().unwrap().clone()
    }
}

impl Drop for FakeServer {
    fn drop(&mut self) {
        self.task.abort();
    }
}

fn is_whole(request: &[u8]) -> bool {
    let text = String::from_utf8_lossy(request);
    let Some((head, body)) = text.split_once("\r\n\r\n") else { return false };
    let length = head
        .lines()
        .find_map(|line| line.to_ascii_lowercase().strip_prefix("content-length:").map(|n| n.trim().parse().unwrap()))
        .unwrap_or(0usize);
    body.len() >= length
}
