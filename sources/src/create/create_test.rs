//! Creates against a store that fails.

use std::io::Write;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use plastron_config::ErrorKind;

use crate::bucket::Bucket;
use crate::clock::{Clock, SystemClock};
use crate::error::Fault;
use crate::source::{LargeCreate, Provider};
use crate::stats::RequestKind;
use crate::sums::{Creation, SumsPlace};
use crate::testing::{Fate, FaultyStore, HandClock, Op, bucket_over, busy, noise, open_over, options, unproved_over};

const PART: usize = 256 << 10;
/// More than fits inline: 301 blocks.
const MANY_BLOCKS: usize = 300 * (256 << 10) + 1;

fn exists() -> object_store::Error {
    object_store::Error::AlreadyExists { path: "x".to_owned(), source: "taken".into() }
}

async fn reads_back(bucket: &Bucket, name: &str, data: &[u8]) {
    let object = bucket.open_object(name).await.unwrap();
    assert_eq!(object.size(), data.len() as u64);
    assert!(object.read_all().await.unwrap() == data, "{name} does not hold what was written");
}

/// Nothing of an upload is left, visible or not.
async fn nothing_left(store: &FaultyStore, bucket: &Bucket) {
    bucket.close().await;
    assert_eq!(store.open_uploads(), 0);
    assert_eq!(store.keys().await, [""; 0]);
}

#[tokio::test]
async fn a_lost_acknowledgement_of_a_put_counts_as_success() {
    let store = FaultyStore::new();
    let bucket = bucket_over(&store).await;
    for (at, error) in [busy(), exists()].into_iter().enumerate() {
        store.once(Op::Put, 0, Fate::Lose(error));
        let name = format!("object {at}");
        let info = bucket.put(&name, "data").await.unwrap();
        assert_eq!(bucket.head(&name).await.unwrap().etag, info.etag);
        reads_back(&bucket, &name, b"data").await;
        assert_eq!(bucket.put(&name, "data").await.unwrap_err().kind(), ErrorKind::AlreadyExists);
    }
}

#[tokio::test]
async fn what_is_put_whole_takes_one_request() {
    let store = FaultyStore::new();
    let bucket = bucket_over(&store).await;
    let data = noise(3 * PART + 1);
    let limit = data.len() as u64;
    bucket.put_whole("one", data.clone(), limit).await.unwrap();
    assert_eq!((store.count(Op::Put), store.count(Op::Begin), store.count(Op::Head)), (1, 0, 0));
    bucket.put_whole("parts", data.clone(), limit - 1).await.unwrap();
    assert_eq!((store.count(Op::Put), store.count(Op::Begin)), (1, 1));
    bucket.put_whole("no more than a part", data[..PART].to_vec(), 0).await.unwrap();
    assert_eq!((store.count(Op::Put), store.count(Op::Begin)), (2, 1));
    for name in ["one", "parts"] {
        reads_back(&bucket, name, &data).await;
    }
    assert_eq!(bucket.put_whole("one", data, limit).await.unwrap_err().kind(), ErrorKind::AlreadyExists);
}

#[tokio::test]
async fn a_put_that_fails_leaves_nothing_and_keeps_its_error() {
    let store = FaultyStore::new();
    let bucket = bucket_over(&store).await;
    store.once(Op::Put, 0, Fate::Fail(busy()));
    let error = bucket.put("a", "data").await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Unavailable);
    assert!(error.is_retryable() && error.to_string().contains("SlowDown"), "{error}");
    nothing_left(&store, &bucket).await;
    // What the store says for good needs no second look.
    let denied = object_store::Error::PermissionDenied { path: "a".to_owned(), source: "no".into() };
    store.once(Op::Put, 0, Fate::Fail(denied));
    assert_eq!(bucket.put("a", "data").await.unwrap_err().kind(), ErrorKind::Unauthorized);
    assert_eq!(store.count(Op::Head), 0);
}

