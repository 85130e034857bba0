//! What the calls cost: requests, counted by a proxy before a server.

use std::path::Path;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use plastron_localstack::{Endpoint, Fault, FaultProxy, Match, Point, Rule, Server, endpoint};
use tokio::runtime::Runtime;

use crate::mock::{Layout, Mock, files, handle, source};

/// WiredTiger reads 28 KB at a time.
const READ_BYTES: usize = 28 << 10;

/// A GCS server (it is in this repository) behind a proxy.
struct Line {
    runtime: Runtime,
    server: Endpoint,
    proxy: FaultProxy,
}

impl Line {
    fn new(buckets: &[&str]) -> Self {
        let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build().unwrap();
        let (server, proxy) = runtime.block_on(async {
            let server = endpoint(Server::Gcs).await.unwrap();
            for bucket in buckets {
                server.create_bucket(bucket).await.unwrap();
            }
            let proxy = FaultProxy::before(&server.url).start().await.unwrap();
            (server, proxy)
        });
        Self { runtime, server, proxy }
    }

    fn load(&self, home: &Path, more: &str) -> Mock {
        Mock::load(Layout::V11, home, Some(&format!("(stores=[gcp_store],endpoint=\"{}\"{more})", self.proxy.url())))
    }

    fn token(&self) -> String {
        self.server.credentials_file.as_ref().unwrap().display().to_string()
    }

    fn requests(&self) -> u64 {
        self.proxy.requests().total()
    }
}

fn content(length: usize) -> Vec<u8> {
    (0..length).map(|index| (index * 7 + index / 253) as u8).collect()
}

/// Reads the whole object as WiredTiger's scan does.
fn read_through(open: *mut plastron_wiredtiger::abi::file_handle::FileHandle, wanted: &[u8]) {
    for (index, piece) in wanted.chunks(READ_BYTES).enumerate() {
        let offset = (index * READ_BYTES) as i64;
        assert_eq!(handle::read(open, offset, piece.len()).unwrap(), piece, "at {offset}");
    }
}

#[test]
fn opening_is_one_request_and_what_was_read_or_flushed_is_none() {
    let line = Line::new(&["counted"]);
    let wanted = content(5 << 20);
    let home = tempfile::tempdir().unwrap();
    std::fs::write(home.path().join("local"), &wanted).unwrap();
    {
        let mock = line.load(home.path(), "");
        let store = mock.source("gcp_store");
        let bucket = source::customize(store, Some("counted"), Some(&line.token()), None).unwrap();
        assert_eq!(source::flush(store, bucket, Some("local"), Some("object")), 0, "{:?}", mock.errors());
        let before = line.requests();
        assert_eq!(source::flush_finish(store, bucket, Some("local"), Some("object")), 0);
        assert_eq!(line.requests(), before, "it enters the cache from the local file");
        // Finished again, or without it: nothing happens, since WiredTiger would panic.
        assert_eq!(source::flush_finish(store, bucket, Some("local"), Some("object")), 0);
        assert_eq!(source::flush_finish(store, bucket, Some("not-there"), Some("never-flushed")), 0);
        let open = files::open(bucket, Some("object"), 1, 0x100).unwrap();
        assert_eq!(handle::size(open), Ok(5 << 20));
        assert_eq!(line.requests() - before, 1, "opening is one request, the size comes with it");
        read_through(open, &wanted);
        assert_eq!(line.requests() - before, 1, "what was flushed is in the cache");
        let again = files::open(bucket, Some("object"), 1, 0x100).unwrap();
        assert_eq!(line.requests() - before, 1, "what is open is opened without a request");
        assert_eq!((handle::close(again), handle::close(open)), (0, 0));
    }
    let elsewhere = tempfile::tempdir().unwrap();
    let mock = line.load(elsewhere.path(), "");
    let bucket = source::customize(mock.source("gcp_store"), Some("counted"), Some(&line.token()), None).unwrap();
    let before = line.requests();
    let open = files::open(bucket, Some("object"), 1, 0x100).unwrap();
    assert_eq!(line.requests() - before, 1);
    read_through(open, &wanted);
    let cold = line.requests() - before - 1;
    let reads = wanted.len().div_ceil(READ_BYTES) as u64;
    assert!(cold <= reads / 8, "{cold} requests for {reads} reads in sequence");
    read_through(open, &wanted);
    assert_eq!(line.requests() - before - 1, cold, "what was read is in the cache");
    assert_eq!(handle::close(open), 0);
    assert_eq!(files::terminate(bucket), 0);
}

