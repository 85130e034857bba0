//! Crashes, restarts and partitions, each at every place or from a seed. `PLASTRON_SEEDS=1000` runs more seeds; a failure names its seed.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::indexing_slicing, clippy::panic, reason = "a test")]

mod support;

use bytes::Bytes;
use plastron_keyserver::machine::Accepted;
use plastron_keyserver::proto::*;
use plastron_keyserver::{Digest, ErrorKind};
use support::world::{Crash, Dice, World};
use support::{key, next_update};

fn seeds() -> u64 {
    std::env::var("PLASTRON_SEEDS").ok().and_then(|seeds| seeds.parse().ok()).unwrap_or(20)
}

/// Heads of all epochs that a replica has, without their signatures.
fn heads(world: &World, at: usize) -> Vec<EpochHead> {
    (1..=world.machine(at).state().delimited).map(|epoch| world.record(at, epoch).signed.head).collect()
}

/// A fixed run of three epochs, with a replica that dies at the given boundary (counted over all its steps); gives whether the run got so far.
fn scripted(replicas: &[u8], victim: usize, boundary: usize) -> (World, bool) {
    let mut world = World::new(replicas, &[]);
    let mut left = boundary;
    let mut crashed = false;
    let mut last: Option<Update> = None;
    for round in 0..3_u8 {
        let update = match &last {
            None => world.first("node/a/1", 20),
            Some(last) => next_update(world.realm(), last, 20, &[20], round),
        };
        world.update(&update);
        world.update(&world.first(&format!("node/b/{round}"), 20));
        last = Some(update);
        world.delimit();
        loop {
            let mut quiet = true;
            for at in 0..world.replicas.len() {
                if world.replicas[at].machine.is_none() {
                    world.start(at);
                }
                let waiting = world.machine(at).state().applied < world.log.len() as u64;
                let crash = if at == victim && waiting && !crashed {
                    let place = left;
                    left = left.saturating_sub(2);
                    match place {
                        0 => Some(Crash::BeforeBatch),
                        1 => Some(Crash::BeforeEffects),
                        _ => None,
                    }
                } else {
                    None
                };
                crashed |= crash.is_some();
                quiet &= !waiting;
                world.apply(at, crash);
            }
            if quiet {
                break;
            }
        }
    }
    (world, crashed)
}

#[test]
fn scenario_05_a_crash_at_every_boundary_of_batch_and_effect_and_epochs_resume() {
    for replicas in [&[1][..], &[1, 2, 3]] {
        let (undisturbed, _) = scripted(replicas, 0, usize::MAX);
        let expected = heads(&undisturbed, 0);
        assert_eq!(expected.len(), 3);
        for victim in 0..replicas.len() {
            let mut boundary = 0;
            loop {
                let (world, crashed) = scripted(replicas, victim, boundary);
                for at in 0..replicas.len() {
                    assert_eq!(world.machine(at).state().ratified, 3, "{replicas:?}, {victim}, boundary {boundary}");
                    assert_eq!(heads(&world, at), expected, "{replicas:?}, {victim}, boundary {boundary}");
                    let found = world.look_up(at, "node/a/1", Quorum::Replicas).unwrap();
                    assert_eq!(found.found.unwrap().0.version, 2);
                }
                if !crashed {
                    break;
                }
                boundary += 1;
            }
            // An update, its delimiter and its signatures at the least, each with two boundaries, three times.
            assert!(boundary >= 3 * 4 * 2, "{boundary}");
        }
    }
}

