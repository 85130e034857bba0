//! A replica, a verifier and a client over loopback.
#![cfg(all(feature = "http", feature = "fjall"))]
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::indexing_slicing, clippy::panic, reason = "a test")]

mod support;

use std::sync::Arc;
use std::time::Duration;

use plastron_keyserver::client::{Client, ClientOptions, MemoryFile};
use plastron_keyserver::epoch::EpochIntervals;
use plastron_keyserver::kv::{FjallDatabase, MemoryKv};
use plastron_keyserver::log::LocalLog;
use plastron_keyserver::machine::{Machine, MachineOptions};
use plastron_keyserver::proposer::ProposerOptions;
use plastron_keyserver::proto::*;
use plastron_keyserver::runner::{Runner, RunnerOptions};
use plastron_keyserver::server::{Server, ServerOptions};
use plastron_keyserver::verifier::{Verifier, VerifierOptions};
use plastron_keyserver::vrf::VrfSecret;
use plastron_keyserver::{Error, ErrorKind};
use plastron_sources::clock::{Clock, SystemClock};
use support::reaching::{DEADLINE, reach};
use support::{first_update, key, next_update, realm_of};

/// A clock that never goes on: what depends on it does not depend on how fast the machine is.
#[derive(Debug)]
struct StoppedClock;

impl Clock for StoppedClock {
    fn monotonic(&self) -> Duration {
        Duration::from_secs(1)
    }

    fn wall(&self) -> std::time::SystemTime {
        SystemClock.wall()
    }

    fn sleep(&self, _: Duration) -> plastron_sources::clock::Sleep {
        Box::pin(std::future::pending())
    }
}

