//! What tests of the service share: a store, a service, and a client that says exactly what it is told.
#![allow(dead_code, reason = "each test binary uses its part")]
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::panic,
    reason = "tests say what they expect by failing"
)]

use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use http::{Request, Version};
use plastron_ickpt::stand_in::StandIn;
use plastron_ickpt::{
    Answer, ConfFile, HttpClient, HttpClientOptions, Origin, Running, Service, Settings, client_config,
};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};

/// Longer than anything takes that a test waits for, on a machine that is busy with others.
pub(crate) const PATIENCE: Duration = Duration::from_secs(300);

/// Settings of a service on a free port with this store on its list, and more lines.
pub(crate) fn settings(folder: &Path, origins: &str, more: &str) -> Settings {
    let text = format!(
        "[ICKPT]\nIPAddr: 127.0.0.1\nPort: 0\nDataBasePath: {}\nSwiftTimeout: 2m\nTransactionTimeout: 5m\nAllowedStorageOrigins: {origins}\n{more}\n",
        folder.join("db").display()
    );
    Settings::from_conf(&ConfFile::parse(&text).unwrap()).unwrap()
}

/// Whether this binary makes its calls by HTTP/2: the one of that name runs another's tests so.
pub(crate) fn is_second() -> bool {
    env!("CARGO_CRATE_NAME").ends_with("_http2")
}

/// A client of anything.
pub(crate) fn client() -> HttpClient {
    let mut options = HttpClientOptions::new(client_config(None).unwrap());
    options.share_after = is_second().then_some(0);
    HttpClient::new(options)
}

/// A service, its store, and a client.
pub(crate) struct Bench {
    pub(crate) store: StandIn,
    pub(crate) service: Option<Running>,
    pub(crate) origin: Origin,
    pub(crate) client: HttpClient,
    pub(crate) folder: Arc<tempfile::TempDir>,
}

impl Bench {
    pub(crate) async fn start() -> Self {
        Self::with("").await
    }

    pub(crate) async fn with(more: &str) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let store = StandIn::start().await.unwrap();
        let service = Service::new(settings(folder.path(), &store.origin(), more)).start().await.unwrap();
        let origin = Origin::parse(&format!("http://{}", service.address())).unwrap();
        Self { store, service: Some(service), origin, client: client(), folder: Arc::new(folder) }
    }

    /// Stops the service and starts it again on the same data.
    pub(crate) async fn restart(&mut self) {
        let service = self.service.take().unwrap();
        service.stop();
        service.stopped().await;
        let service = Service::new(settings(self.folder.path(), &self.store.origin(), "")).start().await.unwrap();
        self.origin = Origin::parse(&format!("http://{}", service.address())).unwrap();
        self.service = Some(service);
    }

    /// One call with these headers.
    pub(crate) async fn call(&self, method: &str, path: &str, headers: &[(&str, &str)], body: &[u8]) -> Answer {
        let mut request = Request::builder().method(method).uri(path);
        for (name, value) in headers {
            request = request.header(*name, *value);
        }
        let request = request.body(Bytes::copy_from_slice(body)).unwrap();
        let answering = self.client.send(&self.origin, request, 1 << 20);
        let answer = tokio::time::timeout(PATIENCE, answering).await.unwrap().unwrap();
        // Who took the service away asks something else, which may know HTTP/1.1 alone.
        if self.service.is_some() {
            assert_eq!(answer.version, if is_second() { Version::HTTP_2 } else { Version::HTTP_11 });
        }
        answer
    }

    /// One call about `url` with `token`.
    pub(crate) async fn of(&self, method: &str, path: &str, url: &str, token: &str, body: &[u8]) -> Answer {
        self.call(method, path, &[("X-Storage-Url", url), ("X-Auth-Token", token)], body).await
    }

    /// Asks again and again, on a new connection each time, until it is answered: where a service has little patience with connections, one
    /// that this machine holds up is closed.
    pub(crate) async fn is_served(&self) {
        let asking = async {
            loop {
                let request = Request::head("/").body(Bytes::new()).unwrap();
                if let Ok(answer) = client().send(&self.origin, request, 1 << 16).await {
                    return answer.status;
                }
            }
        };
        assert_eq!(tokio::time::timeout(PATIENCE, asking).await.expect("others are served"), 204);
    }

    /// What it has to say to these very bytes, sent again and again on connections of their own until it says something, for the same reason.
    pub(crate) async fn raw_answer(&self, bytes: &[u8]) -> String {
        let mut answer = self.raw(bytes).await;
        for _ in 0..100 {
            if answer.is_empty() {
                answer = self.raw(bytes).await;
            }
        }
        answer
    }

    /// Sends these very bytes and reads until the other side is done.
    pub(crate) async fn raw(&self, bytes: &[u8]) -> String {
        let mut stream = tokio::net::TcpStream::connect(self.service.as_ref().unwrap().address()).await.unwrap();
        // Who has waited too long for them may have closed.
        let _ = stream.write_all(bytes).await;
        let mut answer = Vec::new();
        let read = stream.read_to_end(&mut answer);
        // A connection that is reset has said what it had to say.
        let _ = tokio::time::timeout(PATIENCE, read).await.expect("the service hung up");
        String::from_utf8_lossy(&answer).into_owned()
    }
}

/// A header of an answer.
pub(crate) fn header<'a>(answer: &'a Answer, name: &str) -> &'a str {
    answer.headers.get(name).map_or("", |value| value.to_str().unwrap())
}

/// Status and reason.
pub(crate) fn verdict(answer: &Answer) -> (u16, &str) {
    (answer.status, header(answer, "x-ickpt-reason"))
}
