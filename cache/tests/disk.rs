//! The disk part through the public interface: what survives a restart, what is healed, what a full file system does.
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

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::Arc;

use plastron_cache::{
    Admission, Cache, CacheOptions, CacheStats, DiskState, ObjectId, Priority, Tier, decode_block_file,
};
use support::{Origin, content, open};

const BLOCK: u64 = 256 << 10;

fn options(directory: &Path) -> CacheOptions {
    let mut options = CacheOptions::new();
    options.directory = Some(directory.to_owned());
    options.min_free = Some(0);
    options
}

fn open_cache(options: CacheOptions) -> Cache {
    Cache::open(options, tokio::runtime::Handle::current()).unwrap()
}

fn files(directory: &Path) -> Vec<PathBuf> {
    let Ok(entries) = fs::read_dir(directory) else { return Vec::new() };
    let entries = entries.map(|entry| entry.unwrap().path());
    entries.flat_map(|path| if path.is_dir() { files(&path) } else { vec![path] }).collect()
}

fn blocks(directory: &Path) -> Vec<PathBuf> {
    files(&directory.join("plastron-cache-v1/blocks"))
}

#[tokio::test]
async fn the_next_run_reads_without_a_request() {
    let home = tempfile::tempdir().unwrap();
    let origin = Origin::new(1, 10 * BLOCK + 1000);
    let whole = 0..origin.size;
    {
        let cache = open_cache(options(home.path()));
        let (object, fetch) = open(&cache, &origin);
        origin.check(whole.clone(), &object.read(&fetch, whole.clone(), Priority::Data).await.unwrap());
        cache.flush().await;
        assert_eq!((cache.stats().disk_writes, cache.stats().disk_blocks), (11, 11));
    }
    assert_eq!(blocks(home.path()).len(), 11);
    for file in blocks(home.path()) {
        let bytes = fs::read(file).unwrap();
        let (header, data) = decode_block_file(&bytes).unwrap();
        let start = header.block * BLOCK;
        assert_eq!(data, content(1, start..start + data.len() as u64));
        assert_eq!((header.address, header.name, header.etag), ("test", "object 1", "etag"));
    }
    let requests = origin.requests();
    let cache = open_cache(options(home.path()));
    let (object, fetch) = open(&cache, &origin);
    let mut bytes = vec![0; origin.size as usize];
    assert_eq!(object.try_read(0, &mut bytes), Some(Tier::Disk));
    origin.check(whole.clone(), &bytes);
    cache.flush().await;
    assert_eq!(object.read(&fetch, whole, Priority::Data).await.unwrap(), bytes);
    let stats = cache.stats();
    assert_eq!((origin.requests(), stats.fetches, stats.misses), (requests, 0, 0), "{stats}");
    assert_eq!(stats.disk_state, DiskState::Ready);
    assert!((stats.hit_ratio() - 1.0).abs() < 1e-9);

    let newer = cache.object(ObjectId::new("test", "object 1", "another etag", origin.size));
    assert_eq!(newer.try_read(0, &mut bytes), None);
}

/// Reads `range` of `object` in steps of what WiredTiger reads, from the cache alone, and checks every byte.
fn scan(origin: &Origin, object: &plastron_cache::CachedObject, range: std::ops::Range<u64>) {
    const STEP: u64 = 28 << 10;
    for (turn, at) in (range.start..range.end).step_by(STEP as usize).enumerate() {
        let end = range.end.min(at + STEP);
        let mut bytes = Vec::new();
        if turn % 2 == 0 {
            let found = object.try_copy(at, end - at, Priority::Data, |part| bytes.extend_from_slice(part));
            assert!(found.is_some(), "{at}");
        } else {
            bytes.resize((end - at) as usize, 0);
            assert!(object.try_read(at, &mut bytes).is_some(), "{at}");
        }
        origin.check(at..end, &bytes);
    }
}

#[tokio::test]
async fn a_scan_reads_each_block_from_disk_once_and_leaves_memory_alone() {
    let home = tempfile::tempdir().unwrap();
    let origin = Origin::new(1, 40 * BLOCK + 1000);
    {
        let cache = open_cache(options(home.path()));
        let (object, fetch) = open(&cache, &origin);
        object.read(&fetch, 0..origin.size, Priority::Data).await.unwrap();
        cache.flush().await;
    }
    let requests = origin.requests();
    let cache = open_cache(options(home.path()));
    cache.flush().await;
    let (object, fetch) = open(&cache, &origin);
    scan(&origin, &object, 0..20 * BLOCK);
    // The first reads are taken for reads out of the blue; some pieces end a block, and are all that is read of it.
    let stats = cache.stats();
    assert!(stats.disk_hits <= 25 && stats.memory_bytes <= 2 * (BLOCK + 256), "{stats}");
    // 183 reads, 17 of which touch two blocks.
    assert_eq!((stats.disk_hits + stats.memory_hits, origin.requests()), (200, requests), "{stats}");

    // Through the runtime it is no different.
    let another = cache.object(origin.id());
    for at in (20 * BLOCK..40 * BLOCK).step_by(28 << 10) {
        let range = at..(at + (28 << 10)).min(40 * BLOCK);
        origin.check(range.clone(), &another.read(&fetch, range, Priority::Data).await.unwrap());
    }
    let stats = cache.stats();
    assert!(stats.disk_hits <= 50 && stats.memory_bytes <= 4 * (BLOCK + 256), "{stats}");
    assert_eq!(origin.requests(), requests);

    // A block that comes back enters memory.
    scan(&origin, &cache.object(origin.id()), 0..20 * BLOCK);
    assert!(cache.stats().memory_bytes > 10 * BLOCK, "{}", cache.stats());

    // What was dropped is not found in a handle either.
    scan(&origin, &object, 30 * BLOCK..31 * BLOCK - 4096);
    cache.drop_all().await;
    assert_eq!(object.try_read(31 * BLOCK - 4096, &mut [0; 4096]), None);
}

