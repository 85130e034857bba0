//! The disk part as a whole, on a real directory, with faults where they are needed. What has to do with wrong files is in
//! `damage_test.rs`.

use std::time::Duration;

use bytes::Bytes;
use plastron_sources::clock::SystemEntropy;

use super::*;
use crate::disk::medium::Space;
use crate::disk::test_medium::{FaultyMedium, ManualClock};
use crate::fetch::Priority;
use crate::known_objects::KnownObjects;
use crate::object_id::ObjectId;

/// A disk part in a temporary directory.
pub(in crate::disk) struct Rig {
    pub(in crate::disk) home: tempfile::TempDir,
    pub(in crate::disk) medium: Arc<FaultyMedium>,
    pub(in crate::disk) clock: Arc<ManualClock>,
    pub(in crate::disk) stats: Arc<Stats>,
    pub(in crate::disk) objects: KnownObjects,
    pub(in crate::disk) geometry: Geometry,
    pub(in crate::disk) size: u64,
    pub(in crate::disk) admission: Admission,
    pub(in crate::disk) min_free: Option<u64>,
}

impl Rig {
    pub(in crate::disk) fn new(size: u64, block_bytes: u64) -> Self {
        let geometry = Geometry::new(block_bytes).unwrap();
        Self {
            home: tempfile::tempdir().unwrap(),
            medium: Arc::default(),
            clock: ManualClock::new(),
            stats: Arc::new(Stats::new()),
            objects: KnownObjects::new(geometry),
            geometry,
            size,
            admission: Admission::Always,
            min_free: Some(0),
        }
    }

    pub(in crate::disk) fn open(&self) -> Disk {
        self.open_on(self.medium.clone())
    }

    pub(in crate::disk) fn open_on(&self, medium: Arc<dyn Medium>) -> Disk {
        let options = DiskOptions {
            directory: self.home.path().to_owned(),
            size: self.size,
            min_free: self.min_free,
            admission: self.admission,
            queue_bytes: 64 << 20,
            geometry: self.geometry,
            clock: self.clock.clone(),
            entropy: Arc::new(SystemEntropy::default()),
        };
        let buffers = Buffers::new(self.geometry.block_bytes());
        Disk::open_on(medium, options, buffers, Arc::clone(&self.stats)).unwrap()
    }

    pub(in crate::disk) fn object(&self, name: &str, size: u64) -> Arc<KnownObject> {
        self.objects.intern(ObjectId::new("test", name, "etag", size))
    }

    /// What block `block` of `object` holds.
    pub(in crate::disk) fn content(&self, object: &KnownObject, block: u64) -> Bytes {
        let seed = (object.digest as u64).wrapping_add(block);
        (0..self.geometry.len(block, object.size())).map(|n| (seed.wrapping_mul(n as u64 | 1) >> 7) as u8).collect()
    }

    pub(in crate::disk) fn offer(&self, disk: &Disk, object: &Arc<KnownObject>, block: u64, scan: bool) {
        let (object, number) = (Arc::clone(object), object.number());
        let data = self.content(&object, block);
        disk.offer(Offer { object, number, block, data, scan, priority: Priority::Data });
        flush(disk);
    }

    /// Whether the block is here; it must be the right one then.
    pub(in crate::disk) fn hits(&self, disk: &Disk, object: &KnownObject, block: u64) -> bool {
        disk.block(object, block).is_some_and(|found| {
            assert_eq!(found, self.content(object, block));
            true
        })
    }

    /// All files of blocks, and what they cost together.
    pub(in crate::disk) fn files(&self) -> (Vec<PathBuf>, u64) {
        let mut files = Vec::new();
        for fan in std::fs::read_dir(self.home.path().join("plastron-cache-v1/blocks")).unwrap() {
            files.extend(std::fs::read_dir(fan.unwrap().path()).unwrap().map(|file| file.unwrap().path()));
        }
        let bytes =
            files.iter().filter_map(|file| file.symlink_metadata().ok()).map(|data| data.len().next_multiple_of(4096));
        let bytes = bytes.sum();
        (files, bytes)
    }

