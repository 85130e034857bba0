use std::collections::HashMap;

use proptest::prelude::*;

use super::*;
use crate::disk::entry::Pin;

fn name(block: u64) -> BlockName {
    BlockName { digest: 7, shift: 18, block }
}

/// What `Disk` does for one block: make room, then enter it.
fn write(ledger: &Ledger, index: &Index, block: u64, charge: u64, limit: u64) -> Result<Vec<u64>, ()> {
    let mut evicted = Vec::new();
    while !ledger.reserve(charge, limit) {
        let victim = ledger.pick(limit, index).ok_or(())?;
        ledger.released(victim.charge);
        evicted.push(victim.name.block);
    }
    let entry = Entry::new(name(block), charge, 0);
    assert!(index.insert(&entry));
    ledger.enter(&entry, ledger.place_of(&entry.name));
    Ok(evicted)
}

fn read(index: &Index, block: u64) -> bool {
    index.pin(&name(block)).is_some_and(|pin| {
        pin.entry().touch();
        true
    })
}

#[derive(Debug, Clone)]
enum Step {
    Write { block: u64, pages: u64, limit: u64 },
    Read(u64),
    Pin(u64),
    Unpin,
    Forget(u64),
    Adopt { block: u64, pages: u64, last: bool },
    Scan(u64),
}

fn steps() -> impl Strategy<Value = Vec<Step>> {
    let step = prop_oneof![
        6 => (0u64..60, 1u64..9, 20u64..100).prop_map(|(block, pages, limit)| Step::Write { block, pages, limit }),
        4 => (0u64..60).prop_map(Step::Read),
        1 => (0u64..60).prop_map(Step::Pin),
        1 => Just(Step::Unpin),
        2 => (0u64..60).prop_map(Step::Forget),
        1 => (0u64..60, 1u64..9, any::<bool>()).prop_map(|(block, pages, last)| Step::Adopt { block, pages, last }),
        1 => (0u64..60).prop_map(Step::Scan),
    ];
    proptest::collection::vec(step, 1..400)
}

proptest! {
    /// Against a map of what exists: the sum is exact after every step, a write never leaves more than its limit, what is
    /// pinned stays, and what is evicted is unknown.
    #[test]
    fn the_books_are_exact(steps in steps()) {
        let (ledger, index) = (Ledger::default(), Index::new());
        let mut model: HashMap<u64, u64> = HashMap::new();
        let mut pins: Vec<Pin> = Vec::new();
        for step in steps {
            match step {
                Step::Write { block, pages, limit } if !model.contains_key(&block) => {
                    let (charge, limit) = (4096 * pages, 4096 * limit);
                    let mut reserved = ledger.reserve(charge, limit);
                    while !reserved {
                        let Some(victim) = ledger.pick(limit, &index) else { break };
                        prop_assert!(model.contains_key(&victim.name.block) && !index.has(&victim.name));
                        prop_assert!(pins.iter().all(|pin| !Arc::ptr_eq(pin.entry(), &victim)));
                        prop_assert_eq!(ledger.used(), model.values().sum::<u64>(), "counts until it is removed");
                        ledger.released(victim.charge);
                        model.remove(&victim.name.block);
                        reserved = ledger.reserve(charge, limit);
                    }
                    let kept: u64 = model.values().sum();
                    if !reserved {
                        prop_assert!(!pins.is_empty(), "room can always be made unless files are being read");
                        continue;
                    }
                    prop_assert!(ledger.used() <= limit && ledger.used() == kept + charge);
                    if block % 7 == 0 {
                        ledger.released(charge); // the write failed
                        continue;
                    }
                    let entry = Entry::new(name(block), charge, 0);
                    prop_assert!(index.insert(&entry));
                    ledger.enter(&entry, ledger.place_of(&entry.name));
                    model.insert(block, charge);
                }
                Step::Write { .. } => {}
                Step::Read(block) => prop_assert_eq!(read(&index, block), model.contains_key(&block)),
                Step::Pin(block) => pins.extend(index.pin(&name(block))),
                Step::Unpin => drop(pins.pop()),
                Step::Forget(block) => {
                    if let Some(pin) = index.pin(&name(block)) {
                        prop_assert!(index.remove(pin.entry(), false));
                        prop_assert!(ledger.forget(pin.entry()) && !ledger.forget(pin.entry()));
                        model.remove(&block);
                    }
                }
                Step::Adopt { block, pages, last } => {
                    let entry = Entry::new(name(block), 4096 * pages, 0);
                    prop_assert_eq!(index.insert(&entry), !model.contains_key(&block));
                    if let std::collections::hash_map::Entry::Vacant(place) = model.entry(block) {
                        ledger.adopt(&entry, if last { Place::Last } else { Place::Small });
                        place.insert(entry.charge);
                    }
                }
                Step::Scan(block) => {
                    ledger.seen_before(&name(block));
                    prop_assert!(ledger.seen_before(&name(block)));
                }
            }
            prop_assert_eq!(ledger.used(), model.values().sum::<u64>());
            prop_assert_eq!((index.len(), ledger.settled().bytes), (model.len(), ledger.used()));
        }
        drop(pins);
        while let Some(victim) = ledger.pick(0, &index) {
            ledger.released(victim.charge);
            prop_assert!(model.remove(&victim.name.block).is_some());
        }
        prop_assert_eq!((ledger.used(), model.len(), index.len()), (0, 0, 0));
        let books = ledger.lock();
        prop_assert_eq!((books.small_bytes, books.in_motion), (0, 0));
    }
}

#[test]
fn what_is_read_outlives_a_scan() {
    let (ledger, index) = (Ledger::default(), Index::new());
    let limit = 100 * 4096;
    (0..50).for_each(|block| drop(write(&ledger, &index, block, 4096, limit)));
    for block in 1000..5000 {
        (0..50).for_each(|hot| assert!(read(&index, hot) || block > 1000 + 200));
        write(&ledger, &index, block, 4096, limit).unwrap();
    }
    assert!((0..50).all(|block| read(&index, block)));
}

#[test]
fn what_was_placed_last_goes_first_and_a_ghost_returns_to_the_main_queue() {
    let (ledger, index) = (Ledger::default(), Index::new());
    (0..3).for_each(|block| drop(write(&ledger, &index, block, 4096, 4 * 4096)));
    let old = Entry::new(name(9), 4096, 0);
    index.insert(&old);
    ledger.adopt(&old, Place::Last);
    assert_eq!(write(&ledger, &index, 4, 4096, 4 * 4096), Ok(vec![9]));
    assert_eq!(write(&ledger, &index, 5, 4096, 4 * 4096), Ok(vec![0]));
    assert_eq!(ledger.place_of(&name(0)), Place::Main);
    assert_eq!(ledger.place_of(&name(0)), Place::Small);
}

#[test]
fn husks_are_swept() {
    let (ledger, index) = (Ledger::default(), Index::new());
    for block in 0..10_000 {
        write(&ledger, &index, block, 4096, u64::MAX).unwrap();
        let pin = index.pin(&name(block)).unwrap();
        index.remove(pin.entry(), false);
        ledger.forget(pin.entry());
    }
    let books = ledger.lock();
    assert!(books.small.len() + books.main.len() <= 2100 && books.used == 0);
}
