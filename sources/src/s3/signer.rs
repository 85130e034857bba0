//! AWS Signature Version 4 on each attempt.

use std::fmt;

use async_trait::async_trait;
use object_store::aws::{AwsAuthorizer, AwsCredential};
use object_store::client::HttpRequest;

use crate::credentials::Credentials;
use crate::error::Fault;
use crate::transport::Signer;

/// SHA-256 of nothing.
const NOTHING: [u8; 32] = [
    0xe3, 0xb0, 0xc4, 0x42, 0x98, 0xfc, 0x1c, 0x14, 0x9a, 0xfb, 0xf4, 0xc8, 0x99, 0x6f, 0xb9, 0x24, 0x27, 0xae, 0x41,
    0xe4, 0x64, 0x9b, 0x93, 0x4c, 0xa4, 0x95, 0x99, 0x1b, 0x78, 0x52, 0xb8, 0x55,
];

/// Signs with whatever credential is current.
///
/// Every header but `authorization`, `content-length` and `user-agent` is signed. A body whose digest is not given is sent as
/// `UNSIGNED-PAYLOAD`; an empty one always has its digest.
pub(super) struct S3Signer {
    region: String,
    credentials: Credentials<AwsCredential>,
}

impl S3Signer {
    /// Signs for `region`.
    pub(super) fn new(region: impl Into<String>, credentials: Credentials<AwsCredential>) -> Self {
        Self { region: region.into(), credentials }
    }
}

#[async_trait]
impl Signer for S3Signer {
    async fn sign(&self, request: &mut HttpRequest, body_sha256: Option<[u8; 32]>) -> Result<(), Fault> {
        let credential = self.credentials.get().await?;
        // What the authorizer below would panic on.
        if request.uri().host().is_none() {
            return Err(Fault::Config("a request without a host can't be signed".to_owned()));
        }
        if request.headers().values().any(|value| std::str::from_utf8(value.as_bytes()).is_err()) {
            return Err(Fault::Config("a request header is not UTF-8".to_owned()));
        }
        // Never left to the authorizer: it takes the wrong digest for bodies in several pieces.
        let digest = body_sha256.or_else(|| (request.body().content_length() == 0).then_some(NOTHING));
        AwsAuthorizer::new(&credential, "s3", &self.region)
            .with_sign_payload(digest.is_some())
            .try_authorize(request, digest.as_ref().map(<[u8; 32]>::as_slice))
            .map_err(|_| Fault::Config("the request could not be signed".to_owned()))
    }

    async fn renew(&self) -> bool {
        self.credentials.renew()
    }
}

impl fmt::Debug for S3Signer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("S3Signer").field("region", &self.region).field("credentials", &self.credentials).finish()
    }
}
