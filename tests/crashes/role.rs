//! What the processes do that are started: a leader that works until it dies, and a follower that reads until it is told to end. Both say what
//! they do by lines on standard output, which begin with `@`.

use std::io::{Read, Write};
use std::time::Duration;

use plastron::checkpoint::{Follower, Leader};
use plastron::clock::{Clock, SystemClock};
use plastron::{ErrorKind, Result, Store};

use crate::engine;
use crate::plot::{Dice, Lineage};

/// What a process is told by its environment.
pub(crate) const ROLE: &str = "PLASTRON_CRASHES_ROLE";
pub(crate) const STORE: &str = "PLASTRON_CRASHES_STORE";
pub(crate) const SEED: &str = "PLASTRON_CRASHES_SEED";
pub(crate) const LIFE: &str = "PLASTRON_CRASHES_LIFE";
pub(crate) const CYCLES: &str = "PLASTRON_CRASHES_CYCLES";

/// Times that a checkpoint is tried whose outcome is not known.
const MOST_TRIES: u32 = 10;
/// Between two looks of a follower.
const PATIENCE: Duration = Duration::from_millis(100);

/// One process's part.
#[derive(Debug, Clone)]
pub(crate) struct Part {
    pub(crate) store: String,
    pub(crate) seed: u64,
    pub(crate) life: u64,
    /// After so many cycles a leader has had enough.
    pub(crate) cycles: u64,
}

impl Part {
    /// The part in this process's environment, and the role; none in the process that starts the others.
    pub(crate) fn of_this_process() -> Option<(String, Self)> {
        let role = std::env::var(ROLE).ok()?;
        let text = |name: &str| std::env::var(name).unwrap();
        let number = |name: &str| text(name).parse().unwrap();
        Some((role, Self { store: text(STORE), seed: number(SEED), life: number(LIFE), cycles: number(CYCLES) }))
    }

    /// Plays it to its end.
    pub(crate) async fn play(self, role: &str) {
        // Whoever started this process holds the other end, and may be killed.
        std::thread::spawn(|| {
            drop(std::io::stdin().read_to_end(&mut Vec::new()));
            std::process::exit(0);
        });
        match role {
            "leader" => self.lead().await,
            "follower" => self.follow().await,
            other => panic!("there is no role {other}"),
        }
    }

    async fn lead(self) {
        let store = Store::open(&self.store).await.unwrap();
        let leader = match store.leader().await {
            Ok(leader) => leader,
            Err(error) => return say(&format!("wrong life {} could not lead: {error:?}", self.life)),
        };
        let Err(error) = self.reign(&store, &leader).await else { return say("enough") };
        // What it reads may be gone when others went on; then it is fenced, and is told so when it matters.
        let fenced = error.kind() == ErrorKind::Fenced || leader.is_fenced().await.unwrap_or(false);
        match leader.checkpoint(plastron::checkpoint::CheckpointRequest::default()).await {
            Err(fault) if fenced && fault.kind() == ErrorKind::Fenced => say("fenced"),
            after => say(&format!("wrong life {} had {error:?}, and after it {after:?}", self.life)),
        }
    }

    async fn reign(&self, store: &Store, leader: &Leader) -> Result<()> {
        let completed = leader.completed().await;
        let mut lineage = completed.as_ref().map(engine::lineage).unwrap_or_default();
        say(&format!("opened {} {lineage}", leader.epoch().await));
        let mut pages = lineage.pages(self.seed);
        for _ in 0..self.cycles {
            if let Some(different) = engine::compare(leader.log(), self.seed, &pages).await? {
                say(&format!("wrong life {} at {lineage}: {different}", self.life));
            }
            let (cycle, next) = engine::work(leader, self.seed, self.life, &lineage, &mut pages).await?;
            lineage = next;
            say(&format!("trying {lineage}"));
            let mut tries = 0;
            let info = loop {
                tries += 1;
                match engine::checkpoint(leader, &lineage, cycle.in_steps).await {
                    Err(error) if error.is_retryable() && tries < MOST_TRIES => {}
                    result => break result?,
                }
            };
            let key = engine::in_force(&leader.volume().keys).await?.unwrap_or_else(|| "none".to_owned());
            say(&format!("done {} {} {} {key} {lineage}", info.sequence, info.lsn.get(), info.kek_lsn.get()));
            if cycle.merges {
                leader.log().merge_indexes().await?;
            }
            if cycle.looks_back {
                self.look_back(store).await?;
            }
            if cycle.collects {
                say(&format!("collected {}", leader.collect(false).await?.removed_objects));
            }
        }
        Ok(())
    }

