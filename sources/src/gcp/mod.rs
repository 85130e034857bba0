//! Google Cloud Storage, and servers that speak its XML API.
//!
//! [`open()`] turns [`crate::BucketOptions`] into a [`crate::source::Source`]:
//! 1. [`Settings`] reads the bucket, the token, the endpoint and the environment, and says which [`Access`] they ask for;
//! 2. [`Account`] reads the credential file, if there is one, and checks it before `object_store` does;
//! 3. `object_store`'s client is built with its retries off and without credentials, over our transport, and the [`GcsSigner`] puts
//!    the current token on each attempt.
//!
//! An emulator, and anything else that is reached over plain `http`, never gets the machine's own credentials, and without
//! credentials given for it no metadata address is asked: see [`Access`]. Which option and variable wins over which is a table in
//! `docs/src/reference/credentials.md`.

mod account;
mod bucket_name;
mod open;
mod settings;
mod signer;
mod tokens;

#[cfg(test)]
mod account_test;
#[cfg(test)]
mod open_test;
#[cfg(test)]
mod settings_test;

use account::Account;
pub(crate) use open::open;
use settings::{Access, Settings};
use signer::GcsSigner;
