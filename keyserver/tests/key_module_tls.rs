//! The key module `keyserver` against a replica that speaks TLS, and its settings about that.
#![cfg(feature = "key-module")]
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::indexing_slicing, clippy::panic, reason = "a test")]

mod support;

use std::path::Path;
use std::sync::Arc;

use plastron_config::Config;
use plastron_keys::{BlobAnswer, Fault, KeyEnvironment, KeyModule as _};
use plastron_keyserver::client::{Client, ClientOptions};
use plastron_keyserver::key_module::{Kem, KeyserverModule, NodeKey, Operators, Readers, examine};
use plastron_keyserver::proto::*;
use plastron_keyserver::server::{Server, ServerOptions};
use plastron_keyserver::tls::{ClientTls, ServerTls};
use plastron_sources::clock::SystemClock;
use support::authority::Authority;
use support::key;
use support::reaching::reach;
use support::replica::runner;

fn open(folder: &Path, more: &str) -> Result<KeyserverModule, Fault> {
    let here = folder.display();
    let text = format!(
        "cluster=db,node=a,key_file={here}/a.key,realm={here}/realm,memory={here}/memory,quorum=replicas,deadline=60s{more}"
    );
    KeyserverModule::open(&Config::parse(&text).unwrap(), &KeyEnvironment::default())
}

