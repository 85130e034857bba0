//! Where a scenario runs.

use std::path::Path;

use futures::TryStreamExt;
use plastron::FileSystem;
use plastron_localstack::{Endpoint, Server, endpoint};
use plastron_sources::ErrorKind;
use tokio::runtime::Runtime;

use crate::settings::Settings;

const BUCKET: &str = "wiredtiger";
const OTHER_BUCKET: &str = "wiredtiger-other";

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Backend {
    Dir,
    On(Server),
}

/// A back end with its two buckets.
pub(crate) struct Place {
    pub(crate) settings: Settings,
    pub(crate) endpoint: Option<Endpoint>,
}

impl Backend {
    /// Buckets there, or `None` (said by name) where this machine cannot run the server. Directories are made in `home`.
    pub(crate) fn place(self, home: &Path) -> Option<Place> {
        let Self::On(server) = self else {
            let [one, two] = ["bucket-one", "bucket-two"].map(|name| home.join(name));
            std::fs::create_dir_all(&one).unwrap();
            std::fs::create_dir_all(&two).unwrap();
            let settings = Settings {
                store: "dir_store",
                bucket: one.display().to_string(),
                other_bucket: two.display().to_string(),
                auth_token: String::new(),
                load: String::new(),
            };
            return Some(Place { settings, endpoint: None });
        };
        let found = serve(server)?;
        Some(Place { settings: settings_at(&found, &found.url), endpoint: Some(found) })
    }
}

impl Place {
    /// Every object whose name begins with `prefix`, read whole, and so verified; their names.
    pub(crate) fn verified_names(&self, prefix: &str) -> Vec<String> {
        let store = match &self.endpoint {
            Some(found) => found.store_string(BUCKET, ""),
            None => format!("source=dir_store,bucket={:?}", self.settings.bucket),
        };
        runtime().block_on(async {
            let files = FileSystem::open(&format!("{store},checksums=required")).await.unwrap();
            let listed: Vec<_> = files.list(prefix).try_collect().await.unwrap();
            let mut names = Vec::new();
            for object in listed {
                let content = files.get(&object.name).await.unwrap();
                assert_eq!(content.len() as u64, object.size, "{}", object.name);
                names.push(object.name);
            }
            names
        })
    }
}

pub(crate) fn runtime() -> Runtime {
    tokio::runtime::Builder::new_multi_thread().worker_threads(1).enable_all().build().unwrap()
}

/// A server with its buckets, or `None` (said by name) where this machine cannot run it.
pub(crate) fn serve(server: Server) -> Option<Endpoint> {
    runtime().block_on(async {
        match endpoint(server).await {
            Ok(found) => {
                found.create_bucket(BUCKET).await.unwrap();
                found.create_bucket(OTHER_BUCKET).await.unwrap();
                Some(found)
            }
            Err(error) if error.kind() == ErrorKind::Unsupported => {
                println!("NOT RUN: {error}");
                None
            }
            Err(error) => panic!("{error}"),
        }
    })
}

/// The settings for a server, at its own address or through a proxy's.
pub(crate) fn settings_at(found: &Endpoint, url: &str) -> Settings {
    let auth_token = match found.server {
        Server::Azurite => azure_token(found, url, &found.secret_key),
        Server::Gcs => found.credentials_file.as_ref().unwrap().display().to_string(),
        _ => format!("{};{}", found.access_key, found.secret_key),
    };
    let (store, region, load) = match found.server {
        // The connection string has the address.
        Server::Azurite => ("azure_store", String::new(), String::new()),
        Server::Gcs => ("gcp_store", String::new(), format!("endpoint=\"{url}\"")),
        _ => ("s3_store", format!(";{}", found.region), format!("endpoint=\"{url}\"")),
    };
    let bucket = |name| format!("{name}{region}");
    Settings { store, bucket: bucket(BUCKET), other_bucket: bucket(OTHER_BUCKET), auth_token, load }
}

/// A connection string for Azurite with its key, or a shared access signature.
pub(crate) fn azure_token(found: &Endpoint, url: &str, key: &str) -> String {
    let account = &found.access_key;
    // A key is in Base64 and has no `&`; a shared access signature always has.
    let name = if key.contains('&') { "SharedAccessSignature" } else { "AccountKey" };
    let blob = if url == found.url { url.to_owned() } else { found.url_at(url) };
    format!("DefaultEndpointsProtocol=http;AccountName={account};{name}={key};BlobEndpoint={blob};")
}
