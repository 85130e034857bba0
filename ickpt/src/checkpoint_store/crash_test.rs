//! A power cut at every single request to the disk. What was not synced is then there in part: any of the unsynced sectors, in any combination.
//!
//! `PLASTRON_SEEDS=1000 cargo test -p plastron-ickpt power` tries so many combinations for every request, from `PLASTRON_SEED` on.

use std::io;
use std::sync::{Arc, Mutex};

use bytes::Bytes;

use super::*;
use crate::value::{Epoch, Members};

const SECTOR: usize = 512;
const SEEDS: u64 = 2;
const COMMITS: u64 = 12;

/// SplitMix64.
#[derive(Debug)]
struct Dice(u64);

impl Dice {
    fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let z = (self.0 ^ (self.0 >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        let z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        z ^ (z >> 31)
    }
}

#[derive(Debug, Default)]
struct State {
    synced: Vec<u8>,
    current: Vec<u8>,
    /// Where sectors begin that were written since the last sync.
    unsynced: Vec<usize>,
    requests: u64,
    cut_at: Option<u64>,
}

impl State {
    fn request(&mut self) -> io::Result<()> {
        self.requests += 1;
        if self.cut_at.is_some_and(|cut| self.requests > cut) {
            Err(io::Error::other("the power is cut"))
        } else {
            Ok(())
        }
    }
}

#[derive(Debug, Clone, Default)]
struct Disk(Arc<Mutex<State>>);

impl Disk {
    fn holding(bytes: Vec<u8>, cut_at: Option<u64>) -> Self {
        let state = State { synced: bytes.clone(), current: bytes, cut_at, ..State::default() };
        Self(Arc::new(Mutex::new(state)))
    }

    /// What is found after the cut.
    fn survivors(&self, dice: &mut Dice) -> Vec<u8> {
        let state = self.0.lock().unwrap();
        let mut bytes = state.synced.clone();
        // Lengths are part of what was not synced.
        if dice.next().is_multiple_of(2) {
            bytes.resize(state.current.len(), 0);
        }
        for at in &state.unsynced {
            let end = (at + SECTOR).min(bytes.len()).min(state.current.len());
            if dice.next().is_multiple_of(2) && *at < end {
                bytes[*at..end].copy_from_slice(&state.current[*at..end]);
            }
        }
        bytes
    }
}

impl redb::StorageBackend for Disk {
    fn len(&self) -> io::Result<u64> {
        Ok(self.0.lock().unwrap().current.len() as u64)
    }

    fn read(&self, offset: u64, out: &mut [u8]) -> io::Result<()> {
        let state = self.0.lock().unwrap();
        let offset = offset as usize;
        let found = state.current.get(offset..offset + out.len()).ok_or(io::ErrorKind::UnexpectedEof)?;
        out.copy_from_slice(found);
        Ok(())
    }

    fn set_len(&self, len: u64) -> io::Result<()> {
        let mut state = self.0.lock().unwrap();
        state.request()?;
        state.current.resize(len as usize, 0);
        Ok(())
    }

    fn sync_data(&self) -> io::Result<()> {
        let mut state = self.0.lock().unwrap();
        state.request()?;
        state.synced = state.current.clone();
        state.unsynced.clear();
        Ok(())
    }

    fn write(&self, offset: u64, data: &[u8]) -> io::Result<()> {
        let mut state = self.0.lock().unwrap();
        state.request()?;
        let offset = offset as usize;
        state.current[offset..offset + data.len()].copy_from_slice(data);
        let first = offset / SECTOR * SECTOR;
        state.unsynced.extend((first..offset + data.len()).step_by(SECTOR));
        Ok(())
    }
}

fn key(number: u64) -> String {
    format!("swift/v1/AUTH_a/c/{}", number % 3)
}

fn record(number: u64) -> Record {
    let bytes = Bytes::from(vec![number as u8; 100 + 700 * number as usize]);
    Record {
        promised: Epoch(number.into()),
        sequence: number,
        content: Content::Value(bytes),
        members: Members::default(),
        ..Record::default()
    }
}

/// Opens, commits, and gives how many commits were acknowledged.
fn work(disk: &Disk) -> u64 {
    let Ok(database) = Database::on(disk.clone()) else { return 0 };
    let mut done = 0;
    for number in 1..=COMMITS {
        if database.write([(key(number).as_bytes(), &record(number))]).is_err() {
            break;
        }
        done = number;
    }
    done
}

#[test]
fn a_power_cut_loses_nothing_acknowledged() {
    let variable =
        |name: &str, default: u64| std::env::var(name).ok().and_then(|text| text.parse().ok()).unwrap_or(default);
    let (seeds, first) = (variable("PLASTRON_SEEDS", SEEDS).min(1000), variable("PLASTRON_SEED", 0));
    // The file as it is when it was opened once: what making it anew leaves half done is made again.
    let disk = Disk::default();
    let identity = Database::on(disk.clone()).unwrap().identity();
    let image = disk.0.lock().unwrap().current.clone();
    let whole = Disk::holding(image.clone(), None);
    assert_eq!(work(&whole), COMMITS);
    let requests = whole.0.lock().unwrap().requests;
    assert!(requests > 4 * COMMITS, "{requests}");
    let mut acknowledged_in_all = 0;
    for cut in 0..requests {
        let disk = Disk::holding(image.clone(), Some(cut));
        let done = work(&disk);
        acknowledged_in_all += done;
        for seed in first..first + seeds {
            let mut dice = Dice(seed << 32 | cut);
            let database = Database::on(Disk::holding(disk.survivors(&mut dice), None))
                .unwrap_or_else(|error| panic!("cut {cut}, seed {seed}: {error}"));
            assert_eq!(database.identity(), identity, "cut {cut}, seed {seed}");
            for name in 0..3 {
                let of_key = |most: u64| (1..=most).rev().find(|number| number % 3 == name);
                let acknowledged = of_key(done).map(record);
                let attempted = of_key((done + 1).min(COMMITS)).map(record);
                let found = database.read(key(name).as_bytes()).unwrap();
                assert!(
                    found == acknowledged || found == attempted,
                    "cut {cut}, seed {seed}: {found:?} where {done} were acknowledged"
                );
            }
        }
    }
    assert!(acknowledged_in_all > requests, "cuts came after acknowledgements too: {acknowledged_in_all}");
}
