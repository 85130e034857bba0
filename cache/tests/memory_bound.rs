//! A process that reads 2 GiB with `memory=64MB` stays below 200 MiB. It is measured in a process of its own, so that nothing else
//! counts.
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

use std::ops::Range;
use std::process::Command;
use std::sync::Arc;

use async_trait::async_trait;
use bytes::Bytes;
use plastron_cache::{Cache, CacheOptions, Fetch, ObjectId, Priority};
use plastron_sources::Error;

const MB: u64 = 1 << 20;
const SIZE: u64 = 2 << 30;

/// Set in the process that is measured, to what it does.
const TASK: &str = "PLASTRON_CACHE_TEST_TASK";

/// Zeros, and the offset at the beginning of every MiB.
struct Zeros;

#[async_trait]
impl Fetch for Zeros {
    async fn fetch(&self, range: Range<u64>) -> Result<Bytes, Error> {
        let mut bytes = vec![0; (range.end - range.start) as usize];
        let first = range.start.next_multiple_of(MB);
        for at in (first..range.end).step_by(MB as usize) {
            let place = (at - range.start) as usize;
            bytes[place..place + 8].copy_from_slice(&at.to_le_bytes());
        }
        Ok(bytes.into())
    }
}

/// The most memory this process ever had, MiB.
fn peak() -> u64 {
    let status = std::fs::read_to_string("/proc/self/status").unwrap();
    let line = status.lines().find(|line| line.starts_with("VmHWM:")).unwrap();
    line.split_whitespace().nth(1).unwrap().parse::<u64>().unwrap() >> 10
}

async fn read_all(with_disk: bool, block: u64, step: u64) -> u64 {
    let home = tempfile::tempdir().unwrap();
    let mut options = CacheOptions::new();
    options.memory = 64 * MB;
    options.block_size = block;
    options.directory = with_disk.then(|| home.path().to_owned());
    options.size = 256 * MB;
    let cache = Cache::open(options, tokio::runtime::Handle::current()).unwrap();
    let object = cache.object(ObjectId::new("test", "zeros", "etag", SIZE));
    let fetch: Arc<dyn Fetch> = Arc::new(Zeros);
    let mut buffer = vec![0; step as usize];
    for at in (0..SIZE).step_by(step as usize) {
        let part = &mut buffer[..step.min(SIZE - at) as usize];
        if object.try_read(at, part).is_none() {
            object.read_into(&fetch, at, part, Priority::Data).await.unwrap();
        }
        for mark in (at.next_multiple_of(MB)..(at + part.len() as u64).saturating_sub(8)).step_by(MB as usize) {
            let place = (mark - at) as usize;
            assert_eq!(part[place..place + 8], mark.to_le_bytes());
        }
    }
    peak()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn as_the_measured_process() {
    let Ok(task) = std::env::var(TASK) else { return };
    let numbers: Vec<u64> = task.split(',').map(|number| number.parse().unwrap()).collect();
    let peak = read_all(numbers[0] == 1, numbers[1], numbers[2]).await;
    println!("peak={peak}");
}

#[test]
fn two_gigabytes_through_64_mb() {
    for (with_disk, block, step) in
        [(0, 256 << 10, 28 << 10), (0, 256 << 10, MB), (1, 256 << 10, MB), (0, 16 * MB, MB), (0, 4 << 10, MB)]
    {
        let output = Command::new(std::env::current_exe().unwrap())
            .args(["--exact", "as_the_measured_process", "--nocapture"])
            .env(TASK, format!("{with_disk},{block},{step}"))
            .output()
            .unwrap();
        let text = String::from_utf8_lossy(&output.stdout).into_owned() + &String::from_utf8_lossy(&output.stderr);
        let peak = text.split("peak=").nth(1).unwrap_or_else(|| panic!("{text}"));
        let peak: u64 = peak.lines().next().unwrap().parse().unwrap();
        println!("disk {with_disk}, blocks of {block}, {step} bytes at a time: {peak} MiB at the most");
        // A request is in memory twice for a moment, as it came and as blocks; with blocks of a quarter of `memory` that shows.
        let allowed = if block > 8 * MB { 200 + 2 * (block >> 20) } else { 200 };
        assert!(peak < allowed, "{peak} MiB");
    }
}