#[tokio::test]
async fn a_failure_with_another_object_in_place_is_already_exists() {
    let store = FaultyStore::new();
    let bucket = bucket_over(&store).await;
    store.plant("a", "theirs").await;
    store.once(Op::Put, 0, Fate::Fail(busy()));
    assert_eq!(bucket.put("a", "ours").await.unwrap_err().kind(), ErrorKind::AlreadyExists);
}

#[tokio::test]
async fn a_refusal_with_nothing_there_is_tried_again() {
    let store = FaultyStore::new();
    let mut options = options();
    options.clock = HandClock::new();
    let bucket = open_over(&store, options).await.unwrap();
    for data in [noise(10), noise(3 * PART)] {
        let op = if data.len() > PART { Op::Complete } else { Op::Put };
        store.judge(move |found, _, count| if found == op && count < 3 { Fate::Fail(exists()) } else { Fate::Go });
        bucket.put("a", data.clone()).await.unwrap();
        assert_eq!(store.count(op), 4);
        reads_back(&bucket, "a", &data).await;
        bucket.delete("a").await.unwrap();
        store.judge(move |found, _, _| if found == op { Fate::Fail(exists()) } else { Fate::Go });
        let error = bucket.put("a", data).await.unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Unavailable, "{error}");
        assert_eq!(store.count(op), 9);
        nothing_left(&store, &bucket).await;
    }
}

#[tokio::test]
async fn blocks_that_an_upload_left_do_not_keep_azures_names_from_being_created() {
    for data in [noise(0), noise(10), noise(PART)] {
        let store = FaultyStore::new();
        let mut open = unproved_over(&store, options(), LargeCreate::Multipart);
        open.source.provider = Provider::Azure;
        let bucket = Bucket::over(open).await.unwrap();
        store.judge(|op, _, _| if op == Op::Put { Fate::Fail(exists()) } else { Fate::Go });
        bucket.put("a", data.clone()).await.unwrap();
        assert_eq!((store.count(Op::Put), store.count(Op::Complete)), (2, 1));
        reads_back(&bucket, "a", &data).await;
        assert_eq!(bucket.put("a", data).await.unwrap_err().kind(), ErrorKind::AlreadyExists);
    }
}

#[tokio::test]
async fn of_24_creators_one_wins() {
    for size in [3, 2 * PART + 1] {
        let store = FaultyStore::new();
        let bucket = bucket_over(&store).await;
        let racers = (0..24_u8).map(|racer| {
            let bucket = bucket.clone();
            tokio::spawn(async move { bucket.put("a", vec![racer; size]).await.map(|_| racer) })
        });
        let results: Vec<_> = futures::future::join_all(racers).await.into_iter().map(Result::unwrap).collect();
        let winners: Vec<u8> = results.iter().filter_map(|result| result.as_ref().ok().copied()).collect();
        assert_eq!(winners.len(), 1);
        assert!(
            results
                .iter()
                .flat_map(|result| result.as_ref().err())
                .all(|error| error.kind() == ErrorKind::AlreadyExists)
        );
        reads_back(&bucket, "a", &vec![winners[0]; size]).await;
        bucket.close().await;
        assert_eq!(store.open_uploads(), 0);
    }
}

#[tokio::test]
async fn a_lost_acknowledgement_of_a_completion_counts_as_success() {
    for size in [2 * PART + 7, MANY_BLOCKS] {
        let store = FaultyStore::new();
        let bucket = bucket_over(&store).await;
        store.once(Op::Complete, 0, Fate::Lose(busy()));
        let data = noise(size);
        bucket.put("a", data.clone()).await.unwrap();
        reads_back(&bucket, "a", &data).await;
        assert_eq!((store.open_uploads(), store.keys().await.len()), (0, if size > MANY_BLOCKS - 1 { 2 } else { 1 }));
        bucket.delete("a").await.unwrap();
        nothing_left(&store, &bucket).await;
    }
}

