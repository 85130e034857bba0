//! A hundred thousand objects are listed in order, in bounded memory: in a directory and in memory; and on servers as many as can be
//! put there in a few seconds.
//!
//! Memory is measured in a process of its own, which this test program starts as itself: how much more it had at the most while it
//! listed than before.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::panic,
    clippy::print_stdout,
    reason = "a test says what it expects by failing, and what it measured and did not run"
)]

use std::process::Command;

use futures::{StreamExt as _, TryStreamExt as _, stream};
use plastron::{ErrorKind, FileSystem};
use plastron_localstack::{Server, endpoint};

/// Set in the process that is measured: how many objects there are, a space, and the store.
const TASK: &str = "PLASTRON_TEST_LISTING";

/// Bytes of one entry in memory, some three hundred with its allocations, times 100,000 is thirty times this.
const MOST_MIB: u64 = 10;

const MANY: u32 = 100_000;

/// In the order of their bytes, though not in that of their numbers.
fn name(number: u32) -> String {
    format!("db1/{:02x}/{number:06}.wt", number / 400)
}

/// A line of `/proc/self/status`, MiB.
fn memory(line: &str) -> u64 {
    let status = std::fs::read_to_string("/proc/self/status").unwrap();
    let found = status.lines().find_map(|found| found.strip_prefix(line)).unwrap();
    found.split_whitespace().next().unwrap().parse::<u64>().unwrap() >> 10
}

async fn fill(files: &FileSystem, count: u32) {
    let put = |number| async move { files.put(&name(number), "x").await.map(drop) };
    stream::iter(0..count).map(put).buffer_unordered(32).try_for_each(|()| async { Ok(()) }).await.unwrap();
}

/// Lists everything and says how many MiB that took.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn as_the_measured_process() {
    let Ok(task) = std::env::var(TASK) else { return };
    let (count, store) = task.split_once(' ').unwrap();
    let count: u32 = count.parse().unwrap();
    let files = FileSystem::open(store).await.unwrap();
    if store.starts_with("source=memory_store") {
        fill(&files, count).await;
    }
    // One page, so that connections and threads are there.
    assert_eq!(files.list("").take(1).try_collect::<Vec<_>>().await.unwrap().len(), 1);
    // From here on the peak counts anew.
    std::fs::write("/proc/self/clear_refs", "5").unwrap();
    let before = memory("VmRSS:");
    let mut names: Vec<String> = (0..count).map(name).collect();
    names.sort_unstable();
    let expected_mib = memory("VmRSS:") - before;
    let mut expected = names.iter();
    let mut listing = files.list("db1/");
    while let Some(entry) = listing.try_next().await.unwrap() {
        assert_eq!(Some(&entry.name), expected.next());
    }
    assert_eq!(expected.next(), None);
    println!("\nmebibytes={}", memory("VmHWM:").saturating_sub(before + expected_mib));
}

fn measure(store: &str, count: u32) {
    let mut command = Command::new(std::env::current_exe().unwrap());
    command.args(["--exact", "as_the_measured_process", "--nocapture"]).env(TASK, format!("{count} {store}"));
    let output = command.output().unwrap();
    let text = String::from_utf8_lossy(&output.stdout).into_owned() + &String::from_utf8_lossy(&output.stderr);
    let measured = text.lines().find_map(|line| line.strip_prefix("mebibytes=")).unwrap_or_else(|| panic!("{text}"));
    println!("{count} objects were listed with {measured} MiB");
    assert!(measured.parse::<u64>().unwrap() <= MOST_MIB, "{measured} MiB for {count} objects");
}

#[test]
fn memory_store() {
    measure("source=memory_store", MANY);
}

#[test]
fn directory() {
    let directory = tempfile::tempdir().unwrap();
    // Files of another program are objects too. Hard links are the cheapest of them; ext4 allows 65,000 of one.
    let mut first = None;
    for number in 0..MANY {
        let path = directory.path().join(name(number));
        match &first {
            Some(first) if number % 50_000 != 0 && std::fs::hard_link(first, &path).is_ok() => continue,
            _ => {}
        }
        std::fs::create_dir_all(path.parent().unwrap()).unwrap();
        if number % 50_000 == 0 {
            std::fs::write(&path, "x").unwrap();
            first = Some(path);
        } else {
            std::fs::hard_link(first.as_ref().unwrap(), path).unwrap();
        }
    }
    measure(&format!("source=dir_store,bucket=\"{}\",readonly=true", directory.path().display()), MANY);
}

fn on_server(server: Server, count: u32) {
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build().unwrap();
    let store = runtime.block_on(async {
        let found = match endpoint(server).await {
            Err(error) if error.kind() == ErrorKind::Unsupported => {
                println!("NOT RUN: {error}");
                return None;
            }
            found => found.unwrap(),
        };
        found.create_bucket("listing").await.unwrap();
        let store = format!("{},probe=off", found.store_string("listing", &format!("t{}/", std::process::id())));
        fill(&FileSystem::open(&store).await.unwrap(), count).await;
        Some(store)
    });
    if let Some(store) = store {
        measure(&store, count);
    }
}

#[test]
fn seaweedfs() {
    on_server(Server::SeaweedFs, 5_000);
}

#[test]
fn gcs() {
    on_server(Server::Gcs, 20_000);
}
