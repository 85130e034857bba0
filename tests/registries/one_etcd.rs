//! One node of etcd, which ends with its test.

use std::process::{Child, Command, Stdio};
use std::sync::Arc;
use std::sync::atomic::{AtomicU16, Ordering};
use std::time::Duration;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use plastron::clock::{Clock as _, SystemClock};
use plastron_ickpt::{HttpClient, HttpClientOptions, Origin, client_config};
use serde_json::{Value, json};
use tempfile::TempDir;

/// Attempts to find it ready, and the wait between two.
const ATTEMPTS: u32 = 6000;
const WAIT: Duration = Duration::from_millis(50);

pub(crate) struct OneEtcd {
    child: Child,
    client: HttpClient,
    origin: Origin,
    _folder: TempDir,
}

impl Drop for OneEtcd {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// A port that nobody has, below those that the system gives to outgoing connections.
fn free_port() -> u16 {
    static NEXT: AtomicU16 = AtomicU16::new(0);
    let first = (std::process::id() % 10_000) as u16;
    loop {
        let port = 10_000 + first.wrapping_add(NEXT.fetch_add(1, Ordering::Relaxed)) % 10_000;
        if std::net::TcpListener::bind(("127.0.0.1", port)).is_ok() {
            return port;
        }
    }
}

impl OneEtcd {
    /// Over plain TCP.
    pub(crate) async fn start() -> Self {
        Self::start_with("http", &[], client_config(None).unwrap()).await
    }

    /// With this scheme and these arguments; `tls` is how this test asks it. Another process may be quicker with a port that was free; then
    /// others are tried.
    pub(crate) async fn start_with(scheme: &str, arguments: &[String], tls: Arc<rustls::ClientConfig>) -> Self {
        for _ in 0..10 {
            let (client, peer) = (free_port(), free_port());
            let (client, peer) = (format!("{scheme}://127.0.0.1:{client}"), format!("http://127.0.0.1:{peer}"));
            let folder = tempfile::tempdir().unwrap();
            let mut command = Command::new("etcd");
            command.arg("--data-dir").arg(folder.path().join("data")).args(["--name", "n1", "--log-level", "error"]);
            command.args(["--listen-client-urls", &client, "--advertise-client-urls", &client]);
            command.args(["--listen-peer-urls", &peer, "--initial-advertise-peer-urls", &peer]);
            command.args(["--initial-cluster", &format!("n1={peer}")]).args(arguments);
            let child = command.stdout(Stdio::null()).stderr(Stdio::null()).spawn().expect("etcd-server is installed");
            let http = HttpClient::new(HttpClientOptions::new(Arc::clone(&tls)));
            let mut etcd = Self { child, client: http, origin: Origin::parse(&client).unwrap(), _folder: folder };
            for _ in 0..ATTEMPTS {
                if etcd.post("/v3/kv/range", json!({ "key": STANDARD.encode("ready") })).await.is_ok() {
                    return etcd;
                }
                if etcd.child.try_wait().unwrap().is_some() {
                    break;
                }
                SystemClock.sleep(WAIT).await;
            }
        }
        panic!("etcd does not start");
    }

    pub(crate) fn origin(&self) -> &Origin {
        &self.origin
    }

    pub(crate) async fn post(&self, path: &str, body: Value) -> Result<Value, String> {
        self.post_as(None, path, body).await
    }

    /// With a token of etcd's.
    pub(crate) async fn post_as(&self, token: Option<&str>, path: &str, body: Value) -> Result<Value, String> {
        let mut request = http::Request::post(path);
        if let Some(token) = token {
            request = request.header("authorization", token);
        }
        let request = request.body(body.to_string().into()).unwrap();
        let answer = self.client.send(&self.origin, request, 1 << 20).await.map_err(|error| error.to_string())?;
        let text = String::from_utf8_lossy(&answer.body).into_owned();
        if answer.status == 200 { Ok(serde_json::from_str(&text).unwrap()) } else { Err(text) }
    }
}
