//! How a replica's address is connected to, with TLS or without.

use std::sync::Arc;

use rustls_pki_types::ServerName;
use tokio_rustls::TlsConnector;

use crate::tls::{ClientTls, Wire};
use crate::{Error, Result};

/// An address, and how it is spoken to.
#[derive(Debug, Clone)]
pub(super) struct Dial {
    /// `host:port`.
    pub(super) address: String,
    /// The scheme in front of it, if that means TLS.
    secure: Option<&'static str>,
    tls: Option<ClientTls>,
}

impl Dial {
    /// `address` is `host:port`; TLS is spoken if `secure` has the scheme that means so.
    pub(super) fn new(address: &str, secure: Option<&'static str>) -> Self {
        Self { address: address.to_owned(), secure, tls: None }
    }

    pub(super) fn with_tls(self, tls: ClientTls) -> Self {
        Self { tls: Some(tls), ..self }
    }

    pub(super) fn failed(&self, operation: &'static str, why: impl ToString) -> Error {
        Error::Request { operation, address: self.address.clone(), why: why.to_string() }
    }

    /// A connection. The caller sees to its deadline.
    pub(super) async fn connect(&self, operation: &'static str) -> Result<Wire> {
        let stream =
            tokio::net::TcpStream::connect(&self.address).await.map_err(|error| self.failed(operation, error))?;
        stream.set_nodelay(true).map_err(|error| self.failed(operation, error))?;
        let Some(scheme) = self.secure else { return Ok(Wire::Plain(stream)) };
        let tls = self.tls.as_ref().ok_or_else(|| Error::Invalid {
            what: "TLS",
            why: format!("{scheme}://{} needs the authority that its certificate is checked by", self.address),
        })?;
        let host = self.address.rsplit_once(':').map_or(&*self.address, |(host, _)| host).trim_matches(['[', ']']);
        let name = ServerName::try_from(host.to_owned()).map_err(|error| self.failed(operation, error))?;
        let stream = TlsConnector::from(Arc::clone(&tls.0)).connect(name, stream).await;
        Ok(Wire::Tls(Box::new(stream.map_err(|error| self.failed(operation, error))?.into())))
    }
}
