//! One suite for every key module that has keys: `mock`, `file`, and `plugin` with the example in C.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::indexing_slicing, clippy::panic, reason = "a test")]

mod support;

use std::path::PathBuf;
use std::sync::Arc;

use bytes::Bytes;
use plastron_config::ErrorKind;
use plastron_keys::{Binding, KeyManagement, SealedObject};
use support::{HandClock, Machine, build, changed, checkpoint, opened, opens, try_open, unchanged};

const HERE: Binding = Binding::segment([7; 16], 3, 42);
const EXAMPLE: &str = "examples/key_module/example_key_module.c";

/// A module, and the two ways in which it is opened: keys last, or every checkpoint gets a new one.
struct Subject {
    name: &'static str,
    machine: Machine,
    built: Option<PathBuf>,
}

fn subjects() -> Vec<Subject> {
    let subject = |name| Subject { name, machine: Machine::new(), built: None };
    let mut plugin = subject("plugin");
    plugin.built = Some(build(EXAMPLE, plugin.machine.directory.path()));
    vec![subject("mock"), subject("file"), plugin]
}

impl Subject {
    fn open(&self, lasting: bool) -> KeyManagement {
        let section = match self.name {
            "mock" => format!("name=mock,config=(key_expires={})", if lasting { -1 } else { 0 }),
            "file" => {
                let rotate = if lasting { "0" } else { "1s" };
                self.machine.section(&format!("{},rotate_after={rotate}", self.machine.key_file()))
            }
            _ => format!(
                "name=plugin,config=(library=\"{}\",config=(secret=turtle,key_expires={}))",
                self.built.as_ref().unwrap().display(),
                if lasting { -1 } else { 0 }
            ),
        };
        try_open(&section, &self.machine.environment).unwrap()
    }

    /// The same on another machine, which shares only the secret.
    fn elsewhere(&self) -> Self {
        Self { name: self.name, machine: Machine::new(), built: self.built.clone() }
    }

    /// Makes time for a new key.
    fn later(&self) {
        let clock: &Arc<HandClock> = &self.machine.clock;
        clock.0.fetch_add(2, std::sync::atomic::Ordering::Relaxed);
    }

    async fn new_key(&self, keys: &KeyManagement, lsn: u64) -> Bytes {
        self.later();
        checkpoint(keys, lsn).await
    }
}

#[tokio::test]
async fn start_up_loads_the_blob_that_was_written_and_uses_it_again() {
    for subject in subjects() {
        let keys = subject.open(true);
        let (record, wrapped) = opened(&keys, HERE).await;
        let blob = checkpoint(&keys, 1).await;
        for _ in 0..3 {
            unchanged(&keys).await;
        }
        keys.terminate().await.unwrap();
        for subject in [&subject, &subject.elsewhere()] {
            let keys = subject.open(true);
            for _ in 0..2 {
                keys.load_key_blob(blob.clone()).await.unwrap();
                unchanged(&keys).await;
                opens(&keys, HERE, &wrapped, &record).await;
            }
        }
    }
}

#[tokio::test]
async fn every_segment_ever_written_is_readable_with_the_blob_of_its_checkpoint() {
    for subject in subjects() {
        let keys = subject.open(false);
        let mut segments = Vec::new();
        let mut blobs = Vec::new();
        for lsn in 1..12u64 {
            let binding = Binding::segment([7; 16], 3, lsn);
            let (record, wrapped) = opened(&keys, binding).await;
            segments.push((binding, record, wrapped));
            blobs.push(subject.new_key(&keys, lsn).await);
        }
        let distinct: std::collections::BTreeSet<_> = blobs.iter().collect();
        assert_eq!(distinct.len(), blobs.len(), "{}", subject.name);
        for (number, blob) in blobs.iter().enumerate() {
            let follower = subject.elsewhere().open(true);
            follower.load_key_blob(blob.clone()).await.unwrap();
            for (binding, record, wrapped) in &segments[..=number] {
                opens(&follower, *binding, wrapped, record).await;
            }
        }
        // Backwards too: what was loaded before stays.
        let follower = subject.elsewhere().open(true);
        for blob in blobs.iter().rev() {
            follower.load_key_blob(blob.clone()).await.unwrap();
        }
        for (binding, record, wrapped) in &segments {
            opens(&follower, *binding, wrapped, record).await;
        }
    }
}

