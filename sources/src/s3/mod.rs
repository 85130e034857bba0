//! Amazon S3 and servers that speak its protocol.
//!
//! [`open()`] turns [`crate::BucketOptions`] into a [`crate::source::Source`]:
//! 1. [`Settings`] reads the bucket string, the token, the endpoint and the environment, without any I/O, and says what is wrong;
//! 2. what they leave open, region or credentials, is asked of the AWS chain (`chain`, feature `aws-chain`);
//! 3. `object_store`'s client is built with its signing and retries off, over our transport, and the [`S3Signer`] signs each attempt.
//!
//! Which option and variable wins over which is a table in `docs/src/reference/credentials.md`.

#[cfg(feature = "aws-chain")]
mod chain;
mod location;
mod open;
mod settings;
mod signer;
mod token;

#[cfg(feature = "aws-chain")]
#[cfg(test)]
mod chain_test;
#[cfg(test)]
mod open_test;
#[cfg(test)]
mod settings_test;
#[cfg(test)]
mod signer_test;

pub(crate) use open::open;
use settings::Settings;
use signer::S3Signer;
