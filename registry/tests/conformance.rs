//! One suite that every registry passes. A new one adds a line to [`volumes`].
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::indexing_slicing, clippy::panic, reason = "a test")]

use std::any::Any;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use futures::{StreamExt, TryStreamExt};
use plastron_registry::{
    Acquired, BucketRegistry, CheckpointRegistry, ErrorKind, Leadership, OpenedRegistry, TurtleHistory, Version,
};
use plastron_sources::{Bucket, BucketOptions};

/// Longer than anything takes here, on a machine that is busy with others.
const PATIENCE: Duration = Duration::from_secs(300);

/// A new, empty volume, as two handles that know nothing of each other, as two processes have them.
struct Volume {
    name: &'static str,
    one: Arc<dyn CheckpointRegistry>,
    two: Arc<dyn CheckpointRegistry>,
    /// The turtles, as yet another process sees them.
    turtles: Arc<dyn TurtleHistory>,
    /// Where turtle objects are.
    bucket: Bucket,
    /// What it stands on, to be kept as long.
    _ground: Box<dyn Any + Send>,
}

fn bucket_registry(bucket: &Bucket) -> OpenedRegistry {
    let registry = BucketRegistry::new(bucket.clone()).polling(Duration::from_millis(5), Duration::from_millis(20));
    OpenedRegistry { registry: Arc::new(registry.clone()), turtles: Arc::new(registry) }
}

async fn memory() -> Bucket {
    Bucket::open(BucketOptions::parse("source=memory_store").unwrap()).await.unwrap()
}

impl Volume {
    fn new(name: &'static str, open: impl Fn() -> (OpenedRegistry, Bucket), ground: Box<dyn Any + Send>) -> Self {
        let ((one, _), (two, _), (third, bucket)) = (open(), open(), open());
        Self { name, one: one.registry, two: two.registry, turtles: third.turtles, bucket, _ground: ground }
    }
}

/// A new, empty volume of every registry.
async fn volumes() -> Vec<Volume> {
    let shared = memory().await;
    let directory = tempfile::tempdir().unwrap();
    let text = format!("source=dir_store,bucket=\"{}\",bucket_prefix=db/", directory.path().display());
    let dir = Bucket::open(BucketOptions::parse(&text).unwrap()).await.unwrap();
    let mut all = vec![
        Volume::new("bucket, memory", || (bucket_registry(&shared), shared.clone()), Box::new(())),
        Volume::new("bucket, dir", || (bucket_registry(&dir), dir.clone()), Box::new(directory)),
    ];
    #[cfg(feature = "ickpt")]
    for count in [1, 3] {
        all.push(ickpt(count).await);
    }
    #[cfg(feature = "etcd")]
    all.push(etcd().await);
    all
}

#[cfg(any(feature = "ickpt", feature = "etcd"))]
fn registry(register: impl plastron_registry::SwapRegister, bucket: &Bucket) -> OpenedRegistry {
    let polling = (Duration::from_millis(5), Duration::from_millis(20));
    plastron_registry::RegisterRegistry::over_bucket(Arc::new(register), bucket, polling)
}

/// A group of instances, in this process.
#[cfg(feature = "ickpt")]
async fn ickpt(count: usize) -> Volume {
    use plastron_ickpt::stand_in::{StandIn, WRITER};
    use plastron_ickpt::{ConfFile, Service, Settings};
    use plastron_registry::{IckptOptions, IckptRegister};
    let store = StandIn::start().await.unwrap();
    let storage_url = store.object("/v1/AUTH_a/volume/checkpoint", b"of the store");
    let (mut ground, mut urls) = (Vec::new(), Vec::new());
    for _ in 0..count {
        let folder = tempfile::tempdir().unwrap();
        let (path, origin) = (folder.path().display(), store.origin());
        let text = format!(
            "[ICKPT]\nIPAddr: 127.0.0.1\nPort: 0\nDataBasePath: {path}\nTransactionTimeout: 10m\nAllowedStorageOrigins: {origin}\n"
        );
        let service =
            Service::new(Settings::from_conf(&ConfFile::parse(&text).unwrap()).unwrap()).start().await.unwrap();
        urls.push(format!("http://{}", service.address()));
        ground.push((service, folder));
    }
    let bucket = memory().await;
    let open = || {
        let mut options = IckptOptions::new(urls.clone(), storage_url.clone(), WRITER);
        options.call_timeout = PATIENCE;
        (registry(IckptRegister::open(options).unwrap(), &bucket), bucket.clone())
    };
    Volume::new(if count == 1 { "ickpt, one" } else { "ickpt, three" }, open, Box::new((ground, store)))
}

