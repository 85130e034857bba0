//! An etcd over TLS that wants certificates: what opens it, and what is said about each thing that is missing or wrong.

use std::path::PathBuf;

use plastron::checkpoint::CheckpointRequest;
use plastron::page_log::PutArgs;
use plastron::{ErrorKind, Store};
use plastron_ickpt::client_config_with_identity;
use rcgen::{BasicConstraints, CertificateParams, DnType, IsCa, Issuer, KeyPair};
use tempfile::TempDir;

use crate::one_etcd::OneEtcd;

/// An authority, and what it issued.
struct Authority {
    folder: TempDir,
    issuer: Issuer<'static, KeyPair>,
}

impl Authority {
    fn new(name: &str) -> Self {
        let (folder, key) = (tempfile::tempdir().unwrap(), KeyPair::generate().unwrap());
        let mut params = CertificateParams::new([]).unwrap();
        params.distinguished_name.push(DnType::CommonName, name);
        params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        std::fs::write(folder.path().join("ca.pem"), params.self_signed(&key).unwrap().pem()).unwrap();
        Self { folder, issuer: Issuer::new(params, key) }
    }

    fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    fn text(&self, name: &str) -> String {
        self.path(name).display().to_string()
    }

    /// Makes `name.pem` and `name.key`.
    fn issue(&self, name: &str, hosts: &[&str]) {
        let key = KeyPair::generate().unwrap();
        let hosts: Vec<String> = hosts.iter().map(|host| (*host).to_owned()).collect();
        let certificate = CertificateParams::new(hosts).unwrap().signed_by(&key, &self.issuer).unwrap();
        std::fs::write(self.path(&format!("{name}.pem")), certificate.pem()).unwrap();
        std::fs::write(self.path(&format!("{name}.key")), key.serialize_pem()).unwrap();
    }

    /// How a store string names an identity.
    fn shows(&self, name: &str) -> String {
        format!(",cert_file=\"{}.pem\",key_file=\"{}.key\"", self.text(name), self.text(name))
    }

    fn trusted(&self) -> String {
        format!(",ca_file=\"{}\"", self.text("ca.pem"))
    }
}

#[tokio::test]
async fn certificates_open_it_and_errors_say_which_is_wrong() {
    let (ours, others) = (Authority::new("ours"), Authority::new("others"));
    // Not for `localhost`, by which it can be reached too.
    ours.issue("server", &["127.0.0.1"]);
    ours.issue("client", &["client"]);
    others.issue("client", &["client"]);
    let mut arguments = vec!["--client-cert-auth".to_owned()];
    for (option, name) in [("--cert-file", "server.pem"), ("--key-file", "server.key"), ("--trusted-ca-file", "ca.pem")]
    {
        arguments.extend([option.to_owned(), ours.text(name)]);
    }
    let identity = (ours.path("client.pem"), ours.path("client.key"));
    let tls = client_config_with_identity(Some(&ours.path("ca.pem")), Some((&identity.0, &identity.1))).unwrap();
    let etcd = OneEtcd::start_with("https", &arguments, tls).await;
    let directory = tempfile::tempdir().unwrap();
    let place = directory.path().display();
    let string = |endpoint: &str, more: &str| {
        format!(
            "source=dir_store,bucket=\"{place}\",registry=(name=etcd,endpoints=[\"{endpoint}\"],key=volumes/1{more})"
        )
    };
    let right = etcd.origin().to_string();
    let by_name = right.replace("127.0.0.1", "localhost");
    let (trusted, shown) = (ours.trusted(), ours.shows("client"));
    for (endpoint, more, said) in [
        (&right, shown.clone(), "signed by nobody who is trusted here"),
        (&right, format!("{}{shown}", others.trusted()), "signed by nobody who is trusted here"),
        (&by_name, format!("{trusted}{shown}"), "is for another host"),
        // Which of both alerts it sends depends on its age.
        (&right, trusted.clone(), "wants"),
        (&right, format!("{trusted}{}", others.shows("client")), "does not accept the certificate"),
    ] {
        let error = Store::open(&string(endpoint, &more)).await.unwrap().leader().await.unwrap_err();
        assert!(error.to_string().contains(said), "{endpoint} {more}: {error}");
    }
    for (more, said) in [
        (format!("{trusted},cert_file=\"{}\"", ours.text("client.pem")), "key_file"),
        (format!("{shown},ca_file=\"{}\"", ours.text("missing.pem")), "missing.pem"),
        (format!("{shown},ca_file=\"{}\"", ours.text("client.key")), "client.key"),
    ] {
        let opened = Store::open(&string(&right, &more)).await;
        let error = match opened {
            Ok(store) => store.leader().await.unwrap_err(),
            Err(error) => error,
        };
        assert_eq!(error.kind(), ErrorKind::Invalid, "{more}: {error}");
        assert!(error.to_string().contains(said), "{more}: {error}");
    }
    let store = Store::open(&string(&right, &format!("{trusted}{shown}"))).await.unwrap();
    let leader = store.leader().await.unwrap();
    for page in 0..3 {
        leader.table(1).unwrap().put(page, PutArgs::full(), "a").await.unwrap();
        leader.checkpoint(CheckpointRequest::default()).await.unwrap();
    }
    let follower = store.follower().await.unwrap();
    assert_eq!(store.history().await.unwrap().list().await.unwrap().len(), 3);
    drop(follower);
}
