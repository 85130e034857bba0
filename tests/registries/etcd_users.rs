//! An etcd with users: what its registry needs of them, and what it says without.

use std::process::{Child, Command, Stdio};
use std::time::Duration;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use http_body_util::Full;
use plastron::checkpoint::CheckpointRequest;
use plastron::clock::{Clock as _, SystemClock};
use plastron::page_log::PutArgs;
use plastron::{Error, ErrorKind, Store};
use plastron_ickpt::{HttpClient, HttpClientOptions, Origin, client_config};
use serde_json::{Value, json};
use tempfile::TempDir;

const PASSWORD: &str = "planted-etcd-password";
/// Attempts to find it ready, and the wait between two.
const ATTEMPTS: u32 = 1200;
const WAIT: Duration = Duration::from_millis(50);

/// One node of etcd, for this test alone, for users concern all of an etcd.
struct Etcd {
    child: Child,
    client: HttpClient,
    origin: Origin,
    _folder: TempDir,
}

impl Drop for Etcd {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

fn free_port() -> u16 {
    std::net::TcpListener::bind(("127.0.0.1", 0)).unwrap().local_addr().unwrap().port()
}

impl Etcd {
    /// Starts one. Another process may be quicker with a port that was free; then others are tried.
    async fn start() -> Self {
        for _ in 0..10 {
            let (client, peer) = (free_port(), free_port());
            let (client, peer) = (format!("http://127.0.0.1:{client}"), format!("http://127.0.0.1:{peer}"));
            let folder = tempfile::tempdir().unwrap();
            let mut command = Command::new("etcd");
            command.arg("--data-dir").arg(folder.path().join("data")).args(["--name", "n1", "--log-level", "error"]);
            command.args(["--listen-client-urls", &client, "--advertise-client-urls", &client]);
            command.args(["--listen-peer-urls", &peer, "--initial-advertise-peer-urls", &peer]);
            command.args(["--initial-cluster", &format!("n1={peer}")]);
            let child = command.stdout(Stdio::null()).stderr(Stdio::null()).spawn().expect("etcd-server is installed");
            let http = HttpClient::new(HttpClientOptions::new(client_config(None).unwrap()));
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

    async fn post(&self, path: &str, body: Value) -> Result<Value, String> {
        let request = http::Request::post(path).body(Full::new(body.to_string().into())).unwrap();
        let answer = self.client.send(&self.origin, request, 1 << 20).await.map_err(|error| error.to_string())?;
        let text = String::from_utf8_lossy(&answer.body).into_owned();
        if answer.status == 200 { Ok(serde_json::from_str(&text).unwrap()) } else { Err(text) }
    }

    /// Users: `root`, `writer` of what begins with `volumes/`, and `stranger`, who may nothing.
    async fn add_users(&self) {
        let range = json!({ "permType": "READWRITE", "key": STANDARD.encode("volumes/"), "range_end": STANDARD.encode("volumes0") });
        let steps = [
            ("role/add", json!({ "name": "root" })),
            ("role/add", json!({ "name": "writers" })),
            ("role/grant", json!({ "name": "writers", "perm": range })),
            ("user/add", json!({ "name": "root", "password": PASSWORD })),
            ("user/add", json!({ "name": "writer", "password": PASSWORD })),
            ("user/add", json!({ "name": "stranger", "password": PASSWORD })),
            ("user/grant", json!({ "user": "root", "role": "root" })),
            ("user/grant", json!({ "user": "writer", "role": "writers" })),
            ("enable", json!({})),
        ];
        for (step, body) in steps {
            self.post(&format!("/v3/auth/{step}"), body).await.unwrap_or_else(|error| panic!("{step}: {error}"));
        }
    }

    /// As root: sets the writer's password to what it is, upon which etcd forgets the tokens of that user.
    async fn forget_tokens(&self) {
        let root = json!({ "name": "root", "password": PASSWORD });
        let token = self.post("/v3/auth/authenticate", root).await.unwrap()["token"].as_str().unwrap().to_owned();
        let body = json!({ "name": "writer", "password": PASSWORD }).to_string();
        let request = http::Request::post("/v3/auth/user/changepw").header("authorization", token);
        let answer =
            self.client.send(&self.origin, request.body(Full::new(body.into())).unwrap(), 1 << 20).await.unwrap();
        assert_eq!(answer.status, 200);
    }

    fn store(&self, directory: &TempDir, more: &str) -> String {
        let (place, origin) = (directory.path().display(), &self.origin);
        format!("source=dir_store,bucket=\"{place}\",registry=(name=etcd,endpoints=[\"{origin}\"],key=volumes/1{more})")
    }
}

async fn refused(store: &str) -> Error {
    let error = Store::open(store).await.unwrap().leader().await.unwrap_err();
    assert!(!format!("{error} {error:?} {:?}", error.fault()).contains(PASSWORD), "{error}");
    error
}

#[tokio::test]
async fn a_user_and_password_open_it_and_tokens_are_renewed() {
    let etcd = Etcd::start().await;
    etcd.add_users().await;
    let directory = tempfile::tempdir().unwrap();
    for (more, said) in [
        ("", "user name is empty"),
        (",user=writer,password=wrong", "authentication failed"),
        (&format!(",user=nobody,password={PASSWORD}"), "authentication failed"),
        (&format!(",user=stranger,password={PASSWORD}"), "permission denied"),
    ] {
        let error = refused(&etcd.store(&directory, more)).await;
        assert_eq!(error.kind(), ErrorKind::Unauthorized, "{more}: {error}");
        assert!(error.to_string().contains(said), "{more}: {error}");
    }
    for (more, said) in [(",user=writer", "no password"), (&format!(",password={PASSWORD}"), "no user")] {
        let error = refused(&etcd.store(&directory, more)).await;
        assert_eq!(error.kind(), ErrorKind::Invalid, "{more}: {error}");
        assert!(error.to_string().contains(said), "{more}: {error}");
    }
    let store = Store::open(&etcd.store(&directory, &format!(",user=writer,password={PASSWORD}"))).await.unwrap();
    let leader = store.leader().await.unwrap();
    for page in 0..3 {
        leader.table(1).unwrap().put(page, PutArgs::full(), "a").await.unwrap();
        leader.checkpoint(CheckpointRequest::default()).await.unwrap();
        etcd.forget_tokens().await;
    }
    assert_eq!(store.history().await.unwrap().list().await.unwrap().len(), 3);
}
