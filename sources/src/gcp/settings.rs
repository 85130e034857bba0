//! What the options and the environment say about a bucket, before anything is read or asked.

use std::path::PathBuf;

use super::bucket_name;
use crate::credentials::{Endpoint, Environment, is_header_text};
use crate::error::Fault;
use crate::options::BucketOptions;
use crate::secret::Secret;

/// Google's own service.
pub(super) const GOOGLE: &str = "https://storage.googleapis.com";

/// A bucket's place and credentials.
#[derive(Debug)]
pub(super) struct Settings {
    /// The bucket.
    pub(super) bucket: String,
    /// Where it is said to be; a credential file may say otherwise where this is `None`.
    pub(super) endpoint: Option<Endpoint>,
    /// How requests are authorized.
    pub(super) access: Access,
}

/// How requests are authorized.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Access {
    /// With a token that was given.
    Bearer(Secret),
    /// With a credential file.
    File {
        /// The option or variable that names it.
        origin: &'static str,
        /// Its path; kept out of messages, since something else may have been put there by mistake.
        path: Secret,
        /// Whether it must be there, or is only where `gcloud` would have put it.
        required: bool,
        /// Whether to ask the metadata address if the file is not required and not there.
        else_metadata: bool,
    },
    /// With tokens from the instance's metadata address.
    Metadata,
    /// Not at all: an emulator.
    Anonymous,
}

impl Settings {
    /// Reads `options`, and from `environment` what they leave open. Fails with [`Fault::Config`].
    pub(super) fn read(options: &BucketOptions, environment: &Environment) -> Result<Self, Fault> {
        bucket_name::check(&options.bucket)?;
        let (endpoint, is_emulator) = endpoint(options, environment)?;
        let is_plain = endpoint.as_ref().is_some_and(Endpoint::is_plain);
        let access = if options.auth_token.is_empty() {
            if is_emulator || is_plain { Access::Anonymous } else { from_environment(environment)? }
        } else {
            from_token(&options.auth_token)?
        };
        Ok(Self { bucket: options.bucket.clone(), endpoint, access })
    }
}

/// The endpoint, and whether it is an emulator's.
fn endpoint(options: &BucketOptions, environment: &Environment) -> Result<(Option<Endpoint>, bool), Fault> {
    if let Some(text) = &options.endpoint {
        return Ok((Some(Endpoint::parse("endpoint", text)?), false));
    }
    let Some(text) = environment.get("STORAGE_EMULATOR_HOST") else { return Ok((None, false)) };
    // Some of Google's libraries want `http://host:port`, some `host:port`, and one wants the JSON API's path behind it.
    let text = if text.contains("://") { text.to_owned() } else { format!("http://{text}") };
    let text = text.trim_end_matches('/').trim_end_matches("/storage/v1");
    Ok((Some(Endpoint::parse("STORAGE_EMULATOR_HOST", text)?), true))
}

fn from_token(token: &Secret) -> Result<Access, Fault> {
    let text = token.expose();
    let wrong = |why: &str| Err(Fault::Config(format!("auth_token: {why}")));
    if let Some(bearer) = text.strip_prefix("Bearer ") {
        if !is_header_text(bearer) {
            return wrong("what follows \"Bearer \" must be a token without blanks");
        }
        return Ok(Access::Bearer(Secret::new(bearer)));
    }
    if text.trim_start().starts_with('{') {
        return wrong("this is a credential itself; put it into a file and give its path");
    }
    if text.starts_with("ya29.") || text.starts_with("eyJ") {
        return wrong("this is a token; write it as \"Bearer TOKEN\", or give the path of a credential file");
    }
    Ok(Access::File { origin: "auth_token", path: token.clone(), required: true, else_metadata: false })
}

fn from_environment(environment: &Environment) -> Result<Access, Fault> {
    if let Some(path) = environment.get("GOOGLE_APPLICATION_CREDENTIALS") {
        if path.trim_start().starts_with('{') {
            return Err(Fault::Config(
                "GOOGLE_APPLICATION_CREDENTIALS: this is a credential itself; put it into a file and give its path"
                    .to_owned(),
            ));
        }
        return Ok(Access::File {
            origin: "GOOGLE_APPLICATION_CREDENTIALS",
            path: Secret::new(path),
            required: true,
            else_metadata: false,
        });
    }
    let asks_metadata = !environment.get("NO_GCE_CHECK").is_some_and(|text| text.eq_ignore_ascii_case("true"));
    let folder = environment
        .get("CLOUDSDK_CONFIG")
        .map(PathBuf::from)
        .or_else(|| environment.get("HOME").map(|home| PathBuf::from(home).join(".config/gcloud")));
    match folder.and_then(|folder| folder.join("application_default_credentials.json").to_str().map(Secret::new)) {
        Some(path) => Ok(Access::File {
            origin: "application default credentials",
            path,
            required: false,
            else_metadata: asks_metadata,
        }),
        None if asks_metadata => Ok(Access::Metadata),
        None => Err(nowhere()),
    }
}

/// Nothing is configured, and the metadata address is not to be asked.
pub(super) fn nowhere() -> Fault {
    Fault::NoCredentials {
        reason: "set auth_token or GOOGLE_APPLICATION_CREDENTIALS to a credential file's path, or run `gcloud auth \
                 application-default login`"
            .to_owned(),
    }
}