#[tokio::test]
async fn a_key_is_in_force_when_its_checkpoint_is_complete_and_not_before() {
    for subject in subjects() {
        let keys = subject.open(false);
        let first = checkpoint(&keys, 1).await;
        subject.later();
        let pending = changed(&keys).await;
        let (between, between_key) = opened(&keys, HERE).await;
        // Whoever has the first blob only reads what is written now, whatever becomes of the second.
        let follower = subject.elsewhere().open(true);
        follower.load_key_blob(first.clone()).await.unwrap();
        opens(&follower, HERE, &between_key, &between).await;
        keys.get_key_complete(pending, Err("no room in the bucket".into())).await.unwrap();
        let (after, after_key) = opened(&keys, HERE).await;
        opens(&follower, HERE, &after_key, &after).await;
        drop(changed(&keys).await);
        let (dropped, dropped_key) = opened(&keys, HERE).await;
        opens(&follower, HERE, &dropped_key, &dropped).await;

        let second = checkpoint(&keys, 2).await;
        let (late, late_key) = opened(&keys, HERE).await;
        let error = follower.opener(HERE, late_key.clone()).await.unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Unauthorized, "{error}");
        follower.load_key_blob(second).await.unwrap();
        opens(&follower, HERE, &late_key, &late).await;
    }
}

#[tokio::test]
async fn a_wrapped_key_opens_in_its_own_place_and_whole() {
    for subject in subjects() {
        let keys = subject.open(true);
        let (record, wrapped) = opened(&keys, HERE).await;
        for place in [
            Binding { database: [8; 16], ..HERE },
            Binding { object: SealedObject::IndexRun, ..HERE },
            Binding { epoch: 4, ..HERE },
            Binding { sequence: 43, ..HERE },
        ] {
            let error = keys.opener(place, wrapped.clone()).await.unwrap_err();
            assert_eq!(error.kind(), ErrorKind::Corrupt, "{}: {error}", subject.name);
        }
        opens(&keys, HERE, &wrapped, &record).await;
    }
}

#[tokio::test]
async fn blobs_that_are_no_blobs_change_nothing() {
    for subject in subjects() {
        let keys = subject.open(true);
        let (record, wrapped) = opened(&keys, HERE).await;
        let blob = checkpoint(&keys, 1).await;
        let huge = Bytes::from(vec![7; 16 << 20]);
        for (bad, kind) in [
            (Bytes::new(), ErrorKind::Invalid),
            (Bytes::from_static(b"x"), ErrorKind::Corrupt),
            (huge.clone(), ErrorKind::Corrupt),
            ([&huge[..], b"x"].concat().into(), ErrorKind::Invalid),
            (blob.slice(1..), ErrorKind::Corrupt),
            (blob.slice(..blob.len() - 1), ErrorKind::Corrupt),
        ] {
            let error = keys.load_key_blob(bad).await.unwrap_err();
            assert_eq!(error.kind(), kind, "{}: {error}", subject.name);
        }
        unchanged(&keys).await;
        opens(&keys, HERE, &wrapped, &record).await;
        keys.load_key_blob(blob).await.unwrap();
        unchanged(&keys).await;
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn data_keys_are_wrapped_while_keys_are_rotated() {
    for subject in subjects() {
        let keys = subject.open(false);
        checkpoint(&keys, 1).await;
        let writers: Vec<_> = (0..4u64)
            .map(|writer| {
                let keys = keys.clone();
                tokio::spawn(async move {
                    for sequence in 0..50 {
                        let binding = Binding::segment([1; 16], writer, sequence);
                        let (record, wrapped) = opened(&keys, binding).await;
                        opens(&keys, binding, &wrapped, &record).await;
                    }
                })
            })
            .collect();
        for lsn in 2..12 {
            subject.new_key(&keys, lsn).await;
        }
        for writer in writers {
            writer.await.unwrap();
        }
    }
}

#[tokio::test]
async fn two_opened_modules_of_one_process_do_not_share_anything() {
    for subject in subjects() {
        let elsewhere = subject.elsewhere();
        let (one, other) = (subject.open(true), elsewhere.open(true));
        let blob = checkpoint(&one, 1).await;
        other.load_key_blob(blob).await.unwrap();
        one.terminate().await.unwrap();
        unchanged(&other).await;
        opened(&other, HERE).await;
    }
}
