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

use http::{Request, Version};
use plastron_ickpt::stand_in::{READER, StandIn};
use plastron_ickpt::{HttpClient, HttpClientOptions, Origin, Service, client_config, client_config_with_identity};
use rcgen::{BasicConstraints, CertificateParams, IsCa, Issuer, KeyPair};
use rustls_pki_types::pem::PemObject as _;
use rustls_pki_types::{CertificateDer, PrivateKeyDer};
use support::settings;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};

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
async fn which_http_is_spoken_is_agreed_upon() {
    let (site, folder) = (Site::new(), tempfile::tempdir().unwrap());
    site.issue("s", "127.0.0.1");
    let store = StandIn::start().await.unwrap();
    let url = store.object("/v1/a", b"1");
    let service = Service::new(settings(folder.path(), &store.origin(), &site.lines(""))).start().await.unwrap();
    let version = async |address: std::net::SocketAddr, share_after, alpn: &[&str]| {
        let mut config = (*trusting(Some(&site.path("ca.pem")))).clone();
        config.alpn_protocols = alpn.iter().map(|name| name.as_bytes().to_vec()).collect();
        let mut options = HttpClientOptions::new(std::sync::Arc::new(config));
        options.share_after = share_after;
        let request = Request::get("/").header("X-Storage-Url", &url).header("X-Auth-Token", READER);
        let request = request.body(bytes::Bytes::new()).unwrap();
        let origin = Origin::parse(&format!("https://{address}")).unwrap();
        let answer = HttpClient::new(options).send(&origin, request, 1 << 16).await.unwrap();
        assert_eq!(answer.status, 200);
        answer.version
    };
    let address = service.address();
    assert_eq!(version(address, None, &[]).await, Version::HTTP_11);
    assert_eq!(version(address, None, &["http/1.1"]).await, Version::HTTP_11);
    assert_eq!(version(address, Some(1), &[]).await, Version::HTTP_11, "a lone call");
    assert_eq!(version(address, Some(0), &[]).await, Version::HTTP_2);

    // An instance, or a proxy, that knows HTTP/1.1 alone: with a list of what it speaks, and with none.
    for alpn in [vec![b"http/1.1".to_vec()], Vec::new()] {
        let certificates = CertificateDer::pem_file_iter(site.path("s.pem")).unwrap().map(Result::unwrap).collect();
        let key = PrivateKeyDer::from_pem_file(site.path("s.key")).unwrap();
        let config = rustls::ServerConfig::builder_with_provider(rustls::crypto::aws_lc_rs::default_provider().into());
        let config = config.with_safe_default_protocol_versions().unwrap().with_no_client_auth();
        let mut config = config.with_single_cert(certificates, key).unwrap();
        config.alpn_protocols = alpn;
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let acceptor = tokio_rustls::TlsAcceptor::from(std::sync::Arc::new(config));
        let server = tokio::spawn(async move {
            loop {
                let (stream, _) = listener.accept().await.unwrap();
                let mut stream = acceptor.accept(stream).await.unwrap();
                let mut bytes = [0; 4096];
                // The connection on which nothing was agreed upon is closed unused.
                if stream.read(&mut bytes).await.is_ok_and(|length| length > 0) {
                    stream.write_all(b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n").await.unwrap();
                    return bytes.starts_with(b"GET / HTTP/1.1\r\n");
                }
            }
        });
        assert_eq!(version(address, Some(0), &[]).await, Version::HTTP_11);
        assert!(server.await.unwrap());
    }
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
