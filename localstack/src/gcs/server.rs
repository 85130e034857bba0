//! Starting, serving and stopping.

use std::net::{Ipv4Addr, SocketAddr};
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex};
use std::time::SystemTime;

use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper_util::rt::TokioIo;
use plastron_sources::clock::{Clock as _, SystemClock};
use tokio::net::{TcpListener, TcpStream};
use tokio::task::JoinSet;

use super::access::Access;
use super::account::Account;
use super::service::{Shared, serve};
use super::table::Table;
use crate::background::{self, BackgroundTask};
use crate::endpoint::Endpoint;
use crate::error::{Context as _, Result};
use crate::janitor::Janitor;
use crate::process::data_directory;
use crate::server::Server;

/// The name of the service account.
const ACCOUNT: &str = "tester@plastron-test.iam.gserviceaccount.com";

/// The name of the one that may only list and read.
const READER: &str = "reader@plastron-test.iam.gserviceaccount.com";

/// Connections served at once; more wait to be accepted.
const MAX_CONNECTIONS: usize = 1024;

/// How a [`GcsServer`] behaves.
#[derive(Debug)]
pub struct GcsBuilder {
    token: String,
    anonymous: bool,
    careless: bool,
    limit: u64,
    accounts: bool,
    md5: bool,
}

impl GcsBuilder {
    /// The bearer token that is right. Default `plastron-test-token`.
    #[must_use]
    pub fn token(mut self, token: impl Into<String>) -> Self {
        self.token = token.into();
        self
    }

    /// Whether requests without a token (or with an empty one) are let in. Default true; a wrong token never is.
    #[must_use]
    pub fn anonymous(mut self, allowed: bool) -> Self {
        self.anonymous = allowed;
        self
    }

    /// Whether every precondition is ignored, as some stores do. Default false.
    #[must_use]
    pub fn careless(mut self, careless: bool) -> Self {
        self.careless = careless;
        self
    }

    /// Whether service-account files with keys are written ([`GcsServer::signed_credentials_file`]), which takes the making of
    /// three RSA keys. Default false.
    #[must_use]
    pub fn accounts(mut self, accounts: bool) -> Self {
        self.accounts = accounts;
        self
    }

    /// Whether every object has an MD5, which takes 1.5 ms a MiB. Default true. Without, all objects look like Google's composite ones; for
    /// measurements, in which the server's work should not be what is measured.
    #[must_use]
    pub fn md5(mut self, md5: bool) -> Self {
        self.md5 = md5;
        self
    }

    /// How many bytes of objects and parts it holds at the most; uploads beyond are refused with 507. Default 4 GiB.
    #[must_use]
    pub fn limit(mut self, bytes: u64) -> Self {
        self.limit = bytes;
        self
    }

    /// Starts it on a free loopback port, on threads of its own.
    ///
    /// # Errors
    /// `Unavailable` when no port can be bound or no temporary file written.
    pub async fn start(self) -> Result<GcsServer> {
        background::run(self.start_here()).await
    }

    async fn start_here(self) -> Result<GcsServer> {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await.context(|| "bind a port for gcs".into())?;
        let address = listener.local_addr().context(|| "read the port of gcs".into())?;
        let files = Janitor::new(data_directory("gcs")?)?;
        let credentials_file = files.directory().join("service-account.json");
        let account = serde_json::json!({
            "type": "service_account",
            "gcs_base_url": format!("http://{address}"),
            "disable_oauth": true,
            "client_email": "",
            "private_key": "",
            "private_key_id": "",
        });
        tokio::fs::write(&credentials_file, account.to_string())
            .await
            .context(|| format!("write {}", credentials_file.display()))?;
        let (mut account, mut reader, mut signed_files) = (None, None, None);
        if self.accounts {
            let directory = files.directory();
            let files = SignedFiles {
                signed: directory.join("signed.json"),
                foreign: directory.join("foreign.json"),
                reader: directory.join("reader.json"),
            };
            let url = format!("http://{address}");
            account = Some(Account::create(ACCOUNT, &url, &files.signed).await?);
            reader = Some(Account::create(READER, &url, &files.reader).await?);
            // The same name with another key: its public half is thrown away.
            Account::create(ACCOUNT, &url, &files.foreign).await?;
            signed_files = Some(files);
        }
        // As at Google, generations are microseconds since 1970, so that no two servers share one.
        let now = SystemClock.wall().duration_since(SystemTime::UNIX_EPOCH).unwrap_or_default();
        let generation = u64::try_from(now.as_micros()).unwrap_or_default();
        let shared = Arc::new(Shared {
            table: Mutex::new(Table::new(generation, self.limit, self.careless)),
            access: Access { token: self.token.clone(), account, reader, anonymous: self.anonymous },
            careless: self.careless,
            md5: self.md5,
        });
        let task = BackgroundTask::spawn(accept(listener, shared))?;
        Ok(GcsServer {
            address,
            careless: self.careless,
            token: self.token,
            credentials_file,
            signed_files,
            task,
            files,
        })
    }
}

