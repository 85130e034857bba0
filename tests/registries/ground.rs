//! What a database stands on: a directory, and whoever knows its latest checkpoint.

use std::any::Any;

use plastron::clock::{Entropy as _, SystemEntropy};
use plastron::{Store, StoreOptions};
use plastron_ickpt::stand_in::{StandIn, WRITER};
use plastron_ickpt::{ConfFile, Service, Settings};
use plastron_localstack::{Server, endpoint};
use tempfile::TempDir;

/// Prefixes for which `ickpt` has an object.
const PREFIXES: [&str; 3] = ["", "branch/", "twig/"];

/// The deadline of a machine on which everything takes its time.
const TIMEOUT: &str = "timeout=2min";

pub(crate) struct Ground {
    pub(crate) name: &'static str,
    directory: TempDir,
    registry: String,
    _servers: Box<dyn Any>,
}

/// A key or account that nobody else has.
fn fresh() -> String {
    format!("{:016x}", SystemEntropy::default().next_u64())
}

impl Ground {
    fn new(name: &'static str, registry: String, servers: Box<dyn Any>) -> Self {
        Self { name, directory: tempfile::tempdir().unwrap(), registry, _servers: servers }
    }

    pub(crate) fn bucket() -> Self {
        Self::new("bucket", "name=bucket".to_owned(), Box::new(()))
    }

    pub(crate) async fn ickpt() -> Self {
        let store = StandIn::start().await.unwrap();
        for prefix in PREFIXES {
            store.object(&format!("/v1/AUTH_db/volume/{prefix}checkpoint"), b"");
        }
        let storage_url = format!("{}/v1/AUTH_db/volume/{{prefix}}checkpoint", store.origin());
        let (mut servers, mut urls) = (Vec::new(), Vec::new());
        for _ in 0..3 {
            let folder = tempfile::tempdir().unwrap();
            let (path, origin) = (folder.path().display(), store.origin());
            let text = format!(
                "[ICKPT]\nIPAddr: 127.0.0.1\nPort: 0\nDataBasePath: {path}\nTransactionTimeout: 10m\nAllowedStorageOrigins: {origin}\n"
            );
            let settings = Settings::from_conf(&ConfFile::parse(&text).unwrap()).unwrap();
            let service = Service::new(settings).start().await.unwrap();
            urls.push(format!("\"http://{}\"", service.address()));
            servers.push((service, folder));
        }
        let urls = urls.join(",");
        let registry =
            format!("name=ickpt,urls=[{urls}],storage_url=\"{storage_url}\",auth_token=\"{WRITER}\",{TIMEOUT}");
        Self::new("ickpt", registry, Box::new((servers, store)))
    }

    pub(crate) async fn etcd() -> Self {
        let found = endpoint(Server::Etcd).await.unwrap();
        let urls: Vec<String> = found.other_urls.iter().map(|url| format!("\"{url}\"")).collect();
        let registry = format!("name=etcd,endpoints=[{}],key=\"{}/{{prefix}}\",{TIMEOUT}", urls.join(","), fresh());
        Self::new("etcd", registry, Box::new(()))
    }

    /// The store string of the database under `prefix`, with more settings behind it.
    pub(crate) fn text(&self, prefix: &str, more: &str) -> String {
        let Self { directory, registry, .. } = self;
        format!(
            "source=dir_store,bucket=\"{}\",bucket_prefix=\"{prefix}\",key_management=(name=mock),\
             page_log=(segment_size=64KB),registry=({registry},poll_least=5ms,poll_most=50ms){more}",
            directory.path().display()
        )
    }

    /// The database under `prefix`, as a new process sees it.
    pub(crate) async fn open(&self, prefix: &str) -> Store {
        Store::open(&self.text(prefix, "")).await.unwrap()
    }

    /// The same directory with another ground's registry.
    pub(crate) async fn open_with_registry_of(&self, other: &Self) -> Store {
        let mut options = StoreOptions::parse(&self.text("", "")).unwrap();
        options.registry = StoreOptions::parse(&other.text("", "")).unwrap().registry;
        Store::open_with(options).await.unwrap()
    }
}
