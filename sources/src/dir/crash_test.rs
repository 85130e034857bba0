//! `kill -9` at any moment of a put.
//!
//! The test runs itself again as a child that puts as fast as it can and reports each name once its put has returned; the child is
//! killed, and what it left is looked at as the next process would.

use std::collections::HashSet;
use std::io::{BufRead, BufReader, Read, Write};
use std::process::{Command, Stdio};
use std::time::Duration;

use bytes::Bytes;
use futures::{StreamExt, TryStreamExt};
use object_store::{Attribute, MultipartUpload, ObjectMeta, ObjectStore, PutMode, PutMultipartOptions, PutOptions};

use super::staging::{SUFFIX, Staging};
use super::store::DirStore;
use super::testing::{Ahead, attributes, files_in, path, put, store_in, tree_at};
use crate::clock::{Clock, Entropy, SystemClock, SystemEntropy};
use crate::error::Fault;
use crate::fault_of::fault_of;

const CHILD: &str = "PLASTRON_TEST_CRASH_CHILD";
const ROUNDS: usize = 25;

/// What is in the object `name`: its size is in the name, its bytes follow from it.
fn content(name: &str) -> Bytes {
    let size: usize = name.rsplit('-').next().unwrap().parse().unwrap();
    let mut bytes = name.repeat(size / name.len() + 1).into_bytes();
    bytes.truncate(size);
    bytes.into()
}

async fn create(store: &DirStore, name: &str) -> object_store::Result<()> {
    let (bytes, attributes) = (content(name), attributes(&format!("1;{name}")));
    if name.contains("parts") {
        let options = PutMultipartOptions { attributes, ..Default::default() };
        let mut upload: Box<dyn MultipartUpload> = store.put_multipart_opts(&path(name), options).await?;
        let parts: Vec<_> = bytes.chunks(100_000).map(|part| upload.put_part(part.to_vec().into())).collect();
        futures::future::try_join_all(parts).await?;
        upload.complete().await.map(|_| ())
    } else {
        let mut options = PutOptions { attributes, ..PutMode::Create.into() };
        if name.contains("ahead") {
            let ahead = store.ahead().begin(&path(name)).unwrap();
            bytes.slice(..bytes.len() / 2).chunks(100_000).for_each(|part| {
                ahead.write(&[Bytes::copy_from_slice(part)]).unwrap();
            });
            options.extensions.insert(ahead);
        }
        store.put_opts(&path(name), bytes.into(), options).await.map(|_| ())
    }
}

/// Names that no other round or writer has.
fn names(round: &str, writer: usize) -> impl Iterator<Item = String> + use<> {
    let round = round.to_owned();
    (0..).map(move |index| {
        let size = [0, 1, 4096, 300_000, 1_500_000][index % 5];
        let how = ["parts", "whole", "ahead"][index % 3];
        format!("{how}/r{round}/{index}-{writer}-{size}")
    })
}

#[tokio::main(worker_threads = 2)]
async fn be_the_child(directory: &str, staging: Staging, round: &str) {
    let store = store_in(std::path::Path::new(directory), staging);
    let writers = (0..4).map(|writer| {
        let (store, names) = (store.clone(), names(round, writer));
        tokio::spawn(async move {
            for name in names {
                create(store.as_ref(), &name).await.unwrap();
                let mut out = std::io::stdout().lock();
                writeln!(out, "created {name}").unwrap();
                out.flush().unwrap();
            }
        })
    });
    futures::future::join_all(writers.collect::<Vec<_>>()).await;
}

