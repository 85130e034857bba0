//! Several processes on one directory. The test program starts itself again as the other processes.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::panic,
    clippy::print_stdout,
    clippy::print_stderr,
    reason = "a test fails by panicking and may print"
)]

mod support;

use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::sync::Arc;

use plastron_cache::{Cache, CacheOptions, CacheStats, Priority, decode_block_file};
use support::{Origin, open};

const BLOCK: u64 = 64 << 10;
const SIZE: u64 = 6 << 20;

/// Set for the processes that are started: the directory they work on.
const DIRECTORY: &str = "PLASTRON_CACHE_TEST_DIRECTORY";
/// And which one they are.
const NUMBER: &str = "PLASTRON_CACHE_TEST_NUMBER";

fn cache(directory: &Path) -> Cache {
    let mut options = CacheOptions::new();
    options.directory = Some(directory.to_owned());
    options.block_size = BLOCK;
    options.size = SIZE;
    options.memory = 0;
    options.index_memory = Some(0);
    options.min_free = Some(0);
    Cache::open(options, tokio::runtime::Handle::current()).unwrap()
}

/// Reads the same few objects over and over in a random order, which is another one for each process.
async fn work(directory: &Path, number: u64, rounds: u64) -> (CacheStats, usize) {
    let cache = cache(directory);
    let origins: Vec<_> = (0..8).map(|seed| Origin::new(seed, 1_500_000)).collect();
    let mut state = number.wrapping_mul(0x9e37_79b9_7f4a_7c15) | 1;
    for _ in 0..rounds {
        state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        let origin: &Arc<Origin> = &origins[(state >> 40) as usize % origins.len()];
        let (object, fetch) = open(&cache, origin);
        let at = (state >> 20) % (origin.size - 1);
        let range = at..(at + 1 + (state >> 45)).min(origin.size);
        origin.check(range.clone(), &object.read(&fetch, range, Priority::Data).await.unwrap());
        if state >> 56 == 0 {
            cache.invalidate(origin.id()).await;
        }
    }
    cache.flush().await;
    (cache.stats(), origins.iter().map(|origin| origin.requests()).sum())
}

/// What the other processes run; without the variables it has nothing to do.
#[tokio::test(flavor = "multi_thread")]
async fn as_another_process() {
    let Ok(directory) = std::env::var(DIRECTORY) else { return };
    let number = std::env::var(NUMBER).unwrap().parse().unwrap();
    let (stats, _) = work(Path::new(&directory), number, 1500).await;
    assert_eq!((stats.disk_corrupt, stats.disk_write_errors), (0, 0), "{stats}");
    println!("{stats}");
}

fn start(directory: &Path, number: u64) -> Child {
    Command::new(std::env::current_exe().unwrap())
        .args(["--exact", "as_another_process", "--nocapture"])
        .env(DIRECTORY, directory)
        .env(NUMBER, number.to_string())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap()
}

fn blocks(directory: &Path) -> Vec<std::path::PathBuf> {
    let fans = std::fs::read_dir(directory.join("plastron-cache-v1/blocks")).unwrap();
    fans.flat_map(|fan| std::fs::read_dir(fan.unwrap().path()).unwrap()).map(|file| file.unwrap().path()).collect()
}

/// Waits until `done`, which another thread brings about.
fn until(what: &str, mut done: impl FnMut() -> bool) {
    for _ in 0..18_000 {
        if done() {
            return;
        }
        std::thread::park_timeout(std::time::Duration::from_millis(10));
    }
    panic!("still waiting until {what}");
}

#[tokio::test(flavor = "multi_thread")]
async fn four_processes_share_a_directory() {
    let home = tempfile::tempdir().unwrap();
    let others: Vec<_> = (1..=3).map(|number| start(home.path(), number)).collect();
    let (stats, _) = work(home.path(), 0, 1500).await;
    assert_eq!((stats.disk_corrupt, stats.disk_write_errors), (0, 0), "{stats}");
    for other in others {
        let output = other.wait_with_output().unwrap();
        let text = String::from_utf8_lossy(&output.stdout) + String::from_utf8_lossy(&output.stderr);
        assert!(output.status.success() && text.contains("disk hits"), "{text}");
    }
    for file in blocks(home.path()) {
        decode_block_file(&std::fs::read(&file).unwrap()).unwrap_or_else(|fault| panic!("{}: {fault}", file.display()));
    }
    // Each kept its own books below the limit; the last one who looks sees everything and corrects it.
    let cache = cache(home.path());
    cache.flush().await;
    let stats = cache.stats();
    let on_disk: u64 =
        blocks(home.path()).iter().map(|file| file.metadata().unwrap().len().next_multiple_of(4096)).sum();
    assert!(stats.disk_bytes <= SIZE && on_disk == stats.disk_bytes, "{on_disk} bytes, {stats}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_process_that_is_killed_leaves_nothing_half_done() {
    let home = tempfile::tempdir().unwrap();
    for number in 1..=6 {
        let mut other = start(home.path(), number);
        let started = std::time::Duration::from_millis(150 * number);
        std::thread::park_timeout(started);
        other.kill().unwrap();
        other.wait().unwrap();
    }
    let (stats, _) = work(home.path(), 0, 300).await;
    assert_eq!((stats.disk_corrupt, stats.disk_write_errors), (0, 0), "{stats}");
    // This process's own part of it goes when the last task of its cache has ended.
    let users = || std::fs::read_dir(home.path().join("plastron-cache-v1/users")).unwrap().count();
    until("all the dead are cleared away", || users() == 0);
    for file in blocks(home.path()) {
        decode_block_file(&std::fs::read(&file).unwrap()).unwrap();
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn what_one_process_fetched_another_reads() {
    let home = tempfile::tempdir().unwrap();
    let writer = cache(home.path());
    let reader = cache(home.path());
    let origin = Origin::new(1, 20 * BLOCK);
    let (object, fetch) = open(&writer, &origin);
    object.read(&fetch, 0..origin.size, Priority::Data).await.unwrap();
    writer.flush().await;
    let elsewhere = Origin::new(1, 20 * BLOCK);
    let (object, fetch) = open(&reader, &elsewhere);
    // Within a second each notices the other, where nothing else holds up this machine.
    until("the reader has found all blocks", || {
        reader.stats().disk_blocks == 20 || object.try_read(0, &mut vec![0; elsewhere.size as usize]).is_some()
    });
    elsewhere.check(0..elsewhere.size, &object.read(&fetch, 0..elsewhere.size, Priority::Data).await.unwrap());
    assert_eq!(elsewhere.requests(), 0);
}
