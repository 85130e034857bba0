//! Random lives of a database on two machines with the module `file`, against a plain list of what must be readable.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::indexing_slicing, clippy::panic, reason = "a test")]

mod support;

use bytes::Bytes;
use plastron_keys::{Binding, KeyBlob, KeyManagement, WrappedKey};
use proptest::prelude::*;
use support::{Machine, opened, opens};

#[derive(Debug, Clone)]
enum Step {
    /// A segment is written by the leader.
    Write,
    /// A checkpoint: complete, failed, or dropped on the way.
    Checkpoint(Fate),
    Rotate,
    Days(u64),
    /// The leader's process ends; the leader goes on on this machine.
    LeadOn(usize),
    LoseKeyring(usize),
    /// The database goes back to an older checkpoint.
    Restore(prop::sample::Index),
}

#[derive(Debug, Clone, Copy)]
enum Fate {
    Complete,
    Fail,
    Drop,
}

fn step() -> impl Strategy<Value = Step> {
    let fate = prop_oneof![4 => Just(Fate::Complete), 1 => Just(Fate::Fail), 1 => Just(Fate::Drop)];
    prop_oneof![
        6 => Just(Step::Write),
        6 => fate.prop_map(Step::Checkpoint),
        2 => Just(Step::Rotate),
        2 => (0..60u64).prop_map(Step::Days),
        2 => (0..2usize).prop_map(Step::LeadOn),
        1 => (0..2usize).prop_map(Step::LoseKeyring),
        1 => any::<prop::sample::Index>().prop_map(Step::Restore),
    ]
}

type Segment = (Binding, Vec<u8>, WrappedKey);

/// What a checkpoint holds.
#[derive(Clone)]
struct Checkpoint {
    blob: Bytes,
    segments: Vec<Segment>,
}

struct Life {
    machines: [Machine; 2],
    leader: KeyManagement,
    checkpoints: Vec<Checkpoint>,
    /// Of the current history, durable and not yet.
    segments: Vec<Segment>,
    written: u64,
    days: u64,
}

impl Life {
    async fn step(&mut self, step: Step) {
        match step {
            Step::Write => {
                self.written += 1;
                let binding = Binding::segment([9; 16], 1, self.written);
                let (record, wrapped) = opened(&self.leader, binding).await;
                self.segments.push((binding, record, wrapped));
            }
            Step::Checkpoint(fate) => self.checkpoint(fate).await,
            Step::Rotate => self.leader.rotate().await.unwrap(),
            Step::Days(days) => {
                self.days += days;
                self.machines.iter().for_each(|machine| machine.clock.set_days(self.days));
            }
            Step::LeadOn(number) => self.lead(number, self.checkpoints.len() - 1).await,
            // What a lost keyring held and no checkpoint does is lost with the process too: a new leader begins at the checkpoint.
            Step::LoseKeyring(number) => {
                let _ = std::fs::remove_file(self.machines[number].keyring());
            }
            Step::Restore(index) => self.lead(0, index.index(self.checkpoints.len())).await,
        }
    }

    /// A new leader loads that checkpoint; what came later is abandoned.
    async fn lead(&mut self, machine: usize, checkpoint: usize) {
        self.checkpoints.truncate(checkpoint + 1);
        let checkpoint = self.checkpoints.last().unwrap();
        self.segments = checkpoint.segments.clone();
        self.leader = self.machines[machine].open();
        self.leader.load_key_blob(checkpoint.blob.clone()).await.unwrap();
    }

    async fn checkpoint(&mut self, fate: Fate) {
        let blob = match (self.leader.get_key_blob().await.unwrap(), fate) {
            (KeyBlob::Unchanged, Fate::Complete) => self.checkpoints.last().unwrap().blob.clone(),
            (KeyBlob::Changed(pending), Fate::Complete) => {
                let blob = pending.blob().clone();
                self.leader.get_key_complete(pending, Ok(self.written + 1)).await.unwrap();
                // The very next one has nothing to say.
                support::unchanged(&self.leader).await;
                blob
            }
            (KeyBlob::Changed(pending), Fate::Fail) => {
                self.leader.get_key_complete(pending, Err("told to".into())).await.unwrap();
                return;
            }
            (_, Fate::Drop | Fate::Fail) => return,
        };
        self.checkpoints.push(Checkpoint { blob, segments: self.segments.clone() });
    }

    /// A follower without a keyring reads everything of every checkpoint, and the leader everything of its own.
    async fn check(&self) {
        let follower = Machine::new();
        for checkpoint in self.checkpoints.iter().rev().take(3) {
            let keys = follower.open();
            keys.load_key_blob(checkpoint.blob.clone()).await.unwrap();
            for (binding, record, wrapped) in &checkpoint.segments {
                opens(&keys, *binding, wrapped, record).await;
            }
        }
        assert!(!follower.keyring().exists());
        for (binding, record, wrapped) in &self.segments {
            opens(&self.leader, *binding, wrapped, record).await;
        }
        assert!(self.leader.show().await.unwrap().iter().filter(|key| key.in_force).count() <= 1);
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(48))]
    #[test]
    fn what_a_checkpoint_holds_is_readable_with_its_blob(steps in prop::collection::vec(step(), 1..40)) {
        let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
        runtime.block_on(async {
            let machines = [Machine::new(), Machine::new()];
            let leader = machines[0].open();
            let mut life = Life { machines, leader, checkpoints: Vec::new(), segments: Vec::new(), written: 0, days: 0 };
            life.step(Step::Write).await;
            life.checkpoint(Fate::Complete).await;
            for step in steps {
                life.step(step).await;
                life.check().await;
            }
        });
    }
}
