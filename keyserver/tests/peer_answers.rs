//! Scenario 25: for the same random histories the directory answers what Meta's `akd` does. `akd` is no dependency of the workspace: it would switch
//! on `legacy_compatibility` in `ed25519-dalek`, and so accept signatures in tests that replicas refuse. Its answers are in a file, which
//! `benches/keyserver` writes.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::indexing_slicing, clippy::panic, reason = "a test")]

mod support;

use std::collections::BTreeMap;

use bytes::Bytes;
use plastron_keyserver::proto::*;
use plastron_keyserver::{Verified, verify_lookup};
use support::world::World;
use support::{key, majority};

const ANSWERS: &str = include_str!("fixtures/akd-answers.txt");
const APPLICATION: &str = "value";

/// Version from 1 on, epoch that brought it, value.
type Answer = (u64, u64, String);

fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

fn value_of(profile: &Profile) -> String {
    hex(&profile.keys()[APPLICATION])
}

fn unhex(text: &str) -> Bytes {
    text.as_bytes().chunks(2).map(|pair| u8::from_str_radix(std::str::from_utf8(pair).unwrap(), 16).unwrap()).collect()
}

/// Our directory, and what akd has answered so far.
struct Play {
    world: World,
    newest: BTreeMap<String, Entry>,
    /// By epoch and name.
    answers: BTreeMap<(u64, String), Option<Answer>>,
    histories: BTreeMap<String, Vec<Answer>>,
    epoch: u64,
}

impl Play {
    fn new() -> Self {
        let (newest, answers, histories) = (BTreeMap::new(), BTreeMap::new(), BTreeMap::new());
        Self { world: World::new(&[1], &[]), newest, answers, histories, epoch: 0 }
    }

    fn put(&mut self, name: &str, value: &str) {
        let realm = self.world.realm().id();
        let profile = Profile::new(&[7; 32], BTreeMap::from([(APPLICATION.to_owned(), unhex(value))])).unwrap();
        let signed = match self.newest.get(name) {
            None => {
                let index = self.world.options.secret.index(name);
                let none = plastron_keyserver::Digest::NONE;
                let entry = Entry {
                    index,
                    version: 0,
                    policy: majority(&[20]),
                    commitment: profile.commitment(),
                    previous: none,
                };
                let admission = [(key(30).public(), entry.admit(&realm, &key(30)))].into();
                SignedEntry { admission, ..entry.signed(&realm, [&key(20)]) }
            }
            Some(last) => {
                let (version, previous) = (last.version + 1, last.hash(&realm));
                Entry { version, previous, commitment: profile.commitment(), ..last.clone() }.signed(&realm, [&key(20)])
            }
        };
        self.newest.insert(name.to_owned(), signed.entry.clone());
        self.world.update(&Update { name: name.to_owned(), signed, profile });
    }

    /// What our client finds at `epoch`; 0 for the newest.
    fn look_up(&self, name: &str, epoch: u64) -> Verified {
        let realm = self.world.realm();
        let request = LookupRequest { name: name.to_owned(), epoch, quorum: Quorum::Replicas, known_generation: 0 };
        let answer = self.world.directory(0).lookup(&request).unwrap();
        let answer = LookupAnswer::from_bytes(&answer.to_bounded_bytes().unwrap()).unwrap();
        verify_lookup(realm, &ClientMemory::new(realm), &request, &answer, self.world.now_ms).unwrap()
    }

    /// All that our directory says a name had, the oldest first.
    fn history(&self, name: &str) -> Vec<Answer> {
        let items = self.world.directory(0).history(name, 0, 1_000).unwrap();
        items.iter().map(|item| (item.signed.entry.version + 1, item.epoch, value_of(&item.profile))).collect()
    }

    /// The answer at `asked` is akd's at `epoch`.
    fn compare(&self, name: &str, asked: u64, epoch: u64, expected: Option<&Answer>) {
        let verified = self.look_up(name, asked);
        assert_eq!(verified.head.epoch, epoch);
        let found = verified.found.map(|(entry, profile)| {
            let version = entry.version + 1;
            let since = self.history(name).iter().find(|(other, ..)| *other == version).unwrap().1;
            (version, since, value_of(&profile))
        });
        assert_eq!(found.as_ref(), expected, "{name} at epoch {epoch}");
    }

    fn end(&self) {
        // Epochs of the past still answer what akd answered then.
        for ((epoch, name), expected) in &self.answers {
            self.compare(name, *epoch, *epoch, expected.as_ref());
        }
        for (name, expected) in &self.histories {
            let mut found = self.history(name);
            found.reverse();
            assert_eq!(&found, expected, "{name}");
        }
        assert_eq!(self.histories.len(), self.newest.len());
    }
}

#[test]
fn scenario_25_answers_agree_with_those_of_akd() {
    let (mut plays, mut compared) = (0, 0);
    let mut play = Play::new();
    for line in ANSWERS.lines().filter(|line| !line.starts_with('#')) {
        let words: Vec<&str> = line.split(' ').collect();
        let answer = |version: &str, epoch: &str, value: &str| {
            (version.parse::<u64>().unwrap(), epoch.parse::<u64>().unwrap(), value.to_owned())
        };
        match words[..] {
            ["history", _] => {
                play.end();
                play = Play::new();
                plays += 1;
            }
            ["put", name, value] => play.put(name, value),
            ["epoch", epoch] => {
                assert!(play.world.epoch().iter().all(Result::is_ok), "our directory refuses what akd takes");
                play.epoch = epoch.parse().unwrap();
            }
            ["has", name, version, epoch, value] => {
                let expected = answer(version, epoch, value);
                play.compare(name, 0, play.epoch, Some(&expected));
                play.answers.insert((play.epoch, name.to_owned()), Some(expected));
                compared += 1;
            }
            ["none", name] => {
                play.compare(name, 0, play.epoch, None);
                play.answers.insert((play.epoch, name.to_owned()), None);
                compared += 1;
            }
            ["was", name, version, epoch, value] => {
                play.histories.entry(name.to_owned()).or_default().push(answer(version, epoch, value));
            }
            _ => panic!("{line}"),
        }
    }
    play.end();
    assert!(plays >= 6 && compared >= 300, "{plays} histories, {compared} answers");
}
