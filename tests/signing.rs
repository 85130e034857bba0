//! Swift's `s3api` checks what other emulators do not: region and service of the signature's scope, and that the body is the one whose
//! hash was signed. So whatever it accepts is signed right, and what is signed wrong it refuses.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::panic,
    clippy::print_stdout,
    clippy::disallowed_methods,
    reason = "this is all test code; clippy.toml exempts only what stands in test functions"
)]

#[path = "support/bare.rs"]
mod bare;

use futures::TryStreamExt;
use plastron_config::Config;
use plastron_localstack::{Endpoint, Server, endpoint};
use plastron_sources::{Bucket, BucketOptions, ErrorKind, Fault};

async fn swift() -> (Endpoint, String) {
    let swift = endpoint(Server::Swift).await.unwrap();
    swift.create_bucket("signing").await.unwrap();
    // Swift has no conditional PUT, so the proof of one is left out here and nowhere else.
    let store = format!("{},readonly=true", swift.store_string("signing", &format!("s{}/", std::process::id())));
    (swift, store)
}

async fn open(store: &str) -> Result<Bucket, plastron_sources::Error> {
    Bucket::open(BucketOptions::from_config(&Config::parse_store(store).unwrap()).unwrap()).await
}

#[tokio::test]
async fn reads_lists_and_heads_are_signed_right() {
    let (swift, store) = swift().await;
    let prefix = format!("s{}/", std::process::id());
    let names = ["plain", "with space", "per%cent", "pl+us", "ha#sh", "Schildkröte", "a/b/c", "q?a=b&c", "~*'()"];
    for name in names {
        bare::overwrite(&swift, "signing", &format!("{prefix}{name}"), name.as_bytes()).await;
    }
    let bucket = open(&store).await.unwrap();
    for name in names {
        let object = bucket.open_object(name).await.unwrap_or_else(|error| panic!("{error}"));
        assert_eq!(object.read(0..object.size()).await.unwrap(), name.as_bytes(), "{name}");
        assert_eq!(object.read(1..3).await.unwrap(), name.as_bytes()[1..3], "{name}");
    }
    let listed: Vec<_> = bucket.list("", Default::default()).try_collect().await.unwrap();
    assert_eq!(listed.len(), names.len());
    assert_eq!(bucket.head("missing").await.unwrap_err().kind(), ErrorKind::NotFound);
}

#[tokio::test]
async fn writes_and_deletes_are_signed_right() {
    let (_, store) = swift().await;
    let writable = store.replace("readonly=true", "probe=off,part_size=5MB");
    let bucket = open(&writable).await.unwrap();
    // Swift refuses the condition itself (501), after it has accepted the signature and the body's hash.
    for data in [vec![1; 10], vec![2; 70_000]] {
        let error = bucket.put("conditional", data).await.unwrap_err();
        assert!(!matches!(error.kind(), ErrorKind::Unauthorized), "{error}");
        assert!(error.to_string().contains("501") || error.to_string().contains("NotImplemented"), "{error}");
    }
}

#[tokio::test]
async fn wrong_region_and_wrong_secret_are_refused_and_named() {
    let (swift, store) = swift().await;
    let elsewhere = store.replace(&format!(";{}", swift.region), ";eu-west-9");
    assert_ne!(elsewhere, store);
    let error = open(&elsewhere).await.unwrap_err();
    assert!(matches!(error.fault(), Fault::WrongRegion { .. }), "{error}");
    let error =
        open(&format!("{},readonly=true", swift.store_string_as("signing", "x/", &swift.access_key, "not-the-secret")))
            .await
            .unwrap_err();
    assert!(matches!(error.fault(), Fault::WrongSecret { .. }), "{error}");
    let error = open(&format!("{},readonly=true", swift.store_string_as("signing", "x/", "nobody", &swift.secret_key)))
        .await
        .unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Unauthorized, "{error}");
}
