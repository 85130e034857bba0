//! The token on each attempt.

use std::fmt;

use async_trait::async_trait;
use http::HeaderValue;
use http::header::AUTHORIZATION;
use object_store::client::HttpRequest;
use object_store::gcp::GcpCredential;

use crate::credentials::Credentials;
use crate::error::Fault;
use crate::transport::Signer;

/// Puts the current token on a request, or, without credentials, takes off whatever `object_store` put there.
pub(super) struct GcsSigner {
    credentials: Option<Credentials<GcpCredential>>,
}

impl GcsSigner {
    /// `None`: anonymous.
    pub(super) fn new(credentials: Option<Credentials<GcpCredential>>) -> Self {
        Self { credentials }
    }
}

#[async_trait]
impl Signer for GcsSigner {
    async fn sign(&self, request: &mut HttpRequest, _body_sha256: Option<[u8; 32]>) -> Result<(), Fault> {
        request.headers_mut().remove(AUTHORIZATION);
        let Some(credentials) = &self.credentials else { return Ok(()) };
        let credential = credentials.get().await?;
        let mut value = HeaderValue::from_str(&format!("Bearer {}", credential.bearer)).map_err(|_| {
            Fault::NoCredentials { reason: "the token holds a character that no request may hold".to_owned() }
        })?;
        value.set_sensitive(true);
        request.headers_mut().insert(AUTHORIZATION, value);
        Ok(())
    }

    async fn renew(&self) -> bool {
        self.credentials.as_ref().is_some_and(Credentials::renew)
    }
}

impl fmt::Debug for GcsSigner {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("GcsSigner").field("credentials", &self.credentials).finish()
    }
}
