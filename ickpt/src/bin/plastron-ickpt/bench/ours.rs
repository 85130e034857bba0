//! One instance in a process of its own, and a stand-in for its store in this one.

use std::path::Path;
use std::process::Stdio;

use bytes::Bytes;
use http::{Method, Request};
use plastron_ickpt::stand_in::{StandIn, WRITER};
use plastron_ickpt::{HttpClient, HttpClientOptions, Origin, Result, client_config};
use plastron_sources::clock::{Entropy as _, SystemEntropy};
use tokio::io::{AsyncBufReadExt as _, BufReader};
use tokio::process::{Child, Command};

use super::load::Writer;
use super::{VALUE_BYTES, trouble};

pub(crate) struct Ours {
    child: Child,
    store: StandIn,
    client: HttpClient,
    origin: Origin,
    entropy: SystemEntropy,
}

impl Ours {
    pub(crate) async fn start(folder: &Path, clients: usize) -> Result<Self> {
        std::fs::create_dir_all(folder).map_err(trouble)?;
        let store = StandIn::start().await.map_err(trouble)?;
        let conf = folder.join("ickpt.conf");
        let text = format!(
            "[ICKPT]\nIPAddr: 127.0.0.1\nPort: 0\nDataBasePath: {}\nAllowedStorageOrigins: {}\nMaxConnections: {}\nSwiftConnectionPoolSize: {}\n",
            folder.join("db").display(),
            store.origin(),
            clients + 64,
            clients.clamp(16, 512),
        );
        std::fs::write(&conf, text).map_err(trouble)?;
        let program = std::env::current_exe().map_err(trouble)?;
        let mut command = Command::new(program);
        command.args(["serve", "--conf"]).arg(conf).stdout(Stdio::piped()).stderr(Stdio::null()).kill_on_drop(true);
        let mut child = command.spawn().map_err(trouble)?;
        let mut line = String::new();
        let out = child.stdout.take().ok_or_else(|| trouble("the instance has no output"))?;
        BufReader::new(out).read_line(&mut line).await.map_err(trouble)?;
        let address = line.split(' ').nth(1).ok_or_else(|| trouble("the instance did not start"))?;
        let origin = Origin::parse(&format!("http://{address}")).map_err(trouble)?;
        let mut options = HttpClientOptions::new(client_config(None)?);
        options.max_connections = clients.max(1);
        Ok(Self { child, store, client: HttpClient::new(options), origin, entropy: SystemEntropy::default() })
    }

    /// PUT and POST, of a checkpoint of its own.
    pub(crate) fn writer(&self, client: usize) -> Writer {
        let url = self.store.object(&format!("/v1/AUTH_bench/c/{client}"), b"1");
        let (http, origin, salt) = (self.client.clone(), self.origin.clone(), self.entropy.next_u64());
        Box::new(move |number| {
            let (http, origin, url) = (http.clone(), origin.clone(), url.clone());
            Box::pin(async move {
                let path = format!("/{:016x}", salt.wrapping_add(number));
                let mut value = vec![b'v'; VALUE_BYTES];
                value.extend_from_slice(path.as_bytes());
                for (method, body, expected) in
                    [(Method::PUT, Bytes::from(value), 204), (Method::POST, Bytes::new(), 200)]
                {
                    let request = Request::builder().method(method).uri(&path);
                    let request = request.header("X-Storage-Url", &url).header("X-Auth-Token", WRITER);
                    let request = request.body(body).map_err(trouble)?;
                    let answer = http.send(&origin, request, 1 << 17).await.map_err(trouble)?;
                    if answer.status != expected {
                        return Err(trouble(format!("the instance answered {}", answer.status)));
                    }
                }
                Ok(())
            })
        })
    }

    /// What a commit asks of the store, and nothing else: who may read and write, once for PUT and once for POST.
    pub(crate) fn exchanges(&self, client: usize) -> Writer {
        let path = format!("/v1/AUTH_bench/c/{client}");
        self.store.object(&path, b"1");
        let (http, origin) = (self.client.clone(), self.store.origin());
        Box::new(move |_| {
            let (http, origin, path) = (http.clone(), origin.clone(), path.clone());
            Box::pin(async move {
                let origin = Origin::parse(&origin).map_err(trouble)?;
                for (method, body, expected) in
                    [(Method::GET, "", 200), (Method::PUT, "1", 412), (Method::GET, "", 200), (Method::PUT, "1", 412)]
                {
                    let request = Request::builder().method(method).uri(&path).header("X-Auth-Token", WRITER);
                    let request = request.header("If-None-Match", "*").body(Bytes::from(body));
                    let answer = http.send(&origin, request.map_err(trouble)?, 1 << 17).await.map_err(trouble)?;
                    if answer.status != expected {
                        return Err(trouble(format!("the store answered {}", answer.status)));
                    }
                }
                Ok(())
            })
        })
    }

    pub(crate) async fn stop(mut self) -> Result<()> {
        self.child.kill().await.map_err(trouble)
    }
}
