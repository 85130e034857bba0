//! TLS by rustls, with one crypto provider that is named here.

use std::path::Path;
use std::sync::Arc;

use rustls::crypto::aws_lc_rs::default_provider;
use rustls::{AlertDescription, CertificateError, ClientConfig, RootCertStore};
use rustls_pki_types::pem::PemObject;
use rustls_pki_types::{CertificateDer, PrivateKeyDer};

#[cfg(feature = "service")]
use crate::conf::TlsFiles;
use crate::error::{Error, Fault, Result};

/// HTTP/2, as it is named when TLS begins (RFC 9113, section 3.2).
pub(super) const HTTP_2: &[u8] = b"h2";

fn invalid(path: &Path, what: impl std::fmt::Display) -> Error {
    Error::new("read", path.display().to_string(), Fault::Invalid(what.to_string()))
}

fn certificates(path: &Path) -> Result<Vec<CertificateDer<'static>>> {
    let read = CertificateDer::pem_file_iter(path).and_then(Iterator::collect::<std::result::Result<Vec<_>, _>>);
    let found = read.map_err(|error| invalid(path, format!("its certificates can't be read: {error}")))?;
    if found.is_empty() { Err(invalid(path, "it has no certificate in PEM form")) } else { Ok(found) }
}

fn key(path: &Path) -> Result<PrivateKeyDer<'static>> {
    // What is wrong with a key is not said in more words: they could be about its bytes.
    PrivateKeyDer::from_pem_file(path).map_err(|_| invalid(path, "its private key can't be read as PEM"))
}

fn roots(path: &Path, store: &mut RootCertStore) -> Result<()> {
    for certificate in certificates(path)? {
        store.add(certificate).map_err(|error| invalid(path, error))?;
    }
    Ok(())
}

/// What is said of a connection that failed: for TLS, what is wrong with whose certificate.
pub(super) fn trouble(error: &std::io::Error) -> String {
    let inner = error.get_ref().and_then(|inner| inner.downcast_ref::<rustls::Error>());
    let what = match inner {
        Some(rustls::Error::InvalidCertificate(wrong)) => match wrong {
            CertificateError::UnknownIssuer | CertificateError::BadSignature => {
                "its certificate is signed by nobody who is trusted here; name its certificate authority"
            }
            CertificateError::NotValidForName | CertificateError::NotValidForNameContext { .. } => {
                "its certificate is for another host; use the name that stands in it"
            }
            _ => "its certificate can't be accepted",
        },
        Some(rustls::Error::AlertReceived(alert)) => match alert {
            AlertDescription::CertificateRequired => "it wants a certificate, and was shown none",
            AlertDescription::BadCertificate
            | AlertDescription::UnsupportedCertificate
            | AlertDescription::CertificateRevoked
            | AlertDescription::CertificateExpired
            | AlertDescription::CertificateUnknown
            | AlertDescription::UnknownCA
            | AlertDescription::DecryptError => "it does not accept the certificate that it was shown, or wants one",
            _ => "it ended TLS",
        },
        _ => return error.to_string(),
    };
    format!("{what} ({error})")
}

/// What a client trusts: the machine's authorities, and those of `authority`.
///
/// # Errors
/// `Invalid` for a file that can't be read as certificates.
pub fn client_config(authority: Option<&Path>) -> Result<Arc<ClientConfig>> {
    client_config_with_identity(authority, None)
}

/// As [`client_config`], and shows the certificate and key in the two files of `identity`.
///
/// # Errors
/// `Invalid` for files that can't be read.
pub fn client_config_with_identity(
    authority: Option<&Path>,
    identity: Option<(&Path, &Path)>,
) -> Result<Arc<ClientConfig>> {
    let mut store = RootCertStore::empty();
    // A machine without authorities can still speak to those of the file.
    store.add_parsable_certificates(rustls_native_certs::load_native_certs().certs);
    if let Some(path) = authority {
        roots(path, &mut store)?;
    }
    let builder =
        ClientConfig::builder_with_provider(Arc::new(default_provider())).with_safe_default_protocol_versions();
    let builder = builder.map_err(|error| Error::new("set up", "TLS", Fault::Invalid(error.to_string())))?;
    let builder = builder.with_root_certificates(store);
    Ok(Arc::new(match identity {
        None => builder.with_no_client_auth(),
        Some((certificate, private)) => builder
            .with_client_auth_cert(certificates(certificate)?, key(private)?)
            .map_err(|error| invalid(certificate, error))?,
    }))
}

/// What the service shows, and whom it wants to see.
#[cfg(feature = "service")]
pub(crate) fn server_config(files: &TlsFiles) -> Result<Arc<rustls::ServerConfig>> {
    let provider = Arc::new(default_provider());
    let builder =
        rustls::ServerConfig::builder_with_provider(Arc::clone(&provider)).with_safe_default_protocol_versions();
    let builder = builder.map_err(|error| Error::new("set up", "TLS", Fault::Invalid(error.to_string())))?;
    let builder = match &files.client_authority {
        None => builder.with_no_client_auth(),
        Some(path) => {
            let mut store = RootCertStore::empty();
            roots(path, &mut store)?;
            let verifier = rustls::server::WebPkiClientVerifier::builder_with_provider(Arc::new(store), provider);
            builder.with_client_cert_verifier(verifier.build().map_err(|error| invalid(path, error))?)
        }
    };
    let config = builder.with_single_cert(certificates(&files.certificate)?, key(&files.key)?);
    let mut config = config.map_err(|error| invalid(&files.certificate, error))?;
    config.alpn_protocols = vec![HTTP_2.to_vec(), b"http/1.1".to_vec()];
    Ok(Arc::new(config))
}
