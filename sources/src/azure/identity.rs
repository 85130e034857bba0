//! The identity chain: tokens of Microsoft Entra for whoever this process is.
//!
//! What is configured explicitly is used alone, so that a mistake in it is reported rather than papered over by the next link:
//! 1. service principal: `AZURE_TENANT_ID`, `AZURE_CLIENT_ID`, `AZURE_CLIENT_SECRET`;
//! 2. workload identity: `AZURE_TENANT_ID`, `AZURE_CLIENT_ID`, `AZURE_FEDERATED_TOKEN_FILE`;
//! 3. managed identity of App Service, Functions and the like: `IDENTITY_ENDPOINT` (and `IDENTITY_HEADER`).
//!
//! Otherwise managed identity is tried at the instance's metadata address, then the Azure CLI; the one that answers is kept. The
//! order is that of Microsoft's `DefaultAzureCredential`. Tokens are fetched by `object_store`'s own providers.

use std::fmt;
use std::sync::{Arc, OnceLock};

use async_trait::async_trait;
use object_store::azure::{AzureCredential, MicrosoftAzureBuilder};

use crate::credentials::{
    Delegated, Endpoint, Environment, FetchCredential, Fetched, is_header_text, token_client_options, token_retry,
};
use crate::error::Fault;
use crate::options::TimeoutOptions;
use crate::secret::Secret;

/// Which identity the environment describes.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Identity {
    /// An application with a secret.
    ServicePrincipal {
        /// The directory.
        tenant: String,
        /// The application.
        client: String,
        /// Its secret.
        secret: Secret,
        /// Where tokens are issued, if not in the public cloud.
        authority: Option<String>,
    },
    /// An application that shows a token issued by somebody else, mostly Kubernetes.
    Workload {
        /// The directory.
        tenant: String,
        /// The application.
        client: String,
        /// The file that the other token is in.
        token_file: String,
        /// Where tokens are issued, if not in the public cloud.
        authority: Option<String>,
    },
    /// Managed identity at an address given by the surroundings.
    Managed {
        /// That address.
        endpoint: String,
        /// Which of several identities.
        client: Option<String>,
    },
    /// Managed identity at the instance's metadata address, else the Azure CLI.
    Ambient {
        /// Which of several identities.
        client: Option<String>,
    },
}

impl Identity {
    /// Reads `environment`. Fails with [`Fault::NoCredentials`] where a variable lacks its partner, and with [`Fault::Config`] where one is wrong.
    pub(super) fn read(environment: &Environment) -> Result<Self, Fault> {
        let authority = match environment.get("AZURE_AUTHORITY_HOST") {
            Some(text) => Some(secure("AZURE_AUTHORITY_HOST", text)?),
            None => None,
        };
        let plain = |name: &str| match environment.get(name) {
            Some(text) if !is_header_text(text) || text.contains(['/', '?', '#', '%']) => {
                Err(Fault::Config(format!("{name}: it holds a character that no such id has")))
            }
            text => Ok(text.map(str::to_owned)),
        };
        let (tenant, client) = (plain("AZURE_TENANT_ID")?, plain("AZURE_CLIENT_ID")?);
        if let Some(secret) = environment.get("AZURE_CLIENT_SECRET") {
            let (tenant, client) = both(tenant, client, "AZURE_CLIENT_SECRET")?;
            return Ok(Self::ServicePrincipal { tenant, client, secret: Secret::new(secret), authority });
        }
        if let Some(token_file) = environment.get("AZURE_FEDERATED_TOKEN_FILE") {
            let (tenant, client) = both(tenant, client, "AZURE_FEDERATED_TOKEN_FILE")?;
            return Ok(Self::Workload { tenant, client, token_file: token_file.to_owned(), authority });
        }
        if let Some(endpoint) = environment.get("IDENTITY_ENDPOINT") {
            // Endpoints of managed identities are on the machine or its rack, in plain http.
            let endpoint = Endpoint::parse("IDENTITY_ENDPOINT", endpoint)?.as_str().to_owned();
            return Ok(Self::Managed { endpoint, client });
        }
        Ok(Self::Ambient { client })
    }

