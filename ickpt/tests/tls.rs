//! TLS, and clients that must show a certificate.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::panic,
    reason = "tests say what they expect by failing"
)]

mod support;

use std::path::{Path, PathBuf};

use http::Request;
use plastron_ickpt::stand_in::{READER, StandIn};
use plastron_ickpt::{HttpClient, HttpClientOptions, Origin, Service, client_config, client_config_with_identity};
use rcgen::{BasicConstraints, CertificateParams, IsCa, Issuer, KeyPair};
use support::settings;

struct Site {
    folder: tempfile::TempDir,
    issuer: Issuer<'static, KeyPair>,
}

impl Site {
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

    /// Makes `name.pem` and `name.key`.
    fn issue(&self, name: &str, host: &str) {
        let key = KeyPair::generate().unwrap();
        let certificate = CertificateParams::new([host.to_owned()]).unwrap().signed_by(&key, &self.issuer).unwrap();
        std::fs::write(self.path(&format!("{name}.pem")), certificate.pem()).unwrap();
        std::fs::write(self.path(&format!("{name}.key")), key.serialize_pem()).unwrap();
    }

    fn lines(&self, more: &str) -> String {
        let path = |name: &str| self.path(name).display().to_string();
        format!(
            "CertFilePath: {}\nKeyFilePath: {}\nCACertFilePath: {}\n{more}",
            path("s.pem"),
            path("s.key"),
            path("ca.pem")
        )
    }
}

async fn status(config: std::sync::Arc<rustls::ClientConfig>, origin: &str, url: &str) -> Option<u16> {
    let client = HttpClient::new(HttpClientOptions::new(config));
    let request = Request::get("/")
        .header("X-Storage-Url", url)
        .header("X-Auth-Token", READER)
        .body(bytes::Bytes::new())
        .unwrap();
    client.send(&Origin::parse(origin).unwrap(), request, 1 << 16).await.ok().map(|answer| answer.status)
}

fn trusting(authority: Option<&Path>) -> std::sync::Arc<rustls::ClientConfig> {
    client_config(authority).unwrap()
}

#[tokio::test]
async fn tls_is_spoken_with_those_who_trust_it() {
    let (site, folder) = (Site::new(), tempfile::tempdir().unwrap());
    site.issue("s", "127.0.0.1");
    let store = StandIn::start().await.unwrap();
    let url = store.object("/v1/a", b"1");
    let service = Service::new(settings(folder.path(), &store.origin(), &site.lines(""))).start().await.unwrap();
    let origin = format!("https://{}", service.address());
    assert_eq!(status(trusting(Some(&site.path("ca.pem"))), &origin, &url).await, Some(200));
    assert_eq!(status(trusting(None), &origin, &url).await, None, "an authority nobody knows");
    assert_eq!(
        status(trusting(Some(&site.path("ca.pem"))), &origin.replace("https", "http"), &url).await,
        None,
        "plain HTTP"
    );
    let other = format!("https://localhost:{}", service.address().port());
    assert_eq!(status(trusting(Some(&site.path("ca.pem"))), &other, &url).await, None, "a certificate of another name");
}

#[tokio::test]
async fn clients_show_a_certificate_where_they_must() {
    let (site, clients, strangers, folder) = (Site::new(), Site::new(), Site::new(), tempfile::tempdir().unwrap());
    site.issue("s", "127.0.0.1");
    clients.issue("c", "client");
    strangers.issue("c", "client");
    let store = StandIn::start().await.unwrap();
    let url = store.object("/v1/a", b"1");
    let more = format!("ClientCACertFilePath: {}", clients.path("ca.pem").display());
    let service = Service::new(settings(folder.path(), &store.origin(), &site.lines(&more))).start().await.unwrap();
    let origin = format!("https://{}", service.address());
    let authority = site.path("ca.pem");
    let showing = |of: &Site| {
        client_config_with_identity(Some(&authority), Some((&of.path("c.pem"), &of.path("c.key")))).unwrap()
    };
    assert_eq!(status(showing(&clients), &origin, &url).await, Some(200));
    assert_eq!(status(showing(&strangers), &origin, &url).await, None);
    assert_eq!(status(trusting(Some(&authority)), &origin, &url).await, None);
    assert_eq!(store.requests().1, 0);
}

#[tokio::test]
async fn files_that_cannot_be_used_are_named() {
    let (site, folder) = (Site::new(), tempfile::tempdir().unwrap());
    site.issue("s", "127.0.0.1");
    let start =
        async |lines: &str| Service::new(settings(folder.path(), "", lines)).start().await.unwrap_err().to_string();
    let secret = std::fs::read_to_string(site.path("s.key")).unwrap();
    std::fs::write(site.path("empty"), "").unwrap();
    let lines = site.lines("");
    for (from, to) in [
        ("s.pem", "none"),
        ("s.pem", "empty"),
        ("s.pem", "s.key"),
        ("s.key", "empty"),
        ("s.key", "ca.pem"),
        ("ca.pem", "empty"),
    ] {
        let changed = lines.replace(from, to);
        let said = start(&changed).await;
        assert!(said.contains(site.folder.path().to_str().unwrap()), "{from} → {to}: {said}");
        assert!(!secret.lines().filter(|line| line.len() > 20).any(|line| said.contains(line)), "{said}");
    }
}
