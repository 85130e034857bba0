//! Who signs a request.

use std::fmt::Debug;

use async_trait::async_trait;
use object_store::client::HttpRequest;

use crate::error::Fault;

/// Adds a provider's authorization to requests, one attempt at a time; implemented by the clouds, called by the transport.
#[async_trait]
pub(crate) trait Signer: Debug + Send + Sync {
    /// Adds authorization to one attempt. `body_sha256` is the SHA-256 of the body where the transport has it: always on S3,
    /// never elsewhere. Whatever authorization the request carried before has been taken off.
    ///
    /// # Errors
    /// [`Fault::NoCredentials`] where none can be had; anything else that keeps the request from being signed.
    async fn sign(&self, request: &mut HttpRequest, body_sha256: Option<[u8; 32]>) -> Result<(), Fault>;

    /// Called after the provider called the credentials expired: drops what is cached; true if another attempt makes sense.
    async fn renew(&self) -> bool;
}
