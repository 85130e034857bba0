//! TLS by rustls, with one crypto provider that is named here.
//!
//! Answers prove themselves, so that TLS is not what trust stands on: it hides names and profiles on their way, and a replica that asks for client certificates
//! lets in only those verifiers and operators that its authority knows.

use std::path::Path;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};

use rustls::crypto::aws_lc_rs::default_provider;
use rustls::{ClientConfig, RootCertStore, ServerConfig};
use rustls_pki_types::pem::PemObject as _;
use rustls_pki_types::{CertificateDer, PrivateKeyDer};
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::net::TcpStream;
use tokio_rustls::TlsStream;

use crate::{Error, Result};

/// HTTP/2 and HTTP/1.1, as they are named when TLS begins (RFC 7301).
const HTTP_2: &[u8] = b"h2";
const HTTP_1: &[u8] = b"http/1.1";

/// How a replica shows itself, and whom it wants to see.
#[derive(Debug, Clone)]
pub struct ServerTls {
    pub(crate) config: Arc<ServerConfig>,
    /// Whether verifiers and operators must show a certificate.
    pub(crate) mutual: bool,
}

pub(crate) fn invalid(path: &Path, why: impl std::fmt::Display) -> Error {
    Error::Invalid { what: "TLS", why: format!("{}: {why}", path.display()) }
}

fn set_up(error: impl std::fmt::Display) -> Error {
    Error::Invalid { what: "TLS", why: error.to_string() }
}

pub(crate) fn certificates(path: &Path) -> Result<Vec<CertificateDer<'static>>> {
    let read = CertificateDer::pem_file_iter(path).and_then(Iterator::collect::<std::result::Result<Vec<_>, _>>);
    let found = read.map_err(|error| invalid(path, format!("its certificates cannot be read: {error}")))?;
    if found.is_empty() { Err(invalid(path, "it has no certificate in PEM form")) } else { Ok(found) }
}

pub(crate) fn private_key(path: &Path) -> Result<PrivateKeyDer<'static>> {
    // What is wrong with a key is not said in more words: they could be about its bytes.
    PrivateKeyDer::from_pem_file(path).map_err(|_| invalid(path, "its private key cannot be read as PEM"))
}

fn roots(path: &Path) -> Result<RootCertStore> {
    let mut store = RootCertStore::empty();
    for certificate in certificates(path)? {
        store.add(certificate).map_err(|error| invalid(path, error))?;
    }
    Ok(store)
}

impl ServerTls {
    /// With the certificate and key in these PEM files. With an authority, verifiers and operators must show a certificate that it has signed; clients that look
    /// up and update need none.
    ///
    /// # Errors
    /// `Invalid` for files that cannot be used.
    pub fn open(certificate: &Path, key: &Path, client_authority: Option<&Path>) -> Result<Self> {
        let provider = Arc::new(default_provider());
        let builder = ServerConfig::builder_with_provider(Arc::clone(&provider));
        let builder = builder.with_safe_default_protocol_versions().map_err(set_up)?;
        let builder = match client_authority {
            None => builder.with_no_client_auth(),
            Some(path) => {
                let verifier =
                    rustls::server::WebPkiClientVerifier::builder_with_provider(Arc::new(roots(path)?), provider);
                let verifier = verifier.allow_unauthenticated().build();
                builder.with_client_cert_verifier(verifier.map_err(|error| invalid(path, error))?)
            }
        };
        let config = builder.with_single_cert(certificates(certificate)?, private_key(key)?);
        let mut config = config.map_err(|error| invalid(certificate, error))?;
        config.alpn_protocols = vec![HTTP_2.to_vec(), HTTP_1.to_vec()];
        Ok(Self { config: Arc::new(config), mutual: client_authority.is_some() })
    }
}

/// What clients and verifiers trust, and show.
#[derive(Debug, Clone)]
pub struct ClientTls(pub(crate) Arc<ClientConfig>);

impl ClientTls {
    /// Trusts the authority in this PEM file, and shows the certificate and key in these, if they are given.
    ///
    /// # Errors
    /// `Invalid` for files that cannot be used.
    pub fn open(authority: &Path, identity: Option<(&Path, &Path)>) -> Result<Self> {
        let builder = ClientConfig::builder_with_provider(Arc::new(default_provider()));
        let builder = builder.with_safe_default_protocol_versions().map_err(set_up)?;
        let builder = builder.with_root_certificates(roots(authority)?);
        Ok(Self(Arc::new(match identity {
            None => builder.with_no_client_auth(),
            Some((certificate, key)) => builder
                .with_client_auth_cert(certificates(certificate)?, private_key(key)?)
                .map_err(|error| invalid(certificate, error))?,
        })))
    }
}

impl ClientTls {
    /// The same, by whom HTTP/2 is spoken and nothing else.
    #[cfg(feature = "grpc")]
    pub(crate) fn for_http_2(&self) -> Self {
        let mut config = ClientConfig::clone(&self.0);
        config.alpn_protocols = vec![HTTP_2.to_vec()];
        Self(Arc::new(config))
    }
}

/// A connection, with TLS or without.
#[derive(Debug)]
pub(crate) enum Wire {
    Plain(TcpStream),
    Tls(Box<TlsStream<TcpStream>>),
}

impl Wire {
    /// Whether the other side has said that it speaks HTTP/2; without TLS there is nobody to ask.
    #[cfg(feature = "grpc")]
    pub(crate) fn may_be_http_2(&self) -> bool {
        match self {
            Self::Plain(_) => true,
            Self::Tls(stream) => stream.get_ref().1.alpn_protocol() == Some(HTTP_2),
        }
    }

    fn pinned(self: Pin<&mut Self>) -> Pin<&mut dyn Both> {
        match self.get_mut() {
            Self::Plain(stream) => Pin::new(stream),
            Self::Tls(stream) => Pin::new(&mut **stream),
        }
    }
}

trait Both: AsyncRead + AsyncWrite + Unpin {}

impl<T: AsyncRead + AsyncWrite + Unpin> Both for T {}

impl AsyncRead for Wire {
    fn poll_read(self: Pin<&mut Self>, cx: &mut Context<'_>, buf: &mut ReadBuf<'_>) -> Poll<std::io::Result<()>> {
        self.pinned().poll_read(cx, buf)
    }
}

impl AsyncWrite for Wire {
    fn poll_write(self: Pin<&mut Self>, cx: &mut Context<'_>, bytes: &[u8]) -> Poll<std::io::Result<usize>> {
        self.pinned().poll_write(cx, bytes)
    }

    fn poll_flush(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<std::io::Result<()>> {
        self.pinned().poll_flush(cx)
    }

    fn poll_shutdown(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<std::io::Result<()>> {
        self.pinned().poll_shutdown(cx)
    }
}
