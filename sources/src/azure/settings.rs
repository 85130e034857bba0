//! What the options and the environment say about a container, before anything is asked over a network.

use super::connection_string::check_account;
use super::identity::Identity;
use super::{ConnectionString, Key, container};
use crate::credentials::{Endpoint, Environment};
use crate::error::Fault;
use crate::options::BucketOptions;
use crate::secret::Secret;

const ACCOUNT_VARIABLES: [&str; 2] = ["AZURE_STORAGE_ACCOUNT_NAME", "AZURE_STORAGE_ACCOUNT"];
const KEY_VARIABLES: [&str; 3] = ["AZURE_STORAGE_ACCOUNT_KEY", "AZURE_STORAGE_ACCESS_KEY", "AZURE_STORAGE_KEY"];
const SAS_VARIABLES: [&str; 2] = ["AZURE_STORAGE_SAS_TOKEN", "AZURE_STORAGE_SAS_KEY"];

/// A container's place and credentials.
#[derive(Debug)]
pub(super) struct Settings {
    /// The container.
    pub(super) container: String,
    /// The storage account: who signs.
    pub(super) account: String,
    /// The blob service of that account.
    pub(super) endpoint: Endpoint,
    /// How requests are authorized.
    pub(super) access: Access,
}

/// How requests are authorized.
#[derive(Debug)]
pub(super) enum Access {
    /// With a key, a signature or a token that was given; the text says where.
    Given(Key, String),
    /// With tokens of an identity.
    Identity(Identity),
}

impl Settings {
    /// Reads `options`, and from `environment` what they leave open. Fails with [`Fault::Config`], and with
    /// [`Fault::NoCredentials`] if a variable lacks its partner.
    pub(super) fn read(options: &BucketOptions, environment: &Environment) -> Result<Self, Fault> {
        container::check(&options.bucket)?;
        let endpoint = match &options.endpoint {
            Some(text) => Some(Endpoint::parse("endpoint", text)?),
            None => None,
        };
        let string = if options.auth_token.is_empty() {
            environment.get("AZURE_STORAGE_CONNECTION_STRING").map(|text| ("AZURE_STORAGE_CONNECTION_STRING", text))
        } else {
            Some(("auth_token", options.auth_token.expose()))
        };
        let container = options.bucket.clone();
        match string {
            Some((origin, text)) => {
                let ConnectionString { account, key, endpoint: own } = ConnectionString::parse(origin, text)?;
                let (account, endpoint) = locate(account, endpoint, Some(own))?;
                Ok(Self { container, account, endpoint, access: Access::Given(key, origin.to_owned()) })
            }
            None => {
                let endpoint = match (endpoint, environment.get("AZURE_STORAGE_ENDPOINT")) {
                    (None, Some(text)) => Some(Endpoint::parse("AZURE_STORAGE_ENDPOINT", text)?),
                    (endpoint, _) => endpoint,
                };
                let (account, endpoint) = locate(account(environment)?, endpoint, None)?;
                let access = access(environment)?;
                let sends_tokens = !matches!(&access, Access::Given(Key::Account(_) | Key::Sas(_), _));
                if sends_tokens && endpoint.is_plain() && !endpoint.is_loopback() {
                    return Err(Fault::Config(
                        "endpoint: tokens of an identity are sent over https only; use https, or an account key"
                            .to_owned(),
                    ));
                }
                Ok(Self { container, account, endpoint, access })
            }
        }
    }

    /// Where the container is, for messages.
    pub(super) fn address(&self) -> String {
        format!("az://{} at {}", self.container, self.endpoint)
    }
}

/// Account and endpoint, where each may tell the other. `given` is the option, which wins over the connection string's `own`.
fn locate(
    account: Option<String>,
    given: Option<Endpoint>,
    own: Option<Endpoint>,
) -> Result<(String, Endpoint), Fault> {
    let account = account
        .or_else(|| given.as_ref().and_then(account_of))
        .or_else(|| own.as_ref().and_then(account_of))
        .ok_or_else(|| {
            Fault::Config(
                "no storage account: give a connection string in auth_token, set AZURE_STORAGE_ACCOUNT_NAME, or write \
                 endpoint=https://ACCOUNT.blob.core.windows.net"
                    .to_owned(),
            )
        })?;
    let endpoint = match (given, own) {
        // Emulators and proxies before them are reached by address, and then the account is the first part of the path.
        (Some(given), _) if given.path().is_empty() && (given.is_address() || given.host() == "localhost") => {
            Endpoint::parse("endpoint", &format!("{given}/{account}"))?
        }
        (Some(given), _) => given,
        (None, Some(own)) => own,
        (None, None) => Endpoint::parse("endpoint", &format!("https://{account}.blob.core.windows.net"))?,
    };
    Ok((account, endpoint))
}

/// The account that `https://ACCOUNT.blob.…` or `http://127.0.0.1:10000/ACCOUNT` names.
fn account_of(endpoint: &Endpoint) -> Option<String> {
    let name = if endpoint.is_address() || endpoint.host() == "localhost" {
        endpoint.path().split('/').next()?
    } else {
        endpoint.host().split('.').next()?
    };
    check_account(name).ok().map(|()| name.to_owned())
}

fn account(environment: &Environment) -> Result<Option<String>, Fault> {
    let Some((variable, account)) = environment.first(&ACCOUNT_VARIABLES) else { return Ok(None) };
    check_account(account).map_err(|why| Fault::Config(format!("{variable}: {why}")))?;
    Ok(Some(account.to_owned()))
}

fn access(environment: &Environment) -> Result<Access, Fault> {
    let given = environment
        .first(&KEY_VARIABLES)
        .map(|(variable, text)| (variable, Key::Account(Secret::new(text))))
        .or_else(|| environment.first(&SAS_VARIABLES).map(|(variable, text)| (variable, Key::Sas(Secret::new(text)))))
        .or_else(|| {
            environment
                .first(&["AZURE_STORAGE_TOKEN"])
                .map(|(variable, text)| (variable, Key::Bearer(Secret::new(text))))
        });
    match given {
        Some((variable, key)) => {
            key.credential(variable)?;
            Ok(Access::Given(key, variable.to_owned()))
        }
        None => Identity::read(environment).map(Access::Identity),
    }
}
