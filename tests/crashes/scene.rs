//! One database, those who play on it, and the judge: what was acknowledged is there, what was not is absent or whole, and nobody saw anything else.

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicU32, Ordering};

use plastron::checkpoint::{CheckpointInfo, Collector, Follower, History, Inspector};
use plastron::clock::{Clock, SystemClock};
use plastron::{ErrorKind, Store};
use plastron_localstack::{Server, endpoint};

use crate::engine;
use crate::player::Player;
use crate::plot::{Dice, Lineage};
use crate::role::Part;

/// So that a short life has several segments and index runs, and news come soon. Checkpoints are garbage as soon as they are not among the
/// newest [`RETAINED`]; pins hold for longer than any test runs, so that a follower that a busy machine lets wait is none that has lost its pin.
const SETTINGS: &str = "probe=off,page_log=(segment_size=4KB,memory=64KB,run_segments=3,index_block_size=1KB,flush_age=1ms),\
    registry=(poll_least=10ms,poll_most=50ms),retention=(checkpoints=3,time=0s,window=0s,lease=10h)";
const RETAINED: usize = 3;
/// Requests of a dead leader that may be done while one looks. It has one create under way at the most, and the one before it has been killed long ago.
const LATE_REQUESTS: usize = 3;

/// A checkpoint that was acknowledged.
#[derive(Debug, Clone)]
struct Acknowledged {
    lsn: u64,
    kek_lsn: u64,
    key: String,
}

/// What came of a game.
#[derive(Debug, Default)]
pub(crate) struct Tally {
    pub(crate) acknowledged: usize,
    pub(crate) unacknowledged: usize,
    pub(crate) seen: usize,
    pub(crate) collected: u64,
    pub(crate) fenced: usize,
}

/// One database, and those who play on it.
pub(crate) struct Scene {
    pub(crate) store: Store,
    pub(crate) dice: Dice,
    pub(crate) tally: Tally,
    text: String,
    seed: u64,
    lives: u64,
    followers: Vec<Player>,
    /// By lineage: every checkpoint that was begun, and what was acknowledged of it.
    begun: BTreeMap<Lineage, Option<Acknowledged>>,
    seen: Vec<Lineage>,
    /// The newest checkpoint that the judge has seen.
    newest: Lineage,
    /// The LSN of the newest checkpoint that was examined.
    examined: u64,
    _files: tempfile::TempDir,
}

impl Scene {
    /// A new database; none if `server` can't be had on this machine. The seed is printed.
    pub(crate) async fn prepare(server: Option<Server>) -> Option<Self> {
        static NEXT: AtomicU32 = AtomicU32::new(0);
        let files = tempfile::tempdir().unwrap();
        let prefix = format!("t{}-{}/", std::process::id(), NEXT.fetch_add(1, Ordering::Relaxed));
        let bucket = match server {
            None => {
                let bucket = files.path().join("bucket");
                std::fs::create_dir(&bucket).unwrap();
                format!("source=dir_store,bucket=\"{}\"", bucket.display())
            }
            Some(server) => match endpoint(server).await {
                Ok(found) => {
                    found.create_bucket("crashes").await.unwrap();
                    found.store_string("crashes", &prefix)
                }
                Err(error) if error.kind() == ErrorKind::Unsupported => {
                    println!("NOT RUN: {error}");
                    return None;
                }
                Err(error) => panic!("{error}"),
            },
        };
        let path = |name: &str| files.path().join(name).display().to_string();
        private_file(&path("master-key"), &[7; 32]);
        let keys = format!(
            "key_management=(name=file,config=(path=\"{}\",key_file=\"{}\"))",
            path("keyring"),
            path("master-key")
        );
        let text = format!("{bucket},{SETTINGS},{keys}");
        let since = SystemClock.wall().duration_since(std::time::UNIX_EPOCH).unwrap().as_nanos() as u64;
        let seed = std::env::var("PLASTRON_TEST_SEED").map_or(since, |seed| seed.parse().unwrap());
        println!("PLASTRON_TEST_SEED={seed}");
        let store = Store::open(&text).await.unwrap();
        let mut scene = Self {
            store,
            dice: Dice::new(&[seed]),
            tally: Tally::default(),
            text,
            seed,
            lives: 0,
            followers: Vec::new(),
            begun: BTreeMap::from([(Lineage::default(), None)]),
            seen: Vec::new(),
            newest: Lineage::default(),
            examined: 0,
            _files: files,
        };
        for _ in 0..2 {
            let follower = scene.follower();
            scene.followers.push(follower);
        }
        Some(scene)
    }

    fn part(&mut self, cycles: u64) -> Part {
        self.lives += 1;
        Part { store: self.text.clone(), seed: self.seed, life: self.lives, cycles }
    }

    fn follower(&mut self) -> Player {
        let part = self.part(0);
        Player::start("follower", &part, None)
    }

