//! Shared key, shared access signature or token on each attempt.

use std::fmt;

use async_trait::async_trait;
use object_store::HeaderMap;
use object_store::azure::{AzureAuthorizer, AzureCredential};
use object_store::client::HttpRequest;

use crate::credentials::Credentials;
use crate::error::Fault;
use crate::transport::Signer;

/// Authorizes with whatever credential is current.
///
/// With an account key, the conditions that the transport added before (`If-None-Match`) and every `x-ms-` header are signed. A
/// request that was signed before is signed anew, not twice.
pub(super) struct AzureSigner {
    account: String,
    credentials: Credentials<AzureCredential>,
}

impl AzureSigner {
    /// Signs as `account`.
    pub(super) fn new(account: impl Into<String>, credentials: Credentials<AzureCredential>) -> Self {
        Self { account: account.into(), credentials }
    }
}

#[async_trait]
impl Signer for AzureSigner {
    async fn sign(&self, request: &mut HttpRequest, _body_sha256: Option<[u8; 32]>) -> Result<(), Fault> {
        let credential = self.credentials.get().await?;
        // What the authorizer below would panic on.
        if request.uri().host().is_none() {
            return Err(Fault::Config("a request without a host can't be signed".to_owned()));
        }
        let is_ascii = |headers: &HeaderMap| {
            headers.iter().all(|(name, value)| !name.as_str().starts_with("x-ms") || value.to_str().is_ok())
        };
        if !is_ascii(request.headers()) {
            return Err(Fault::Config("a request header is not ASCII, which Azure can't sign".to_owned()));
        }
        request.headers_mut().remove("authorization");
        if let AzureCredential::SASToken(pairs) = &*credential {
            without_query(request, pairs)?;
        }
        AzureAuthorizer::new(&credential, &self.account)
            .try_authorize(request)
            .map_err(|_| Fault::Config("the request could not be signed".to_owned()))?;
        for value in request.headers_mut().values_mut().filter(|value| is_authorization(value.as_bytes())) {
            value.set_sensitive(true);
        }
        Ok(())
    }

    async fn renew(&self) -> bool {
        self.credentials.renew()
    }
}

fn is_authorization(value: &[u8]) -> bool {
    value.starts_with(b"SharedKey ") || value.starts_with(b"Bearer ")
}

/// Takes `pairs` off the request's query again, if an earlier attempt left them there.
fn without_query(request: &mut HttpRequest, pairs: &[(String, String)]) -> Result<(), Fault> {
    let is_ours = |name: &str| pairs.iter().any(|(ours, _)| ours == name);
    let Some(query) = request.uri().query() else { return Ok(()) };
    if !query.split('&').any(|pair| pair.split('=').next() == Some("sig")) {
        return Ok(());
    }
    let kept: Vec<&str> = query.split('&').filter(|pair| !pair.split('=').next().is_some_and(is_ours)).collect();
    let path = request.uri().path();
    let path = if kept.is_empty() { path.to_owned() } else { format!("{path}?{}", kept.join("&")) };
    let unsigned = || Fault::Config("the request could not be signed".to_owned());
    let mut parts = request.uri().clone().into_parts();
    parts.path_and_query = Some(path.parse().map_err(|_| unsigned())?);
    *request.uri_mut() = http::Uri::from_parts(parts).map_err(|_| unsigned())?;
    Ok(())
}

impl fmt::Debug for AzureSigner {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("AzureSigner").field("account", &self.account).field("credentials", &self.credentials).finish()
    }
}