#[tokio::test]
async fn whatever_request_of_an_upload_fails_nothing_is_left() {
    for op in [Op::Begin, Op::Part, Op::Put, Op::Complete] {
        for at in [0, 1, 2] {
            let store = FaultyStore::new();
            let bucket = bucket_over(&store).await;
            store.once(op, at, Fate::Fail(busy()));
            // A writer's checksums go to the side, so all kinds of requests occur.
            let mut writer = bucket.writer("a").await.unwrap();
            let mut result = Ok(());
            for _ in 0..5 {
                result = result.and(writer.write(noise(PART)).await);
            }
            let result = match result {
                Ok(()) => writer.finish().await.map(drop),
                Err(error) => Err(error),
            };
            let count = store.count(op);
            store.heal();
            if count <= at {
                result.unwrap();
                reads_back(&bucket, "a", &noise(PART).repeat(5)).await;
                continue;
            }
            assert_eq!(result.unwrap_err().kind(), ErrorKind::Unavailable, "{op:?} {at}");
            bucket.close().await;
            assert_eq!(store.open_uploads(), 0, "{op:?} {at}");
            // Whether a failed completion still arrives is not known, so its side object stays.
            let left = store.keys().await;
            assert!(
                left.iter().all(|key| op == Op::Complete && key.starts_with("_plastron/sums/")),
                "{op:?} {at}: {left:?}"
            );
        }
    }
}

#[tokio::test]
async fn an_upload_that_loses_the_race_removes_what_it_made() {
    let store = FaultyStore::new();
    let bucket = bucket_over(&store).await;
    let mut writer = bucket.writer("a").await.unwrap();
    writer.write(noise(3 * PART)).await.unwrap();
    assert_eq!(store.open_uploads(), 1);
    bucket.put("a", "first").await.unwrap();
    assert_eq!(writer.finish().await.unwrap_err().kind(), ErrorKind::AlreadyExists);
    assert_eq!(store.open_uploads(), 0);
    assert_eq!(store.keys().await, ["a"]);
    reads_back(&bucket, "a", b"first").await;
    // And one that finds the name taken sends nothing.
    store.heal();
    assert_eq!(bucket.put("a", noise(3 * PART)).await.unwrap_err().kind(), ErrorKind::AlreadyExists);
    assert_eq!((store.count(Op::Begin), store.count(Op::Part)), (0, 0));
}

/// Drops `future` when the store has got a request of kind `op`, with which it hangs.
async fn give_up<T>(store: &FaultyStore, op: Op, future: impl Future<Output = T>) {
    let asked = async {
        while store.count(op) == 0 {
            SystemClock.sleep(Duration::from_millis(1)).await;
        }
    };
    tokio::select! {
        _ = future => panic!("it should hang"),
        () = asked => {}
    }
}

#[tokio::test]
async fn dropping_an_upload_aborts_it() {
    for op in [Op::Part, Op::Put] {
        let store = FaultyStore::new();
        let bucket = bucket_over(&store).await;
        store.judge(move |found, _, count| if found == op && count == 0 { Fate::Hang } else { Fate::Go });
        let mut writer = bucket.writer("a").await.unwrap();
        writer.write(noise(2 * PART)).await.unwrap();
        give_up(&store, op, writer.finish()).await;
        nothing_left(&store, &bucket).await;
    }
    // The same for one that is dropped between two calls, and one whose write is interrupted.
    let store = FaultyStore::new();
    let bucket = bucket_over(&store).await;
    let mut writer = bucket.writer("a").await.unwrap();
    writer.write(noise(2 * PART)).await.unwrap();
    assert_eq!(store.open_uploads(), 1);
    drop(writer);
    nothing_left(&store, &bucket).await;
    let mut writer = bucket.writer("a").await.unwrap();
    store.judge(|op, _, _| if op == Op::Part { Fate::Hang } else { Fate::Go });
    give_up(&store, Op::Part, writer.write(noise(9 * PART))).await;
    assert_eq!(writer.write("more").await.unwrap_err().kind(), ErrorKind::Unsupported);
    writer.abort().await;
    nothing_left(&store, &bucket).await;
}