    /// Starts a leader as if on a machine of its own: it has the master key, and a keyring file that is not there yet. (A file that several share is
    /// locked by whoever changes it, and stays so if that process is stalled.)
    pub(crate) fn leader_elsewhere(&mut self) -> Player {
        let mut part = self.part(u64::MAX);
        part.store = part.store.replace("/keyring\"", &format!("/keyring-{}\"", part.life));
        Player::start("leader", &part, None)
    }

    /// Starts a leader, which dies at `failpoint`, or has enough after so many cycles.
    pub(crate) fn leader(&mut self, failpoint: Option<&str>, cycles: u64) -> Player {
        let part = self.part(cycles);
        Player::start("leader", &part, failpoint)
    }

    /// Kills one of the followers, and starts another in its place.
    pub(crate) fn replace_follower(&mut self) {
        let at = self.dice.below(2) as usize;
        self.followers[at].kill();
        let news = self.followers[at].news();
        self.hear_follower(&news);
        self.followers[at] = self.follower();
    }

    /// Collects garbage, as somebody who knows nothing of the leader.
    pub(crate) async fn collect(&mut self) {
        let report = Collector::new(self.store.volume().await.unwrap()).run().await;
        self.tally.collected +=
            report.unwrap_or_else(|fault| self.fail(&format!("collecting: {fault:?}"))).removed_objects;
    }

    fn fail(&self, what: &str) -> ! {
        panic!("{what} (PLASTRON_TEST_SEED={}; newest known: {})", self.seed, self.newest)
    }

    /// Takes note of what a leader has said.
    pub(crate) fn hear(&mut self, leader: &mut Player) {
        for line in leader.news() {
            let words: Vec<&str> = line.split(' ').collect();
            match words[..] {
                ["opened", _, lineage] => {
                    let base = Lineage::parse(lineage);
                    if !self.newest.leads_to(&base) || !self.begun.contains_key(&base) {
                        self.fail(&format!("a leader went on from {base}"));
                    }
                }
                ["trying", lineage] => drop(self.begun.entry(Lineage::parse(lineage)).or_default()),
                ["done", _, lsn, kek_lsn, key, lineage] => {
                    let number = |text: &str| text.parse().unwrap();
                    let done = Acknowledged { lsn: number(lsn), kek_lsn: number(kek_lsn), key: key.to_owned() };
                    self.begun.insert(Lineage::parse(lineage), Some(done));
                    self.tally.acknowledged += 1;
                }
                ["collected", count] => self.tally.collected += count.parse::<u64>().unwrap(),
                ["fenced"] => self.tally.fenced += 1,
                ["enough"] => {}
                _ => self.fail(&line),
            }
        }
    }

    fn hear_follower(&mut self, lines: &[String]) {
        for line in lines {
            match line.split(' ').collect::<Vec<_>>()[..] {
                ["saw", _, _, lineage] => self.seen.push(Lineage::parse(lineage)),
                _ => self.fail(line),
            }
        }
    }

    /// Looks at everything, when no leader is at work.
    pub(crate) async fn judge(&mut self, when: &str) {
        // What a dead leader has asked a server for may be done after its death, while this looks: then this looks again.
        let mut retained = None;
        for _ in 0..LATE_REQUESTS {
            // Before all else, since what came late may be seen by a follower, but not in a list made before.
            let mut followers = std::mem::take(&mut self.followers);
            followers.iter_mut().for_each(|follower| self.hear_follower(&follower.news()));
            self.followers = followers;
            retained = self.examine_retained(when).await;
            if retained.is_some() {
                break;
            }
        }
        let retained = retained
            .unwrap_or_else(|| self.fail(&format!("{when}: checkpoints come, and nobody is there to make them")));
        let newest = retained.last().map(|(_, lineage)| lineage.clone()).unwrap_or_default();
        if !self.newest.leads_to(&newest) || !self.begun.contains_key(&newest) {
            self.fail(&format!("{when}: the newest is {newest}"));
        }
        // One history: all that was acknowledged, and all that was seen, has led there.
        for (lineage, acknowledged) in &self.begun {
            let Some(acknowledged) = acknowledged else { continue };
            if !lineage.leads_to(&newest) {
                self.fail(&format!("{when}: {lineage} was acknowledged, and the newest is {newest}"));
            }
            let oldest = retained.first().map_or(u64::MAX, |(info, _)| info.lsn.get());
            let there = retained.iter().find(|(info, _)| info.lsn.get() == acknowledged.lsn);
            match there {
                Some((info, is)) if is == lineage && info.kek_lsn.get() == acknowledged.kek_lsn => {}
                None if acknowledged.lsn < oldest && retained.len() >= RETAINED => {}
                _ => self.fail(&format!("{when}: {lineage}, {acknowledged:?}, is {there:?}")),
            }
        }
        for seen in std::mem::take(&mut self.seen) {
            self.tally.seen += 1;
            if !seen.leads_to(&newest) || !self.begun.contains_key(&seen) {
                self.fail(&format!("{when}: a follower saw {seen}, and the newest is {newest}"));
            }
        }
        self.newest = newest;
        self.inspect(when).await;
    }

