//! One etcd, spoken to over gRPC: a put is the message `PutRequest { key = 1, value = 2 }`, which is short enough to be written by hand.

use std::path::Path;
use std::process::Stdio;
use std::time::Duration;

use bytes::{BufMut as _, Bytes, BytesMut};
use http::Request;
use http_body_util::{BodyExt as _, Full};
use hyper::client::conn::http2::{Builder, SendRequest};
use hyper_util::rt::{TokioExecutor, TokioIo};
use plastron_ickpt::{Fault, Result};
use plastron_sources::clock::{Clock as _, SystemClock};
use tokio::net::TcpStream;
use tokio::process::{Child, Command};

use super::load::Writer;
use super::{VALUE_BYTES, trouble};
use crate::arguments::Connections;

/// Connections that clients share, each of which carries many calls at a time.
const SHARED: usize = 16;
const READY_ATTEMPTS: u32 = 200;

pub(crate) struct Etcd {
    _child: Child,
    /// One for each client; those who share take the first of them.
    connections: Vec<SendRequest<Full<Bytes>>>,
}

fn free_port() -> Result<u16> {
    let socket = std::net::TcpListener::bind(("127.0.0.1", 0)).map_err(trouble)?;
    Ok(socket.local_addr().map_err(trouble)?.port())
}

impl Etcd {
    pub(crate) async fn start(program: &Path, folder: &Path, clients: usize) -> Result<Self> {
        let (client, peer) = (free_port()?, free_port()?);
        let (client_url, peer_url) = (format!("http://127.0.0.1:{client}"), format!("http://127.0.0.1:{peer}"));
        let mut command = Command::new(program);
        command.arg("--data-dir").arg(folder).args(["--name", "n1", "--log-level", "error"]);
        command.args(["--listen-client-urls", &client_url, "--advertise-client-urls", &client_url]);
        command.args(["--listen-peer-urls", &peer_url, "--initial-advertise-peer-urls", &peer_url]);
        command.args(["--initial-cluster", &format!("n1={peer_url}")]);
        command.stdout(Stdio::null()).stderr(Stdio::null()).kill_on_drop(true);
        let child = command.spawn().map_err(|error| {
            let what = format!("{} can't be started ({error}); install etcd-server, or give --etcd", program.display());
            plastron_ickpt::Error::new("measure", "bench", Fault::Invalid(what))
        })?;
        let mut last = None;
        for _ in 0..READY_ATTEMPTS {
            SystemClock.sleep(Duration::from_millis(50)).await;
            match Self::connect(client).await {
                Ok(sender) => match put(sender, client, b"ready").await {
                    Ok(()) => {
                        let mut connections = Vec::new();
                        for _ in 0..clients.max(1) {
                            connections.push(Self::connect(client).await?);
                        }
                        return Ok(Self { _child: child, connections });
                    }
                    Err(error) => last = Some(error),
                },
                Err(error) => last = Some(error),
            }
        }
        Err(last.unwrap_or_else(|| trouble("etcd did not start")))
    }

    async fn connect(port: u16) -> Result<SendRequest<Full<Bytes>>> {
        let stream = TcpStream::connect(("127.0.0.1", port)).await.map_err(trouble)?;
        stream.set_nodelay(true).map_err(trouble)?;
        let (sender, connection) =
            Builder::new(TokioExecutor::new()).handshake(TokioIo::new(stream)).await.map_err(trouble)?;
        tokio::spawn(async move { drop(connection.await) });
        Ok(sender)
    }

    /// A put to a key of its own.
    pub(crate) fn writer(&self, client: usize, connections: Connections) -> Writer {
        let connection = match connections {
            Connections::Own => client,
            Connections::Shared => client % SHARED,
        };
        let sender = self.connections.get(connection).cloned();
        let key = format!("bench/{client}");
        Box::new(move |_| {
            let (sender, key) = (sender.clone(), key.clone());
            Box::pin(async move { put(sender.ok_or_else(|| trouble("no connection"))?, 0, key.as_bytes()).await })
        })
    }
}

/// One put, acknowledged. Lengths stay below 128, or below 16,384 in two bytes, as protobuf writes them.
async fn put(mut sender: SendRequest<Full<Bytes>>, port: u16, key: &[u8]) -> Result<()> {
    let mut message = BytesMut::new();
    message.put_slice(&[0x0a, key.len() as u8]);
    message.put_slice(key);
    message.put_slice(&[0x12, (VALUE_BYTES & 0x7f) as u8 | 0x80, (VALUE_BYTES >> 7) as u8]);
    message.put_bytes(b'v', VALUE_BYTES);
    let mut body = BytesMut::new();
    body.put_u8(0);
    body.put_u32(message.len() as u32);
    body.put_slice(&message);
    let uri = format!("http://127.0.0.1:{port}/etcdserverpb.KV/Put");
    let request = Request::post(uri).header("content-type", "application/grpc").header("te", "trailers");
    let request = request.body(Full::new(body.freeze())).map_err(trouble)?;
    sender.ready().await.map_err(trouble)?;
    let response = sender.send_request(request).await.map_err(trouble)?;
    let early = response.headers().get("grpc-status").cloned();
    let collected = response.into_body().collect().await.map_err(trouble)?;
    let status = early.or_else(|| collected.trailers()?.get("grpc-status").cloned());
    match status {
        Some(status) if status == "0" => Ok(()),
        status => Err(trouble(format!("etcd answered with grpc-status {status:?}"))),
    }
}