/// A key of real etcd.
#[cfg(feature = "etcd")]
async fn etcd() -> Volume {
    use plastron_localstack::{Server, endpoint};
    use plastron_registry::{EtcdOptions, EtcdRegister};
    use plastron_sources::clock::{Entropy as _, SystemEntropy};
    let etcd = endpoint(Server::Etcd).await.unwrap();
    let key = format!("plastron/{:016x}", SystemEntropy::default().next_u64());
    let bucket = memory().await;
    let open = || {
        let mut options = EtcdOptions::new(etcd.other_urls.clone(), key.clone());
        options.client.timeout = PATIENCE;
        (registry(EtcdRegister::open(options).unwrap(), &bucket), bucket.clone())
    };
    Volume::new("etcd", open, Box::new(()))
}

fn text(text: &str) -> Bytes {
    Bytes::copy_from_slice(text.as_bytes())
}

#[tokio::test]
async fn what_is_committed_is_read_by_everybody() {
    for volume in volumes().await {
        assert!(volume.one.read().await.unwrap().is_none(), "{}", volume.name);
        let Acquired { fence, mut version, content } = volume.one.acquire("one").await.unwrap();
        assert_eq!((content, fence.epoch), (None, 1), "{}", volume.name);
        assert!(volume.two.read().await.unwrap().is_none(), "nothing was committed: {}", volume.name);
        for content in ["a", "", "c"] {
            let next = volume.one.commit(&fence, &version, text(content)).await.unwrap();
            assert_eq!((next.sequence, next.epoch), (version.sequence + 1, 1), "{}", volume.name);
            version = next;
            let found = volume.two.read().await.unwrap().unwrap();
            assert_eq!((found.version, found.content), (version, text(content)), "{}", volume.name);
        }
    }
}

#[tokio::test]
async fn a_takeover_fences_every_predecessor_for_good() {
    for volume in volumes().await {
        let first = volume.one.acquire("one").await.unwrap();
        let base = volume.one.commit(&first.fence, &first.version, text("a")).await.unwrap();
        let second = volume.two.acquire("two").await.unwrap();
        assert_eq!((second.content.clone(), second.fence.epoch), (Some(text("a")), 2), "{}", volume.name);
        let third = volume.two.acquire("three").await.unwrap();
        for (fence, base) in [(&first.fence, base), (&first.fence, first.version), (&second.fence, second.version)] {
            let error = volume.one.commit(fence, &base, text("lost")).await.unwrap_err();
            assert_eq!((error.kind(), error.is_retryable()), (ErrorKind::Fenced, false), "{}: {error}", volume.name);
            assert!(error.to_string().contains("'three' took over with epoch 3"), "{}: {error}", volume.name);
        }
        let version = volume.two.commit(&third.fence, &third.version, text("b")).await.unwrap();
        assert_eq!(volume.one.commit(&first.fence, &base, text("lost")).await.unwrap_err().kind(), ErrorKind::Fenced);
        assert_eq!(volume.one.read().await.unwrap().unwrap().version, version, "{}", volume.name);
    }
}

#[tokio::test]
async fn a_commit_may_be_repeated_and_not_replaced() {
    for volume in volumes().await {
        let Acquired { fence, version: base, .. } = volume.one.acquire("one").await.unwrap();
        let version = volume.one.commit(&fence, &base, text("a")).await.unwrap();
        assert_eq!(volume.two.commit(&fence, &base, text("a")).await.unwrap(), version, "{}", volume.name);
        let error = volume.one.commit(&fence, &base, text("b")).await.unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Conflict, "{}: {error}", volume.name);
        volume.one.commit(&fence, &version, text("c")).await.unwrap();
        assert_eq!(volume.one.commit(&fence, &base, text("a")).await.unwrap_err().kind(), ErrorKind::Conflict);
        assert_eq!(volume.one.read().await.unwrap().unwrap().content, text("c"), "{}", volume.name);
    }
}