/// Proposes something at random: right, wrong, doubled, or garbage.
fn something(world: &mut World, dice: &mut Dice, names: &mut [Option<Update>]) {
    let at = dice.roll(names.len() as u64) as usize;
    match dice.roll(10) {
        0..5 => {
            let update = match &names[at] {
                None => world.first(&format!("node/{at}"), 20),
                Some(last) => next_update(world.realm(), last, 20, &[20], dice.roll(200) as u8),
            };
            world.update(&update);
        }
        5 => world.delimit(),
        6 => {
            let entry = world.log[dice.roll(world.log.len() as u64) as usize].clone();
            world.log.push(entry);
        }
        7 => {
            let mut entry = world.log[dice.roll(world.log.len() as u64) as usize].to_vec();
            let bit = dice.roll(entry.len() as u64 * 8) as usize;
            entry[bit / 8] ^= 1 << (bit % 8);
            world.log.push(Bytes::from(entry));
        }
        8 => world.propose(&LogEntry::Delimiter { epoch: dice.roll(5), issued_ms: dice.roll(u64::MAX) }),
        _ => {
            let head = EpochHead {
                realm: world.realm().id(),
                epoch: dice.roll(5),
                root: Digest::NONE,
                issued_ms: 0,
                previous: Digest::NONE,
                policy: Digest::NONE,
                next_policy: Digest::NONE,
            };
            let by = key(dice.roll(4) as u8);
            world.propose(&LogEntry::HeadSignature { epoch: head.epoch, key: by.public(), signature: head.sign(&by) });
        }
    }
}

/// Runs a world at random; whoever is down comes back. Gives how often somebody died.
fn random(seed: u64, steps: u64) -> (World, u64) {
    let mut dice = Dice(seed);
    let mut world = World::new(&[1, 2, 3], &[]);
    let mut names: Vec<Option<Update>> = vec![None; 5];
    world.delimit();
    let mut deaths = 0;
    for _ in 0..steps {
        if dice.roll(4) == 0 {
            something(&mut world, &mut dice, &mut names);
        }
        let at = dice.roll(3) as usize;
        if world.replicas[at].machine.is_none() {
            if dice.roll(3) == 0 {
                world.start(at);
            }
            continue;
        }
        let crash = match dice.roll(12) {
            0 => Some(Crash::BeforeBatch),
            1 => Some(Crash::BeforeEffects),
            _ => None,
        };
        let entry = world.log.get(world.machine(at).state().applied as usize).cloned();
        let result = world.apply(at, crash);
        deaths += u64::from(world.replicas[at].machine.is_none());
        // Whoever sees an update accepted bases the next on it.
        if let (Some(Ok(Accepted::Change(_))), Some(entry)) = (result, entry)
            && let Ok(LogEntry::Update(update)) = LogEntry::from_bytes(&entry)
        {
            let name: usize = update.name.trim_start_matches("node/").parse().unwrap();
            let newer = names[name].as_ref().is_none_or(|last| last.signed.entry.version < update.signed.entry.version);
            if newer {
                names[name] = Some(*update);
            }
        }
    }
    for at in 0..3 {
        if world.replicas[at].machine.is_none() {
            world.start(at);
        }
    }
    world.settle();
    (world, deaths)
}

#[test]
fn scenario_06_the_same_log_gives_identical_heads_under_random_restarts() {
    let (mut epochs, mut deaths) = (0, 0);
    for seed in 0..seeds() {
        let (world, died) = random(seed, 400);
        deaths += died;
        epochs += world.machine(0).state().ratified;
        for at in 1..3 {
            assert_eq!(heads(&world, at), heads(&world, 0), "seed {seed}");
            // Not heads alone: the databases are the same, byte for byte.
            assert_eq!(world.replicas[at].kv.contents(), world.replicas[0].kv.contents(), "seed {seed}");
        }
        // Nobody who only reads the log can come to anything else.
        let mut late = World::new(&[1], &[]);
        late.options = world.options.clone();
        late.replicas[0].kv = Default::default();
        late.replicas[0].number = 77;
        late.log = world.log.clone();
        late.start(0);
        while late.replicas[0].machine.as_ref().unwrap().state().applied < world.log.len() as u64 {
            late.apply(0, None);
        }
        assert_eq!(late.replicas[0].kv.contents(), world.replicas[0].kv.contents(), "seed {seed}");
    }
    // It was not for nothing.
    assert!(epochs > seeds() && deaths > seeds(), "{epochs} epochs, {deaths} deaths");
}