fn config_fault(opened: Result<KeyserverModule, Fault>) -> String {
    match opened {
        Err(Fault::Config(why)) => why,
        other => panic!("{other:?}"),
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn keys_are_wrapped_through_a_replica_that_speaks_tls() {
    wrapped_through("http").await;
}

#[cfg(feature = "grpc")]
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn keys_are_wrapped_through_a_replica_that_speaks_tls_by_grpc() {
    wrapped_through("grpc").await;
}

async fn wrapped_through(scheme: &'static str) {
    let (site, clients, strangers) = (Authority::new(), Authority::new(), Authority::new());
    let (certificate, private) = site.issue("127.0.0.1");
    let runner = runner();
    let mut options = ServerOptions::new("127.0.0.1:0".parse().unwrap(), Arc::new(SystemClock));
    options.tls = Some(ServerTls::open(&certificate, &private, Some(&clients.path("ca.pem"))).unwrap());
    let server = Server::start(Arc::clone(&runner), options).await.unwrap();
    let address = format!("{scheme}s://{}", server.address());

    // The operators register a node, and list it.
    let realm = runner.directory().realm().clone();
    let tls = ClientTls::open(&site.path("ca.pem"), None).unwrap();
    let client = Client::open(ClientOptions {
        realm: realm.clone(),
        replicas: vec![reach(&address, Some(tls))],
        memory: None,
        clock: Arc::new(SystemClock),
    })
    .unwrap();
    runner.state().wait_for(|state| state.ratified > 0).await.unwrap();
    let node = NodeKey::from_secrets(Kem::X25519, &[3; 32], &[4; 32]).unwrap();
    let operators = Operators { client: &client, keys: &[key(30)] };
    operators.register("db", "a", node.public(), &[1; 32]).await.unwrap();
    operators.list("db", &Readers::new(["a".to_owned()]).unwrap(), &[2; 32]).await.unwrap();

    let folder = tempfile::tempdir().unwrap();
    let folder = folder.path().to_owned();
    node.create(&folder.join("a.key")).unwrap();
    std::fs::write(folder.join("realm"), realm.to_bytes()).unwrap();
    let (shown, shown_key) = clients.issue("a");
    let (wrong, wrong_key) = strangers.issue("a");
    tokio::task::spawn_blocking(move || {
        let servers = format!(",servers=[\"{address}\"]");
        let authority = |of: &Authority| format!(",certificate_authority={}", of.path("ca.pem").display());
        let identity = |certificate: &Path, key: &Path| {
            format!(",certificate={},certificate_key_file={}", certificate.display(), key.display())
        };
        let trusting = format!("{servers}{}", authority(&site));
        // Whoever is not the one who is meant, and whoever is not let in: nothing is wrapped, and it is said who was asked.
        for refused in [
            format!("{servers}{}", authority(&strangers)),
            format!("{trusting}{}", identity(&wrong, &wrong_key)),
            format!(",servers=[\"{}\"]", address.replace("s://", "://")),
        ] {
            let error = open(&folder, &refused).unwrap().get_key_blob().unwrap_err();
            let said = error.to_string();
            assert!(
                matches!(error, Fault::Unreachable(_)) && said.contains(address.split_once("://").unwrap().1),
                "{said}"
            );
        }
        for more in [trusting.clone(), trusting.clone() + &identity(&shown, &shown_key)] {
            let _ = std::fs::remove_dir_all(folder.join("memory"));
            let BlobAnswer::Changed(blob) = open(&folder, &more).unwrap().get_key_blob().unwrap() else {
                panic!("{more}")
            };
            let blob = plastron_keyserver::key_module::KekBlob::from_bytes(&blob).unwrap();
            assert!(blob.wrap("a").is_some() && examine(&realm, &Quorum::Replicas, &blob).faults.is_empty());
        }
        // Files that cannot be used are named when the module is opened.
        for (more, named) in [
            (format!("{servers},certificate_authority=/nowhere/ca.pem"), "/nowhere/ca.pem"),
            (format!("{trusting}{}", identity(Path::new("/nowhere/a.pem"), &shown_key)), "/nowhere/a.pem"),
            (format!("{trusting}{}", identity(&shown, Path::new("/nowhere/a.key"))), "/nowhere/a.key"),
        ] {
            let why = config_fault(open(&folder, &more));
            assert!(why.contains(named), "{why}");
        }
    })
    .await
    .unwrap();
}

#[test]
fn settings_that_would_not_encrypt_or_do_not_fit_are_refused_and_say_what_is_needed() {
    let folder = tempfile::tempdir().unwrap();
    let site = Authority::new();
    let node = NodeKey::from_secrets(Kem::X25519, &[3; 32], &[4; 32]).unwrap();
    node.create(&folder.path().join("a.key")).unwrap();
    std::fs::write(folder.path().join("realm"), support::Book::new().realm.to_bytes()).unwrap();
    let authority = format!("certificate_authority={}", site.path("ca.pem").display());
    for (more, why) in [
        ("servers=[\"keys.example.com:7107\"]", "nothing would be encrypted"),
        ("servers=[\"http://10.0.0.1:7107\"]", "http://10.0.0.1:7107 is another machine"),
        ("servers=[\"127.0.0.1:7107\",\"10.0.0.1:7107\"]", "http://10.0.0.1:7107 is another machine"),
        ("servers=[\"https://127.0.0.1:7107\"]", "needs certificate_authority"),
        ("servers=[\"grpcs://127.0.0.1:7107\"]", "needs certificate_authority"),
        ("servers=[\"grpc://10.0.0.1:7107\"]", "grpc://10.0.0.1:7107 is another machine"),
        ("servers=[\"keys\"]", "has no port"),
        ("servers=[\"ftp://keys:7107\"]", "none of http://, https://, grpc:// and grpcs://"),
        ("certificate=a.pem", "go together"),
        ("certificate_key_file=a.key", "go together"),
        ("certificate=a.pem,certificate_key_file=a.key", "without certificate_authority"),
        ("certificate_authority=\"\"", "certificate_authority is empty"),
        (&format!("servers=[\"127.0.0.1:7107\"],{authority}"), "none of the servers begins with https://"),
    ] {
        let said = config_fault(open(folder.path(), &format!(",{more}")));
        assert!(said.contains(why), "{more}: {said}");
    }
    for fine in [
        "servers=[\"keys.example.com:7107\"],plaintext=true",
        "servers=[\"http://[::1]:7107\",\"localhost:7107\"]",
        &format!("servers=[\"https://10.0.0.1:7107\"],{authority}"),
        // A node that only reads may have the settings of the others.
        &authority,
    ] {
        open(folder.path(), &format!(",{fine}")).unwrap_or_else(|fault| panic!("{fine}: {fault}"));
    }
}