    pub(in crate::disk) fn count(&self, event: Event) -> u64 {
        self.stats.get(event)
    }
}

/// Waits until everything offered is dealt with.
fn flush(disk: &Disk) {
    tokio::runtime::Builder::new_current_thread().build().unwrap().block_on(disk.flush());
}

/// Waits until `done`, which another thread brings about; fails after some minutes.
pub(in crate::disk) fn until(what: &str, mut done: impl FnMut() -> bool) {
    for _ in 0..18_000 {
        if done() {
            return;
        }
        std::thread::park_timeout(Duration::from_millis(10));
    }
    panic!("still waiting until {what}");
}

#[test]
fn what_was_written_is_read_whole_and_in_part_by_this_and_the_next_run() {
    let rig = Rig::new(64 << 20, 256 << 10);
    let object = rig.object("a", 600_000);
    let disk = rig.open();
    (0..3).for_each(|block| rig.offer(&disk, &object, block, false));
    for run in 0..2 {
        let disk = if run == 0 { &disk } else { &rig.open() };
        for block in 0..3 {
            assert!(rig.hits(disk, &object, block), "block {block} in run {run}");
            let content = rig.content(&object, block);
            for within in [0..1, 5..40_000, 32_767..32_769, 70_000..75_000, content.len() - 3..content.len()] {
                let mut part = vec![0; within.len()];
                assert!(disk.part(&object, block, &within, &mut part));
                assert_eq!(part, content[within]);
            }
        }
        assert!(!rig.hits(disk, &rig.object("b", 600_000), 0));
    }
    assert_eq!(rig.files().0.len(), 3);
    assert_eq!(rig.count(Event::DiskWrites), 3);
    drop(disk);
    let users = std::fs::read_dir(rig.home.path().join("plastron-cache-v1/users")).unwrap();
    assert_eq!(users.count(), 0, "whoever leaves takes his things with him");
}

#[test]
fn short_reads_are_continued() {
    let rig = Rig::new(1 << 20, 4096);
    let object = rig.object("a", 4096);
    let disk = rig.open();
    rig.offer(&disk, &object, 0, false);
    rig.medium.trickle.store(true, Ordering::SeqCst);
    assert!(rig.hits(&disk, &object, 0));
    let mut part = [0; 100];
    assert!(disk.part(&object, 0, &(50..150), &mut part));
    assert_eq!(part, rig.content(&object, 0)[50..150]);
}

#[test]
fn a_block_can_be_read_while_the_directory_is_still_being_counted() {
    let rig = Rig::new(64 << 20, 4096);
    let object = rig.object("a", 4096 * 300);
    let disk = rig.open();
    (0..300).for_each(|block| rig.offer(&disk, &object, block, false));
    let bytes = disk.usage().0;
    drop(disk);
    for round in 0..20 {
        let disk = rig.open();
        (0..300).rev().for_each(|block| assert!(rig.hits(&disk, &object, block), "round {round}, block {block}"));
        flush(&disk);
        until("all is counted", || disk.state() == DiskState::Ready);
        assert_eq!(disk.usage(), (bytes, 300), "each is counted once, by whomever");
    }
}