#[test]
fn one_file_system_does_not_wait_for_another() {
    let line = Line::new(&["slow", "fast"]);
    let home = tempfile::tempdir().unwrap();
    std::fs::write(home.path().join("local"), content(100_000)).unwrap();
    let mock = line.load(home.path(), ",retry=(deadline=15min)");
    let store = mock.source("gcp_store");
    let open = |name| source::customize(store, Some(name), Some(&line.token()), None).unwrap() as usize;
    let (slow, fast) = (open("slow"), open("fast"));
    let busy = Fault::Status { code: 503, retry_after_s: None, point: Point::Before };
    line.proxy.add_rule(Rule::new(busy).when(Match::default().path("/slow/")));
    let (done, store) = (AtomicBool::new(false), store as usize);
    std::thread::scope(|scope| {
        scope.spawn(|| {
            assert_eq!(source::flush(store as *mut _, slow as *mut _, Some("local"), Some("object")), 0);
            done.store(true, Ordering::SeqCst);
        });
        while line.proxy.faults().is_empty() {
            std::thread::sleep(Duration::from_millis(5));
        }
        // Nothing it asks for is answered until the fast one is through.
        assert_eq!(source::flush(store as *mut _, fast as *mut _, Some("local"), Some("object")), 0);
        let open = files::open(fast as *mut _, Some("object"), 1, 0x100).unwrap();
        assert_eq!(handle::read(open, 0, 100_000).unwrap(), content(100_000));
        assert_eq!(handle::close(open), 0);
        assert!(!done.load(Ordering::SeqCst), "the slow one was not slow");
        line.proxy.clear_rules();
    });
    assert!(done.load(Ordering::SeqCst));
}

#[test]
fn trouble_up_to_the_deadline_is_waited_out_and_beyond_it_is_told() {
    let line = Line::new(&["busy"]);
    let home = tempfile::tempdir().unwrap();
    std::fs::write(home.path().join("local"), content(100_000)).unwrap();
    let patient = line.load(home.path(), ",retry=(deadline=15min)");
    let mock = line.load(home.path(), ",retry=(deadline=3s)");
    let (patient_store, store) = (patient.source("gcp_store"), mock.source("gcp_store"));
    let patient_bucket = source::customize(patient_store, Some("busy"), Some(&line.token()), None).unwrap();
    // Where this machine is held up for three seconds, it is opened again.
    let bucket = (0..100).find_map(|_| source::customize(store, Some("busy"), Some(&line.token()), None).ok()).unwrap();
    let busy = || Rule::new(Fault::Status { code: 503, retry_after_s: None, point: Point::Before });
    line.proxy.add_rule(busy().times(6));
    assert_eq!(
        source::flush(patient_store, patient_bucket, Some("local"), Some("object")),
        0,
        "{:?}",
        patient.errors()
    );
    mock.errors();
    line.proxy.add_rule(busy());
    assert_eq!(source::flush(store, bucket, Some("local"), Some("other")), libc::EAGAIN);
    let errors = mock.errors();
    assert!(errors.iter().any(|error| error.contains("503")), "{errors:?}");
    line.proxy.clear_rules();
    assert_eq!(files::list(patient_bucket, None, None, false).unwrap(), ["object"]);
}

#[test]
fn what_was_removed_without_an_answer_is_removed() {
    let line = Line::new(&["removing"]);
    let home = tempfile::tempdir().unwrap();
    std::fs::write(home.path().join("local"), content(1000)).unwrap();
    let mock = line.load(home.path(), "");
    let store = mock.source("gcp_store");
    let bucket = source::customize(store, Some("removing"), Some(&line.token()), None).unwrap();
    assert_eq!(source::flush(store, bucket, Some("local"), Some("object")), 0, "{:?}", mock.errors());
    // The bucket does not try a refusal again, and another one keeps it from looking whether the object is gone.
    let refusal = |point| Rule::new(Fault::Status { code: 403, retry_after_s: None, point }).times(1);
    line.proxy.add_rule(refusal(Point::After).when(Match::method("DELETE")));
    let looks = Rule::new(Fault::Status { code: 403, retry_after_s: None, point: Point::Before });
    line.proxy.add_rule(looks.when(Match::method("HEAD").path("object")).skip(2).times(1));
    assert_eq!(files::remove(bucket, Some("object")), 0, "{:?} {:?}", mock.errors(), line.proxy.records());
    assert_eq!(line.proxy.faults().values().sum::<u64>(), 2, "{:?}", line.proxy.records());
    assert_eq!(files::exist(bucket, Some("object")), Ok(false));
    assert_eq!(files::remove(bucket, Some("object")), libc::ENOENT);
}

#[test]
fn a_bucket_that_vanishes_is_never_a_missing_object() {
    let line = Line::new(&["vanishing"]);
    let home = tempfile::tempdir().unwrap();
    std::fs::write(home.path().join("local"), content(1000)).unwrap();
    let mock = line.load(home.path(), ",retry=(deadline=10min)");
    let store = mock.source("gcp_store");
    let bucket = source::customize(store, Some("vanishing"), Some(&line.token()), None).unwrap();
    let gone = Fault::Refusal { status: 404, code: "NoSuchBucket".to_owned() };
    line.proxy.add_rule(Rule::new(gone));
    for (local, object) in [("local", "object"), ("local", "other")] {
        let errno = source::flush(store, bucket, Some(local), Some(object));
        assert!(errno != 0 && errno != libc::ENOENT, "{errno}");
    }
    let errors = mock.errors();
    assert!(errors.iter().all(|error| error.contains("no such bucket")), "{errors:?}");
    drop(line.runtime);
}