#[tokio::test]
async fn a_damaged_block_is_a_miss_to_a_scan() {
    let home = tempfile::tempdir().unwrap();
    let origin = Origin::new(3, 8 * BLOCK);
    {
        let cache = open_cache(options(home.path()));
        let (object, fetch) = open(&cache, &origin);
        object.read(&fetch, 0..origin.size, Priority::Data).await.unwrap();
        cache.flush().await;
    }
    for file in blocks(home.path()) {
        let mut bytes = fs::read(&file).unwrap();
        if decode_block_file(&bytes).unwrap().0.block == 5 {
            let last = bytes.len() - 10;
            bytes[last] ^= 1;
            fs::write(&file, bytes).unwrap();
        }
    }
    let cache = open_cache(options(home.path()));
    cache.flush().await;
    let (object, fetch) = open(&cache, &origin);
    scan(&origin, &object, 0..5 * BLOCK);
    // The damage is at the block's end, and the reader asks for its beginning.
    assert_eq!(object.try_read(5 * BLOCK, &mut vec![0; 28 << 10]), None);
    assert_eq!((cache.stats().disk_corrupt, cache.stats().disk_blocks), (1, 7));
    let range = 5 * BLOCK..6 * BLOCK;
    origin.check(range.clone(), &object.read(&fetch, range, Priority::Data).await.unwrap());
}

#[tokio::test]
async fn what_is_uploaded_can_be_read_without_a_request() {
    let home = tempfile::tempdir().unwrap();
    let origin = Origin::new(7, 20 * BLOCK + 5);
    let cache = open_cache(options(home.path()));
    let (object, _) = open(&cache, &origin);
    let bytes = content(7, 0..origin.size);
    assert_eq!(object.insert(0, &bytes, Priority::Data).await, origin.size);
    let mut back = vec![0; bytes.len()];
    assert_eq!(object.try_read(0, &mut back), Some(Tier::Memory));
    assert_eq!(back, bytes);
    cache.flush().await;
    assert_eq!(cache.stats().disk_blocks, 21);
    assert_eq!(origin.requests(), 0);
}

#[tokio::test]
async fn a_golden_file_of_version_1_is_a_hit() {
    let home = tempfile::tempdir().unwrap();
    let golden = include_bytes!("fixtures/block-v1.blk");
    let fan = home.path().join("plastron-cache-v1/blocks/55");
    fs::create_dir_all(&fan).unwrap();
    fs::write(fan.join("550cfa1d9064192a63002b858fafdc1a.18.1"), golden).unwrap();
    let cache = open_cache(options(home.path()));
    let id = ObjectId::new(
        "s3://pages at http://127.0.0.1:8333",
        "db1/täble-1.wt",
        "\"5d41402abc4b2a76b9719d911017c592\"",
        300_000,
    );
    let found = cache.object(id).try_get_block(1, Priority::Data).expect("it is this object's second block");
    assert_eq!(&found[..], decode_block_file(golden).unwrap().1);
}

#[tokio::test]
async fn damage_is_found_and_healed() {
    let home = tempfile::tempdir().unwrap();
    let origin = Origin::new(3, 4 * BLOCK);
    let mut no_memory = options(home.path());
    no_memory.memory = 0;
    let cache = open_cache(no_memory);
    let (object, fetch) = open(&cache, &origin);
    let whole = 0..origin.size;
    for round in 0..10 {
        origin.check(whole.clone(), &object.read(&fetch, whole.clone(), Priority::Data).await.unwrap());
        cache.flush().await;
        let stats = cache.stats();
        assert_eq!((stats.disk_blocks, stats.disk_corrupt), (4, round), "{stats}");
        let victim = blocks(home.path()).remove(round as usize % 4);
        let mut bytes = fs::read(&victim).unwrap();
        let place = bytes.len() * round as usize / 10;
        bytes[place] ^= 1;
        fs::write(&victim, bytes).unwrap();
    }
    assert_eq!(origin.requests(), 10);
}