#[test]
fn the_directory_never_holds_more_than_its_size() {
    let size = 100 * 8192 + 5000;
    let rig = Rig::new(size, 4096);
    let objects: Vec<_> = (0..20).map(|n| rig.object(&format!("object {n}"), 4096 * 40 - 100 * n)).collect();
    let disk = rig.open();
    std::thread::scope(|scope| {
        let readers: Vec<_> = (0..2)
            .map(|_| {
                scope.spawn(|| {
                    let mut hits = 0;
                    while hits == 0 || rig.count(Event::DiskWrites) < 700 {
                        for object in &objects {
                            hits += (0..40).filter(|block| rig.hits(&disk, object, *block)).count();
                        }
                    }
                    hits
                })
            })
            .collect();
        for (number, object) in objects.iter().enumerate() {
            for block in 0..40 {
                rig.offer(&disk, object, block, false);
                if number >= 2 && block % 5 == 0 {
                    assert!(disk.usage().0 <= size);
                    assert!(rig.files().1 <= size);
                }
            }
        }
        assert!(readers.into_iter().all(|reader| reader.join().unwrap() > 0));
    });
    assert_eq!(rig.files().1, disk.usage().0, "the books agree with the directory");
    assert!(rig.count(Event::DiskEvictions) > 600 && rig.count(Event::DiskCorrupt) == 0);
    drop(disk);
    let smaller = Rig { size: size / 3, ..rig };
    let disk = smaller.open();
    until("it fits the new size", || disk.state() == DiskState::Ready && disk.usage().0 <= size / 3);
    assert_eq!(smaller.files().1, disk.usage().0);
}

#[test]
fn a_full_disk_pauses_writes_and_nothing_else() {
    let rig = Rig::new(1 << 20, 4096);
    let object = rig.object("a", 4096 * 100);
    let disk = rig.open();
    rig.offer(&disk, &object, 0, false);
    for (round, errno) in [28, 5, 30, 122].into_iter().enumerate() {
        let first = 10 * (round as u64 + 1);
        rig.medium.write_error.store(errno, Ordering::SeqCst);
        (first..first + 5).for_each(|block| rig.offer(&disk, &object, block, false));
        let DiskState::WritesPaused { reason } = disk.state() else { panic!("{:?}", disk.state()) };
        assert!(reason.contains(&format!("os error {errno}")), "{reason}");
        assert_eq!(rig.count(Event::DiskWriteErrors), round as u64 + 1, "it is left alone after the first failure");
        assert!(rig.hits(&disk, &object, 0) && !rig.hits(&disk, &object, first));
        rig.medium.write_error.store(0, Ordering::SeqCst);
        rig.offer(&disk, &object, first, false);
        assert!(!rig.hits(&disk, &object, first), "the pause is not over");
        rig.clock.advance(Duration::from_secs(11));
        rig.offer(&disk, &object, first, false);
        assert!(rig.hits(&disk, &object, first));
        assert_eq!(disk.state(), DiskState::Ready);
        assert_eq!(rig.files().1, disk.usage().0);
    }
    assert_eq!(rig.count(Event::DiskWritesDropped), 4 * 6);
}

#[test]
fn a_file_that_cannot_be_read_is_a_miss_and_one_that_cannot_be_removed_keeps_counting() {
    let rig = Rig::new(3 * 8192, 4096);
    let object = rig.object("a", 4096 * 100);
    let disk = rig.open();
    (0..3).for_each(|block| rig.offer(&disk, &object, block, false));
    rig.medium.read_error.store(5, Ordering::SeqCst);
    assert!(disk.block(&object, 0).is_none());
    rig.medium.read_error.store(0, Ordering::SeqCst);
    assert_eq!((rig.count(Event::DiskReadErrors), rig.files().0.len(), disk.usage().1), (1, 2, 2));
    rig.clock.advance(Duration::from_secs(11));
    rig.offer(&disk, &object, 4, false);

    rig.medium.remove_error.store(1, Ordering::SeqCst);
    rig.offer(&disk, &object, 5, false);
    assert!(!rig.hits(&disk, &object, 5));
    assert_eq!((rig.files().1, disk.usage()), (3 * 8192, (3 * 8192, 3)));
    rig.medium.remove_error.store(0, Ordering::SeqCst);
    rig.clock.advance(Duration::from_secs(400));
    rig.offer(&disk, &object, 5, false);
    assert!(rig.hits(&disk, &object, 5));
    assert_eq!((rig.files().1, disk.usage()), (3 * 8192, (3 * 8192, 3)));
}

