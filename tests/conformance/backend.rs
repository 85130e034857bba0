//! A back end to run the suite on, and a bucket of its own on it for each test.

use std::sync::atomic::{AtomicU32, Ordering};

use plastron_config::Config;
use plastron_localstack::{Endpoint, Server, endpoint};
use plastron_sources::{Bucket, BucketOptions, ErrorKind};

/// What the suite runs on.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Backend {
    Memory,
    Dir,
    SeaweedFs,
    Moto,
    LocalStack,
    Azurite,
    Gcs,
}

impl Backend {
    /// The server behind it, if it needs one.
    pub(crate) fn server(self) -> Option<Server> {
        match self {
            Self::Memory | Self::Dir => None,
            Self::SeaweedFs => Some(Server::SeaweedFs),
            Self::Moto => Some(Server::Moto),
            Self::LocalStack => Some(Server::LocalStack),
            Self::Azurite => Some(Server::Azurite),
            Self::Gcs => Some(Server::Gcs),
        }
    }

    /// Whether contended conditional writes of this server stall for seconds, so that there are few races on it.
    pub(crate) fn is_slow_in_races(self) -> bool {
        self == Self::SeaweedFs
    }
}

/// A back end with a bucket for one test.
#[derive(Debug)]
pub(crate) struct Place {
    pub(crate) backend: Backend,
    /// Opens the bucket; more settings can be appended.
    pub(crate) store: String,
    /// The server, if there is one.
    pub(crate) endpoint: Option<Endpoint>,
    /// The bucket's name (or directory), without a prefix.
    pub(crate) bucket_name: String,
    /// The prefix of this test.
    pub(crate) prefix: String,
    _directory: Option<tempfile::TempDir>,
}

impl Place {
    /// A bucket on `backend` that no other test uses.
    async fn prepare(backend: Backend) -> Option<Self> {
        static NEXT: AtomicU32 = AtomicU32::new(0);
        let prefix = format!("t{}-{}/", std::process::id(), NEXT.fetch_add(1, Ordering::Relaxed));
        let mut place = Self {
            backend,
            store: String::new(),
            endpoint: None,
            bucket_name: "conformance".to_owned(),
            prefix: prefix.clone(),
            _directory: None,
        };
        match backend.server() {
            None if backend == Backend::Memory => place.store = "source=memory_store,bucket=conformance".to_owned(),
            None => {
                let directory = tempfile::tempdir().unwrap();
                place.bucket_name = directory.path().join("bucket").display().to_string();
                place.store = format!("source=dir_store,bucket=\"{}\"", place.bucket_name);
                place._directory = Some(directory);
            }
            Some(server) => {
                let found = match endpoint(server).await {
                    Ok(found) => found,
                    Err(error) if error.kind() == ErrorKind::Unsupported => {
                        println!("NOT RUN: {error}");
                        return None;
                    }
                    Err(error) => panic!("{error}"),
                };
                found.create_bucket(&place.bucket_name).await.unwrap();
                place.store = found.store_string(&place.bucket_name, &prefix);
                place.endpoint = Some(found);
            }
        }
        Some(place)
    }

    /// The options that open the bucket, with `more` settings.
    pub(crate) fn options(&self, more: &str) -> BucketOptions {
        options(&format!("{},{more}", self.store))
    }

    /// Opens the bucket with small parts, so that large objects are cheap.
    pub(crate) async fn open(&self) -> Bucket {
        self.open_with("").await
    }

    /// The same with `more` settings.
    pub(crate) async fn open_with(&self, more: &str) -> Bucket {
        Bucket::open(self.options(&format!("part_size=5MB,{more}"))).await.unwrap_or_else(|error| panic!("{error}"))
    }

    /// The store string of the same bucket through `address`, such as a fault proxy's.
    pub(crate) fn store_at(&self, address: &str) -> String {
        self.endpoint.as_ref().unwrap().store_string_at(address, &self.bucket_name, &self.prefix)
    }
}

/// The options that a store string stands for.
pub(crate) fn options(store: &str) -> BucketOptions {
    Config::parse_store(store)
        .map_err(|error| error.to_string())
        .and_then(|config| BucketOptions::from_config(&config).map_err(|error| error.to_string()))
        .unwrap_or_else(|error| panic!("{store}: {error}"))
}

/// Runs `test` in a bucket of its own on `backend`.
pub(crate) fn run<F>(backend: Backend, test: impl FnOnce(Place) -> F)
where
    F: Future<Output = ()>,
{
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build().unwrap();
    runtime.block_on(async {
        if let Some(place) = Place::prepare(backend).await {
            test(place).await;
        }
    });
}

/// Bytes that differ from block to block and from seed to seed.
pub(crate) fn body(length: usize, seed: u64) -> Vec<u8> {
    let mut state = seed.wrapping_mul(0x9e37_79b9_7f4a_7c15) | 1;
    let mut bytes = Vec::with_capacity(length + 8);
    while bytes.len() < length {
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        bytes.extend_from_slice(&state.to_le_bytes());
    }
    bytes.truncate(length);
    bytes
}

/// The whole object, through an ordinary open and read.
pub(crate) async fn read_whole(bucket: &Bucket, name: &str) -> Vec<u8> {
    let object = bucket.open_object(name).await.unwrap_or_else(|error| panic!("{error}"));
    object.read(0..object.size()).await.unwrap_or_else(|error| panic!("{error}")).to_vec()
}

/// The names under `prefix`, in the order of the listing.
pub(crate) async fn names(bucket: &Bucket, prefix: &str) -> Vec<String> {
    use futures::TryStreamExt;
    let entries: Vec<_> =
        bucket.list(prefix, Default::default()).try_collect().await.unwrap_or_else(|error| panic!("{error}"));
    entries.iter().map(|entry| entry.name().to_owned()).collect()
}