    /// Every checkpoint that is retained, oldest first. The oldest, the newest, and those that are new, hold what they must; that the others
    /// still can be read whole, the inspection finds out. None if one came meanwhile.
    async fn examine_retained(&mut self, when: &str) -> Option<Vec<(CheckpointInfo, Lineage)>> {
        let volume = self.store.volume().await.unwrap();
        let history = History::new(volume.clone());
        let mut retained = Vec::new();
        let listed = history.list().await.unwrap_or_else(|fault| self.fail(&format!("{when}: {fault:?}")));
        for (at, info) in listed.iter().enumerate() {
            if at > 0 && at + 1 < listed.len() && info.lsn.get() <= self.examined {
                retained.push((info.clone(), engine::lineage(info)));
                continue;
            }
            let opened = match history.open(info.sequence).await {
                Ok(opened) => opened,
                // What a dead collector has asked a server for may be done after its death.
                Err(fault) if fault.kind() == ErrorKind::NotFound && self.is_gone(&history, info).await => continue,
                Err(fault) => self.fail(&format!("{when}: {info:?}: {fault:?}")),
            };
            match engine::examine(&opened, self.seed).await {
                Ok(None) => {}
                other => self.fail(&format!("{when}: {info:?}: {other:?}")),
            }
            opened.close().await;
            retained.push((info.clone(), engine::lineage(info)));
        }
        if let Some((newest, lineage)) = retained.last() {
            if !self.examine_keys(when, newest, lineage).await {
                return None;
            }
            self.examined = newest.lsn.get();
        }
        Some(retained)
    }

    async fn is_gone(&self, history: &History, info: &CheckpointInfo) -> bool {
        let now = history.list().await.unwrap();
        now.len() >= RETAINED && !now.iter().any(|one| one.sequence == info.sequence)
    }

    /// A key module that knows nothing but the newest checkpoint has the key in force that its leader had. False if there is a newer one than `newest` now.
    async fn examine_keys(&self, when: &str, newest: &CheckpointInfo, lineage: &Lineage) -> bool {
        let volume = self.store.volume().await.unwrap();
        let history = History::new(volume.clone());
        let loaded = history.load_keys().await;
        let key = engine::in_force(&volume.keys).await.unwrap();
        let now = history.list().await.unwrap_or_else(|fault| self.fail(&format!("{when}: {fault:?}")));
        if now.last().is_some_and(|now| now.sequence > newest.sequence) {
            return false;
        }
        match (&loaded, key) {
            (Ok(Some(lsn)), Some(key)) if *lsn == newest.kek_lsn => {
                if let Some(Some(acknowledged)) = self.begun.get(lineage)
                    && acknowledged.key != key
                {
                    self.fail(&format!("{when}: {key} is in force, not {}", acknowledged.key));
                }
            }
            (_, key) => {
                self.fail(&format!("{when}: {newest:?} has loaded the keys at {loaded:?}, and {key:?} is in force"))
            }
        }
        true
    }

    async fn inspect(&self, when: &str) {
        match Inspector::new(self.store.volume().await.unwrap()).all(true).run().await {
            Ok(found) if found.is_clean() => {}
            Ok(found) => self.fail(&format!("{when}: {:?}", found.faults)),
            Err(fault) if fault.kind() == ErrorKind::NotFound && self.newest == Lineage::default() => {}
            Err(fault) => self.fail(&format!("{when}: {fault:?}")),
        }
    }

    /// The end: somebody leads once more, everything is collected, and nobody has seen anything wrong.
    pub(crate) async fn finish(mut self) -> Tally {
        // However busy this machine was with others, each follower sees something before the last look at what they saw.
        for follower in &self.followers {
            if !follower.wait_for("saw", 1) {
                self.fail(&format!("a follower has ended: {:?}", follower.all()));
            }
        }
        let mut last = self.leader(None, 3);
        assert!(last.end().success());
        self.hear(&mut last);
        self.collect().await;
        self.judge("in the end").await;
        for mut follower in std::mem::take(&mut self.followers) {
            follower.kill();
            let news = follower.news();
            self.hear_follower(&news);
        }
        let follower: Follower = self.store.follower().await.unwrap();
        assert_eq!(engine::lineage(&follower.checkpoint()), self.newest);
        follower.close().await;
        let acknowledged = self.begun.values().filter(|one| one.is_some()).count();
        self.tally.unacknowledged = self.begun.len() - 1 - acknowledged;
        std::mem::take(&mut self.tally)
    }
}

/// Makes a file that only its owner may read.
fn private_file(path: &str, bytes: &[u8]) {
    use std::io::Write;
    use std::os::unix::fs::OpenOptionsExt;
    let mut file = std::fs::OpenOptions::new().write(true).create_new(true).mode(0o600).open(path).unwrap();
    file.write_all(bytes).unwrap();
}
