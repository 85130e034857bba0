//! Each server starts, answers, stops, and leaves neither a process nor a file.

#![allow(clippy::unwrap_used, clippy::indexing_slicing, reason = "a test says what it expects by failing")]

use std::path::{Path, PathBuf};

use object_store::aws::AmazonS3Builder;
use object_store::azure::MicrosoftAzureBuilder;
use object_store::gcp::GoogleCloudStorageBuilder;
use object_store::path::Path as Name;
use object_store::{ObjectStore, ObjectStoreExt, PutMode};
use plastron_localstack::{CacheFolder, Endpoint, Running, Server};

/// A store on `bucket` with the given keys.
fn store(endpoint: &Endpoint, bucket: &str, access_key: &str, secret_key: &str) -> Box<dyn ObjectStore> {
    match endpoint.server {
        Server::Azurite => Box::new(
            MicrosoftAzureBuilder::new()
                .with_container_name(bucket)
                .with_account(access_key)
                .with_access_key(secret_key)
                .with_endpoint(endpoint.url.clone())
                .with_allow_http(true)
                .build()
                .unwrap(),
        ),
        Server::Gcs | Server::Careless => Box::new(
            GoogleCloudStorageBuilder::new()
                .with_bucket_name(bucket)
                .with_service_account_path(endpoint.credentials_file.as_ref().unwrap().display().to_string())
                .with_client_options(object_store::ClientOptions::new().with_allow_http(true))
                .build()
                .unwrap(),
        ),
        _ => Box::new(
            AmazonS3Builder::new()
                .with_bucket_name(bucket)
                .with_endpoint(endpoint.url.clone())
                .with_region(endpoint.region.clone())
                .with_access_key_id(access_key)
                .with_secret_access_key(secret_key)
                .with_allow_http(true)
                .build()
                .unwrap(),
        ),
    }
}

/// The processes whose parent is `supervisor`, and theirs, as `/proc` shows them.
fn descendants(supervisor: u32) -> Vec<u32> {
    let mut found = Vec::new();
    for entry in std::fs::read_dir("/proc").unwrap().flatten() {
        let Some(process) = entry.file_name().to_str().and_then(|name| name.parse::<u32>().ok()) else { continue };
        let Ok(stat) = std::fs::read_to_string(entry.path().join("stat")) else { continue };
        let parent = stat.rsplit_once(')').unwrap().1.split_whitespace().nth(1).unwrap().parse::<u32>().unwrap();
        if parent == supervisor {
            found.push(process);
            found.extend(descendants(process));
        }
    }
    found
}

fn data_of(process: u32) -> PathBuf {
    std::fs::read_link(format!("/proc/{process}/cwd")).unwrap()
}

fn exists(process: u32) -> bool {
    Path::new(&format!("/proc/{process}")).exists()
}

async fn start(server: Server) -> Running {
    Running::start(server, &CacheFolder::from_environment().unwrap()).await.unwrap()
}

async fn starts_answers_stops(server: Server) {
    let running = start(server).await;
    let endpoint = running.endpoint().clone();
    endpoint.create_bucket("answers").await.unwrap();
    endpoint.create_bucket("answers").await.unwrap();

    let objects = store(&endpoint, "answers", &endpoint.access_key, &endpoint.secret_key);
    let name = Name::from("a/b c");
    objects.put(&name, "hello".into()).await.unwrap();
    assert_eq!(objects.get(&name).await.unwrap().bytes().await.unwrap(), "hello");
    let again = objects.put_opts(&name, "other".into(), PutMode::Create.into()).await;
    match server {
        Server::Careless => drop(again.unwrap()),
        Server::Swift => assert!(
            matches!(again, Err(object_store::Error::NotImplemented { .. } | object_store::Error::Generic { .. })),
            "{again:?}"
        ),
        _ => assert!(matches!(again, Err(object_store::Error::AlreadyExists { .. })), "{again:?}"),
    }

    if let Some((access, secret)) = &endpoint.read_only {
        let reader = store(&endpoint, "answers", access, secret);
        assert_eq!(reader.get(&name).await.unwrap().bytes().await.unwrap(), "hello");
        let denied = reader.put(&Name::from("denied"), "x".into()).await;
        assert!(matches!(denied, Err(object_store::Error::PermissionDenied { .. })), "{denied:?}");
    }
    if matches!(server, Server::SeaweedFs | Server::MotoAuth | Server::Swift) {
        let wrong = store(&endpoint, "answers", &endpoint.access_key, "wrong").get(&name).await;
        assert!(matches!(wrong, Err(object_store::Error::PermissionDenied { .. })), "{wrong:?}");
    }

    let supervisors = running.supervisors();
    let processes: Vec<u32> = supervisors.iter().flat_map(|supervisor| descendants(*supervisor)).collect();
    let data: Vec<PathBuf> = supervisors.iter().map(|supervisor| data_of(*supervisor)).collect();
    assert!(processes.len() >= supervisors.len());
    assert!(data.iter().all(|data| data.exists()));
    running.stop().await.unwrap();
    for process in supervisors.into_iter().chain(processes) {
        assert!(!exists(process), "process {process} of {server} is still there");
    }
    for data in data {
        assert!(!data.exists(), "{} of {server} is still there", data.display());
    }
    if let Some(file) = endpoint.credentials_file {
        assert!(!file.exists(), "{} of {server} is still there", file.display());
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn seaweedfs() {
    starts_answers_stops(Server::SeaweedFs).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn moto() {
    starts_answers_stops(Server::Moto).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn moto_with_authorization() {
    starts_answers_stops(Server::MotoAuth).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn azurite() {
    starts_answers_stops(Server::Azurite).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn gcs() {
    starts_answers_stops(Server::Gcs).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn careless() {
    starts_answers_stops(Server::Careless).await;
}