/// Where the service-account files with keys are.
#[derive(Debug)]
struct SignedFiles {
    signed: PathBuf,
    foreign: PathBuf,
    reader: PathBuf,
}

/// A running server; dropping it stops it.
#[derive(Debug)]
pub struct GcsServer {
    address: SocketAddr,
    careless: bool,
    token: String,
    credentials_file: PathBuf,
    signed_files: Option<SignedFiles>,
    task: BackgroundTask,
    files: Janitor,
}

impl GcsServer {
    /// Begins to describe a server.
    pub fn builder() -> GcsBuilder {
        GcsBuilder {
            token: "plastron-test-token".into(),
            anonymous: true,
            careless: false,
            limit: 4 << 30,
            accounts: false,
            md5: true,
        }
    }

    /// Its base URL, without a trailing slash.
    pub fn url(&self) -> String {
        format!("http://{}", self.address)
    }

    /// The bearer token it takes.
    pub fn token(&self) -> &str {
        &self.token
    }

    /// A service-account file that leads here without a token (`disable_oauth`); removed when the server stops.
    pub fn credentials_file(&self) -> &Path {
        &self.credentials_file
    }

    /// A service-account file with a key: clients send a token that they sign with it, and the server checks that. None unless
    /// [`GcsBuilder::accounts`] was asked for.
    pub fn signed_credentials_file(&self) -> Option<&Path> {
        self.signed_files.as_ref().map(|files| files.signed.as_path())
    }

    /// The same for the same account with a key that the server does not know: everything is refused with 401.
    pub fn foreign_credentials_file(&self) -> Option<&Path> {
        self.signed_files.as_ref().map(|files| files.foreign.as_path())
    }

    /// A file with the key of an account that may list and read: everything else is refused with 403.
    pub fn reader_credentials_file(&self) -> Option<&Path> {
        self.signed_files.as_ref().map(|files| files.reader.as_path())
    }

    /// It as an endpoint, with all its credentials. It is not stopped when that is dropped.
    pub fn endpoint(&self) -> Endpoint {
        let mut endpoint = Endpoint::new(if self.careless { Server::Careless } else { Server::Gcs }, self.url());
        endpoint.secret_key = self.token().to_owned();
        endpoint.credentials_file = Some(self.credentials_file().to_owned());
        endpoint.signed_credentials_file = self.signed_credentials_file().map(Into::into);
        endpoint.foreign_credentials_file = self.foreign_credentials_file().map(Into::into);
        // The file has the key in it; there is no second part.
        endpoint.read_only = self.reader_credentials_file().map(|file| (file.display().to_string(), String::new()));
        endpoint
    }

    /// Stops accepting, ends all connections and forgets everything.
    pub async fn stop(self) {
        self.task.stop().await;
        self.files.finish().await;
    }
}

async fn accept(listener: TcpListener, shared: Arc<Shared>) {
    let mut connections = JoinSet::new();
    loop {
        while connections.len() >= MAX_CONNECTIONS {
            connections.join_next().await;
        }
        tokio::select! {
            accepted = listener.accept() => {
                // An error here is a connection that went away before it was accepted, or no file descriptors left for now.
                if let Ok((stream, _)) = accepted {
                    connections.spawn(connection(stream, Arc::clone(&shared)));
                }
            }
            _ = connections.join_next(), if !connections.is_empty() => {}
        }
    }
}

async fn connection(stream: TcpStream, shared: Arc<Shared>) {
    let _ = stream.set_nodelay(true);
    let service = service_fn(move |request| serve(Arc::clone(&shared), request));
    // What ends a connection early is the client's business: it sees it too.
    let _ = http1::Builder::new().serve_connection(TokioIo::new(stream), service).await;
}
