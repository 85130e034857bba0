//! What stands for itself: an account key, a shared access signature, a token.

use object_store::azure::{AzureAccessKey, AzureCredential};
use url::form_urlencoded;

use crate::credentials::is_header_text;
use crate::error::Fault;
use crate::secret::Secret;

/// A credential that needs no fetching. Unlike `object_store`'s own type, its `Debug` shows nothing.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Key {
    /// The storage account's key, base64.
    Account(Secret),
    /// A shared access signature: the query, with or without its `?`.
    Sas(Secret),
    /// A token of Microsoft Entra.
    Bearer(Secret),
}

impl Key {
    /// As `object_store`'s signer takes it. Fails with [`Fault::Config`] that names `origin` and never the value.
    pub(super) fn credential(&self, origin: &str) -> Result<AzureCredential, Fault> {
        let wrong = |why: &str| Fault::Config(format!("{origin}: {why}"));
        match self {
            Self::Account(key) => {
                // The library's error says where in the key the wrong letter is, and which it is.
                let key = AzureAccessKey::try_new(key.expose())
                    .map_err(|_| wrong("the key is not base64; copy all of it, `==` included"))?;
                Ok(AzureCredential::AccessKey(key))
            }
            Self::Sas(query) => {
                let pairs = sas_pairs(query.expose());
                if !pairs.iter().any(|(name, value)| name == "sig" && !value.is_empty()) {
                    return Err(wrong("not a shared access signature: it has no sig=…"));
                }
                Ok(AzureCredential::SASToken(pairs))
            }
            Self::Bearer(token) => {
                if !is_header_text(token.expose()) {
                    return Err(wrong("the token holds a blank, a control character or a letter beyond ASCII"));
                }
                Ok(AzureCredential::BearerToken(token.expose().to_owned()))
            }
        }
    }
}

/// The parameters of a shared access signature. A bare `+`, which percent-encoding leaves alone and forms take for a blank, is itself.
fn sas_pairs(query: &str) -> Vec<(String, String)> {
    let query = query.trim().trim_start_matches('?').replace('+', "%2B");
    form_urlencoded::parse(query.as_bytes()).into_owned().collect()
}
