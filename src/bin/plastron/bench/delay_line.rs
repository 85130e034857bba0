//! A wire with a latency: a proxy on the loopback interface that passes bytes on unchanged, and answers on late.
//!
//! Each chunk of an answer is passed on the configured time after it came in, however many are under way, so it is a delay and not
//! a limit: the bandwidth stays what it was. Requests go through at once; the sum is what a round trip takes. Only plain HTTP can be
//! passed on unchanged to a server of another port.

use std::net::Ipv4Addr;
use std::time::Duration;

use plastron::clock::{Clock, SystemClock};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::tcp::{OwnedReadHalf, OwnedWriteHalf};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::mpsc;
use tokio::task::{JoinHandle, JoinSet};

use crate::failure::{Failure, Result};

/// Bytes read at once.
const CHUNK_BYTES: usize = 64 << 10;

/// Chunks under way on one connection: 32 MiB, which is 1 GiB a second behind 30 ms.
const CHUNKS: usize = 512;

/// A proxy that runs until it is dropped.
#[derive(Debug)]
pub(super) struct DelayLine {
    endpoint: String,
    accepting: JoinHandle<()>,
}

impl DelayLine {
    /// In front of `endpoint`, if that is an address of plain HTTP.
    pub(super) async fn start(endpoint: Option<&str>, latency: Duration) -> Result<Option<Self>> {
        let authority = endpoint.and_then(|url| url.strip_prefix("http://")).map(|rest| rest.trim_end_matches('/'));
        let Some(server) = authority.filter(|text| !text.contains(['/', '@', '?'])) else { return Ok(None) };
        let server = if server.contains(':') { server.to_owned() } else { format!("{server}:80") };
        let failed = |error| Failure::other(format!("cannot listen on the loopback interface: {error}"));
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await.map_err(failed)?;
        let port = listener.local_addr().map_err(failed)?.port();
        let accepting = tokio::spawn(async move {
            // Dropped with this task, which ends all connections.
            let mut connections = JoinSet::new();
            while let Ok((client, _)) = listener.accept().await {
                connections.spawn(connect(client, server.clone(), latency));
                while connections.try_join_next().is_some() {}
            }
        });
        Ok(Some(Self { endpoint: format!("http://127.0.0.1:{port}"), accepting }))
    }

    /// Where it listens.
    pub(super) fn endpoint(&self) -> &str {
        &self.endpoint
    }
}

impl Drop for DelayLine {
    fn drop(&mut self) {
        self.accepting.abort();
    }
}

/// One connection. When either side ends it, or anything fails, both are closed, and the client sees what it would see of the server.
async fn connect(client: TcpStream, server: String, latency: Duration) {
    let Ok(server) = TcpStream::connect(server).await else { return };
    // Without this the kernel would hold small messages back, which is a delay of its own.
    let _ = (client.set_nodelay(true), server.set_nodelay(true));
    let (mut from_client, to_client) = client.into_split();
    let (from_server, mut to_server) = server.into_split();
    tokio::join!(
        async {
            // An error ends the connection, as it would without the line.
            let _ = tokio::io::copy(&mut from_client, &mut to_server).await;
            let _ = to_server.shutdown().await;
        },
        answers(from_server, to_client, latency),
    );
}

async fn answers(mut from_server: OwnedReadHalf, mut to_client: OwnedWriteHalf, latency: Duration) {
    let (sender, mut line) = mpsc::channel::<(Duration, Vec<u8>)>(CHUNKS);
    let receive = async move {
        loop {
            let mut chunk = Vec::with_capacity(CHUNK_BYTES);
            match from_server.read_buf(&mut chunk).await {
                Ok(0) | Err(_) => return,
                Ok(_) => {
                    if sender.send((SystemClock.monotonic() + latency, chunk)).await.is_err() {
                        return;
                    }
                }
            }
        }
    };
    let send = async move {
        while let Some((due, chunk)) = line.recv().await {
            let early = due.saturating_sub(SystemClock.monotonic());
            if !early.is_zero() {
                SystemClock.sleep(early).await;
            }
            if to_client.write_all(&chunk).await.is_err() {
                return;
            }
        }
        // The client is gone, or will see the end.
        let _ = to_client.shutdown().await;
    };
    tokio::join!(receive, send);
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::context::Stopwatch;

    #[tokio::test]
    async fn bytes_pass_unchanged_and_late() {
        let server = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await.unwrap();
        let endpoint = format!("http://{}/", server.local_addr().unwrap());
        let echo = tokio::spawn(async move {
            let (mut stream, _) = server.accept().await.unwrap();
            let (mut read, mut write) = stream.split();
            tokio::io::copy(&mut read, &mut write).await.unwrap();
        });
        let latency = Duration::from_millis(20);
        let line = DelayLine::start(Some(&endpoint), latency).await.unwrap().unwrap();
        let mut client = TcpStream::connect(line.endpoint().strip_prefix("http://").unwrap()).await.unwrap();
        let watch = Stopwatch::start();
        let sent = super::super::content::bytes(300_000, 1);
        let (mut read, mut write) = client.split();
        let mut answer = Vec::new();
        let (_, read) = tokio::join!(
            async {
                write.write_all(&sent).await.unwrap();
                write.shutdown().await.unwrap();
            },
            read.read_to_end(&mut answer)
        );
        read.unwrap();
        assert!(watch.elapsed() >= latency);
        assert_eq!(answer, sent);
        echo.await.unwrap();
    }

    #[tokio::test]
    async fn only_plain_http_can_be_delayed() {
        for endpoint in [None, Some("https://s3.example"), Some("http://127.0.0.1:1/account")] {
            assert!(DelayLine::start(endpoint, Duration::ZERO).await.unwrap().is_none(), "{endpoint:?}");
        }
    }
}