#[tokio::test]
async fn what_cannot_be_is_refused_before_anything_is_done() {
    for volume in volumes().await {
        let Acquired { fence, version, .. } = volume.one.acquire("one").await.unwrap();
        let large = Bytes::from(vec![0; volume.one.guarantees().max_content_bytes + 1]);
        let foreign = Version { epoch: 7, ..version };
        let early = Version { sequence: 0, ..version };
        for (base, content) in [(version, large), (foreign, text("a")), (early, text("a"))] {
            let error = volume.one.commit(&fence, &base, content).await.unwrap_err();
            assert_eq!(error.kind(), ErrorKind::Invalid, "{}: {error}", volume.name);
        }
        let error = volume.one.acquire(&"x".repeat(1000)).await.unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Invalid, "{}: {error}", volume.name);
        assert!(volume.one.read().await.unwrap().is_none());
        volume.one.commit(&fence, &version, text("a")).await.unwrap();
    }
}

#[tokio::test]
async fn of_many_who_take_over_at_once_one_is_left() {
    for volume in volumes().await {
        let tasks: Vec<_> = (0..6)
            .map(|number| {
                let registry = if number % 2 == 0 { Arc::clone(&volume.one) } else { Arc::clone(&volume.two) };
                tokio::spawn(async move { registry.acquire(&format!("leader {number}")).await.unwrap() })
            })
            .collect();
        let mut all = Vec::new();
        for task in tasks {
            all.push(task.await.unwrap());
        }
        all.sort_by_key(|acquired| acquired.fence.epoch);
        assert_eq!(all.iter().map(|acquired| acquired.fence.epoch).collect::<Vec<_>>(), (1..=6).collect::<Vec<_>>());
        let last = all.pop().unwrap();
        for Acquired { fence, version, .. } in all {
            let error = volume.one.commit(&fence, &version, text("lost")).await.unwrap_err();
            assert_eq!(error.kind(), ErrorKind::Fenced, "{}", volume.name);
        }
        volume.two.commit(&last.fence, &last.version, text("won")).await.unwrap();
    }
}

#[tokio::test]
async fn a_watcher_sees_what_is_newer_in_order() {
    for volume in volumes().await {
        let mut all = volume.two.watch(None);
        let mut leader = Leadership::open(Arc::clone(&volume.one), "one").await.unwrap();
        let mut versions = Vec::new();
        for content in ["a", "b", "c"] {
            versions.push(leader.publish(text(content)).await.unwrap());
            let found = tokio::time::timeout(PATIENCE, all.next()).await.unwrap().unwrap().unwrap();
            assert_eq!(
                (found.version, found.content),
                (versions[versions.len() - 1], text(content)),
                "{}",
                volume.name
            );
        }
        // From the middle: the newest, and not what was overtaken.
        let found = volume.two.watch(Some(versions[0])).next().await.unwrap().unwrap();
        assert_eq!(found.version, versions[2], "{}", volume.name);
        let mut none = volume.two.watch(Some(versions[2]));
        assert!(tokio::time::timeout(Duration::from_millis(100), none.next()).await.is_err(), "{}", volume.name);
    }
}

#[tokio::test]
async fn a_leader_goes_on_over_what_it_does_not_know_to_have_published() {
    for volume in volumes().await {
        let mut leader = Leadership::open(Arc::clone(&volume.one), "one").await.unwrap();
        leader.publish(text("a")).await.unwrap();
        // The same leader, whose answer was lost.
        volume.two.commit(leader.fence(), &leader.version(), text("b")).await.unwrap();
        let version = leader.publish(text("c")).await.unwrap();
        assert_eq!(version.sequence, 4, "{}", volume.name);
        assert_eq!(leader.content(), Some(&text("c")));
        let second = volume.two.acquire("two").await.unwrap();
        assert_eq!(second.content, Some(text("c")));
        assert_eq!(leader.publish(text("d")).await.unwrap_err().kind(), ErrorKind::Fenced);
        assert!(leader.is_fenced());
    }
}

