//! `kill -9` in the middle of `plastron put`, on every back end: what is visible is whole, and `put` can be run again.
//!
//! Two kinds of death. *At every request*: a proxy lets the first k requests of a put through and holds all later ones, and then the
//! process is killed; k goes from nothing to all of them, once with request k unseen by the server and once with its answer
//! lost (where a creator claims the right to complete, one dead creator's claim is waited for, which takes 15 seconds).
//! *At any moment*: the process is killed after a random time. Each time the same put is run again, against the server itself.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::panic,
    reason = "a test says what it expects by failing"
)]
#![allow(clippy::print_stdout, reason = "the seed of a failure, and what is not run")]
#![allow(clippy::disallowed_methods, reason = "real processes die at real times")]

use std::fs::File;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use futures::TryStreamExt as _;
use plastron_localstack::{Endpoint, Fault, FaultProxy, Rule, Rules, Server, endpoint};
use plastron_sources::{Bucket, BucketOptions, ErrorKind};

/// Small parts, so that large objects are cheap; no hedging, which would send what the rules do not expect.
const SETTINGS: &str = "part_size=5MB,hedge=(enabled=false)";

/// When a back end has taken this long, only every third request is died at.
const PATIENCE: Duration = Duration::from_secs(10);

/// How long random deaths are tried on one back end, and how many there are at least and at most.
const RANDOM_TIME: Duration = Duration::from_secs(4);
const RANDOM_ROUNDS: std::ops::Range<u32> = 8..60;

/// What is put.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Kind {
    /// One request.
    Small,
    /// Parts of a file.
    Large,
    /// Parts of a stream, whose checksums go to an object of their own.
    Stream,
}

impl Kind {
    const ALL: [Self; 3] = [Self::Small, Self::Large, Self::Stream];

    fn bytes(self) -> usize {
        if self == Self::Small { 70_000 } else { 5_600_000 }
    }
}

/// A bucket, the files that are put into it, and everything that was.
struct Scene {
    /// Opens the bucket directly.
    store: String,
    /// The server, with the bucket's name and prefix, if there is one.
    server: Option<(Endpoint, String)>,
    bucket: Bucket,
    files: tempfile::TempDir,
    names: Vec<String>,
    seed: u64,
    random: u64,
}

impl Scene {
    async fn prepare(server: Option<Server>) -> Option<Self> {
        static NEXT: AtomicU32 = AtomicU32::new(0);
        let files = tempfile::tempdir().unwrap();
        let prefix = format!("t{}-{}/", std::process::id(), NEXT.fetch_add(1, Ordering::Relaxed));
        let (store, server) = match server {
            None => (format!("source=dir_store,bucket=\"{}\"", files.path().join("bucket").display()), None),
            Some(server) => match endpoint(server).await {
                Ok(found) => {
                    found.create_bucket("killed").await.unwrap();
                    (found.store_string("killed", &prefix), Some((found, prefix)))
                }
                Err(error) if error.kind() == ErrorKind::Unsupported => {
                    println!("NOT RUN: {error}");
                    return None;
                }
                Err(error) => panic!("{error}"),
            },
        };
        let store = format!("{store},{SETTINGS}");
        let bucket = Bucket::open(BucketOptions::parse(&store).unwrap()).await.unwrap();
        let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap();
        let seed = std::env::var("PLASTRON_TEST_SEED").map_or(now.as_nanos() as u64, |seed| seed.parse().unwrap());
        println!("PLASTRON_TEST_SEED={seed}");
        Some(Self { store, server, bucket, files, names: Vec::new(), seed, random: seed | 1 })
    }

    fn draw(&mut self) -> u64 {
        self.random ^= self.random << 13;
        self.random ^= self.random >> 7;
        self.random ^= self.random << 17;
        self.random
    }

    /// A new name, and the file that is to be it: no two are alike.
    fn next(&mut self, kind: Kind) -> (String, PathBuf) {
        let name = format!("{kind:?}/{:03}", self.names.len());
        let path = self.files.path().join("content");
        std::fs::write(&path, self.content(&name, kind)).unwrap();
        self.names.push(name.clone());
        (name, path)
    }

    fn content(&self, name: &str, kind: Kind) -> Vec<u8> {
        let mut state = u64::from(crc32c::crc32c(name.as_bytes())) << 20 | 1;
        let mut bytes = Vec::with_capacity(kind.bytes() + 8);
        while bytes.len() < kind.bytes() {
            state ^= state << 13;
            state ^= state >> 7;
            state ^= state << 17;
            bytes.extend_from_slice(&state.to_le_bytes());
        }
        bytes.truncate(kind.bytes());
        bytes
    }

