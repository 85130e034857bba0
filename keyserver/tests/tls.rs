//! TLS between clients, verifiers and replicas.
#![cfg(feature = "http")]
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::indexing_slicing, clippy::panic, reason = "a test")]

mod support;

use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use plastron_keyserver::epoch::EpochIntervals;
use plastron_keyserver::kv::MemoryKv;
use plastron_keyserver::log::LocalLog;
use plastron_keyserver::machine::{Machine, MachineOptions};
use plastron_keyserver::proposer::ProposerOptions;
use plastron_keyserver::proto::*;
use plastron_keyserver::runner::{Runner, RunnerOptions};
use plastron_keyserver::server::{Server, ServerOptions};
use plastron_keyserver::tls::{ClientTls, ServerTls};
use plastron_keyserver::transport::{HttpTransport, Transport};
use plastron_keyserver::vrf::VrfSecret;
use plastron_keyserver::{ErrorKind, Result};
use plastron_sources::clock::{Clock as _, SystemClock};
use rcgen::{BasicConstraints, CertificateParams, IsCa, Issuer, KeyPair};
use support::{key, realm_of};

const DEADLINE: Duration = Duration::from_secs(60);

/// An authority, and what it has signed.
struct Authority {
    folder: tempfile::TempDir,
    issuer: Issuer<'static, KeyPair>,
}

impl Authority {
    fn new() -> Self {
        let folder = tempfile::tempdir().unwrap();
        let key = KeyPair::generate().unwrap();
        let mut params = CertificateParams::new([]).unwrap();
        params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        std::fs::write(folder.path().join("ca.pem"), params.self_signed(&key).unwrap().pem()).unwrap();
        Self { folder, issuer: Issuer::new(params, key) }
    }

    fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    fn issue(&self, host: &str) -> (PathBuf, PathBuf) {
        let key = KeyPair::generate().unwrap();
        let certificate = CertificateParams::new([host.to_owned()]).unwrap().signed_by(&key, &self.issuer).unwrap();
        std::fs::write(self.path("a.pem"), certificate.pem()).unwrap();
        std::fs::write(self.path("a.key"), key.serialize_pem()).unwrap();
        (self.path("a.pem"), self.path("a.key"))
    }
}

fn runner() -> Arc<Runner> {
    let secret = VrfSecret::from_random(&[5; 64]).unwrap();
    let mut realm = realm_of(&[1], &[11], &secret);
    let now = SystemClock.wall().duration_since(std::time::UNIX_EPOCH).unwrap().as_millis() as u64;
    (realm.created_ms, realm.shortest_epoch_ms) = (now - 1_000, 1);
    let options = MachineOptions { realm, secret, retained_epochs: 100, cache_bytes: 1 << 20 };
    let machine = Machine::open(Arc::new(options), Arc::new(MemoryKv::new())).unwrap();
    let log = LocalLog::open(Arc::new(MemoryKv::new())).unwrap();
    let options = RunnerOptions {
        key: Some(key(1)),
        intervals: EpochIntervals { min_ms: 20, max_ms: 600_000, retry_ms: 1_000 },
        proposer: ProposerOptions::default(),
        clock: Arc::new(SystemClock),
        alone: true,
        trace: None,
    };
    Arc::new(Runner::start(machine, Arc::new(log), options))
}

async fn look_up(replica: &HttpTransport) -> Result<LookupAnswer> {
    let name = "node/a/1".to_owned();
    replica.lookup(&LookupRequest { name, epoch: 0, quorum: Quorum::Replicas, known_generation: 0 }).await
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn names_are_hidden_on_their_way_and_verifiers_show_who_they_are() {
    let (site, clients, strangers) = (Authority::new(), Authority::new(), Authority::new());
    let (certificate, private) = site.issue("127.0.0.1");
    let runner = runner();
    let mut options = ServerOptions {
        address: "127.0.0.1:0".parse().unwrap(),
        plaintext: false,
        tls: Some(ServerTls::open(&certificate, &private, Some(&clients.path("ca.pem"))).unwrap()),
        most_requests: 64,
        most_streams: 4,
        most_per_second: None,
        deadline: DEADLINE,
        clock: Arc::new(SystemClock),
    };
    let server = Server::start(Arc::clone(&runner), options.clone()).await.unwrap();
    runner.state().wait_for(|state| state.ratified > 0).await.unwrap();
    let https = format!("https://{}", server.address());
    let at = |address: &str| HttpTransport::new(address, Arc::new(SystemClock), DEADLINE);
    let trusting = |site: &Authority, of: Option<&(PathBuf, PathBuf)>| {
        let identity = of.map(|(certificate, private)| (&**certificate, &**private));
        at(&https).with_tls(ClientTls::open(&site.path("ca.pem"), identity).unwrap())
    };
    let from = StreamPosition { epoch: 1, change: 0 };
    // Whoever trusts the site may look up; what verifiers and operators do needs a certificate.
    let anybody = trusting(&site, None);
    assert!(look_up(&anybody).await.unwrap().found.is_none());
    let signature = runner.directory().epoch(1).unwrap().unwrap().signed.head.sign(&key(11));
    let signature = LogEntry::HeadSignature { epoch: 1, key: key(11).public(), signature };
    for refused in [anybody.stream(from).await.map(drop), anybody.ratify(&signature).await] {
        let refused = refused.unwrap_err();
        assert_eq!(refused.kind(), ErrorKind::Unauthorized);
        assert!(refused.to_string().contains("needs a client certificate"), "{refused}");
    }
    let verifier = trusting(&site, Some(&clients.issue("verifier")));
    assert!(!verifier.stream(from).await.unwrap().items.is_empty());
    verifier.ratify(&signature).await.unwrap();
    // Nobody else's certificate does, not even to look up; nor does another site's, another name, or no TLS.
    assert!(look_up(&trusting(&site, Some(&strangers.issue("verifier")))).await.is_err());
    assert!(look_up(&trusting(&strangers, None)).await.is_err());
    let elsewhere = https.replace("127.0.0.1", "localhost");
    let elsewhere = at(&elsewhere).with_tls(ClientTls::open(&site.path("ca.pem"), None).unwrap());
    assert!(look_up(&elsewhere).await.is_err());
    assert!(look_up(&at(&https.replace("https", "http"))).await.is_err());
    let unsaid = look_up(&at(&https)).await.unwrap_err();
    assert!(unsaid.kind() == ErrorKind::Invalid && unsaid.to_string().contains("needs the authority"), "{unsaid}");
    // With TLS, others than loopback may be served.
    options.address = "0.0.0.0:0".parse().unwrap();
    assert!(Server::start(runner, options).await.is_ok());
}

#[test]
fn files_that_cannot_be_used_are_named() {
    let site = Authority::new();
    let (certificate, private) = site.issue("127.0.0.1");
    let nowhere = site.path("nothing.pem");
    for error in [
        ServerTls::open(&nowhere, &private, None).unwrap_err(),
        ServerTls::open(&certificate, &nowhere, None).unwrap_err(),
        ServerTls::open(&certificate, &private, Some(&nowhere)).unwrap_err(),
        ServerTls::open(&private, &private, None).unwrap_err(),
        ClientTls::open(&nowhere, None).unwrap_err(),
        ClientTls::open(&site.path("ca.pem"), Some((&certificate, &nowhere))).unwrap_err(),
    ] {
        assert_eq!(error.kind(), ErrorKind::Invalid);
        assert!(error.to_string().contains(site.folder.path().to_str().unwrap()), "{error}");
    }
}
