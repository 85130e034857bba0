//! Keys through checkpoints: what the key module hears and when, rotation, and keys that are wrong or missing.

use std::sync::{Arc, Mutex};

use futures::TryStreamExt;
use plastron_config::{Config, ErrorKind};
use plastron_keys::{
    BlobAnswer, Completion, DataKeyWrapper, Fault, KeyEnvironment, KeyManagement, KeyModule, Keyring, MockModule,
};
use plastron_sources::{Bucket, BucketOptions, ListOptions};

use super::kek::KEKS;
use super::{CheckpointRequest, Follower, Inspector, Leader, Volume};
use crate::page_log::{Lsn, PutArgs};

/// What a module was asked, and answered.
#[derive(Debug, Clone, PartialEq, Eq)]
enum Call {
    Load(Vec<u8>),
    Unchanged,
    Changed(Vec<u8>),
    Complete(Completion),
}

type Calls = Arc<Mutex<Vec<Call>>>;

/// A mock that takes notes; with a blob, one that always has that for a new one, and no keys.
#[derive(Debug)]
struct Recorder {
    mock: MockModule,
    blob: Option<Vec<u8>>,
    calls: Calls,
    /// Completions are told of when they begin, and wait.
    gate: Option<Gate>,
}

#[derive(Debug)]
struct Gate {
    begun: Arc<tokio::sync::Notify>,
    go_on: Mutex<std::sync::mpsc::Receiver<()>>,
}

impl KeyModule for Recorder {
    fn name(&self) -> &str {
        "recorder"
    }

    fn load_key_blob(&self, blob: &[u8]) -> Result<(), Fault> {
        self.calls.lock().unwrap().push(Call::Load(blob.to_vec()));
        if self.blob.is_some() { Ok(()) } else { self.mock.load_key_blob(blob) }
    }

    fn get_key_blob(&self) -> Result<BlobAnswer, Fault> {
        let answer = match &self.blob {
            Some(blob) => BlobAnswer::Changed(blob.clone()),
            None => self.mock.get_key_blob()?,
        };
        self.calls.lock().unwrap().push(match &answer {
            BlobAnswer::Unchanged => Call::Unchanged,
            BlobAnswer::Changed(blob) => Call::Changed(blob.clone()),
        });
        Ok(answer)
    }

    fn get_key_complete(&self, completion: &Completion) -> Result<(), Fault> {
        self.calls.lock().unwrap().push(Call::Complete(completion.clone()));
        if let Some(gate) = &self.gate {
            gate.begun.notify_one();
            gate.go_on.lock().unwrap().recv().unwrap();
        }
        if self.blob.is_some() { Ok(()) } else { self.mock.get_key_complete(completion) }
    }

    fn data_keys(&self) -> Option<&dyn DataKeyWrapper> {
        if self.blob.is_some() { None } else { self.mock.data_keys() }
    }

    fn keyring(&self) -> Option<&dyn Keyring> {
        self.mock.keyring()
    }
}

fn recorder(blob: Option<Vec<u8>>) -> (KeyManagement, Calls) {
    recorder_behind(blob, None)
}

fn recorder_behind(blob: Option<Vec<u8>>, gate: Option<Gate>) -> (KeyManagement, Calls) {
    let (calls, environment) = (Calls::default(), KeyEnvironment::default());
    let mock = MockModule::new("recorded", -1, 64, &environment).unwrap();
    let module = Recorder { mock, blob, calls: Arc::clone(&calls), gate };
    (KeyManagement::from_module(Box::new(module), environment), calls)
}

async fn bucket() -> Bucket {
    Bucket::open(BucketOptions::parse("source=memory_store").unwrap()).await.unwrap()
}

fn volume(bucket: &Bucket, keys: &KeyManagement) -> Volume {
    let mut volume = Volume::new(bucket.clone(), "test");
    volume.keys = keys.clone();
    volume.page_log.segment_size = 4 << 10;
    volume
}

async fn names(bucket: &Bucket, prefix: &str) -> Vec<String> {
    let entries = bucket.system().list(prefix, ListOptions::default());
    let objects = entries.try_filter_map(|entry| std::future::ready(Ok(entry.into_object())));
    objects.map_ok(|object| object.name).try_collect().await.unwrap()
}

async fn checkpoint(leader: &Leader, page: u64, text: &'static str) -> super::CheckpointInfo {
    leader.table(1).unwrap().put(page, PutArgs::full(), text).await.unwrap();
    leader.checkpoint(CheckpointRequest::default()).await.unwrap().0
}

async fn read(follower: &Follower, page: u64) -> Vec<u8> {
    follower.table(1).unwrap().get(page, Lsn::MAX).await.unwrap().records[0].bytes.to_vec()
}

