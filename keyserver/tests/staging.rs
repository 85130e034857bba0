//! Steps that are put on disk together amount to the same as one after the other.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::indexing_slicing, clippy::panic, reason = "a test")]

mod support;

use std::sync::Arc;

use bytes::Bytes;
use plastron_keyserver::kv::{Kv, MemoryKv};
use plastron_keyserver::log::Committed;
use plastron_keyserver::machine::{Effect, Machine};
use plastron_keyserver::proto::*;
use support::next_update;
use support::world::{Dice, World};

/// Everything that can be in a log: changes, doubled and refused ones, garbage, epochs, signatures.
fn history(dice: &mut Dice) -> World {
    let mut world = World::retaining(&[1, 2, 3], &[11], 3);
    let mut known: Vec<Update> = Vec::new();
    for _ in 0..12 {
        for _ in 0..dice.roll(6) {
            let update = match dice.roll(4) {
                0 if !known.is_empty() => {
                    let before = known[dice.roll(known.len() as u64) as usize].clone();
                    next_update(world.realm(), &before, 20, &[20], dice.roll(200) as u8)
                }
                1 if !known.is_empty() => known[dice.roll(known.len() as u64) as usize].clone(),
                _ => world.first(&format!("node/{}", dice.roll(40)), 20),
            };
            world.update(&update);
            known.push(update);
        }
        if dice.roll(3) == 0 {
            world.log.push(Bytes::from_static(b"garbage"));
        }
        world.epoch();
        let epoch = world.machine(0).state().ratified;
        world.ratify(epoch, 11);
        world.settle();
    }
    world
}

#[test]
fn staged_steps_leave_the_same_database_and_effects_as_committed_ones() {
    for seed in 0..8 {
        let mut dice = Dice(seed);
        let world = history(&mut dice);
        let entries: Vec<Committed> =
            (1..).zip(&world.log).map(|(index, entry)| Committed { index, entry: entry.clone() }).collect();
        let open =
            |kv: &MemoryKv| Machine::open(Arc::clone(&world.options), Arc::new(kv.clone()) as Arc<dyn Kv>).unwrap();
        let (one_by_one, together) = (MemoryKv::new(), MemoryKv::new());
        let mut machine = open(&one_by_one);
        let mut expected: Vec<Effect> = Vec::new();
        for entry in &entries {
            let outcome = machine.step(entry).unwrap();
            expected.extend(machine.commit(outcome).unwrap());
        }
        assert!(expected.iter().any(|effect| matches!(effect, Effect::Answer { result: Err(_), .. })));
        let (mut staging, mut effects) = (open(&together), Vec::new());
        let mut rest = &entries[..];
        while !rest.is_empty() {
            let (portion, after) = rest.split_at((1 + dice.roll(20) as usize).min(rest.len()));
            let before = together.contents();
            // All at once, or one after the other: that is the same.
            if dice.roll(2) == 0 {
                assert_eq!(staging.stage_all(portion).unwrap().len(), portion.len());
            } else {
                for entry in portion {
                    let outcome = staging.step(entry).unwrap();
                    staging.stage(outcome);
                }
            }
            // Nothing is there before all of it is: a replica that dies here begins where it was.
            assert_eq!(together.contents(), before);
            let applied = entries.len() - rest.len();
            assert_eq!(open(&together).state().applied, applied as u64);
            effects.extend(staging.flush().unwrap());
            rest = after;
        }
        assert_eq!(effects, expected, "seed {seed}");
        assert_eq!(together.contents(), one_by_one.contents(), "seed {seed}");
        assert_eq!(together.contents(), world.replicas[0].kv.contents(), "seed {seed}");
        assert_eq!(staging.state(), machine.state());
    }
}