fn clock() -> Arc<dyn Clock> {
    Arc::new(SystemClock)
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn one_replica_on_disk_a_verifier_and_a_client() {
    all_of_it("http").await;
}

#[cfg(feature = "grpc")]
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn one_replica_on_disk_a_verifier_and_a_client_by_grpc() {
    all_of_it("grpc").await;
}

async fn all_of_it(scheme: &str) {
    let directory = tempfile::tempdir().unwrap();
    let secret = VrfSecret::from_random(&[5; 64]).unwrap();
    let mut realm = realm_of(&[1], &[11], &secret);
    let now = SystemClock.wall().duration_since(std::time::UNIX_EPOCH).unwrap().as_millis() as u64;
    (realm.created_ms, realm.shortest_epoch_ms) = (now - 1_000, 1);
    let options = Arc::new(MachineOptions { realm: realm.clone(), secret, retained_epochs: 100, cache_bytes: 1 << 20 });
    let database = FjallDatabase::open(&directory.path().join("database"), 8 << 20).unwrap();
    let machine = Machine::open(Arc::clone(&options), Arc::new(database.kv("state").unwrap())).unwrap();
    let log = LocalLog::open(Arc::new(database.kv("log").unwrap())).unwrap();
    let runner = Runner::start(
        machine,
        Arc::new(log),
        RunnerOptions {
            key: Some(key(1)),
            intervals: EpochIntervals { min_ms: 20, max_ms: 600_000, retry_ms: 1_000 },
            proposer: ProposerOptions::default(),
            clock: clock(),
            alone: true,
            trace: None,
        },
    );
    let mut served = ServerOptions::new("127.0.0.1:0".parse().unwrap(), clock());
    served.deadline = DEADLINE;
    let runner = Arc::new(runner);
    let mut exposed = served.clone();
    exposed.address = "0.0.0.0:0".parse().unwrap();
    assert_eq!(Server::start(Arc::clone(&runner), exposed).await.unwrap_err().kind(), ErrorKind::Invalid);
    let server = Server::start(Arc::clone(&runner), served.clone()).await.unwrap();
    let transport = reach(&format!("{scheme}://{}", server.address()), None);

    let verifier = Verifier::open(VerifierOptions {
        realm: realm.clone(),
        key: key(11),
        kv: Arc::new(MemoryKv::new()),
        replica: Arc::clone(&transport),
        evidence: directory.path().join("evidence"),
        cache_bytes: 1 << 20,
    });
    let mut verifier = verifier.unwrap();
    let verifying = tokio::spawn(async move { verifier.run(&SystemClock, |_| {}).await });

    let client = Client::open(ClientOptions {
        realm: realm.clone(),
        replicas: vec![Arc::clone(&transport)],
        memory: Some(MemoryFile::new(&directory.path().join("memory"))),
        clock: clock(),
    });
    let client = client.unwrap();
    let first = first_update(&realm, &options.secret, "node/a/1", 20, 0);
    let epoch = client.update(&first).await.unwrap();
    // The verifier's signature is on its way.
    let found = loop {
        match client.lookup("node/a/1", 0, Quorum::Verifiers).await {
            Ok(found) if found.head.epoch >= epoch => break found,
            Ok(_) => {}
            Err(error) => assert_eq!(error.kind(), ErrorKind::NotFound, "{error}"),
        }
        SystemClock.sleep(Duration::from_millis(20)).await;
    };
    assert_eq!(found.found, Some((first.signed.entry.clone(), first.profile.clone())));
    assert_eq!(client.lookup("node/a/2", 0, Quorum::Replicas).await.unwrap().found, None);
    let second = next_update(&realm, &first, 20, &[20], 1);
    client.update(&second).await.unwrap();
    assert_eq!(client.history("node/a/1", Quorum::Replicas).await.unwrap().items.len(), 2);
    // Refused, and asked for what is not there.
    // Another door to the same replica, where one address may ask for little: two seconds' worth, and no more.
    let mut narrow = served.clone();
    (narrow.most_per_second, narrow.clock) = (Some(1), Arc::new(StoppedClock));
    let narrow = Server::start(Arc::clone(&runner), narrow).await.unwrap();
    let little = reach(&format!("{scheme}://{}", narrow.address()), None);
    let request =
        LookupRequest { name: "node/a/1".to_owned(), epoch: 0, quorum: Quorum::Replicas, known_generation: 0 };
    assert!(little.lookup(&request).await.is_ok() && little.lookup(&request).await.is_ok());
    let too_much = little.lookup(&request).await.unwrap_err();
    assert!(too_much.is_retryable() && too_much.to_string().contains("from one address"), "{too_much}");
    drop(narrow);
    let stolen = client.update(&next_update(&realm, &second, 21, &[21], 2)).await.unwrap_err();
    assert_eq!(stolen.kind(), ErrorKind::Unauthorized, "{stolen}");
    assert!(stolen.to_string().contains("its owners must sign"), "{stolen}");
    let future = client.lookup("node/a/1", 1_000_000, Quorum::Replicas).await.unwrap_err();
    assert_eq!(future.kind(), ErrorKind::NotFound, "{future}");
    // Garbage is turned away and does no harm.
    let address = server.address().to_string();
    for (path, body, status) in [
        ("/v1/lookup", vec![0x5a; 100], "400"),
        ("/v1/update", Vec::new(), "400"),
        ("/v1/ratify", LogEntry::Delimiter { epoch: 9, issued_ms: 9 }.to_bytes(), "400"),
        ("/v1/update", vec![0; 1 << 20], "413"),
        ("/v1/nothing", Vec::new(), "404"),
    ] {
        assert_eq!(&post(&address, path, &body).await[9..12], status, "{path}");
    }
    assert!(get(&address, "/lb").await.contains("in rotation"));
    // A person's OpenPGP key, by name and by address, to programs that know nothing else.
    let mut person = first_update(&realm, &options.secret, "person/a@example.com", 20, 0);
    let keys = std::collections::BTreeMap::from([("pgp".to_owned(), bytes::Bytes::from_static(b"123456789"))]);
    person.profile = Profile::new(&[9; 32], keys).unwrap();
    person.signed.entry.commitment = person.profile.commitment();
    let admission = [(key(30).public(), person.signed.entry.admit(&realm.id(), &key(30)))].into();
    person.signed = SignedEntry { admission, ..person.signed.entry.clone().signed(&realm.id(), [&key(20)]) };
    client.update(&person).await.unwrap();
    for search in ["person/a@example.com", "A%40Example.com"] {
        let answer = get(&address, &format!("/pks/lookup?op=get&search={search}")).await;
        assert!(answer.contains("application/pgp-keys") && answer.contains("\nMTIzNDU2Nzg5\n=Ic8C\n"), "{answer}");
    }
    for (query, status) in [
        ("op=get&search=node/a/1", "404"),
        ("op=get&search=nobody@example.com", "404"),
        ("op=get&search=", "400"),
        ("op=index&search=a@example.com", "501"),
        ("search=a@example.com", "400"),
    ] {
        assert_eq!(&get(&address, &format!("/pks/lookup?{query}")).await[9..12], status, "{query}");
    }
    let metrics = get(&address, "/metrics").await;
    for line in [
        "\nplastron_keyserver_in_rotation 1\n",
        "\nplastron_keyserver_pending 0\n",
        "\nplastron_keyserver_requests_total{request=\"hkp\",result=\"done\"} 2\n",
        "\nplastron_keyserver_requests_total{request=\"hkp\",result=\"refused\"} 3\n",
        "\nplastron_keyserver_requests_total{request=\"ratify\",result=\"refused\"} 1\n",
    ] {
        assert!(metrics.contains(line), "{line}{metrics}");
    }
    let status = get(&address, "/status").await;
    assert!(status.contains(&format!("\"realm\":\"{}\"", realm.id())), "{status}");
    let status: serde_json::Value = serde_json::from_str(&transport.status().await.unwrap()).unwrap();
    let names = [
        "applied",
        "awaiting",
        "epoch",
        "failure",
        "head",
        "issued_ms",
        "pending",
        "policy_generation",
        "realm",
        "signatures",
    ];
    assert_eq!(status.as_object().unwrap().keys().collect::<Vec<_>>(), names);
    assert!(status["realm"] == realm.id().to_string() && status["head"].as_str().unwrap().len() == 64, "{status}");
    assert!(!verifying.is_finished());
    verifying.abort();
    server.stop(&SystemClock, Duration::from_millis(100)).await;
    let gone = transport.stream(StreamPosition { epoch: 1, change: 0 }).await.unwrap_err();
    assert!(matches!(gone, Error::Request { .. }), "{gone}");
}

async fn exchange(address: &str, request: Vec<u8>) -> String {
    use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
    let mut stream = tokio::net::TcpStream::connect(address).await.unwrap();
    // A server that has seen enough may close before all is written.
    let _ = stream.write_all(&request).await;
    let mut answer = Vec::new();
    let _ = stream.read_to_end(&mut answer).await;
    String::from_utf8_lossy(&answer).into_owned()
}

async fn post(address: &str, path: &str, body: &[u8]) -> String {
    let head =
        format!("POST {path} HTTP/1.1\r\nhost: a\r\nconnection: close\r\ncontent-length: {}\r\n\r\n", body.len());
    exchange(address, [head.as_bytes(), body].concat()).await
}

async fn get(address: &str, path: &str) -> String {
    exchange(address, format!("GET {path} HTTP/1.1\r\nhost: a\r\nconnection: close\r\n\r\n").into_bytes()).await
}