#[tokio::test]
async fn the_module_hears_what_the_contract_says_and_nothing_else() {
    let bucket = bucket().await;
    let (keys, calls) = recorder(None);
    let leader = Leader::open(volume(&bucket, &keys)).await.unwrap();
    assert_eq!(*calls.lock().unwrap(), [], "a new database loads nothing");
    let first = checkpoint(&leader, 1, "one").await;
    let heard = std::mem::take(&mut *calls.lock().unwrap());
    let [Call::Changed(blob), Call::Complete(complete)] = &heard[..] else { panic!("{heard:?}") };
    assert_eq!(*complete, Completion::Persisted { lsn: first.kek_lsn.get() });
    // Unchanged: written once, and used again.
    let objects = names(&bucket, KEKS).await;
    let second = checkpoint(&leader, 2, "two").await;
    assert_eq!(second.kek_lsn, first.kek_lsn);
    assert_eq!(std::mem::take(&mut *calls.lock().unwrap()), [Call::Unchanged]);
    assert_eq!((names(&bucket, KEKS).await, objects.len()), (objects, 1));
    let records = leader.log().table(super::KEK_TABLE).get(1, Lsn::MAX).await.unwrap();
    assert_eq!(records.lsn, first.kek_lsn, "no other KEK page was put");
    // At start-up, and at a follower's pick-up, the same blob comes back.
    let (next_keys, next_calls) = recorder(None);
    let next = Leader::open(volume(&bucket, &next_keys)).await.unwrap();
    assert_eq!(std::mem::take(&mut *next_calls.lock().unwrap()), [Call::Load(blob.clone())]);
    let (follower_keys, follower_calls) = recorder(None);
    let follower = Follower::open_still(volume(&bucket, &follower_keys)).await.unwrap();
    assert_eq!(std::mem::take(&mut *follower_calls.lock().unwrap()), [Call::Load(blob.clone())]);
    // Picked up with the same KEK: nothing is loaded. With another: that one.
    checkpoint(&next, 3, "three").await;
    follower.advance().await.unwrap().unwrap();
    assert_eq!(*follower_calls.lock().unwrap(), []);
    next_keys.rotate().await.unwrap();
    let rotated = checkpoint(&next, 4, "four").await;
    checkpoint(&next, 5, "five").await;
    let heard = std::mem::take(&mut *next_calls.lock().unwrap());
    let [Call::Unchanged, Call::Changed(newer), Call::Complete(_), Call::Unchanged] = &heard[..] else {
        panic!("{heard:?}")
    };
    assert!(newer != blob && rotated.kek_lsn > first.kek_lsn);
    let before = (read(&follower, 1).await, follower.table(1).unwrap().get(4, Lsn::MAX).await.unwrap_err().kind());
    assert_eq!(before, (b"one".to_vec(), ErrorKind::NotFound));
    follower.advance().await.unwrap().unwrap();
    assert_eq!(*follower_calls.lock().unwrap(), [Call::Load(newer.clone())]);
    for (page, text) in [(1, "one"), (2, "two"), (3, "three"), (4, "four"), (5, "five")] {
        assert_eq!(read(&follower, page).await, text.as_bytes());
    }
}

#[tokio::test]
async fn a_checkpoint_that_is_dropped_while_the_module_hears_of_its_page_keeps_it_in_force() {
    let bucket = bucket().await;
    let (send, go_on) = std::sync::mpsc::channel();
    let begun = Arc::new(tokio::sync::Notify::new());
    let gate = Gate { begun: Arc::clone(&begun), go_on: Mutex::new(go_on) };
    let (keys, _) = recorder_behind(None, Some(gate));
    let leader = Leader::open(volume(&bucket, &keys)).await.unwrap();
    send.send(()).unwrap();
    let first = checkpoint(&leader, 1, "one").await;
    begun.notified().await;
    keys.rotate().await.unwrap();
    tokio::select! {
        biased;
        () = begun.notified() => {}
        done = leader.checkpoint(CheckpointRequest::default()) => panic!("{done:?}"),
    }
    send.send(()).unwrap();
    let next = checkpoint(&leader, 2, "two").await;
    assert!(next.kek_lsn > first.kek_lsn, "the module took note of the new page");
    let (other, _) = recorder(None);
    let follower = Follower::open_still(volume(&bucket, &other)).await.unwrap();
    assert_eq!((read(&follower, 1).await, read(&follower, 2).await), (b"one".to_vec(), b"two".to_vec()));
}

/// A call that is dropped while the module hears of its KEK page must not let the next turtle name the page from before.
#[tokio::test]
async fn a_checkpoint_that_is_dropped_anywhere_leaves_keys_that_open_what_comes_later() {
    for polls in 1..40 {
        let bucket = bucket().await;
        let (keys, _) = recorder(None);
        let leader = Leader::open(volume(&bucket, &keys)).await.unwrap();
        checkpoint(&leader, 1, "one").await;
        keys.rotate().await.unwrap();
        leader.table(1).unwrap().put(2, PutArgs::full(), "two").await.unwrap();
        {
            let mut dropped = std::pin::pin!(leader.checkpoint(CheckpointRequest::default()));
            let mut polled = 0;
            std::future::poll_fn(|context| {
                polled += 1;
                if polled > polls { std::task::Poll::Ready(()) } else { dropped.as_mut().poll(context).map(drop) }
            })
            .await;
        }
        // What was begun on other threads ends.
        keys.show().await.unwrap();
        checkpoint(&leader, 3, "three").await;
        let (other, _) = recorder(None);
        let follower = Follower::open_still(volume(&bucket, &other)).await.unwrap();
        for (page, text) in [(1, "one"), (2, "two"), (3, "three")] {
            assert_eq!(read(&follower, page).await, text.as_bytes(), "dropped after {polls} polls");
        }
    }
}