#[test]
fn space_is_given_back_when_the_file_system_fills_up() {
    let rig = Rig { min_free: Some(1 << 20), ..Rig::new(1 << 30, 4096) };
    let object = rig.object("a", 4096 * 100);
    let disk = rig.open();
    let space = |available: u64| *rig.medium.space.lock().unwrap() = Some(Space { available, total: 1 << 30 });
    space(2 << 20);
    (0..20).for_each(|block| rig.offer(&disk, &object, block, false));
    assert_eq!(disk.usage().1, 20);
    space((1 << 20) + 4 * 8192);
    (20..30).for_each(|block| rig.offer(&disk, &object, block, false));
    // The fake says the same number whatever is written: each time there is room for four more than there are.
    assert_eq!(disk.usage().1, 30);
    space((1 << 20) - 10 * 8192);
    until("all is given back", || disk.usage().1 == 0);
    rig.offer(&disk, &object, 40, false);
    assert_eq!((disk.usage().1, disk.state()), (0, DiskState::Ready));
}

#[test]
fn a_scan_pushes_nothing_out_unless_it_comes_again() {
    let rig = Rig { admission: Admission::ScanResistant, ..Rig::new(10 * 8192, 4096) };
    let (kept, scanned) = (rig.object("kept", 4096 * 10), rig.object("scanned", 4096 * 10));
    let disk = rig.open();
    (0..10).for_each(|block| rig.offer(&disk, &kept, block, true));
    assert_eq!(disk.usage().1, 10, "there was room");
    (0..10).for_each(|block| rig.offer(&disk, &scanned, block, true));
    assert!((0..10).all(|block| rig.hits(&disk, &kept, block) && !rig.hits(&disk, &scanned, block)));
    assert_eq!(rig.count(Event::DiskWritesDeclined), 10);
    rig.offer(&disk, &scanned, 3, true);
    assert!(rig.hits(&disk, &scanned, 3));

    let rig = Rig { admission: Admission::SecondHit, ..Rig::new(10 * 8192, 4096) };
    let object = rig.object("a", 4096);
    let disk = rig.open();
    rig.offer(&disk, &object, 0, false);
    assert!(!rig.hits(&disk, &object, 0));
    rig.offer(&disk, &object, 0, false);
    assert!(rig.hits(&disk, &object, 0));
}

#[test]
fn a_block_that_is_being_read_is_not_evicted() {
    let rig = Rig::new(2 * 8192, 4096);
    let object = rig.object("a", 4096 * 100);
    let disk = rig.open();
    (0..2).for_each(|block| rig.offer(&disk, &object, block, false));
    let pin = disk.shared.index.pin(&disk.shared.name(&object, 0)).unwrap();
    (2..50).for_each(|block| rig.offer(&disk, &object, block, false));
    assert!(rig.hits(&disk, &object, 0) && disk.usage().0 <= 2 * 8192);
    let other = disk.shared.index.pin(&disk.shared.name(&object, 49)).unwrap();
    rig.offer(&disk, &object, 50, false);
    assert!(!rig.hits(&disk, &object, 50) && rig.count(Event::DiskWritesDropped) == 1, "both are being read");
    drop((pin, other));
    (51..60).for_each(|block| rig.offer(&disk, &object, block, false));
    assert!(rig.hits(&disk, &object, 59));
}

#[test]
fn blocks_of_another_size_are_never_hit_and_first_to_go() {
    let rig = Rig::new(40 * 8192, 4096);
    let old = rig.object("a", 4096 * 20);
    let disk = rig.open();
    (0..20).for_each(|block| rig.offer(&disk, &old, block, false));
    drop(disk);
    let rig = Rig { geometry: Geometry::new(8192).unwrap(), ..rig };
    let rig = Rig { objects: KnownObjects::new(rig.geometry), ..rig };
    let new = rig.object("a", 4096 * 200);
    let disk = rig.open();
    until("the old blocks are counted", || disk.usage().1 == 20);
    assert!((0..10).all(|block| !rig.hits(&disk, &new, block) && !rig.hits(&disk, &rig.object("a", 4096 * 20), block)));
    (0..26).for_each(|block| rig.offer(&disk, &new, block, false));
    assert!((0..26).all(|block| rig.hits(&disk, &new, block)), "only old ones had to go");
    assert_eq!(rig.files().1, disk.usage().0);
}

