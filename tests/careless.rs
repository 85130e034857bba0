//! A store that ignores conditional creates is refused when it is opened, and one that cannot do them says so; and a user who may
//! not write is told which permission is missing.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::panic,
    clippy::print_stdout,
    clippy::disallowed_methods,
    reason = "this is all test code; clippy.toml exempts only what stands in test functions"
)]

use plastron_config::Config;
use plastron_localstack::{Server, endpoint};
use plastron_sources::{Bucket, BucketOptions, ErrorKind, Fault};

async fn open(store: &str) -> Result<Bucket, plastron_sources::Error> {
    Bucket::open(BucketOptions::from_config(&Config::parse_store(store).unwrap()).unwrap()).await
}

#[tokio::test]
async fn a_store_that_ignores_preconditions_is_refused() {
    let careless = endpoint(Server::Careless).await.unwrap();
    careless.create_bucket("careless").await.unwrap();
    let error = open(&careless.store_string("careless", "")).await.unwrap_err();
    assert!(matches!(error.fault(), Fault::Incapable(_)), "{error}");
    assert_eq!(error.kind(), ErrorKind::Unsupported);
    assert!(error.to_string().contains("condition"), "{error}");
    // Readers are let in; and before the first write it is looked at all the same.
    assert!(open(&format!("{},readonly=true", careless.store_string("careless", ""))).await.is_ok());
    let late = open(&format!("{},probe=first_write", careless.store_string("careless", ""))).await.unwrap();
    assert!(matches!(late.put("name", "x").await.unwrap_err().fault(), Fault::Incapable(_)));
}

#[tokio::test]
async fn swift_which_cannot_do_conditional_creates_is_refused() {
    let swift = endpoint(Server::Swift).await.unwrap();
    swift.create_bucket("conditional").await.unwrap();
    let error = open(&swift.store_string("conditional", "")).await.unwrap_err();
    assert!(matches!(error.fault(), Fault::Incapable(_)), "{error}");
}

#[tokio::test]
async fn who_may_only_read_is_told_so() {
    for server in [Server::SeaweedFs, Server::Azurite, Server::Gcs] {
        let found = endpoint(server).await.unwrap();
        found.create_bucket("probe").await.unwrap();
        let (key, secret) = found.read_only.clone().unwrap();
        let store = found.store_string_as("probe", "careless/", &key, &secret);
        let error = open(&store).await.unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Unauthorized, "{server}: {error}");
        assert!(matches!(error.fault(), Fault::Forbidden { .. }), "{server}: {error}");
        open(&format!("{store},readonly=true")).await.unwrap();
    }
}