#[tokio::test]
async fn history_holds_what_was_published_and_not_what_was_refused() {
    for Volume { name, one, two, turtles, bucket, .. } in volumes().await {
        assert!(turtles.turtles().try_collect::<Vec<_>>().await.unwrap().is_empty(), "{name}");
        let mut first = Leadership::open(Arc::clone(&one), "one").await.unwrap();
        for content in ["a", "b", "c", "d", "e", "f"] {
            first.publish(text(content)).await.unwrap();
        }
        let mut second = Leadership::open(Arc::clone(&two), "two").await.unwrap();
        assert_eq!(first.publish(text("lost")).await.unwrap_err().kind(), ErrorKind::Fenced, "{name}");
        second.publish(text("g")).await.unwrap();
        let listed: Vec<_> = turtles.turtles().try_collect().await.unwrap();
        assert_eq!(
            listed.iter().map(|turtle| turtle.sequence).collect::<Vec<_>>(),
            (1..=9).collect::<Vec<_>>(),
            "{name}"
        );
        for turtle in &listed {
            let size = bucket.system().head(&turtle.name).await.unwrap().size;
            assert_eq!(turtle.size, size, "{name}: {}", turtle.name);
            let content =
                turtles.turtle(turtle.sequence).await.unwrap().map(|found| (found.version.epoch, found.content));
            let expected = [None, Some((1, "a")), Some((1, "b")), Some((1, "c")), Some((1, "d")), Some((1, "e"))];
            let later = [Some((1, "f")), Some((2, "f")), Some((2, "g"))];
            let expected = [&expected[..], &later].concat()[turtle.sequence as usize - 1];
            assert_eq!(content, expected.map(|(epoch, content)| (epoch, text(content))), "{name}: {}", turtle.sequence);
        }
        // The oldest first, as GC does; the newest never.
        for sequence in 1..=4 {
            assert!(turtles.remove(sequence).await.unwrap(), "{name}: {sequence}");
        }
        assert!(!turtles.remove(4).await.unwrap(), "{name}: it is gone already");
        assert_eq!(turtles.remove(9).await.unwrap_err().kind(), ErrorKind::Invalid, "{name}");
        for sequence in [4, 10] {
            assert_eq!(turtles.turtle(sequence).await.unwrap_err().kind(), ErrorKind::NotFound, "{name}: {sequence}");
        }
        let left: Vec<_> = turtles.turtles().map_ok(|turtle| turtle.sequence).try_collect().await.unwrap();
        assert_eq!(left, [5, 6, 7, 8, 9], "{name}");
        second.publish(text("h")).await.unwrap();
        assert_eq!(turtles.turtle(10).await.unwrap().unwrap().content, text("h"), "{name}");
    }
}

#[tokio::test]
async fn those_who_lost_a_takeover_leave_nothing_that_counts() {
    for Volume { name, one, two, turtles, bucket, .. } in volumes().await {
        let mut tasks = Vec::new();
        for number in 0..8 {
            let registry = if number % 2 == 0 { Arc::clone(&one) } else { Arc::clone(&two) };
            tasks.push(tokio::spawn(async move {
                let mut leader = Leadership::open(registry, &format!("leader {number}")).await.unwrap();
                leader.publish(text(&format!("of {number}"))).await
            }));
        }
        let mut done = 0;
        for task in tasks {
            match task.await.unwrap() {
                Ok(_) => done += 1,
                Err(error) => assert_eq!(error.kind(), ErrorKind::Fenced, "{name}: {error}"),
            }
        }
        assert!(done > 0, "{name}");
        let newest = one.read().await.unwrap().unwrap().version.sequence;
        let listed: Vec<_> = turtles.turtles().map_ok(|turtle| turtle.sequence).try_collect().await.unwrap();
        assert_eq!(listed, (1..=newest).collect::<Vec<_>>(), "{name}: a history without gaps, and each number once");
        for sequence in 1..newest {
            turtles.turtle(sequence).await.unwrap();
            turtles.remove(sequence).await.unwrap();
        }
        let objects = bucket.system().list("_plastron/turtle/", plastron_sources::ListOptions::default());
        assert_eq!(objects.try_collect::<Vec<_>>().await.unwrap().len(), 1, "{name}: attempts go with their number");
    }
}