    /// What must hold once a put of `name` was killed; then puts it again.
    async fn check(&self, kind: Kind, name: &str, path: &Path, when: &str, settings: &str) {
        let when = format!("{name} was killed {when} (PLASTRON_TEST_SEED={})", self.seed);
        self.assert_absent_or_whole(kind, name, &when).await;
        let listed = self.names().await;
        assert!(listed.iter().all(|listed| self.names.contains(listed)), "{when}: {listed:?}");
        let again = put(&format!("{}{settings}", self.store), kind, name, path).wait_with_output().unwrap();
        let said = String::from_utf8_lossy(&again.stderr);
        // What the server had in hand when its client died may have been carried out in the end.
        assert!(matches!(again.status.code(), Some(0 | 4)), "{when}, and again: {:?} {said}", again.status);
        assert!(self.bucket.exists(name).await.unwrap(), "{when}, and again: {:?} {said}", again.status);
        self.assert_absent_or_whole(kind, name, &when).await;
    }

    async fn assert_absent_or_whole(&self, kind: Kind, name: &str, when: &str) {
        match self.bucket.open_object(name).await {
            Ok(object) => {
                let found = object.read_all().await.unwrap_or_else(|error| panic!("{when}: {error}"));
                assert!(found == self.content(name, kind), "{when}: other bytes");
            }
            Err(error) => assert_eq!(error.kind(), ErrorKind::NotFound, "{when}: {error}"),
        }
    }

    async fn names(&self) -> Vec<String> {
        list(&self.bucket).await
    }
}

async fn list(bucket: &Bucket) -> Vec<String> {
    let entries: Vec<_> = bucket.list("", Default::default()).try_collect().await.unwrap();
    entries.iter().map(|entry| entry.name().to_owned()).collect()
}

/// Starts `plastron put`.
fn put(store: &str, kind: Kind, name: &str, path: &Path) -> Child {
    let mut command = Command::new(env!("CARGO_BIN_EXE_plastron"));
    command.args(["--store", store, "put", "--as", name]);
    match kind {
        Kind::Stream => command.arg("-").stdin(File::open(path).unwrap()),
        _ => command.arg(path).stdin(Stdio::null()),
    };
    command.stdout(Stdio::null()).stderr(Stdio::piped()).spawn().unwrap()
}

fn kill(mut child: Child) {
    child.kill().unwrap();
    child.wait().unwrap();
}

/// Kills puts at each of their requests.
async fn at_every_request(scene: &mut Scene) {
    let Some((server, prefix)) = scene.server.clone() else { return };
    let proxy = FaultProxy::before(&server.url).start().await.unwrap();
    // The probe at start is killed in the random rounds.
    let through = format!("{},{SETTINGS},probe=off", server.store_string_at(&proxy.url(), "killed", &prefix));
    let started = Instant::now();
    let mut waited_for_a_claim = false;
    for kind in Kind::ALL {
        let (requests, claim) = usual_requests(scene, &proxy, &through, kind).await;
        for lost in [false, true] {
            let mut request = 0;
            while request < requests {
                let at = request;
                request += if started.elapsed() < PATIENCE { 1 } else { 3 };
                // A dead creator's claim is waited for: once is enough.
                let claimed = claim.is_some_and(|claim| at > claim || (lost && at == claim));
                if claimed && std::mem::replace(&mut waited_for_a_claim, true) {
                    continue;
                }
                let (name, path) = scene.next(kind);
                proxy.clear_counters();
                proxy.set_rules(die_at(at, lost));
                let mut child = put(&through, kind, &name, &path);
                while child.try_wait().unwrap().is_none() && !proxy.faults().contains_key("hang") {
                    std::thread::sleep(Duration::from_millis(2));
                }
                kill(child);
                let lost = if lost { ", answer lost" } else { "" };
                let when = format!("at request {at} of {requests}{lost}: {:?}", proxy.records());
                scene.check(kind, &name, &path, &when, ",probe=off").await;
            }
        }
    }
    proxy.stop().await;
}

/// Lets so many requests pass, and none of those that follow.
fn die_at(request: u64, lost: bool) -> Rules {
    let hang = |skip| Rule::new(Fault::Hang { at: None }).skip(skip);
    if lost {
        Rules::new(0, [Rule::new(Fault::LostAcknowledgement).skip(request).times(1), hang(request + 1)])
    } else {
        Rules::new(0, [hang(request)])
    }
}

