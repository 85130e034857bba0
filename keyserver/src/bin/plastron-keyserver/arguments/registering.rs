//! What registers names, and says whose word is taken for that.

use std::path::PathBuf;

use clap::Args;

use super::Change;

#[derive(Debug, Args)]
pub(crate) struct Register {
    #[command(flatten)]
    pub(crate) change: Change,
    /// A shell command that prints an identity token with the nonce in its variable NONCE; without it, and without a certificate, the operator's key is used.
    #[arg(long)]
    pub(crate) token_command: Option<String>,
    /// PEM file of a client certificate, with those between it and its authority behind it, to register the name by.
    #[arg(long, value_name = "FILE", requires = "certificate_key", conflicts_with = "token_command")]
    pub(crate) certificate: Option<PathBuf>,
    /// PEM file of its private key, which signs the entry and goes nowhere.
    #[arg(long, value_name = "FILE", requires = "certificate")]
    pub(crate) certificate_key: Option<PathBuf>,
}

#[derive(Debug, Args)]
pub(crate) struct Issuer {
    /// Its URL, as tokens have it.
    pub(crate) issuer: String,
    /// The audience of tokens that are meant for this realm.
    #[arg(long)]
    pub(crate) audience: String,
    /// What stands before an address to make it a name.
    #[arg(long, default_value = "person/")]
    pub(crate) prefix: String,
    /// A file with its keys, as it publishes them; without it, it is believed no more.
    #[arg(long)]
    pub(crate) jwks: Option<PathBuf>,
    /// The replica's address, instead of those in the directory.
    #[arg(long)]
    pub(crate) at: Option<String>,
}

#[derive(Debug, Args)]
pub(crate) struct Authority {
    /// What operators call it.
    pub(crate) label: String,
    /// What stands before a DNS name or a URI of a certificate to make it a name.
    #[arg(long, default_value = "host/")]
    pub(crate) prefix: String,
    /// PEM file of its own certificate; without it, none of its certificates is taken any more.
    #[arg(long, value_name = "FILE")]
    pub(crate) certificate: Option<PathBuf>,
    /// The replica's address, instead of those in the directory.
    #[arg(long)]
    pub(crate) at: Option<String>,
}
