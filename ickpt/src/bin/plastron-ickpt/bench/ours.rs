//! One instance in a process of its own, and a stand-in for its store in this one.

use std::path::Path;
use std::process::Stdio;
use std::sync::Arc;

use bytes::Bytes;
use http::{Method, Request};
use plastron_ickpt::quorum::{HttpInstance, HttpInstanceOptions, Instance as _};
use plastron_ickpt::stand_in::{StandIn, WRITER};
use plastron_ickpt::{HttpClient, HttpClientOptions, Members, Origin, Result, StorageUrl, Write, client_config};
use plastron_sources::clock::{Entropy as _, SystemEntropy};
use rustls::ClientConfig;
use tokio::io::{AsyncBufReadExt as _, BufReader};
use tokio::process::{Child, Command};

use super::load::Writer;
use super::{VALUE_BYTES, trouble};
use crate::arguments::Connections;

pub(crate) struct Ours {
    child: Child,
    store: StandIn,
    /// As the quorum client's, which all share.
    client: HttpClient,
    tls: Arc<ClientConfig>,
    /// As the service's, to stores.
    store_client: HttpClient,
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
        let tls = client_config(None)?;
        let mut options = HttpClientOptions::to_instances(Arc::clone(&tls));
        options.max_connections = clients.max(1);
        let client = HttpClient::new(options);
        let mut options = HttpClientOptions::new(Arc::clone(&tls));
        options.max_connections = clients.max(1);
        let store_client = HttpClient::new(options);
        Ok(Self { child, store, client, tls, store_client, origin, entropy: SystemEntropy::default() })
    }

    /// PUT and POST, of a checkpoint of its own, by the quorum client's way to an instance.
    pub(crate) fn writer(&self, client: usize, connections: Connections) -> Result<Writer> {
        let http = match connections {
            Connections::Shared => self.client.clone(),
            Connections::Own => {
                let mut options = HttpClientOptions::to_instances(Arc::clone(&self.tls));
                options.max_connections = 1;
                HttpClient::new(options)
            }
        };
        let url = self.store.object(&format!("/v1/AUTH_bench/c/{client}"), b"1");
        let url = StorageUrl::parse(&url).map_err(trouble)?;
        let options = HttpInstanceOptions::new(url, WRITER.to_owned(), http);
        let (instance, salt) = (HttpInstance::new(self.origin.clone(), options), self.entropy.next_u64());
        Ok(Box::new(move |number| {
            let instance = instance.clone();
            Box::pin(async move {
                let path = Bytes::from(format!("/{:016x}", salt.wrapping_add(number)));
                let mut value = vec![b'v'; VALUE_BYTES];
                value.extend_from_slice(&path);
                let write = Write { bytes: Some(value.into()), stamp: None, members: Members::default() };
                instance.stage(path.clone(), write).await.map_err(trouble)?;
                instance.commit(path).await.map_err(trouble)?;
                Ok(())
            })
        }))
    }

    /// What a commit asks of the store, and nothing else: who may read and write, once for PUT and once for POST.
    pub(crate) fn exchanges(&self, client: usize) -> Result<Writer> {
        let path = format!("/v1/AUTH_bench/c/{client}");
        self.store.object(&path, b"1");
        let (http, origin) = (self.store_client.clone(), self.store.origin());
        Ok(Box::new(move |_| {
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
        }))
    }

    pub(crate) async fn stop(mut self) -> Result<()> {
        self.child.kill().await.map_err(trouble)
    }
}
