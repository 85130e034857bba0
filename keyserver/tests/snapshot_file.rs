//! Snapshots in files: what is written is read, and nothing else is.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::indexing_slicing, clippy::panic, reason = "a test")]

mod support;

use plastron_keyserver::ErrorKind;
use plastron_keyserver::kv::{Batch, Kv as _, MemoryKv};
use plastron_keyserver::machine::{Machine, import_snapshot, read_snapshot, snapshot_epoch, write_snapshot};
use support::world::World;

#[test]
fn a_snapshot_goes_through_a_file_and_makes_a_replica() {
    let mut world = World::new(&[1, 2, 3], &[11]);
    for number in 0..30 {
        world.update(&world.first(&format!("node/{number}"), 20));
        if number % 10 == 9 {
            world.epoch();
        }
    }
    let kv = &world.replicas[0].kv;
    let mut file = Vec::new();
    let count = write_snapshot(&*kv.snapshot().unwrap(), &mut file).unwrap();
    let pairs = read_snapshot(&mut &file[..]).unwrap();
    assert_eq!(pairs.len() as u64, count);
    let epoch = snapshot_epoch(&pairs).unwrap();
    assert_eq!(epoch, world.machine(0).state().ratified);
    let head = world.record(1, epoch).signed.head;
    let new = MemoryKv::new();
    import_snapshot(&world.options, &new, pairs, &head).unwrap();
    assert_eq!(new.contents(), kv.contents());
    let machine = Machine::open(std::sync::Arc::clone(&world.options), std::sync::Arc::new(new)).unwrap();
    assert_eq!(machine.state(), world.machine(0).state());
    // Cut off anywhere, with any bit flipped, or with more behind it: nothing.
    for length in (0..file.len()).step_by(97).chain([file.len() - 1]) {
        assert_eq!(read_snapshot(&mut &file[..length]).unwrap_err().kind(), ErrorKind::Corrupt, "{length} bytes");
    }
    for bit in (0..file.len() * 8).step_by(1009) {
        let mut flipped = file.clone();
        flipped[bit / 8] ^= 1 << (bit % 8);
        assert!(read_snapshot(&mut &flipped[..]).is_err(), "bit {bit}");
    }
    file.push(0);
    assert_eq!(read_snapshot(&mut &file[..]).unwrap_err().kind(), ErrorKind::Corrupt);
}

#[test]
fn large_databases_go_in_portions() {
    let kv = MemoryKv::new();
    for number in 0..3_000_u32 {
        let mut batch = Batch::new();
        batch.put(number.to_be_bytes().to_vec(), vec![number as u8; if number % 500 == 0 { 3 << 20 } else { 100 }]);
        kv.write(batch).unwrap();
    }
    let mut file = Vec::new();
    assert_eq!(write_snapshot(&*kv.snapshot().unwrap(), &mut file).unwrap(), 3_000);
    assert!(read_snapshot(&mut &file[..]).unwrap().into_iter().eq(kv.contents()));
    let mut empty = Vec::new();
    assert_eq!(write_snapshot(&*MemoryKv::new().snapshot().unwrap(), &mut empty).unwrap(), 0);
    assert!(read_snapshot(&mut &empty[..]).unwrap().is_empty());
    assert_eq!(snapshot_epoch(&[]).unwrap_err().kind(), ErrorKind::Corrupt);
}
