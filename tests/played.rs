//! The main job on every back end: `plastron demo`, whose leaders and follower are processes of their own, one killed and one stalled.
//!
//! What it compares it says itself; here it is looked at that it ran to its end, and that nothing is left in the bucket.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::panic,
    reason = "a test says what it expects by failing"
)]
#![allow(clippy::print_stdout, reason = "what is not run")]

use std::process::Command;

use futures::TryStreamExt as _;
use plastron_localstack::{Server, endpoint};
use plastron_sources::{Bucket, BucketOptions, ErrorKind, ListOptions};

async fn play(server: Server) {
    let found = match endpoint(server).await {
        Ok(found) => found,
        Err(error) if error.kind() == ErrorKind::Unsupported => return println!("NOT RUN: {error}"),
        Err(error) => panic!("{error}"),
    };
    found.create_bucket("played").await.unwrap();
    let store = found.store_string("played", &format!("t{}/", std::process::id()));
    let files = tempfile::tempdir().unwrap();
    for (name, length) in [("a", 300_000), ("b", 0), ("c", 70_000), ("d/e", 16_384), ("d/f", 1)] {
        let path = files.path().join(name);
        std::fs::create_dir_all(path.parent().unwrap()).unwrap();
        std::fs::write(path, vec![7; length]).unwrap();
    }
    let mut demo = Command::new(env!("CARGO_BIN_EXE_plastron"));
    demo.args(["--json", "demo", "--input"]).arg(files.path()).env("PLASTRON_STORE", &store);
    let done = tokio::task::spawn_blocking(move || demo.output().unwrap()).await.unwrap();
    assert!(done.status.success(), "{server}: {}", String::from_utf8_lossy(&done.stderr));
    let record: serde_json::Value = serde_json::from_slice(&done.stdout).unwrap();
    assert_eq!(record["wrong"], serde_json::json!([]), "{server}");
    assert_eq!((&record["files"], &record["bytes"]), (&5.into(), &386_385.into()), "{server}");
    assert_eq!(record["compared"].as_array().unwrap().len(), 5, "{server}: {record}");
    let bucket = Bucket::open(BucketOptions::parse(&store).unwrap()).await.unwrap();
    let left: Vec<_> = bucket.system().list("plastron-demo-", ListOptions::default()).try_collect().await.unwrap();
    assert!(left.is_empty(), "{server}: {left:?}");
}

macro_rules! played_on {
    ($($name:ident: $server:expr;)*) => {$(
        #[tokio::test]
        async fn $name() {
            play($server).await;
        }
    )*};
}

played_on! {
    seaweedfs: Server::SeaweedFs;
    moto: Server::Moto;
    localstack: Server::LocalStack;
    azurite: Server::Azurite;
    gcs: Server::Gcs;
}
