//! Everything a cache can be asked, in random order, against plain vectors: what is read is always what the origin has.
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
use std::sync::Arc;

use plastron_cache::{Admission, Cache, CacheOptions, CachedObject, Fetch, Priority};
use proptest::prelude::*;
use support::{Origin, content};

#[derive(Debug, Clone)]
enum Step {
    Read { object: usize, at: u64, len: u64, index: bool },
    ReadInto { object: usize, at: u64, len: u64 },
    Try { object: usize, at: u64, len: u64, index: bool },
    Block { object: usize, block: u64 },
    Onwards { object: usize, len: u64, count: usize },
    Insert { object: usize, at: u64, len: u64 },
    Invalidate(usize),
    Reopen(usize),
    Flush,
    DropAll,
    Restart { block_shift: u32 },
}

fn steps() -> impl Strategy<Value = Vec<Step>> {
    let object = 0usize..4;
    let at = 0u64..3_000_000;
    let len = prop_oneof![0u64..10, 0u64..40_000, 0u64..2_000_000];
    let step = prop_oneof![
        6 => (object.clone(), at.clone(), len.clone(), any::<bool>()).prop_map(|(object, at, len, index)| Step::Read { object, at, len, index }),
        3 => (object.clone(), at.clone(), len.clone()).prop_map(|(object, at, len)| Step::ReadInto { object, at, len }),
        6 => (object.clone(), at.clone(), len.clone(), any::<bool>()).prop_map(|(object, at, len, index)| Step::Try { object, at, len, index }),
        2 => (object.clone(), 0u64..700).prop_map(|(object, block)| Step::Block { object, block }),
        3 => (object.clone(), 1u64..60_000, 1usize..30).prop_map(|(object, len, count)| Step::Onwards { object, len, count }),
        2 => (object.clone(), at, len).prop_map(|(object, at, len)| Step::Insert { object, at, len }),
        1 => object.clone().prop_map(Step::Invalidate),
        1 => object.prop_map(Step::Reopen),
        1 => Just(Step::Flush),
        1 => Just(Step::DropAll),
        1 => (12u32..=19).prop_map(|block_shift| Step::Restart { block_shift }),
    ];
    proptest::collection::vec(step, 1..60)
}

struct World {
    options: CacheOptions,
    cache: Cache,
    origins: Vec<Arc<Origin>>,
    handles: Vec<(CachedObject, Arc<dyn Fetch>, u64)>,
}

impl World {
    fn new(options: CacheOptions) -> Self {
        let origins: Vec<_> = [0, 1, 300_000, 2_900_000].into_iter().map(|size| Origin::new(size, size)).collect();
        let cache = Cache::open(options.clone(), tokio::runtime::Handle::current()).unwrap();
        let mut world = Self { options, cache, origins, handles: Vec::new() };
        world.open_all();
        world
    }

    fn open_all(&mut self) {
        self.handles = self.origins.iter().map(|origin| self.open(origin)).collect();
    }

    fn open(&self, origin: &Arc<Origin>) -> (CachedObject, Arc<dyn Fetch>, u64) {
        (self.cache.object(origin.id()), origin.clone(), 0)
    }

    /// The range as it is, or what of it lies within the object.
    fn clip(&self, object: usize, at: u64, len: u64) -> Range<u64> {
        let size = self.origins[object].size;
        at.min(size)..at.saturating_add(len).min(size)
    }

