//! Disks in memory on one power supply, which may be cut at any request. What was not synced is then there in part: any of the unsynced sectors, in any combination.

use std::io;
use std::sync::atomic::{AtomicU64, Ordering::SeqCst};
use std::sync::{Arc, Mutex};

use super::Database;
use crate::error::Result;

const SECTOR: usize = 512;

/// SplitMix64.
#[derive(Debug)]
pub(super) struct Dice(pub(super) u64);

impl Dice {
    pub(super) fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let z = (self.0 ^ (self.0 >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        let z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        z ^ (z >> 31)
    }
}

/// Counts the requests of all disks, and grants so many.
#[derive(Debug)]
struct Power {
    requests: AtomicU64,
    cut_at: AtomicU64,
}

#[derive(Debug, Default)]
struct State {
    synced: Vec<u8>,
    current: Vec<u8>,
    /// Where sectors begin that were written since the last sync.
    unsynced: Vec<usize>,
}

/// One file.
#[derive(Debug, Clone)]
pub(super) struct Disk {
    state: Arc<Mutex<State>>,
    power: Arc<Power>,
}

/// What is in the database's file, and in the journal's two.
pub(super) type Image = [Vec<u8>; 3];

/// All that one instance has.
#[derive(Debug)]
pub(super) struct Disks {
    disks: [Disk; 3],
    power: Arc<Power>,
}

impl Disks {
    /// With the power cut after so many requests.
    pub(super) fn holding(image: Image, cut_at: Option<u64>) -> Self {
        let power = Arc::new(Power { requests: AtomicU64::new(0), cut_at: AtomicU64::new(cut_at.unwrap_or(u64::MAX)) });
        let disks = image.map(|bytes| {
            let state = State { synced: bytes.clone(), current: bytes, ..State::default() };
            Disk { state: Arc::new(Mutex::new(state)), power: Arc::clone(&power) }
        });
        Self { disks, power }
    }

    /// Opens the database that is on them; each file of its journal has so many blocks.
    pub(super) fn open(&self, blocks: u32) -> Result<Database> {
        let [tables, one, two] = self.disks.clone();
        Database::on(tables, [one, two], blocks * 4096)
    }

    /// The database's own file.
    pub(super) fn tables(&self) -> Disk {
        self.disks[0].clone()
    }

    /// So many more requests are granted.
    pub(super) fn grant(&self, requests: u64) {
        self.power.cut_at.store(self.requests().saturating_add(requests), SeqCst);
    }

    pub(super) fn requests(&self) -> u64 {
        self.power.requests.load(SeqCst)
    }

    /// What a process that comes later finds if there was no power cut.
    pub(super) fn image(&self) -> Image {
        self.disks.each_ref().map(|disk| disk.state.lock().unwrap().current.clone())
    }

    /// What is found after the cut.
    pub(super) fn survivors(&self, dice: &mut Dice) -> Image {
        self.disks.each_ref().map(|disk| disk.survivors(dice))
    }
}

impl Disk {
    fn survivors(&self, dice: &mut Dice) -> Vec<u8> {
        let state = self.state.lock().unwrap();
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

    fn request(&self) -> io::Result<()> {
        let number = self.power.requests.fetch_add(1, SeqCst);
        if number >= self.power.cut_at.load(SeqCst) { Err(io::Error::other("the power is cut")) } else { Ok(()) }
    }
}

impl redb::StorageBackend for Disk {
    fn len(&self) -> io::Result<u64> {
        Ok(self.state.lock().unwrap().current.len() as u64)
    }

    fn read(&self, offset: u64, out: &mut [u8]) -> io::Result<()> {
        let state = self.state.lock().unwrap();
        let offset = offset as usize;
        let found = state.current.get(offset..offset + out.len()).ok_or(io::ErrorKind::UnexpectedEof)?;
        out.copy_from_slice(found);
        Ok(())
    }

    fn set_len(&self, len: u64) -> io::Result<()> {
        self.request()?;
        let mut state = self.state.lock().unwrap();
        let kept = state.current.len().min(len as usize);
        state.current.resize(len as usize, 0);
        // What comes in the place of what was cut off is new.
        let (first, end) = (kept / SECTOR * SECTOR, state.synced.len());
        state.unsynced.extend((first..end).step_by(SECTOR));
        Ok(())
    }

    fn sync_data(&self) -> io::Result<()> {
        self.request()?;
        let mut state = self.state.lock().unwrap();
        let State { synced, current, unsynced } = &mut *state;
        synced.resize(current.len(), 0);
        for at in unsynced.drain(..) {
            let end = (at + SECTOR).min(current.len());
            if at < end {
                synced[at..end].copy_from_slice(&current[at..end]);
            }
        }
        Ok(())
    }

    fn write(&self, offset: u64, data: &[u8]) -> io::Result<()> {
        self.request()?;
        let mut state = self.state.lock().unwrap();
        let offset = offset as usize;
        state.current[offset..offset + data.len()].copy_from_slice(data);
        let first = offset / SECTOR * SECTOR;
        state.unsynced.extend((first..offset + data.len()).step_by(SECTOR));
        Ok(())
    }
}
