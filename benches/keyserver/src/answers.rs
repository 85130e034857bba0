//! What akd answers after each epoch of random histories, as a file that a test of the keyserver compares its own answers with.
//!
//! Both are directories of versions of names, so that for the same history they must say the same: which names there are, in which version, since
//! which epoch, with which value; and what each name had before. Every answer of akd is checked by its own client before it is written. Indices, roots and
//! proofs can't be compared: the suites of the index function, the hashes and the trees are different ones.

use std::collections::BTreeSet;
use std::fmt::Write as _;

use akd::AkdValue;

use crate::Failure;
use crate::peer::Peer;

const HISTORIES: u64 = 6;
const EPOCHS: u64 = 7;
const NAMES: u64 = 9;

const HEAD: &str = "\
# What akd 0.13 answered. Written by `cargo run --release -- --answers FILE` in benches/keyserver; never by hand.
# history NUMBER      a new, empty directory
# put NAME VALUE      comes with the next epoch
# epoch NUMBER        the epoch is published; what follows is what is found then
# has NAME VERSION EPOCH VALUE    its version, from 1 on, and the epoch that brought it
# none NAME
# was NAME VERSION EPOCH VALUE    at the end of a history, all that each name had, the newest first
";

/// Random numbers from a seed (splitmix64).
struct Dice(u64);

impl Dice {
    fn roll(&mut self, sides: u64) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        (z ^ (z >> 31)) % sides
    }
}

fn hex(value: &AkdValue) -> String {
    value.0.iter().map(|byte| format!("{byte:02x}")).collect()
}

pub(crate) async fn write(path: &std::path::Path) -> Result<(), Failure> {
    let mut text = HEAD.to_owned();
    for number in 1..=HISTORIES {
        writeln!(text, "history {number}")?;
        history(number, &mut text).await?;
    }
    std::fs::write(path, text)?;
    Ok(())
}

async fn history(number: u64, text: &mut String) -> Result<(), Failure> {
    let mut dice = Dice(number);
    let peer = Peer::open().await?;
    let names: Vec<String> = (0..NAMES).map(|name| format!("node/{number}/{name}")).collect();
    let mut published = BTreeSet::new();
    for epoch in 1..=EPOCHS {
        // At least one, or akd makes no epoch; each name once at the most, as both demand; and no value twice, which akd takes for no change.
        let changed: BTreeSet<u64> = (0..=dice.roll(5)).map(|_| dice.roll(NAMES)).collect();
        let mut updates = Vec::new();
        for name in &changed {
            let name = names.get(*name as usize).ok_or("no such name")?;
            let value =
                AkdValue([number as u8, epoch as u8].into_iter().chain(dice.roll(u64::MAX).to_be_bytes()).collect());
            writeln!(text, "put {name} {}", hex(&value))?;
            updates.push((name.clone(), value));
            published.insert(name.clone());
        }
        peer.put(updates).await?;
        writeln!(text, "epoch {epoch}")?;
        for name in &names {
            match peer.look_up(name).await? {
                Some(found) => writeln!(text, "has {name} {} {} {}", found.version, found.epoch, hex(&found.value))?,
                None => writeln!(text, "none {name}")?,
            }
        }
    }
    for name in &published {
        for was in peer.history(name).await? {
            writeln!(text, "was {name} {} {} {}", was.version, was.epoch, hex(&was.value))?;
        }
    }
    Ok(())
}