#[test]
fn forgetting_an_object_and_dropping_everything() {
    let rig = Rig::new(1 << 20, 4096);
    let (a, b) = (rig.object("a", 4096 * 10), rig.object("b", 4096 * 10));
    let disk = rig.open();
    for object in [&a, &b] {
        (0..10).for_each(|block| rig.offer(&disk, object, block, false));
    }
    disk.forget(&a);
    assert!((0..10).all(|block| !rig.hits(&disk, &a, block) && rig.hits(&disk, &b, block)));
    assert_eq!((rig.files().1, disk.usage().1), (disk.usage().0, 10));
    let stranger = rig.home.path().join("plastron-cache-v1/blocks/00/README");
    let _ = std::fs::create_dir(stranger.parent().unwrap());
    std::fs::write(&stranger, "not ours").unwrap();
    disk.clear();
    assert_eq!((disk.usage(), rig.files().0), ((0, 0), vec![stranger]));

    let old = Offer {
        number: a.number() + 1,
        block: 0,
        data: rig.content(&a, 0),
        object: Arc::clone(&a),
        scan: false,
        priority: Priority::Data,
    };
    disk.offer(old);
    flush(&disk);
    assert!(!rig.hits(&disk, &a, 0), "asked for before it was invalidated");
}

#[test]
fn a_removed_directory_is_set_up_again() {
    let rig = Rig::new(1 << 20, 4096);
    let object = rig.object("a", 4096 * 100);
    let disk = rig.open();
    (0..10).for_each(|block| rig.offer(&disk, &object, block, false));
    assert!(rig.hits(&disk, &object, 1));
    std::fs::remove_dir_all(rig.home.path().join("plastron-cache-v1")).unwrap();
    assert!(!rig.hits(&disk, &object, 0) || rig.home.path().exists());
    let mut block = 10;
    until("it is written again", || {
        rig.offer(&disk, &object, block % 100, false);
        block += 1;
        rig.home.path().join("plastron-cache-v1/blocks").exists() && rig.hits(&disk, &object, (block - 1) % 100)
    });
    until("the books are right again", || rig.files().1 == disk.usage().0);
    assert_eq!(disk.state(), DiskState::Ready);
}

#[test]
fn two_caches_on_one_directory_share_blocks_and_keep_the_size() {
    let rig = Rig::new(100 * 8192, 4096);
    let object = rig.object("a", 4096 * 1000);
    let (first, second) = (rig.open(), rig.open());
    until("they know each other", || {
        [&first, &second]
            .iter()
            .all(|disk| disk.shared.counted.load(Ordering::Acquire) && disk.shared.may_hold_unknown())
    });
    (0..50).for_each(|block| rig.offer(&first, &object, block, false));
    assert!((0..50).all(|block| rig.hits(&second, &object, block)));
    assert_eq!(second.usage(), first.usage());

    for block in 100..300 {
        rig.offer(if block % 2 == 0 { &first } else { &second }, &object, block, false);
    }
    assert!(rig.files().1 <= 2 * rig.size, "{}", rig.files().1);
    // Each looks again every now and then; what one removes meanwhile the other may still have open.
    until("both know all and hit the same", || {
        rig.clock.advance(Duration::from_secs(60));
        let fits = first.usage().0 <= rig.size && second.usage().0 <= rig.size && rig.files().1 <= rig.size;
        fits && (0..300).all(|block| rig.hits(&first, &object, block) == rig.hits(&second, &object, block))
    });
    assert_eq!(rig.count(Event::DiskCorrupt), 0);
    first.clear();
    drop(first);
    until("it is alone again", || !second.shared.may_hold_unknown());
    until("and knows that nothing is left", || second.usage() == (0, 0));
    assert!((0..300).all(|block| !rig.hits(&second, &object, block)));
}