#[test]
fn a_killed_writer_leaves_nothing_but_whole_objects() {
    if let Ok(order) = std::env::var(CHILD) {
        let (staging, rest) = order.split_once(' ').unwrap();
        let (round, directory) = rest.split_once(' ').unwrap();
        let staging = if staging == "named" { Staging::Named } else { Staging::Unnamed };
        return be_the_child(directory, staging, round);
    }
    let entropy = SystemEntropy::default();
    for (staging, word) in [(Staging::Unnamed, "unnamed"), (Staging::Named, "named")] {
        let directory = tempfile::tempdir().unwrap();
        let mut acknowledged: HashSet<String> = HashSet::new();
        let runtime = tokio::runtime::Runtime::new().unwrap();
        for round in 0..ROUNDS {
            let created =
                run_and_kill(directory.path(), word, round, Duration::from_micros(entropy.next_u64() % 60_000));
            assert!(!created.is_empty());
            acknowledged.extend(created.iter().cloned());
            runtime.block_on(async {
                let store = store_in(directory.path(), staging);
                let found = check(store.as_ref(), &format!("/r{round}/"), &created).await;
                // Whatever was under way can be put again, or turns out to be there whole.
                for writer in 0..4 {
                    let suffix = format!("-{writer}-");
                    let next = names(&round.to_string(), writer).find(|name| !created.contains(name)).unwrap();
                    assert!(next.contains(&suffix));
                    match create(store.as_ref(), &next).await {
                        Ok(()) => assert!(!found.contains(&next)),
                        Err(error) => {
                            assert!(matches!(fault_of(&error), Fault::ObjectExists), "{error}");
                            assert!(found.contains(&next));
                        }
                    }
                    acknowledged.insert(next);
                }
                acknowledged.extend(found);
            });
        }
        // Its threads remove the temporary files of this process's own creates: it ends when they have.
        drop(runtime);
        // Temporary files of the killed lie there, invisible, until they are stale.
        let temporary =
            |directory: &std::path::Path| files_in(directory).into_iter().filter(|file| file.ends_with(SUFFIX)).count();
        let now = temporary(directory.path());
        assert_eq!(now > 0, staging == Staging::Named, "{now} temporary files");
        assert_eq!(tree_at(directory.path(), staging, std::sync::Arc::new(SystemClock)).sweep().unwrap(), 0);
        let later = Ahead(super::sweep::STALE + Duration::from_secs(60));
        assert_eq!(tree_at(directory.path(), staging, std::sync::Arc::new(later)).sweep().unwrap(), now);
        assert_eq!(temporary(directory.path()), 0);
        let store = store_in(directory.path(), staging);
        tokio::runtime::Runtime::new().unwrap().block_on(async {
            check(store.as_ref(), "", &acknowledged).await;
            put(store.as_ref(), "afterwards", "x").await.unwrap();
        });
    }
}

/// Lets a child run for `time` after its first success; returns what it has reported.
fn run_and_kill(directory: &std::path::Path, staging: &str, round: usize, time: Duration) -> HashSet<String> {
    let mut child = Command::new(std::env::current_exe().unwrap())
        .args(["--exact", "dir::crash_test::a_killed_writer_leaves_nothing_but_whole_objects", "--nocapture"])
        .env(CHILD, format!("{staging} {round} {}", directory.display()))
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    let mut output = BufReader::new(child.stdout.take().unwrap());
    let name_in = |line: &str| line.split_once("created ").map(|(_, name)| name.to_owned());
    let mut first = None;
    while first.is_none() {
        let mut line = String::new();
        assert!(output.read_line(&mut line).unwrap() > 0, "the child creates something");
        first = name_in(line.trim_end());
    }
    let end = SystemClock.monotonic() + time;
    while SystemClock.monotonic() < end {
        std::thread::yield_now();
    }
    child.kill().unwrap();
    child.wait().unwrap();
    let mut rest = String::new();
    output.read_to_string(&mut rest).unwrap();
    // What has no newline was cut off by the kill.
    let lines = rest.split_inclusive('\n').filter_map(|line| line.strip_suffix('\n'));
    first.into_iter().chain(lines.filter_map(name_in)).collect()
}

/// Everything that is visible with `part` in its name is whole, and what was acknowledged is visible. Returns those names.
async fn check(store: &dyn ObjectStore, part: &str, acknowledged: &HashSet<String>) -> HashSet<String> {
    let found: Vec<ObjectMeta> = store.list(None).try_collect().await.unwrap();
    let names = found.into_iter().map(|meta| meta.location.to_string());
    let found: HashSet<String> = names.filter(|name| name.contains(part)).collect();
    let lost: Vec<_> = acknowledged.difference(&found).collect();
    assert!(lost.is_empty(), "lost: {lost:?}");
    futures::stream::iter(&found)
        .for_each_concurrent(8, |name| async move {
            let object = store.get_opts(&path(name), Default::default()).await.unwrap();
            let attribute = object.attributes.get(&Attribute::Metadata("plastron".into())).unwrap().to_string();
            assert_eq!(attribute, format!("1;{name}"));
            assert!(object.bytes().await.unwrap() == content(name), "{name} is not whole");
        })
        .await;
    found
}
