//! What the options and the environment say about an S3 bucket, before anything is asked over a network.

use object_store::aws::AwsCredential;

use super::location::{Location, check_region};
use super::token;
use crate::credentials::{Endpoint, Environment};
use crate::error::Fault;
use crate::options::BucketOptions;

/// Region of a server that has none: what most of them expect.
const ANY_REGION: &str = "us-east-1";

/// A bucket's place and credentials, as far as they are known.
#[derive(Debug)]
pub(super) struct Settings {
    /// The bucket.
    pub(super) bucket: String,
    /// `None`: the AWS chain has to know it.
    pub(super) region: Option<String>,
    /// A server other than AWS's own.
    pub(super) endpoint: Option<Endpoint>,
    /// What the options say; `None`: as the endpoint suggests.
    path_style: Option<bool>,
    /// `None`: the AWS chain has to find them. (`Debug` of it hides the secrets.)
    pub(super) credential: Option<AwsCredential>,
}

impl Settings {
    /// Reads `options`, and from `environment` what they leave open. Fails with [`Fault::Config`], and with
    /// [`Fault::NoCredentials`] if a variable lacks its partner.
    pub(super) fn read(options: &BucketOptions, environment: &Environment) -> Result<Self, Fault> {
        let location = Location::parse(&options.bucket)?;
        let endpoint = endpoint(options, environment)?;
        let region = region(options, location.region, endpoint.is_some(), environment)?;
        let credential = if options.auth_token.is_empty() {
            from_environment(environment)?
        } else {
            Some(token::parse(options.auth_token.expose())?)
        };
        let settings = Self { bucket: location.name, region, endpoint, path_style: options.path_style, credential };
        settings.check_style()?;
        Ok(settings)
    }

    /// The URL under which the bucket's objects are, without a slash at its end.
    pub(super) fn url(&self, region: &str) -> String {
        let service = format!("https://s3.{region}.{}", domain(region));
        let (host, bucket) = (self.endpoint.as_ref(), &self.bucket);
        match (host, self.is_path_style()) {
            (None, false) => format!("https://{bucket}.s3.{region}.{}", domain(region)),
            (None, true) => format!("{service}/{bucket}"),
            (Some(host), false) => host.with_subdomain(bucket).unwrap_or_else(|| host.with_segment(bucket)),
            (Some(host), true) => host.with_segment(bucket),
        }
    }

    /// Where the bucket is, for messages.
    pub(super) fn address(&self, region: &str) -> String {
        match &self.endpoint {
            Some(endpoint) => format!("s3://{} at {endpoint}", self.bucket),
            None => format!("s3://{} in {region}", self.bucket),
        }
    }

    /// Whether the server is AWS's own, rather than one that speaks its language.
    pub(super) fn is_amazons(&self) -> bool {
        let amazons = |host: &str| host.ends_with(".amazonaws.com") || host.ends_with(".amazonaws.com.cn");
        self.endpoint.as_ref().is_none_or(|endpoint| amazons(endpoint.host()))
    }

    fn is_path_style(&self) -> bool {
        self.path_style.unwrap_or(self.endpoint.is_some() || !self.is_host_name())
    }

    /// Whether the bucket's name can be part of a host name that AWS's certificates cover: they know no dots in it.
    fn is_host_name(&self) -> bool {
        self.bucket.bytes().all(|byte| byte.is_ascii_lowercase() || byte.is_ascii_digit() || byte == b'-')
    }

    fn check_style(&self) -> Result<(), Fault> {
        if self.path_style != Some(false) {
            return Ok(());
        }
        let wrong = |why: String| Err(Fault::Config(format!("path_style=false: {why}; leave path_style out")));
        match &self.endpoint {
            Some(endpoint) if endpoint.is_address() => {
                wrong("a bucket can't be put in front of an address, only of a host name".to_owned())
            }
            None if !self.is_host_name() => wrong(format!("the bucket {} can't be part of a host name", self.bucket)),
            Some(_) | None => Ok(()),
        }
    }
}

/// The domain of AWS's partition that `region` belongs to.
/// <https://docs.aws.amazon.com/general/latest/gr/rande.html>
fn domain(region: &str) -> &'static str {
    match region.split('-').next() {
        Some("cn") => "amazonaws.com.cn",
        Some("eusc") => "amazonaws.eu",
        _ => "amazonaws.com",
    }
}

fn endpoint(options: &BucketOptions, environment: &Environment) -> Result<Option<Endpoint>, Fault> {
    if let Some(text) = &options.endpoint {
        return Endpoint::parse("endpoint", text).map(Some);
    }
    if environment.get("AWS_IGNORE_CONFIGURED_ENDPOINT_URLS").is_some_and(|text| text.eq_ignore_ascii_case("true")) {
        return Ok(None);
    }
    environment
        .first(&["AWS_ENDPOINT_URL_S3", "AWS_ENDPOINT_URL"])
        .map(|(name, text)| Endpoint::parse(name, text))
        .transpose()
}

fn region(
    options: &BucketOptions,
    of_bucket: Option<String>,
    has_endpoint: bool,
    environment: &Environment,
) -> Result<Option<String>, Fault> {
    if let Some(region) = &options.region {
        check_region("region", region)?;
        return Ok(Some(region.clone()));
    }
    if of_bucket.is_some() {
        return Ok(of_bucket);
    }
    if let Some((name, region)) = environment.first(&["AWS_REGION", "AWS_DEFAULT_REGION"]) {
        check_region(name, region)?;
        return Ok(Some(region.to_owned()));
    }
    Ok(has_endpoint.then(|| ANY_REGION.to_owned()))
}

/// The keys in the environment, which are also the first link of AWS's own chain.
fn from_environment(environment: &Environment) -> Result<Option<AwsCredential>, Fault> {
    let (key, secret) = match (environment.get("AWS_ACCESS_KEY_ID"), environment.get("AWS_SECRET_ACCESS_KEY")) {
        (None, None) => return Ok(None),
        (Some(key), Some(secret)) => (key, secret),
        (Some(_), None) => return Err(half("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY")),
        (None, Some(_)) => return Err(half("AWS_SECRET_ACCESS_KEY", "AWS_ACCESS_KEY_ID")),
    };
    let session = environment.get("AWS_SESSION_TOKEN").unwrap_or_default();
    token::check(key, secret, session).map(Some).map_err(|part| Fault::NoCredentials {
        reason: format!("the {part} in the environment holds a blank, a control character or a letter beyond ASCII"),
    })
}

fn half(present: &str, missing: &str) -> Fault {
    Fault::NoCredentials { reason: format!("{present} is set and {missing} is not; set both or neither") }
}