#[tokio::test]
async fn dropping_a_completion_leaves_the_object_whole_or_absent() {
    for size in [2 * PART + 1, MANY_BLOCKS] {
        let store = FaultyStore::new();
        // What an abandoned completion has, and then what cleans up after it.
        let mut options = options();
        options.retry.deadline = Duration::from_millis(300);
        let bucket = open_over(&store, options).await.unwrap();
        store.once(Op::Complete, 0, Fate::GoAndHang);
        let data = noise(size);
        give_up(&store, Op::Complete, bucket.put("a", data.clone())).await;
        bucket.close().await;
        store.heal();
        reads_back(&bucket, "a", &data).await;
        bucket.delete("a").await.unwrap();
        nothing_left(&store, &bucket).await;

        store.once(Op::Complete, 0, Fate::Hang);
        give_up(&store, Op::Complete, bucket.put("a", data.clone())).await;
        bucket.close().await;
        assert_eq!(store.open_uploads(), 0);
        assert!(!bucket.exists("a").await.unwrap());
        // The request might still arrive; its checksums wait for it.
        assert!(store.keys().await.iter().all(|key| key.starts_with("_plastron/sums/")));
    }
}

#[tokio::test]
async fn an_upload_of_the_wrong_size_is_removed_again() {
    let store = FaultyStore::new();
    let bucket = bucket_over(&store).await;
    let memory = store.memory.clone();
    let shorten = Arc::new(Mutex::new(memory));
    store.judge(move |op, key, count| {
        // Between the completion and the look at it the object shrinks, as if a part had been lost.
        if op == Op::Head && count == 1 {
            shorten.lock().unwrap().shrink(key);
        }
        Fate::Go
    });
    let error = bucket.put("a", noise(2 * PART)).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Corrupt, "{error}");
    assert!(error.to_string().contains("were sent"), "{error}");
    nothing_left(&store, &bucket).await;
}

#[tokio::test]
async fn checksums_go_inline_or_to_the_side() {
    let store = FaultyStore::new();
    let bucket = bucket_over(&store).await;
    let entry = |name: &'static str| {
        let bucket = bucket.clone();
        async move { Creation::decode(&bucket.entry(name).await.unwrap()).unwrap() }
    };
    bucket.put("small", noise(10)).await.unwrap();
    assert!(matches!(entry("small").await.place, SumsPlace::Inline(_)));
    bucket.put("inline", noise(MANY_BLOCKS - 1)).await.unwrap();
    assert!(matches!(entry("inline").await.place, SumsPlace::Inline(_)));
    bucket.put("side", noise(MANY_BLOCKS)).await.unwrap();
    assert!(matches!(entry("side").await.place, SumsPlace::Side(_)));
    assert_eq!(entry("side").await.size, Some(MANY_BLOCKS as u64));
    reads_back(&bucket, "side", &noise(MANY_BLOCKS)).await;
    assert_eq!(store.keys().await.len(), 4);
    bucket.delete("side").await.unwrap();
    assert_eq!(store.keys().await, ["inline", "small"]);

    // One PUT with its checksums at the side: a part larger than 300 blocks.
    let mut options = options();
    options.part_size = 1 << 30;
    let wide = open_over(&store, options).await.unwrap();
    wide.put("wide", noise(MANY_BLOCKS)).await.unwrap();
    assert!(matches!(entry("wide").await.place, SumsPlace::Side(_)));
    reads_back(&bucket, "wide", &noise(MANY_BLOCKS)).await;
    assert_eq!(wide.put("wide", noise(MANY_BLOCKS)).await.unwrap_err().kind(), ErrorKind::AlreadyExists);
    wide.close().await;
    assert_eq!(store.keys().await.len(), 4);
}

