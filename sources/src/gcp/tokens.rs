//! Tokens from `object_store`'s own providers, as sources for the cache.

use std::sync::Arc;

use object_store::gcp::{GcpCredential, GoogleCloudStorageBuilder};

use crate::credentials::{Delegated, token_client_options, token_retry};
use crate::options::TimeoutOptions;
use crate::secret::Secret;

/// A service account, which signs its own tokens: nothing is asked over the network.
pub(super) fn of_service_account(key: &Secret, timeout: &TimeoutOptions) -> Delegated<GcpCredential> {
    let builder = any(timeout, false).with_service_account_key(key.expose());
    let make = move || {
        // Errors about the key quote lines of it.
        let store = builder.clone().build().map_err(|_| object_store::Error::Generic {
            store: "GCS",
            source: "the private_key is not an RSA key in PEM".into(),
        })?;
        Ok(Arc::clone(store.credentials()))
    };
    Delegated::new("service account", vec![key.clone()], Box::new(make))
}

/// A user, whose file has a refresh token.
pub(super) fn of_user(path: &Secret, timeout: &TimeoutOptions) -> Delegated<GcpCredential> {
    let builder = any(timeout, false).with_application_credentials(path.expose());
    Delegated::new(
        "user credentials",
        vec![path.clone()],
        Box::new(move || Ok(Arc::clone(builder.clone().build()?.credentials()))),
    )
}

/// The instance's own service account, from the metadata address (`GCE_METADATA_HOST` and its like are honoured).
pub(super) fn of_instance(timeout: &TimeoutOptions) -> Delegated<GcpCredential> {
    // The builder looks for `gcloud`'s file below HOME again; the settings found none there, unless CLOUDSDK_CONFIG led them elsewhere.
    let builder = any(timeout, true);
    Delegated::new(
        "metadata address of the instance",
        Vec::new(),
        Box::new(move || Ok(Arc::clone(builder.clone().build()?.credentials()))),
    )
}

/// A builder whose bucket is of no meaning for tokens.
fn any(timeout: &TimeoutOptions, allow_http: bool) -> GoogleCloudStorageBuilder {
    GoogleCloudStorageBuilder::new()
        .with_bucket_name("bucket")
        .with_client_options(token_client_options(timeout, allow_http))
        .with_retry(token_retry(if allow_http { 0 } else { 3 }))
}
