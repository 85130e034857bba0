//! TLS between clients, verifiers and replicas.
#![cfg(feature = "http")]
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::indexing_slicing, clippy::panic, reason = "a test")]

mod support;

use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use plastron_keyserver::proto::*;
use plastron_keyserver::server::{Server, ServerOptions};
use plastron_keyserver::tls::{ClientTls, ServerTls};
use plastron_keyserver::transport::Transport;
use plastron_keyserver::{ErrorKind, Result};
use plastron_sources::clock::SystemClock;
use support::authority::Authority;
use support::key;
use support::reaching::{DEADLINE, reach};
use support::replica::runner;
use tokio::io::AsyncReadExt as _;

async fn look_up(replica: &Arc<dyn Transport>) -> Result<LookupAnswer> {
    let name = "node/a/1".to_owned();
    replica.lookup(&LookupRequest { name, epoch: 0, quorum: Quorum::Replicas, known_generation: 0 }).await
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn names_are_hidden_on_their_way_and_verifiers_show_who_they_are() {
    with_tls("http").await;
}

#[cfg(feature = "grpc")]
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn names_are_hidden_on_their_way_and_verifiers_show_who_they_are_by_grpc() {
    with_tls("grpc").await;
}

async fn with_tls(scheme: &str) {
    let (site, clients, strangers) = (Authority::new(), Authority::new(), Authority::new());
    let (certificate, private) = site.issue("127.0.0.1");
    let runner = runner();
    let mut options = ServerOptions::new("127.0.0.1:0".parse().unwrap(), Arc::new(SystemClock));
    options.deadline = DEADLINE;
    options.tls = Some(ServerTls::open(&certificate, &private, Some(&clients.path("ca.pem"))).unwrap());
    let server = Server::start(Arc::clone(&runner), options.clone()).await.unwrap();
    runner.state().wait_for(|state| state.ratified > 0).await.unwrap();
    let secure = format!("{scheme}s://{}", server.address());
    let trusting = |site: &Authority, of: Option<&(PathBuf, PathBuf)>| {
        let identity = of.map(|(certificate, private)| (&**certificate, &**private));
        reach(&secure, Some(ClientTls::open(&site.path("ca.pem"), identity).unwrap()))
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
    let elsewhere = secure.replace("127.0.0.1", "localhost");
    let elsewhere = reach(&elsewhere, Some(ClientTls::open(&site.path("ca.pem"), None).unwrap()));
    assert!(look_up(&elsewhere).await.is_err());
    assert!(look_up(&reach(&secure.replace("s://", "://"), None)).await.is_err());
    let unsaid = look_up(&reach(&secure, None)).await.unwrap_err();
    assert!(unsaid.kind() == ErrorKind::Invalid && unsaid.to_string().contains("needs the authority"), "{unsaid}");
    // Who connects and does not shake hands is left.
    options.client_timeout = Duration::from_millis(100);
    let impatient = Server::start(Arc::clone(&runner), options.clone()).await.unwrap();
    let mut silent = tokio::net::TcpStream::connect(impatient.address()).await.unwrap();
    assert_eq!(silent.read_to_end(&mut Vec::new()).await.unwrap(), 0);
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