#[tokio::test]
async fn a_writer_makes_the_same_object_however_it_is_fed() {
    let store = FaultyStore::new();
    let bucket = bucket_over(&store).await;
    for (at, (size, piece)) in
        [(0, 1), (1, 1), (PART, 1000), (PART + 1, 4096), (3 * PART, PART), (3 * PART + 5, 10 * PART), (5 * PART, 777)]
            .into_iter()
            .enumerate()
    {
        let (name, data) = (format!("object {at}"), noise(size));
        let mut writer = bucket.writer(&name).await.unwrap();
        for piece in data.chunks(piece) {
            writer.write(piece.to_vec()).await.unwrap();
        }
        assert_eq!(writer.written(), size as u64);
        assert!(!bucket.exists(&name).await.unwrap());
        let info = writer.finish().await.unwrap();
        assert_eq!(info, crate::ObjectInfo { created: info.created, ..bucket.head(&name).await.unwrap() });
        reads_back(&bucket, &name, &data).await;
        assert_eq!(bucket.stats().requests_of(RequestKind::Abort), 0);
    }
}

#[tokio::test]
async fn an_upload_has_10_000_parts_at_the_most() {
    let store = FaultyStore::new();
    let mut options = options();
    options.part_size = 1;
    let bucket = open_over(&store, options).await.unwrap();
    let mut writer = bucket.writer("a").await.unwrap();
    let error = writer.write(noise(10_002)).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Unsupported);
    assert!(error.to_string().contains("raise part_size"), "{error}");
    drop(writer);
    nothing_left(&store, &bucket).await;
    // Where the size is known, parts get larger instead.
    bucket.put("a", noise(10_002)).await.unwrap();
    reads_back(&bucket, "a", &noise(10_002)).await;
}

#[tokio::test]
async fn files_of_all_sizes_arrive() {
    let store = FaultyStore::new();
    let bucket = bucket_over(&store).await;
    for size in [0, 1, PART - 1, PART, PART + 1, 5 * PART + 3, MANY_BLOCKS] {
        let mut file = tempfile::NamedTempFile::new().unwrap();
        file.write_all(&noise(size)).unwrap();
        let name = format!("file {size}");
        let info = bucket.put_file(&name, file.path()).await.unwrap();
        assert_eq!(info.size, size as u64);
        reads_back(&bucket, &name, &noise(size)).await;
        assert_eq!(bucket.put_file(&name, file.path()).await.unwrap_err().kind(), ErrorKind::AlreadyExists);
    }
    assert_eq!(bucket.put_file("x", "/nowhere/at all").await.unwrap_err().kind(), ErrorKind::NotFound);
    assert_eq!(bucket.put_file("x", "/").await.unwrap_err().kind(), ErrorKind::Invalid);
}

#[tokio::test]
async fn a_file_that_changes_is_refused() {
    // Once within the two passes, once within the only one.
    for size in [4 * PART, MANY_BLOCKS] {
        for change in ["same length", "longer", "shorter"] {
            let store = FaultyStore::new();
            // One part at a time, so that the file changes before all of it is read.
            let mut options = options();
            options.part_concurrency = 1;
            let bucket = open_over(&store, options).await.unwrap();
            let mut file = tempfile::NamedTempFile::new().unwrap();
            file.write_all(&noise(size)).unwrap();
            let path = file.path().to_owned();
            store.judge(move |op, _, count| {
                if op == Op::Part && count == 1 {
                    let file = std::fs::File::options().write(true).open(&path).unwrap();
                    match change {
                        "longer" => file.set_len(size as u64 + 1).unwrap(),
                        "shorter" => file.set_len(size as u64 - 1).unwrap(),
                        _ => {
                            std::os::unix::fs::FileExt::write_all_at(&file, b"other", size as u64 - 10).unwrap();
                        }
                    }
                }
                Fate::Go
            });
            let error = bucket.put_file("a", file.path()).await.unwrap_err();
            assert_eq!(error.kind(), ErrorKind::Conflict, "{size} {change}: {error}");
            assert!(matches!(error.fault(), Fault::FileChanged { .. }));
            nothing_left(&store, &bucket).await;
        }
    }
}

