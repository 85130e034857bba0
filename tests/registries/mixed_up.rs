//! Registries and buckets that don't belong together are refused, and nothing is written.

use plastron::ErrorKind;
use plastron::checkpoint::{CheckpointRequest, Leader};
use plastron::page_log::PutArgs;
use plastron::{Error, Store};

use crate::ground::Ground;

async fn begin(store: Store) -> Leader {
    let leader = store.leader().await.unwrap();
    leader.table(1).unwrap().put(1, PutArgs::full(), "a").await.unwrap();
    leader.checkpoint(CheckpointRequest::default()).await.unwrap();
    leader
}

async fn refusals(store: &Store) -> [Error; 2] {
    [store.leader().await.unwrap_err(), store.follower().await.unwrap_err()]
}

#[tokio::test]
async fn another_registry_than_the_database_has_is_refused() {
    let (bucket, ickpt, etcd) = (Ground::bucket(), Ground::ickpt().await, Ground::etcd().await);
    for ground in [&bucket, &ickpt, &etcd] {
        let leader = begin(ground.open("").await).await;
        for other in [Ground::bucket(), Ground::ickpt().await, Ground::etcd().await] {
            if other.name == "bucket" && ground.name == "bucket" {
                continue;
            }
            for error in refusals(&ground.open_with_registry_of(&other).await).await {
                let said = error.to_string();
                if other.name == "bucket" {
                    assert_eq!(error.kind(), ErrorKind::Unsupported, "{said}");
                    assert!(said.contains("another registry knows the latest turtle"), "{said}");
                } else {
                    assert_eq!(error.kind(), ErrorKind::Invalid, "{said}");
                    assert!(said.contains("it knows of no database"), "{said}");
                }
            }
        }
        // Nobody was fenced.
        leader.checkpoint(CheckpointRequest::default()).await.unwrap();
    }
}

#[tokio::test]
async fn the_place_of_another_database_is_refused() {
    for (mine, theirs) in [(Ground::ickpt().await, Ground::bucket()), (Ground::etcd().await, Ground::bucket())] {
        let leader = begin(mine.open("").await).await;
        for error in refusals(&theirs.open_with_registry_of(&mine).await).await {
            assert_eq!(error.kind(), ErrorKind::Invalid, "{error}");
            assert!(error.to_string().contains("it is another database's"), "{error}");
        }
        leader.checkpoint(CheckpointRequest::default()).await.unwrap();
    }
}

#[tokio::test]
async fn a_database_is_forgotten_when_it_is_gone_and_not_before() {
    use futures::TryStreamExt as _;
    for ground in [Ground::ickpt().await, Ground::etcd().await] {
        let store = ground.open("").await;
        drop(begin(store.clone()).await);
        let error = store.forget_database().await.unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Invalid, "{error}");
        let bucket = store.bucket().system();
        let all: Vec<_> = bucket.list("", plastron::ListOptions::default()).try_collect().await.unwrap();
        for entry in all {
            bucket.delete(entry.name()).await.unwrap();
        }
        let error = ground.open("").await.leader().await.unwrap_err();
        assert!(error.to_string().contains("it is another database's"), "{error}");
        for _ in 0..2 {
            store.forget_database().await.unwrap();
        }
        drop(begin(ground.open("").await).await);
    }
}
