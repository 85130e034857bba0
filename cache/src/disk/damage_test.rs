//! Files that are not what they should be: each is a miss, is removed, and is healed by the next write. Wrong bytes never come out.

use std::fs;
use std::path::Path;
use std::sync::Arc;

use super::tier::Disk;
use super::tier::tests::Rig;
use crate::known_objects::KnownObject;
use crate::stats::Event;

struct Victim {
    rig: Rig,
    disk: Disk,
    object: Arc<KnownObject>,
    path: std::path::PathBuf,
    good: Vec<u8>,
}

impl Victim {
    fn new(size: u64) -> Self {
        let rig = Rig::new(1 << 20, 4096);
        let object = rig.object("victim", size);
        let disk = rig.open();
        rig.offer(&disk, &object, 0, false);
        let path = rig.files().0.remove(0);
        let good = fs::read(&path).unwrap();
        Self { rig, disk, object, path, good }
    }

    /// Puts `bytes` where the block's file is, in place, so that a file that is kept open changes as well.
    fn damage(&self, bytes: &[u8]) {
        use std::os::unix::fs::FileExt;
        let file = fs::File::options().write(true).open(&self.path).unwrap();
        file.set_len(bytes.len() as u64).unwrap();
        file.write_all_at(bytes, 0).unwrap();
    }

    /// Reads whole or in part; damage must be a miss.
    fn must_miss(&self, whole: bool, what: &str) {
        let before = self.rig.count(Event::DiskCorrupt);
        let content = self.rig.content(&self.object, 0);
        let mut part = vec![0; content.len() - 1];
        let hit = if whole {
            self.rig.hits(&self.disk, &self.object, 0)
        } else {
            self.disk.part(&self.object, 0, &(1..content.len()), &mut part)
        };
        assert!(!hit, "{what}");
        assert_eq!(self.rig.count(Event::DiskCorrupt), before + 1, "{what}");
        assert!(self.path.symlink_metadata().is_err(), "{what}: it is removed");
        assert_eq!(self.disk.usage(), (0, 0), "{what}");
    }

    fn heal(&self) {
        self.rig.offer(&self.disk, &self.object, 0, false);
        assert!(self.rig.hits(&self.disk, &self.object, 0));
        assert_eq!(fs::read(&self.path).unwrap(), self.good);
    }
}

#[test]
fn a_flipped_bit_anywhere_is_found_and_healed() {
    let victim = Victim::new(300);
    for place in 0..victim.good.len() {
        for whole in [true, false] {
            // The first byte of data is not part of the partial read, but of its chunk.
            let mut bytes = victim.good.clone();
            bytes[place] ^= 1 << (place % 8);
            victim.damage(&bytes);
            victim.must_miss(whole, &format!("byte {place}"));
            victim.heal();
        }
    }
}

#[test]
fn truncated_extended_and_garbled_files() {
    let victim = Victim::new(4096);
    let mut longer = victim.good.clone();
    longer.push(0);
    victim.damage(&longer);
    victim.must_miss(true, "one byte more");
    victim.heal();
    for len in [0, 1, 7, 8, 63, 64, 191, 192, 193, victim.good.len() / 2, victim.good.len() - 1] {
        for whole in [true, false] {
            victim.damage(&victim.good[..len]);
            victim.must_miss(whole, &format!("cut to {len} bytes"));
            victim.heal();
        }
    }
    for garbage in [vec![0; victim.good.len()], vec![0xff; victim.good.len()], b"hello".to_vec()] {
        victim.damage(&garbage);
        victim.must_miss(true, "garbage");
        victim.heal();
    }
}

#[test]
fn sound_files_in_the_wrong_place() {
    let victim = Victim::new(4096 * 2);
    let (rig, disk) = (&victim.rig, &victim.disk);
    let twin = rig.object("other", 4096 * 2);
    rig.offer(disk, &victim.object, 1, false);
    rig.offer(disk, &twin, 0, false);
    let [other_block, other_object] = [(&victim.object, 1), (&twin, 0)].map(|(object, block)| {
        let path = disk.shared().layout.path(&disk.shared().name(object, block));
        fs::read(path).unwrap()
    });
    disk.clear();
    for bytes in [other_block, other_object] {
        victim.heal();
        victim.damage(&bytes);
        victim.must_miss(true, "another block");
    }
}

#[test]
fn things_that_are_no_files() {
    let victim = Victim::new(4096);
    let elsewhere = victim.rig.home.path().join("elsewhere");
    fs::write(&elsewhere, &victim.good).unwrap();
    let replace = |make: &dyn Fn(&Path)| {
        victim.disk.clear();
        let _ = fs::remove_dir_all(&victim.path);
        make(&victim.path);
        // Nothing in the index: the next run has to deal with it.
        let disk = victim.rig.open();
        assert!(!victim.rig.hits(&disk, &victim.object, 0));
    };
    replace(&|path| std::os::unix::fs::symlink(&elsewhere, path).unwrap());
    assert!(elsewhere.exists());
    replace(&|path| fs::create_dir(path).unwrap());
    replace(&|path| fs::write(path, "").unwrap());
}