    async fn step(&mut self, step: Step) {
        match step {
            Step::Read { object, at, len, index } => {
                let range = self.clip(object, at, len);
                let priority = if index { Priority::Index } else { Priority::Data };
                let (handle, fetch, _) = &self.handles[object];
                let bytes = handle.read(fetch, range.clone(), priority).await.unwrap();
                self.origins[object].check(range.clone(), &bytes);
                if at + len > self.origins[object].size {
                    assert!(handle.read(fetch, at..at + len, priority).await.is_err());
                }
            }
            Step::ReadInto { object, at, len } => {
                let range = self.clip(object, at, len);
                let mut bytes = vec![0; (range.end - range.start) as usize];
                let (handle, fetch, _) = &self.handles[object];
                handle.read_into(fetch, range.start, &mut bytes, Priority::Data).await.unwrap();
                self.origins[object].check(range, &bytes);
            }
            Step::Try { object, at, len, index } => {
                let priority = if index { Priority::Index } else { Priority::Data };
                let mut bytes = vec![0; len as usize];
                if self.handles[object].0.try_read_as(at, &mut bytes, priority).is_some() {
                    self.origins[object].check(at..at + len, &bytes);
                }
            }
            Step::Block { object, block } => {
                if let Some(bytes) = self.handles[object].0.try_get_block(block, Priority::Data) {
                    let start = block * self.cache.block_size();
                    self.origins[object].check(start..start + bytes.len() as u64, &bytes);
                }
            }
            Step::Onwards { object, len, count } => {
                for _ in 0..count {
                    let range = self.clip(object, self.handles[object].2, len);
                    self.handles[object].2 = range.end;
                    let mut bytes = vec![0; (range.end - range.start) as usize];
                    let (handle, fetch, _) = &self.handles[object];
                    if handle.try_read(range.start, &mut bytes).is_none() {
                        handle.read_into(fetch, range.start, &mut bytes, Priority::Data).await.unwrap();
                    }
                    self.origins[object].check(range, &bytes);
                }
            }
            Step::Insert { object, at, len } => {
                let range = self.clip(object, at, len);
                let bytes = content(self.origins[object].seed, range.clone());
                let taken = self.handles[object].0.insert(range.start, &bytes, Priority::Data).await;
                let block = self.cache.block_size();
                let start = range.start.next_multiple_of(block);
                let end =
                    if range.end == self.origins[object].size { range.end } else { range.end - range.end % block };
                assert_eq!(taken, end.saturating_sub(start), "{range:?}");
            }
            Step::Invalidate(object) => {
                self.cache.invalidate(self.origins[object].id()).await;
                if self.origins[object].size > 0 {
                    assert_eq!(self.handles[object].0.try_read(0, &mut [0]), None);
                }
            }
            Step::Reopen(object) => self.handles[object] = self.open(&self.origins[object]),
            Step::Flush => self.cache.flush().await,
            Step::DropAll => {
                self.cache.drop_all().await;
                assert_eq!(self.handles[3].0.try_read(0, &mut [0]), None);
                assert_eq!(self.cache.stats().memory_bytes, 0);
            }
            Step::Restart { block_shift } => {
                self.options.block_size = 1 << block_shift;
                self.handles.clear();
                self.cache = Cache::open(self.options.clone(), tokio::runtime::Handle::current()).unwrap();
                self.open_all();
            }
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 60, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn what_is_read_is_what_is_there(
        steps in steps(),
        block_shift in 12u32..=19,
        memory in prop_oneof![Just(0u64), Just(4 << 20), Just(64 << 20)],
        disk in prop_oneof![Just(0u64), Just(1 << 20), Just(100 << 20)],
        read_ahead in prop_oneof![Just(0u64), Just(1 << 20), Just(32 << 20)],
        admission in prop_oneof![Just(Admission::Always), Just(Admission::ScanResistant), Just(Admission::SecondHit)],
    ) {
        let home = tempfile::tempdir().unwrap();
        let mut options = CacheOptions::new();
        options.directory = (disk > 0).then(|| home.path().to_owned());
        options.size = disk;
        options.memory = memory;
        options.block_size = 1 << block_shift;
        options.read_ahead = read_ahead;
        options.admission = admission;
        options.min_free = Some(0);
        let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build().unwrap();
        runtime.block_on(async {
            let mut world = World::new(options);
            for step in steps {
                world.step(step).await;
            }
            world.cache.flush().await;
            let stats = world.cache.stats();
            assert_eq!((stats.disk_corrupt, stats.fetch_errors, stats.disk_write_errors), (0, 0, 0));
            assert!(stats.disk_bytes <= disk && stats.memory_bytes <= memory + memory / 8, "{stats}");
        });
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn many_threads_at_once() {
    let home = tempfile::tempdir().unwrap();
    let mut options = CacheOptions::new();
    options.directory = Some(home.path().to_owned());
    options.size = 3 << 20;
    options.memory = 1 << 20;
    options.block_size = 1 << 14;
    options.read_ahead = 1 << 20;
    options.min_free = Some(0);
    let cache = Cache::open(options, tokio::runtime::Handle::current()).unwrap();
    let origins: Vec<_> = (0..5).map(|seed| Origin::new(seed, 2_000_000 + seed)).collect();
    let tasks: Vec<_> = (0..16u64)
        .map(|task| {
            let (cache, origins) = (cache.clone(), origins.clone());
            tokio::spawn(async move {
                let mut state = task + 1;
                for round in 0..300 {
                    state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
                    let origin = &origins[(state >> 33) as usize % origins.len()];
                    let object = cache.object(origin.id());
                    let fetch: Arc<dyn Fetch> = origin.clone();
                    let at = (state >> 13) % origin.size;
                    let range = at..(at + (state >> 50) * 7).min(origin.size);
                    let mut bytes = vec![0; (range.end - range.start) as usize];
                    if object.try_read(at, &mut bytes).is_none() {
                        object.read_into(&fetch, at, &mut bytes, Priority::Data).await.unwrap();
                    }
                    origin.check(range, &bytes);
                    if round % 50 == task {
                        cache.invalidate(origin.id()).await;
                    }
                }
            })
        })
        .collect();
    for task in tasks {
        task.await.unwrap();
    }
    cache.flush().await;
    let stats = cache.stats();
    assert!(
        stats.disk_bytes <= 3 << 20 && stats.disk_corrupt == 0 && stats.memory_hits > 0 && stats.disk_hits > 0,
        "{stats}"
    );
}
