//! Several creators, removers and readers of the same names at once.

use std::collections::HashSet;
use std::sync::Arc;

use bytes::Bytes;
use futures::TryStreamExt;
use object_store::{GetOptions, ObjectStore, ObjectStoreExt};

use super::store::DirStore;
use super::testing::{STAGINGS, path, put, store_in};
use crate::error::Fault;
use crate::fault_of::fault_of;

const CREATORS: usize = 24;

/// Half of the creators share one opened bucket, the others have one each, as other processes would.
fn stores(directory: &std::path::Path, staging: super::staging::Staging) -> Vec<Arc<DirStore>> {
    let shared = store_in(directory, staging);
    let alone = |index| if index % 2 == 0 { Arc::clone(&shared) } else { store_in(directory, staging) };
    (0..CREATORS).map(alone).collect()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn of_24_creators_one_wins() {
    for staging in STAGINGS {
        let directory = tempfile::tempdir().unwrap();
        let stores = stores(directory.path(), staging);
        for round in 0..20 {
            let name = format!("deep/{round}/way/turtle");
            let tasks: Vec<_> = (0..CREATORS)
                .map(|index| {
                    let (store, name) = (Arc::clone(&stores[index]), name.clone());
                    tokio::spawn(async move {
                        let content = format!("by {index}").repeat(1 + index * 100);
                        if index % 3 > 0 {
                            return put(store.as_ref(), &name, content).await.map(|_| index);
                        }
                        let mut upload = store.put_multipart(&path(&name)).await?;
                        upload.put_part(content.into()).await?;
                        upload.complete().await.map(|_| index)
                    })
                })
                .collect();
            let mut winners = Vec::new();
            for task in tasks {
                match task.await.unwrap() {
                    Ok(index) => winners.push(index),
                    Err(error) => assert!(matches!(fault_of(&error), Fault::ObjectExists), "{error}"),
                }
            }
            let [winner] = winners[..] else { panic!("{} winners", winners.len()) };
            let found = stores[0].get(&path(&name)).await.unwrap().bytes().await.unwrap();
            assert_eq!(found, format!("by {winner}").repeat(1 + winner * 100));
        }
    }
}

/// Creating and removing the only object of a directory, so that directories come and go all the time: every create succeeds, and
/// what was created is there until its creator removes it.
#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn vanishing_directories_lose_nothing() {
    for staging in STAGINGS {
        let directory = tempfile::tempdir().unwrap();
        let stores = stores(directory.path(), staging);
        let tasks: Vec<_> = (0..8)
            .map(|index| {
                let store = Arc::clone(&stores[index]);
                tokio::spawn(async move {
                    for round in 0..60 {
                        // The same few directories for all, another name for each.
                        let name = format!("a/{}/{index}", round % 3);
                        put(store.as_ref(), &name, name.clone()).await.unwrap();
                        assert_eq!(store.get(&path(&name)).await.unwrap().bytes().await.unwrap(), name);
                        store.delete(&path(&name)).await.unwrap();
                        assert!(store.head(&path(&name)).await.is_err());
                    }
                })
            })
            .collect();
        for task in tasks {
            task.await.unwrap();
        }
        assert!(stores[0].list(None).try_collect::<Vec<_>>().await.unwrap().is_empty());
        assert!(!directory.path().join("a").exists(), "empty directories are removed");
    }
}

/// `a` against `a/b`, with removals: both never exist together, and every refusal is one of the two expected ones.
#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn a_name_and_one_below_it_never_exist_together() {
    let directory = tempfile::tempdir().unwrap();
    let stores = stores(directory.path(), STAGINGS[0]);
    let tasks: Vec<_> = (0..8)
        .map(|index| {
            let store = Arc::clone(&stores[index]);
            tokio::spawn(async move {
                let (mine, other) = if index % 2 == 0 { ("a", "a/b") } else { ("a/b", "a") };
                let mut created = 0;
                for _ in 0..60 {
                    match put(store.as_ref(), mine, "x").await {
                        Ok(_) => {
                            created += 1;
                            assert!(store.head(&path(other)).await.is_err());
                            store.delete(&path(mine)).await.unwrap();
                        }
                        Err(error) => {
                            let fault = fault_of(&error);
                            assert!(matches!(fault, Fault::ObjectExists | Fault::Name { .. }), "{fault}");
                        }
                    }
                }
                created
            })
        })
        .collect();
    let mut created = 0;
    for task in tasks {
        created += task.await.unwrap();
    }
    assert!(created > 0);
    assert!(stores[0].list(None).try_collect::<Vec<_>>().await.unwrap().is_empty());
}

/// Readers that poll for names while they are being written see each whole or not at all, by whatever way they look.
#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn readers_never_see_a_part_of_an_object() {
    const SIZE: usize = 3 << 20;
    for staging in STAGINGS {
        let directory = tempfile::tempdir().unwrap();
        let (writer, reader) = (store_in(directory.path(), staging), store_in(directory.path(), staging));
        let (begun, begins) = tokio::sync::oneshot::channel();
        let polling = tokio::spawn(async move {
            let mut begun = Some(begun);
            let mut seen = HashSet::new();
            while seen.len() < 12 {
                for index in 0..12 {
                    let name = path(&format!("objects/{index}"));
                    match reader.get(&name).await {
                        Ok(found) => {
                            assert!(!found.attributes.is_empty());
                            let bytes = found.bytes().await.unwrap();
                            assert_eq!(bytes.len(), SIZE);
                            assert!(bytes.iter().all(|byte| *byte == index));
                            seen.insert(index);
                            let size = SIZE as u64;
                            let ends = reader.get_ranges(&name, &[0..5, size - 5..size]).await.unwrap();
                            assert_eq!(ends, [vec![index; 5], vec![index; 5]]);
                        }
                        Err(object_store::Error::NotFound { .. }) => {}
                        Err(error) => panic!("{error}"),
                    }
                }
                for meta in reader.list(None).try_collect::<Vec<_>>().await.unwrap() {
                    assert_eq!(meta.size, SIZE as u64, "{}", meta.location);
                }
                if let Some(begun) = begun.take() {
                    assert!(seen.is_empty(), "nothing has been written");
                    begun.send(()).unwrap();
                }
            }
        });
        begins.await.unwrap();
        for index in 0..12u8 {
            let attributes = super::testing::attributes("1;whole");
            let (name, content) = (path(&format!("objects/{index}")), Bytes::from(vec![index; SIZE]));
            if index % 2 == 0 {
                let mut options = object_store::PutOptions::from(object_store::PutMode::Create);
                options.attributes = attributes;
                writer.put_opts(&name, content.into(), options).await.unwrap();
            } else {
                let options = object_store::PutMultipartOptions { attributes, ..Default::default() };
                let mut upload = writer.put_multipart_opts(&name, options).await.unwrap();
                let parts: Vec<_> = content.chunks(1 << 20).map(|part| upload.put_part(part.to_vec().into())).collect();
                futures::future::try_join_all(parts).await.unwrap();
                upload.complete().await.unwrap();
            }
            assert!(writer.get_opts(&name, GetOptions::new().with_head(true)).await.is_ok());
        }
        polling.await.unwrap();
    }
}
