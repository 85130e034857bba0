//! A power cut at every single request to the disks, of the journal and of the database beneath it, and another one while what it left is opened.
//!
//! `PLASTRON_SEEDS=1000 cargo test -p plastron-ickpt power` tries so many combinations of what is left for every request, from `PLASTRON_SEED` on.

use bytes::Bytes;

use super::sim_disk::{Dice, Disks, Image};
use super::tables::Tables;
use super::*;
use crate::value::{Epoch, InstanceId, Members};

const SEEDS: u64 = 2;
const COMMITS: u64 = 22;
/// Blocks of each of the journal's files: a turn ends after three commits or so.
const BLOCKS: u32 = 6;
const IDENTITY: InstanceId = InstanceId(1 << 127 | 5);
const OLD: &[u8] = b"swift/v1/AUTH_a/c/old";

fn key(number: u64) -> String {
    format!("swift/v1/AUTH_a/c/{}", number % 3)
}

fn record(number: u64) -> Record {
    let bytes = Bytes::from(vec![number as u8; 100 + 700 * (number as usize % 12)]);
    Record {
        promised: Epoch(number.into()),
        sequence: number,
        content: Content::Value(bytes),
        members: Members::default(),
        ..Record::default()
    }
}

fn write(database: &Database, number: u64) -> crate::Result<()> {
    database.write([(key(number).as_bytes(), &record(number))])
}

/// Opens, commits, and moves what was committed now and then. Gives how many commits were acknowledged, and how many attempted.
fn work(disks: &Disks) -> (u64, u64) {
    let Ok(database) = disks.open(BLOCKS) else { return (0, 0) };
    for number in 1..=COMMITS {
        if write(&database, number).is_err() {
            return (number - 1, number);
        }
        // Moved at once, or while the other file takes entries, or by whoever finds both full.
        let moved = match number {
            4 | 17 => database.seal().and_then(|()| database.move_sealed()),
            9 => database.seal(),
            11 | 20 => database.move_sealed(),
            _ => Ok(()),
        };
        if moved.is_err() {
            return (number, number);
        }
    }
    (COMMITS, COMMITS)
}

/// Checks what is found in `image`.
fn check(image: Image, acknowledged: u64, attempted: u64, dice: &mut Dice) -> Result<(), String> {
    // Opening it is cut short, too; that leaves what can be opened.
    let short = Disks::holding(image, Some(dice.next() % 60));
    drop(short.open(BLOCKS));
    let disks = Disks::holding(short.survivors(dice), None);
    let database = disks.open(BLOCKS).map_err(|error| error.to_string())?;
    if database.identity() != IDENTITY || database.read(OLD).unwrap() != Some(record(1)) {
        return Err("it forgot who it is, or what was there before".to_owned());
    }
    for name in 0..3 {
        let of_key = |most: u64| (1..=most).rev().find(|number| number % 3 == name).map(record);
        let found = database.read(key(name).as_bytes()).unwrap();
        if found != of_key(acknowledged) && found != of_key(attempted) {
            return Err(format!("key {name} has {found:?} where {acknowledged} were acknowledged"));
        }
    }
    // It goes on from there, and what it takes then counts as well.
    for number in 100..106 {
        write(&database, number).map_err(|error| error.to_string())?;
    }
    drop(database);
    let database = Disks::holding(disks.survivors(dice), None).open(BLOCKS).map_err(|error| error.to_string())?;
    let all = (103..106).all(|number| database.read(key(number).as_bytes()).unwrap() == Some(record(number)));
    all.then_some(()).ok_or_else(|| "what came after the cut is lost".to_owned())
}

/// Cuts the power at every request that work on `image` makes.
fn cut_everywhere(image: &Image) {
    let variable =
        |name: &str, default: u64| std::env::var(name).ok().and_then(|text| text.parse().ok()).unwrap_or(default);
    let (seeds, first) = (variable("PLASTRON_SEEDS", SEEDS).min(1000), variable("PLASTRON_SEED", 0));
    let whole = Disks::holding(image.clone(), None);
    assert_eq!(work(&whole), (COMMITS, COMMITS));
    let requests = whole.requests();
    assert!(requests > 4 * COMMITS, "{requests}");
    let mut acknowledged_in_all = 0;
    for cut in 0..requests {
        let disks = Disks::holding(image.clone(), Some(cut));
        let (acknowledged, attempted) = work(&disks);
        acknowledged_in_all += acknowledged;
        for seed in first..first + seeds {
            let mut dice = Dice(seed << 32 | cut);
            check(disks.survivors(&mut dice), acknowledged, attempted, &mut dice)
                .unwrap_or_else(|what| panic!("cut {cut} of {requests}, seed {seed}: {what}"));
        }
    }
    assert!(acknowledged_in_all > requests, "cuts came after acknowledgements too: {acknowledged_in_all}");
}

/// A database that was made before there was a journal.
fn without_journal() -> Disks {
    let disks = Disks::holding(Image::default(), None);
    Tables::on(disks.tables()).unwrap().write_without_journal(IDENTITY, OLD, &record(1).encode(OLD));
    disks
}

#[test]
fn a_power_cut_loses_nothing_acknowledged() {
    // The start before this one left a journal of which some has moved, and some has not.
    let disks = without_journal();
    let database = disks.open(BLOCKS).unwrap();
    for number in 50..60 {
        database.write([(b"swift/v1/AUTH_a/c/another".as_slice(), &record(number))]).unwrap();
    }
    drop(database);
    cut_everywhere(&disks.image());
}

#[test]
fn a_power_cut_while_the_first_journal_is_made_loses_nothing_acknowledged() {
    cut_everywhere(&without_journal().image());
}