/// How many requests a put makes, and which of them claims the right to complete it, where that is needed.
async fn usual_requests(scene: &mut Scene, proxy: &FaultProxy, store: &str, kind: Kind) -> (u64, Option<u64>) {
    let (name, path) = scene.next(kind);
    proxy.clear_rules();
    proxy.clear_counters();
    let done = put(store, kind, &name, &path).wait_with_output().unwrap();
    assert!(done.status.success(), "{}", String::from_utf8_lossy(&done.stderr));
    scene.assert_absent_or_whole(kind, &name, "not").await;
    let records = proxy.records();
    let least = if kind == Kind::Small { 2 } else { 5 };
    assert!(records.len() >= least, "{kind:?}: {records:?}");
    let claim = records.iter().position(|record| record.method == "PUT" && record.path.contains("_plastron/claims/"));
    (records.len() as u64, claim.map(|claim| claim as u64))
}

/// Kills puts at random moments.
async fn at_any_moment(scene: &mut Scene) {
    let mut usual = [Duration::ZERO; 3];
    for (kind, usual) in Kind::ALL.into_iter().zip(&mut usual) {
        let (name, path) = scene.next(kind);
        let started = Instant::now();
        let done = put(&scene.store, kind, &name, &path).wait_with_output().unwrap();
        assert!(done.status.success(), "{}", String::from_utf8_lossy(&done.stderr));
        *usual = started.elapsed();
    }
    let started = Instant::now();
    let (mut killed, mut rounds) = (0, 0);
    // Until one has died: where those that were timed were held up, or this machine has become quicker since, all are over before.
    while rounds < RANDOM_ROUNDS.start
        || (rounds < RANDOM_ROUNDS.end && (killed == 0 || started.elapsed() < RANDOM_TIME))
    {
        let which = (scene.draw() % 3) as usize;
        let kind = Kind::ALL[which];
        let (name, path) = scene.next(kind);
        let wait = usual[which].mul_f64((scene.draw() % 1000) as f64 / 1000.0);
        let mut child = put(&scene.store, kind, &name, &path);
        std::thread::sleep(wait);
        match child.try_wait().unwrap() {
            None => killed += 1,
            // It takes no longer than this, and the next is killed earlier.
            Some(_) => usual[which] = wait,
        }
        kill(child);
        scene.check(kind, &name, &path, &format!("after {wait:?}"), "").await;
        rounds += 1;
    }
    println!("{killed} of {rounds} died in the middle");
    assert!(killed > 0, "nothing was killed in {rounds} rounds, the last after {usual:?}");
}

async fn run(server: Option<Server>) {
    let Some(mut scene) = Scene::prepare(server).await else { return };
    at_every_request(&mut scene).await;
    at_any_moment(&mut scene).await;

    // Everything is there, and nothing else but what is documented to stay (docs/src/operations/overview.md).
    let mut expected = scene.names.clone();
    expected.sort();
    assert_eq!(scene.names().await, expected);
    let left: Vec<String> = list(&scene.bucket.system()).await;
    let left: Vec<&String> = left.iter().filter(|name| name.starts_with("_plastron/")).collect();
    let probes = left.iter().filter(|name| name.starts_with("_plastron/probe/")).count();
    let sums = left.iter().filter(|name| name.starts_with("_plastron/sums/")).count();
    let claims = left.iter().filter(|name| name.starts_with("_plastron/claims/")).count();
    assert_eq!(left.len(), probes + sums + claims, "{left:?}");
    let streams = expected.iter().filter(|name| name.starts_with("Stream/")).count();
    let lists = sums - streams.min(sums);
    println!("{probes} probe objects, {claims} claims and {lists} lists of checksums are left without a use");
    if server.is_none() {
        let temporary = scene.files.path().join("bucket/_plastron/tmp");
        for entry in std::fs::read_dir(temporary).into_iter().flatten() {
            let entry = entry.unwrap().path();
            assert_eq!(entry.extension().and_then(|extension| extension.to_str()), Some("part"), "{}", entry.display());
        }
    }
    // And none of it stands in anybody's way.
    let name = &expected[0];
    scene.bucket.delete(name).await.unwrap();
    scene.bucket.put(name, "anew").await.unwrap();
    scene.bucket.close().await;
}

/// Makes a test for each back end.
macro_rules! on {
    ($($name:ident $server:expr),+ $(,)?) => {
        $(
            #[test]
            fn $name() {
                let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build().unwrap();
                runtime.block_on(run($server));
            }
        )+
    };
}

on!(
    dir None,
    seaweedfs Some(Server::SeaweedFs),
    moto Some(Server::Moto),
    localstack Some(Server::LocalStack),
    azurite Some(Server::Azurite),
    gcs Some(Server::Gcs),
);
