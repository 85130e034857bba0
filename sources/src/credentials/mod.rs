//! What the three clouds share on the way from a configuration string to a signed request.
//!
//! * [`Environment`]: the environment variables, read once, so that tests bring their own.
//! * [`Endpoint`]: a service's URL, checked before `object_store` sees it (which panics on what is not a URL).
//! * [`CredentialCache`]: credentials that run out, fetched by one caller at a time and renewed ahead of time.
//! * [`Credentials`]: either a fixed credential or such a cache; what the signers hold.
//! * [`Delegated`]: one of `object_store`'s own credential providers as a source for the cache.
//! * [`scrub()`]: takes secrets out of other people's messages.
//!
//! Called by [`crate::s3`], [`crate::azure`] and [`crate::gcp`] only. Invariant: nothing here prints a key, a token or a value
//! of an environment variable.

mod cache;
mod delegated;
mod endpoint;
mod environment;
mod held;
mod scrub;

#[cfg(test)]
mod cache_test;
#[cfg(test)]
pub(crate) mod fake;

pub(crate) use cache::{CredentialCache, FetchCredential, Fetched, Lifetime};
pub(crate) use delegated::{Delegated, token_client_options, token_retry};
pub(crate) use endpoint::Endpoint;
pub(crate) use environment::Environment;
pub(crate) use held::{Credentials, is_header_text};
pub(crate) use scrub::scrub;