#[tokio::test]
async fn a_directory_that_cannot_be_used_is_an_error_at_open() {
    let home = tempfile::tempdir().unwrap();
    let file = home.path().join("file");
    fs::write(&file, "").unwrap();
    let error = Cache::open(options(&file), tokio::runtime::Handle::current()).unwrap_err();
    assert!(
        error.to_string().starts_with(&format!("open the cache: cannot open the cache directory {}", file.display()))
    );
    let mut wrong = options(home.path());
    wrong.block_size = 12345;
    assert_eq!(
        Cache::open(wrong, tokio::runtime::Handle::current()).unwrap_err().kind(),
        plastron_sources::ErrorKind::Invalid
    );
}

/// A small file system, where this process may mount one.
struct Tmpfs(tempfile::TempDir);

impl Tmpfs {
    fn mount(options: &str) -> Option<Self> {
        let home = tempfile::tempdir().unwrap();
        let mount =
            Command::new("mount").args(["-t", "tmpfs", "-o", options, "tmpfs"]).arg(home.path()).output().ok()?;
        mount.status.success().then_some(Self(home))
    }
}

impl Drop for Tmpfs {
    fn drop(&mut self) {
        let unmounted = Command::new("umount").arg("--lazy").arg(self.0.path()).status();
        assert!(unmounted.is_ok_and(|status| status.success()));
    }
}

/// Reads 40 blocks through a cache on `small`, twice, and checks that what is on disk is sound.
async fn read_through(small: &Tmpfs) -> CacheStats {
    let directory = small.0.path();
    let origin = Origin::new(5, 40 * BLOCK);
    let mut options = options(directory);
    options.memory = 0;
    options.admission = Admission::Always;
    let cache = open_cache(options);
    let (object, fetch) = open(&cache, &origin);
    for round in 0..2 {
        for block in 0..40 {
            let range = block * BLOCK + round..(block + 1) * BLOCK;
            origin.check(range.clone(), &object.read(&fetch, range, Priority::Data).await.unwrap());
            cache.flush().await;
        }
    }
    for file in blocks(directory) {
        decode_block_file(&fs::read(file).unwrap()).unwrap();
    }
    let temporaries = files(&directory.join("plastron-cache-v1/users"));
    assert!(temporaries.iter().all(|file| file.ends_with("lock")), "{temporaries:?}");
    cache.stats()
}

/// Where nothing can be mounted, `space_is_given_back_when_the_file_system_fills_up` in the crate covers the same with a fake.
#[tokio::test]
async fn a_real_file_system_with_little_space() {
    let Some(small) = Tmpfs::mount("size=4m") else {
        eprintln!("not run: no permission to mount a tmpfs");
        return;
    };
    fs::write(small.0.path().join("hog"), vec![1; 3 << 20]).unwrap();
    let stats = read_through(&small).await;
    assert!((2..=3).contains(&stats.disk_blocks) && stats.disk_bytes <= 1 << 20, "{stats}");
    assert!(
        stats.disk_evictions > 30 && stats.disk_state == DiskState::Ready,
        "room is made before it is needed: {stats}"
    );
}

/// Where nothing can be mounted, `a_full_disk_pauses_writes_and_nothing_else` in the crate covers the same with injected errors.
#[tokio::test]
async fn a_real_file_system_that_says_enospc() {
    let Some(small) = Tmpfs::mount("size=100m,nr_inodes=20") else {
        eprintln!("not run: no permission to mount a tmpfs");
        return;
    };
    let stats = read_through(&small).await;
    let DiskState::WritesPaused { reason } = &stats.disk_state else { panic!("{stats}") };
    assert!(reason.contains("No space left"), "{reason}");
    // Both writers may run into it before one has turned writes off.
    assert!((1..=2).contains(&stats.disk_write_errors) && stats.disk_blocks >= 8, "{stats}");
    assert!(stats.disk_hits >= stats.disk_blocks, "what is there is read: {stats}");
}

#[tokio::test]
async fn cold_means_cold_after_dropping_everything() {
    let home = tempfile::tempdir().unwrap();
    let cache = open_cache(options(home.path()));
    let origins: Vec<_> = (0..5).map(|seed| Origin::new(seed, 3 * BLOCK)).collect();
    let read_all = async || {
        for origin in &origins {
            let (object, fetch) = open(&cache, origin);
            let all = object.read(&fetch, 0..origin.size, Priority::Data).await.unwrap();
            origin.check(0..origin.size, &all);
        }
        origins.iter().map(|origin: &Arc<Origin>| origin.requests()).sum::<usize>()
    };
    assert_eq!(read_all().await, 5);
    assert_eq!(read_all().await, 5);
    cache.drop_all().await;
    assert_eq!(blocks(home.path()).len(), 0);
    assert_eq!(read_all().await, 10);
    cache.flush().await;
    cache.invalidate(origins[0].id()).await;
    assert_eq!(blocks(home.path()).len(), 12);
    assert_eq!(read_all().await, 11);
}
