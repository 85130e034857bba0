//! Azure Blob Storage and Azurite.
//!
//! [`open()`] turns [`crate::BucketOptions`] into a [`crate::source::Source`]:
//! 1. [`Settings`] reads the container, the [`ConnectionString`], the endpoint and the environment, without any I/O;
//! 2. where those hold no key, the [`identity`] chain asks for tokens: service principal, workload identity, managed identity,
//!    Azure CLI;
//! 3. `object_store`'s client is built with its signing and retries off, over our transport, and the [`AzureSigner`] authorizes each
//!    attempt, so that the condition which the transport puts on Put Block List is signed, too; [`AzureStore`] deletes.
//!
//! Which option and variable wins over which is a table in `docs/src/reference/credentials.md`.

mod connection_string;
mod container;
mod identity;
mod key;
mod open;
mod settings;
mod signer;
mod store;

#[cfg(test)]
mod connection_string_test;
#[cfg(test)]
mod identity_test;
#[cfg(test)]
mod open_test;
#[cfg(test)]
mod settings_test;
#[cfg(test)]
mod signer_test;

use connection_string::ConnectionString;
use key::Key;
pub(crate) use open::open;
use settings::{Access, Settings};
use signer::AzureSigner;
use store::AzureStore;