#[test]
fn scenario_07_follower_then_leader_killed_in_mid_epoch_and_the_update_is_ratified_once() {
    // At every place in the life of an epoch where the follower can die, and then the leader.
    for follower_dies in 0..6 {
        for leader_dies in 0..6 {
            let mut world = World::new(&[1, 2, 3], &[]);
            let update = world.first("node/a/1", 20);
            world.update(&update);
            world.delimit();
            for step in 0..6 {
                for at in 0..3 {
                    let dies = (at == 1 && step == follower_dies) || (at == 0 && step == leader_dies);
                    world.apply(at, dies.then_some(Crash::BeforeEffects));
                }
            }
            // The client hears nothing, and asks again; the new leader tries its own delimiter, the old one's may be there.
            world.update(&update);
            world.delimit();
            (0..3)
                .filter(|at| world.replicas[*at].machine.is_none())
                .collect::<Vec<_>>()
                .into_iter()
                .for_each(|at| world.start(at));
            world.settle();
            world.epoch();
            let history = world.directory(2).history("node/a/1", 0, 10).unwrap();
            assert_eq!(history.len(), 1, "{follower_dies}, {leader_dies}");
            assert_eq!(history[0].signed, update.signed);
            let page = world.directory(2).stream(StreamPosition { epoch: 1, change: 0 }).unwrap();
            let changes = page.items.iter().filter(|item| matches!(item, StreamItem::Change(_))).count();
            assert_eq!(changes, 1);
            for at in 0..3 {
                assert_eq!(heads(&world, at), heads(&world, 2));
                assert!(world.look_up(at, "node/a/1", Quorum::Replicas).unwrap().found.is_some());
            }
        }
    }
}

#[test]
fn scenario_08_a_minority_signs_nothing() {
    let mut world = World::new(&[1, 2, 3], &[]);
    world.update(&world.first("node/a/1", 20));
    world.epoch();
    // The others are gone. Even with the log to itself, one replica ratifies nothing, and says what was said.
    let parted: Vec<_> = (1..3).map(|at| world.replicas[at].machine.take()).collect();
    world.update(&world.first("node/a/2", 20));
    for _ in 0..5 {
        world.epoch();
    }
    let state = world.machine(0).state().clone();
    assert_eq!((state.delimited, state.ratified), (2, 1));
    assert!(!world.record(0, 2).signed.meets(&world.realm().policy.replicas));
    let found = world.look_up(0, "node/a/2", Quorum::Replicas).unwrap();
    assert_eq!((found.head.epoch, found.found), (1, None));
    let later = LookupRequest { name: "node/a/2".to_owned(), epoch: 2, quorum: Quorum::Replicas, known_generation: 0 };
    assert_eq!(world.directory(0).lookup(&later).unwrap_err().kind(), ErrorKind::NotFound);
    assert!(world.directory(0).stream(StreamPosition { epoch: 2, change: 0 }).unwrap().items.is_empty());
    // One without the log makes nothing at all.
    let mut alone = World::new(&[1, 2, 3], &[]);
    alone.settle();
    assert_eq!(alone.directory(0).status().unwrap().0.delimited, 0);
    // They come back, and the epoch is made.
    for (at, machine) in (1..3).zip(parted) {
        world.replicas[at].machine = machine;
    }
    world.settle();
    assert_eq!(world.machine(0).state().ratified, 2);
    assert!(world.look_up(2, "node/a/2", Quorum::Replicas).unwrap().found.is_some());
}