#[tokio::test]
async fn blobs_of_no_bytes_are_refused_and_those_of_16_mib_are_kept() {
    let bucket = bucket().await;
    for (size, fine) in [(0, false), ((16 << 20) + 1, false), (16 << 20, true), (1, true)] {
        let blob = vec![7; size];
        let (keys, calls) = recorder(Some(blob.clone()));
        let leader = Leader::open(volume(&bucket, &keys)).await.unwrap();
        calls.lock().unwrap().clear();
        let turtles = names(&bucket, "_plastron/turtle/").await;
        let published = leader.checkpoint(CheckpointRequest::default()).await;
        let completion = calls.lock().unwrap().last().cloned();
        if fine {
            let (info, _) = published.unwrap();
            assert_eq!(completion, Some(Call::Complete(Completion::Persisted { lsn: info.kek_lsn.get() })));
            let (keys, calls) = recorder(Some(blob.clone()));
            Follower::open_still(volume(&bucket, &keys)).await.unwrap();
            assert!(*calls.lock().unwrap() == [Call::Load(blob)], "{size} bytes");
        } else {
            assert_eq!(published.unwrap_err().kind(), ErrorKind::Invalid);
            assert!(matches!(completion, Some(Call::Complete(Completion::Failed { .. }))), "{completion:?}");
            assert_eq!(names(&bucket, "_plastron/turtle/").await, turtles);
        }
    }
}

#[tokio::test]
async fn keyrings_rotate_and_wrong_or_missing_master_keys_write_nothing() {
    let folder = tempfile::tempdir().unwrap();
    let key_file = |name: &str, digit: &str| {
        let path = folder.path().join(name);
        std::fs::write(&path, digit.repeat(64)).unwrap();
        std::fs::set_permissions(&path, std::os::unix::fs::PermissionsExt::from_mode(0o600)).unwrap();
        path
    };
    let (right, wrong) = (key_file("right", "a"), key_file("wrong", "b"));
    let section = |keyring: &str, key: &std::path::Path| {
        let keyring = folder.path().join(keyring);
        Config::parse(&format!("name=file,config=(path=\"{}\",key_file=\"{}\")", keyring.display(), key.display()))
            .unwrap()
    };
    let bucket = bucket().await;
    let keys = KeyManagement::open(&section("keyring", &right)).await.unwrap();
    let leader = Leader::open(volume(&bucket, &keys)).await.unwrap();
    let mut kek_lsns = std::collections::BTreeSet::new();
    for (page, text) in [(1, "one"), (2, "two"), (3, "three")] {
        kek_lsns.insert(checkpoint(&leader, page, text).await.kek_lsn);
        keys.rotate().await.unwrap();
    }
    assert_eq!(kek_lsns.len(), 3);
    // A reader with the master key alone opens what every KEK has sealed.
    let reader = KeyManagement::open(&section("elsewhere", &right)).await.unwrap();
    let follower = Follower::open_still(volume(&bucket, &reader)).await.unwrap();
    for (page, text) in [(1, "one"), (2, "two"), (3, "three")] {
        assert_eq!(read(&follower, page).await, text.as_bytes());
    }
    follower.close().await;
    let inspection = Inspector::new(volume(&bucket, &reader)).all(true).run().await.unwrap();
    assert!(inspection.is_clean(), "{:?}", inspection.faults);
    // Others are told so, fence nobody, and write nothing.
    let before = names(&bucket, "").await;
    let stranger = KeyManagement::open(&section("strange", &wrong)).await.unwrap();
    for (keys, what) in [(&stranger, "wrong master key"), (&KeyManagement::none(), "no keys")] {
        let error = Leader::open(volume(&bucket, keys)).await.unwrap_err();
        let kinds = [ErrorKind::Unauthorized, ErrorKind::Unsupported, ErrorKind::Invalid];
        assert!(kinds.contains(&error.kind()), "{what}: {error:?}");
        assert!(!error.to_string().contains(&"b".repeat(8)), "{error}");
        assert_eq!(names(&bucket, "").await, before, "{what}");
        assert!(Follower::open_still(volume(&bucket, keys)).await.is_err(), "{what}");
    }
    let missing = KeyManagement::open(&section("keyring", &folder.path().join("missing"))).await.unwrap_err();
    assert!(missing.to_string().contains("missing"), "{missing}");
    assert!(!leader.is_fenced().await.unwrap());
    checkpoint(&leader, 4, "four").await;
}