    /// The chain that fetches its tokens.
    pub(super) fn chain(self, timeout: &TimeoutOptions) -> Chain {
        // Account and container are of no meaning for tokens, but the builder wants some.
        let any = MicrosoftAzureBuilder::new().with_account("account").with_container_name("container");
        let links = match self {
            Self::ServicePrincipal { tenant, client, secret, authority } => {
                let any = issued_by(any, authority, timeout)
                    .with_client_secret_authorization(client, secret.expose(), tenant)
                    .with_credential_type("client_secret");
                vec![link("service principal (AZURE_CLIENT_SECRET)", vec![secret], any)]
            }
            Self::Workload { tenant, client, token_file, authority } => {
                let any = issued_by(any, authority, timeout)
                    .with_tenant_id(tenant)
                    .with_client_id(client)
                    .with_federated_token_file(token_file)
                    .with_credential_type("workload_identity");
                vec![link("workload identity (AZURE_FEDERATED_TOKEN_FILE)", Vec::new(), any)]
            }
            Self::Managed { endpoint, client } => {
                let any = managed(any, client, timeout).with_msi_endpoint(endpoint).with_retry(token_retry(3));
                vec![link("managed identity (IDENTITY_ENDPOINT)", Vec::new(), any)]
            }
            Self::Ambient { client } => {
                let cli = any.clone().with_credential_type("azure_cli");
                // Most machines have no metadata address, so there is no second attempt at it; a real one answers at once.
                let any = managed(any, client, timeout).with_retry(token_retry(0));
                vec![link("managed identity", Vec::new(), any), link("Azure CLI", Vec::new(), cli)]
            }
        };
        Chain { links, chosen: OnceLock::new() }
    }
}

fn both(tenant: Option<String>, client: Option<String>, with: &str) -> Result<(String, String), Fault> {
    let missing = |name: &str| Fault::NoCredentials { reason: format!("{with} is set and {name} is not") };
    Ok((tenant.ok_or_else(|| missing("AZURE_TENANT_ID"))?, client.ok_or_else(|| missing("AZURE_CLIENT_ID"))?))
}

/// An address that secrets are sent to: `https`, or this machine.
fn secure(origin: &str, text: &str) -> Result<String, Fault> {
    let endpoint = Endpoint::parse(origin, text)?;
    if endpoint.is_plain() && !endpoint.is_loopback() {
        return Err(Fault::Config(format!("{origin}: must be https")));
    }
    Ok(endpoint.as_str().to_owned())
}

fn issued_by(any: MicrosoftAzureBuilder, authority: Option<String>, timeout: &TimeoutOptions) -> MicrosoftAzureBuilder {
    // `secure` lets plain http through for this machine only.
    let plain = authority.as_ref().is_some_and(|authority| authority.starts_with("http:"));
    let any = any.with_client_options(token_client_options(timeout, plain)).with_retry(token_retry(3));
    match authority {
        Some(authority) => any.with_authority_host(authority),
        None => any,
    }
}

fn managed(any: MicrosoftAzureBuilder, client: Option<String>, timeout: &TimeoutOptions) -> MicrosoftAzureBuilder {
    let any = any.with_client_options(token_client_options(timeout, true)).with_credential_type("managed_identity");
    match client {
        Some(client) => any.with_client_id(client),
        None => any,
    }
}

fn link(name: &'static str, secrets: Vec<Secret>, builder: MicrosoftAzureBuilder) -> Delegated<AzureCredential> {
    Delegated::new(name, secrets, Box::new(move || Ok(Arc::clone(builder.clone().build()?.credentials()))))
}

/// Asks one link after another, and stays with the first that answers.
pub(super) struct Chain {
    links: Vec<Delegated<AzureCredential>>,
    chosen: OnceLock<usize>,
}

#[async_trait]
impl FetchCredential<AzureCredential> for Chain {
    async fn fetch(&self, fresh: bool) -> Result<Fetched<AzureCredential>, Fault> {
        if let Some(link) = self.chosen.get().and_then(|&chosen| self.links.get(chosen)) {
            return usable(link.fetch(fresh).await?, link.name());
        }
        let mut reasons = Vec::new();
        for (index, link) in self.links.iter().enumerate() {
            match link.fetch(fresh).await.and_then(|fetched| usable(fetched, link.name())) {
                Ok(fetched) => {
                    let chosen = self.chosen.get_or_init(|| index);
                    tracing::debug!(link = self.links.get(*chosen).map_or("", Delegated::name), "identity found");
                    return Ok(fetched);
                }
                Err(Fault::NoCredentials { reason }) => reasons.push(reason),
                Err(fault) => reasons.push(fault.to_string()),
            }
        }
        Err(Fault::NoCredentials {
            reason: format!(
                "{}; or give a connection string in auth_token or AZURE_STORAGE_CONNECTION_STRING",
                reasons.join("; ")
            ),
        })
    }
}

/// The signer puts tokens into a header, and would panic on one that does not fit there.
fn usable(fetched: Fetched<AzureCredential>, name: &str) -> Result<Fetched<AzureCredential>, Fault> {
    match &*fetched.credential {
        AzureCredential::BearerToken(token) if !is_header_text(token) => {
            Err(Fault::NoCredentials { reason: format!("{name}: the answer holds no usable token") })
        }
        _ => Ok(fetched),
    }
}

impl fmt::Debug for Chain {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_list().entries(&self.links).finish()
    }
}