    /// Opens the oldest checkpoint that is retained, which pins it.
    async fn look_back(&self, store: &Store) -> Result<()> {
        let history = store.history().await?;
        let Some(oldest) = history.list().await?.into_iter().next() else { return Ok(()) };
        let opened = match history.open(oldest.sequence).await {
            Ok(opened) => opened,
            // Removed meanwhile, by one who was overtaken and does not know it yet.
            Err(fault) if fault.kind() == ErrorKind::NotFound => return Ok(()),
            Err(fault) => return Err(fault.into()),
        };
        if let Some(different) = engine::examine(&opened, self.seed).await? {
            say(&format!("wrong life {} looks back at {different}", self.life));
        }
        opened.close().await;
        Ok(())
    }

    /// Reads whatever is the newest checkpoint, over and over: mostly by opening it, now and then by going on to it, by itself or when told to
    /// (which leaves the pin of the one before for the rest of its lease).
    async fn follow(self) {
        let store = Store::open(&self.store).await.unwrap();
        let mut dice = Dice::new(&[self.seed, self.life]);
        let mut seen = (0, 0);
        loop {
            let goes_on = dice.below(8) == 0;
            let volume = store.volume().await.unwrap();
            let opened = match goes_on {
                true => Follower::open(volume).await,
                false => Follower::open_still(volume).await,
            };
            let follower = match opened {
                Ok(follower) => follower,
                Err(fault) if fault.kind() == ErrorKind::NotFound || fault.is_retryable() => {
                    SystemClock.sleep(PATIENCE).await;
                    continue;
                }
                Err(fault) => return say(&format!("wrong follower {} could not open: {fault:?}", self.life)),
            };
            for look in 0..3 {
                self.look(&follower, &mut seen).await;
                SystemClock.sleep(PATIENCE).await;
                if !goes_on {
                    break;
                }
                if look == 1
                    && let Err(fault) = follower.advance().await
                    && !fault.is_retryable()
                {
                    say(&format!("wrong follower {} could not go on: {fault:?}", self.life));
                }
            }
            if let Some(fault) = follower.failure() {
                say(&format!("wrong follower {} has failed: {fault:?}", self.life));
            }
            follower.close().await;
        }
    }

    /// Holds what `follower` reads against the model, and says what is seen for the first time.
    async fn look(&self, follower: &Follower, seen: &mut (u64, u64)) {
        let info = follower.checkpoint();
        match engine::examine(follower, self.seed).await {
            Ok(None) => {}
            Ok(Some(different)) => say(&format!("wrong follower {}: {different}", self.life)),
            Err(error) if error.is_retryable() => {}
            Err(error) => say(&format!("wrong follower {} at {info:?}: {error:?}", self.life)),
        }
        let now = (info.sequence, info.lsn.get());
        if now < *seen {
            say(&format!("wrong follower {} went back from {seen:?} to {info:?}", self.life));
        } else if now > *seen {
            *seen = now;
            say(&format!("saw {} {} {}", info.sequence, info.lsn.get(), engine::lineage(&info)));
        }
    }
}

/// Says it in one piece, on a line of its own.
fn say(line: &str) {
    let line = format!("\n@{line}\n");
    let mut out = std::io::stdout().lock();
    out.write_all(line.as_bytes()).unwrap();
    out.flush().unwrap();
}

/// By itself, without anybody who starts or kills it: a leader and what it has left, held against each other.
pub(crate) async fn rehearse() {
    let store = Store::open(
        "source=memory_store,bucket=crashes,key_management=(name=mock,config=(key_expires=0)),page_log=(segment_size=4KB,memory=64KB)",
    );
    let store = store.await.unwrap();
    let (seed, life) = (7, 3);
    let leader = store.leader().await.unwrap();
    let (mut lineage, mut pages) = (Lineage::default(), Default::default());
    for _ in 0..12 {
        // The mock makes its keys by itself.
        let (cycle, next) = engine::work(&leader, seed, life, &lineage, &mut pages).await.unwrap();
        lineage = next;
        let info = engine::checkpoint(&leader, &lineage, cycle.in_steps).await.unwrap();
        assert_eq!(engine::lineage(&info), lineage);
        assert_eq!(engine::compare(leader.log(), seed, &pages).await.unwrap(), None);
    }
    assert_eq!(pages, lineage.pages(seed), "what a process works out by itself is what was done");
    let follower = store.follower().await.unwrap();
    assert_eq!(engine::examine(&follower, seed).await.unwrap(), None);
    assert!(engine::compare(follower.log(), seed + 1, &pages).await.unwrap().is_some(), "other contents are told");
}