/// Scenario 26: every lookup says what was true at one moment between its question and its answer, and updates that were answered are in all that
/// follow. The history of each name is a register; versions only rise, so that it is enough to compare them.
#[test]
fn scenario_26_histories_are_linearizable_under_faults() {
    let (mut answers, mut lookups, mut behind) = (0, 0, 0);
    for seed in 0..seeds() {
        let mut dice = Dice(seed ^ 0xabcd);
        let mut world = World::new(&[1, 2, 3], &[]);
        let mut last = world.first("node/0", 20);
        world.update(&last);
        // A client has its answer when the epoch of its update is ratified, at some replica. A lookup goes to any replica, with the client's memory.
        let mut acknowledged: Option<u64> = None;
        let mut seen = 0;
        let mut memory = ClientMemory::new(world.realm());
        for _ in 0..600 {
            let at = dice.roll(3) as usize;
            match dice.roll(10) {
                0 => world.delimit(),
                1 => {
                    // Dies, or comes back, which is likelier.
                    if world.replicas[at].machine.is_none() {
                        world.start(at);
                    } else if dice.roll(3) == 0 {
                        world.replicas[at].machine = None;
                    }
                }
                2..4 if world.replicas[at].machine.is_some() => {
                    let request = LookupRequest {
                        name: "node/0".to_owned(),
                        epoch: 0,
                        quorum: Quorum::Replicas,
                        known_generation: 0,
                    };
                    let Ok(answer) = world.directory(at).lookup(&request) else { continue };
                    match verify_lookup(&world, &memory, &request, &answer) {
                        Ok(found) => {
                            memory = found.memory;
                            lookups += 1;
                            let version = found.found.map(|(entry, _)| entry.version);
                            // What the client has been told, it never sees undone; what nobody proposed, it never sees.
                            assert!(version.map_or(0, |version| version + 1) >= seen, "seed {seed}");
                            assert!(acknowledged.is_none_or(|least| version >= Some(least)), "seed {seed}");
                            assert!(version.is_none_or(|version| version <= last.signed.entry.version), "seed {seed}");
                            seen = version.map_or(0, |version| version + 1);
                        }
                        // A replica that is behind is found out, and another one asked.
                        Err(refused) => {
                            behind += 1;
                            let older = matches!(refused, plastron_keyserver::Unverified::Older { .. });
                            assert!(older, "seed {seed}: {refused}");
                        }
                    }
                }
                4 => {
                    // The owner goes on when he has his answer, and has seen it, as a client does that reads its own writes.
                    let Some(newest) = newest(&world) else { continue };
                    if newest == last.signed.entry.version && acknowledged != Some(newest) {
                        acknowledged = Some(newest);
                        answers += 1;
                        let ratified = (0..3).find_map(|at| head_of(&world, at, newest)).unwrap();
                        if ratified.epoch > memory.epoch {
                            memory = ClientMemory { epoch: ratified.epoch, head: ratified.digest(), ..memory };
                        }
                        last = next_update(world.realm(), &last, 20, &[20], dice.roll(200) as u8);
                    }
                    world.update(&last);
                }
                _ => {
                    for _ in 0..dice.roll(8) {
                        let crash = match dice.roll(60) {
                            0 => Some(Crash::BeforeBatch),
                            1 => Some(Crash::BeforeEffects),
                            _ => None,
                        };
                        world.apply(at, crash);
                    }
                }
            }
        }
    }
    // It was not for nothing.
    assert!(answers > 4 * seeds() && lookups > 20 * seeds() && behind > 0, "{answers}, {lookups}, {behind}");
}

fn verify_lookup(
    world: &World,
    memory: &ClientMemory,
    request: &LookupRequest,
    answer: &LookupAnswer,
) -> Result<plastron_keyserver::Verified, plastron_keyserver::Unverified> {
    plastron_keyserver::verify_lookup(world.realm(), memory, request, answer, world.now_ms)
}

/// The newest version of the name that is ratified at a replica that is up.
fn newest(world: &World) -> Option<u64> {
    let up = (0..3).filter(|at| world.replicas[*at].machine.is_some());
    up.filter_map(|at| {
        world.directory(at).history("node/0", 0, 1000).unwrap().last().map(|item| item.signed.entry.version)
    })
    .max()
}

/// The newest ratified head of a replica that has that version.
fn head_of(world: &World, at: usize, version: u64) -> Option<EpochHead> {
    world.replicas[at].machine.as_ref()?;
    let directory = world.directory(at);
    let has = directory.history("node/0", 0, 1000).unwrap().last()?.signed.entry.version >= version;
    has.then(|| directory.status().unwrap().1.unwrap().signed.head)
}
