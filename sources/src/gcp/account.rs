//! A credential file: a service account's, or a user's that `gcloud` wrote.
//!
//! It is read and checked here, before `object_store` reads it, because errors of JSON and PEM parsers quote what they stumble over.
//! <https://google.aip.dev/auth/4110>

use serde_json::{Map, Value};

use crate::credentials::Endpoint;
use crate::error::Fault;
use crate::secret::Secret;

/// Longest file read, bytes; real ones have 3 KiB.
const LONGEST: u64 = 256 << 10;

/// What a credential file says.
#[derive(Debug)]
pub(super) struct Account {
    /// Whose credentials they are.
    pub(super) kind: AccountKind,
    /// Where the file says the service is: emulators' files do.
    pub(super) endpoint: Option<Endpoint>,
    /// The file's text.
    pub(super) text: Secret,
}

/// Whose credentials a file holds.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum AccountKind {
    /// A service account; it signs its own tokens.
    Service,
    /// A user; tokens are fetched with a refresh token.
    User,
    /// Nobody: `"disable_oauth": true`, as emulators' files have it.
    Nobody,
}

impl Account {
    /// Reads the file at `path`, which was found in the option or variable `origin`. `None` if there is none.
    ///
    /// Fails with [`Fault::NoCredentials`], which repeats neither the path nor the content.
    pub(super) async fn read(origin: &str, path: &Secret) -> Result<Option<Self>, Fault> {
        let wrong = |why: &str| Fault::NoCredentials { reason: format!("{origin}: {why}") };
        let length = match tokio::fs::metadata(path.expose()).await {
            Ok(found) if found.is_file() => found.len(),
            Ok(_) => return Err(wrong("the path is not that of a file")),
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Ok(None),
            Err(error) => return Err(wrong(&format!("the credential file can't be read: {}", error.kind()))),
        };
        if length > LONGEST {
            return Err(wrong("the file is too long for a credential file"));
        }
        let text = tokio::fs::read_to_string(path.expose())
            .await
            .map_err(|error| wrong(&format!("the credential file can't be read: {}", error.kind())))?;
        Self::parse(origin, &text).map(Some)
    }

    /// Reads a file's text.
    pub(super) fn parse(origin: &str, text: &str) -> Result<Self, Fault> {
        let wrong = |why: &str| Fault::NoCredentials { reason: format!("{origin}: {why}") };
        let Value::Object(fields) = serde_json::from_str(text).map_err(|error| {
            wrong(&format!("the credential file is not JSON (line {}, column {})", error.line(), error.column()))
        })?
        else {
            return Err(wrong("the credential file is not a JSON object"));
        };
        let endpoint = match field(&fields, "gcs_base_url") {
            Some(url) => Some(Endpoint::parse(&format!("{origin}: gcs_base_url"), url)?),
            None => None,
        };
        let (kind, needed): (_, &[&str]) = match field(&fields, "type") {
            None | Some("service_account") => {
                (AccountKind::Service, &["client_email", "private_key_id", "private_key"])
            }
            Some("authorized_user") => (AccountKind::User, &["client_id", "client_secret", "refresh_token"]),
            Some(
                other @ ("external_account"
                | "external_account_authorized_user"
                | "impersonated_service_account"
                | "gdch_service_account"),
            ) => {
                return Err(wrong(&format!(
                    "credentials of type {other} are not supported; use a service account's file, or give a token as \"Bearer TOKEN\""
                )));
            }
            Some(_) => {
                return Err(wrong(
                    "the credential file has an unknown type; service_account and authorized_user are known",
                ));
            }
        };
        // An emulator's file may leave out what nobody asks for.
        let kind = if fields.get("disable_oauth") == Some(&Value::Bool(true)) { AccountKind::Nobody } else { kind };
        let missing = needed.iter().find(|name| field(&fields, name).is_none_or(str::is_empty));
        if let Some(missing) = missing.filter(|_| kind != AccountKind::Nobody) {
            return Err(wrong(&format!("the credential file has no {missing}")));
        }
        Ok(Self { kind, endpoint, text: Secret::new(text) })
    }
}

fn field<'a>(fields: &'a Map<String, Value>, name: &str) -> Option<&'a str> {
    fields.get(name).and_then(Value::as_str)
}