#[tokio::test]
async fn a_bucket_that_vanished_is_named() {
    let store = FaultyStore::new();
    let clock = HandClock::new();
    let mut options = options();
    options.clock = clock.clone();
    let bucket = open_over(&store, options).await.unwrap();
    clock.pass(Duration::from_secs(31));
    let gone = || object_store::Error::NotFound { path: String::new(), source: "gone".into() };
    store.judge(move |_, _, _| Fate::Fail(gone()));
    for error in [
        bucket.put("a", "data").await.unwrap_err(),
        bucket.put("a", noise(2 * PART)).await.unwrap_err(),
        bucket.head("a").await.unwrap_err(),
        bucket.exists("a").await.unwrap_err(),
        bucket.delete("a").await.unwrap_err(),
        bucket.open_object("a").await.unwrap_err(),
    ] {
        assert!(matches!(error.fault(), Fault::NoSuchBucket), "{error}");
        assert_eq!(error.kind(), ErrorKind::Invalid);
        assert!(error.target().contains("memory://test"), "{error}");
    }
    store.heal();
    clock.pass(Duration::from_secs(31));
    assert_eq!(bucket.head("a").await.unwrap_err().kind(), ErrorKind::NotFound);
    assert_eq!(store.count(Op::List), 1);
    // For half a minute that answer will do.
    clock.pass(Duration::from_secs(29));
    assert!(!bucket.exists("a").await.unwrap());
    assert_eq!(store.count(Op::List), 1);
    clock.pass(Duration::from_secs(2));
    assert!(!bucket.exists("a").await.unwrap());
    assert_eq!(store.count(Op::List), 2);
}

#[tokio::test]
async fn deleting_is_repeatable_and_tells_what_is_not_there() {
    let store = FaultyStore::new();
    let bucket = bucket_over(&store).await;
    bucket.put("a", noise(MANY_BLOCKS)).await.unwrap();
    store.once(Op::Delete, 0, Fate::Fail(busy()));
    assert_eq!(bucket.delete("a").await.unwrap_err().kind(), ErrorKind::Unavailable);
    reads_back(&bucket, "a", &noise(MANY_BLOCKS)).await;
    // Only the acknowledgement was lost.
    store.once(Op::Delete, 0, Fate::Lose(busy()));
    bucket.delete("a").await.unwrap();
    assert_eq!(store.keys().await, [""; 0]);
    assert_eq!(bucket.delete("a").await.unwrap_err().kind(), ErrorKind::NotFound);
    // Somebody else was faster between the look and the removal: gone is gone.
    bucket.put("b", "data").await.unwrap();
    let gone = object_store::Error::NotFound { path: "b".to_owned(), source: "gone".into() };
    store.once(Op::Delete, 0, Fate::Lose(gone));
    bucket.delete("b").await.unwrap();
    // An object whose entry is nonsense can be removed all the same.
    store.plant("c", "data").await;
    bucket.delete("c").await.unwrap();
}

#[tokio::test]
async fn a_read_only_bucket_writes_nothing() {
    let store = FaultyStore::new();
    store.plant("a", "data").await;
    let mut options = options();
    (options.readonly, options.probe) = (true, crate::ProbeMode::Start);
    let bucket = open_over(&store, options).await.unwrap();
    for error in [
        bucket.put("b", "x").await.unwrap_err(),
        bucket.put_file("b", "/etc/hostname").await.unwrap_err(),
        bucket.writer("b").await.unwrap_err(),
        bucket.delete("a").await.unwrap_err(),
    ] {
        assert_eq!(error.kind(), ErrorKind::Unsupported);
    }
    let report = bucket.probe().await;
    assert!(!report.holds());
    assert_eq!((store.count(Op::Put), store.count(Op::Begin), store.count(Op::Delete)), (0, 0, 0));
}
