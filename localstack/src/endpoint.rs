//! Where a running server is and how to open a bucket on it.

use std::collections::BTreeMap;
use std::fmt;
use std::path::PathBuf;

use plastron_config::ErrorKind;

use crate::control;
use crate::error::{Error, Result};
use crate::server::Server;

/// A server that answers. The credentials are the emulator's own and worthless elsewhere; `Debug` hides them all the same,
/// because tests grep for secrets.
#[derive(Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct Endpoint {
    /// Which server.
    pub server: Server,
    /// Base URL without a trailing slash, such as `http://127.0.0.1:20123`; Azurite's ends in the account name.
    pub url: String,
    /// The region it signs for; empty where there is none.
    pub region: String,
    /// Access key, account name, or user; empty where there is none.
    pub access_key: String,
    /// Secret key or account key; the root token of OpenBao; the bearer token of the GCS server, which also takes requests
    /// without any.
    pub secret_key: String,
    /// A second pair of keys (access, secret) that may list and read but not write, where the server knows such. For Azurite the
    /// second is a shared access signature; for GCS the first is the path of a service-account file and the second empty.
    pub read_only: Option<(String, String)>,
    /// A service-account file for the GCS server that makes clients send no token (`disable_oauth`).
    pub credentials_file: Option<PathBuf>,
    /// A service-account file for the GCS server with a key: clients send a token signed with it, and the server checks that.
    pub signed_credentials_file: Option<PathBuf>,
    /// The same account's file with a key that the server does not know: it refuses everything.
    pub foreign_credentials_file: Option<PathBuf>,
    /// Further URLs of the same service: all etcd nodes; Swift's native API (`…/auth/v1.0`).
    pub other_urls: Vec<String>,
}

impl Endpoint {
    /// An endpoint without credentials.
    pub(crate) fn new(server: Server, url: impl Into<String>) -> Self {
        Self {
            server,
            url: url.into(),
            region: String::new(),
            access_key: String::new(),
            secret_key: String::new(),
            read_only: None,
            credentials_file: None,
            signed_credentials_file: None,
            foreign_credentials_file: None,
            other_urls: Vec::new(),
        }
    }

    /// With a region and a pair of keys.
    pub(crate) fn with_keys(mut self, region: &str, access_key: &str, secret_key: &str) -> Self {
        (self.region, self.access_key, self.secret_key) = (region.into(), access_key.into(), secret_key.into());
        self
    }

    /// Creates a bucket (a container on Azurite); one that exists already is fine.
    ///
    /// # Errors
    /// `Unavailable` with the server's answer when it refuses; `Unsupported` for servers that have no buckets.
    pub async fn create_bucket(&self, name: &str) -> Result<()> {
        control::create_bucket(self, name).await
    }

    /// The configuration string that opens `bucket` here, with `prefix` in front of every name (may be empty).
    ///
    /// Empty for servers that have no buckets.
    pub fn store_string(&self, bucket: &str, prefix: &str) -> String {
        self.store_string_with(bucket, prefix, &self.url, (&self.access_key, &self.secret_key))
    }

    /// The same through another address that leads to this server, such as a [`FaultProxy`](crate::FaultProxy)'s.
    pub fn store_string_at(&self, url: &str, bucket: &str, prefix: &str) -> String {
        self.store_string_with(bucket, prefix, &self.url_at(url), (&self.access_key, &self.secret_key))
    }

    /// The same with other credentials: wrong ones, or those of [`Endpoint::read_only`]. For GCS the first is the path of a
    /// service-account file and the second is ignored.
    pub fn store_string_as(&self, bucket: &str, prefix: &str, access_key: &str, secret_key: &str) -> String {
        self.store_string_with(bucket, prefix, &self.url, (access_key, secret_key))
    }

    /// This endpoint's URL with another scheme, host and port in front: Azurite's account name stays in its path.
    pub fn url_at(&self, base: &str) -> String {
        let path = self.url.split_once("://").and_then(|(_, rest)| rest.split_once('/')).map_or("", |(_, path)| path);
        let base = base.trim_end_matches('/');
        if path.is_empty() { base.to_owned() } else { format!("{base}/{path}") }
    }

    fn store_string_with(&self, bucket: &str, prefix: &str, url: &str, keys: (&str, &str)) -> String {
        let prefix = if prefix.is_empty() { String::new() } else { format!(",bucket_prefix={}", quoted(prefix)) };
        let (access, secret) = keys;
        // A key is in Base64 and has no `&`; a shared access signature always has.
        let azure_secret = if secret.contains('&') { "SharedAccessSignature" } else { "AccountKey" };
        match self.server {
            server if server.speaks_s3() => format!(
                "source=s3_store,bucket={}{prefix},endpoint={},auth_token={}",
                quoted(&format!("{bucket};{}", self.region)),
                quoted(url),
                quoted(&format!("{access};{secret}")),
            ),
            Server::Azurite => format!(
                "source=azure_store,bucket={}{prefix},auth_token={}",
                quoted(bucket),
                quoted(&format!(
                    "DefaultEndpointsProtocol=http;AccountName={access};{azure_secret}={secret};BlobEndpoint={url};"
                )),
            ),
            Server::Gcs | Server::Careless => {
                let own = self.credentials_file.as_ref().map(|file| file.display().to_string()).unwrap_or_default();
                let file = if access.is_empty() { &own } else { access };
                format!(
                    "source=gcp_store,bucket={}{prefix},endpoint={},auth_token={}",
                    quoted(bucket),
                    quoted(url),
                    quoted(file)
                )
            }
            _ => String::new(),
        }
    }

    /// The environment variables that say all this, as `localstack run` sets them: `PLASTRON_LOCALSTACK_<SERVER>_URL` and
    /// so on. [`Endpoint::from_variables`] reads them back.
    pub fn variables(&self) -> BTreeMap<String, String> {
        let mut variables = BTreeMap::new();
        let mut set = |name: &str, value: &str| {
            if !value.is_empty() {
                variables.insert(variable(self.server, name), value.to_owned());
            }
        };
        set("URL", &self.url);
        set("REGION", &self.region);
        set("ACCESS_KEY", &self.access_key);
        set("SECRET_KEY", &self.secret_key);
        if let Some((access, secret)) = &self.read_only {
            set("READ_ONLY_ACCESS_KEY", access);
            set("READ_ONLY_SECRET_KEY", secret);
        }
        let files = [&self.credentials_file, &self.signed_credentials_file, &self.foreign_credentials_file];
        for (name, file) in FILES.into_iter().zip(files) {
            if let Some(file) = file {
                set(name, &file.display().to_string());
            }
        }
        set("OTHER_URLS", &self.other_urls.join(" "));
        variables
    }

    /// Every variable that [`Endpoint::variables`] or `localstack run` may set for `server`: what a launcher inside another
    /// one takes out of the environment, lest a command see half of one server and half of another.
    pub fn variable_names(server: Server) -> impl Iterator<Item = String> {
        VALUES.into_iter().chain(FILES).chain(["NOT_RUN"]).map(move |name| variable(server, name))
    }

    /// Reads what [`Endpoint::variables`] wrote; `None` when there is no URL for `server`.
    ///
    /// # Errors
    /// `Unsupported` when the variables say that the server cannot run on this machine.
    pub fn from_variables(server: Server, get: impl Fn(&str) -> Option<String>) -> Result<Option<Self>> {
        let read = |name: &str| get(&variable(server, name));
        if let Some(reason) = read("NOT_RUN") {
            return Err(Error::new(ErrorKind::Unsupported, format!("{server} is not run on this machine: {reason}")));
        }
        let Some(url) = read("URL") else { return Ok(None) };
        let mut endpoint = Self::new(server, url).with_keys(
            &read("REGION").unwrap_or_default(),
            &read("ACCESS_KEY").unwrap_or_default(),
            &read("SECRET_KEY").unwrap_or_default(),
        );
        // A variable that is empty is not set.
        endpoint.read_only =
            read("READ_ONLY_ACCESS_KEY").map(|access| (access, read("READ_ONLY_SECRET_KEY").unwrap_or_default()));
        let [plain, signed, foreign] = FILES.map(|name| read(name).map(PathBuf::from));
        endpoint.credentials_file = plain;
        endpoint.signed_credentials_file = signed;
        endpoint.foreign_credentials_file = foreign;
        endpoint.other_urls =
            read("OTHER_URLS").map(|urls| urls.split(' ').map(str::to_owned).collect()).unwrap_or_default();
        Ok(Some(endpoint))
    }
}

/// The variables that are no files.
const VALUES: [&str; 7] =
    ["URL", "REGION", "ACCESS_KEY", "SECRET_KEY", "READ_ONLY_ACCESS_KEY", "READ_ONLY_SECRET_KEY", "OTHER_URLS"];

/// The variables of the service-account files.
const FILES: [&str; 3] = ["CREDENTIALS_FILE", "SIGNED_CREDENTIALS_FILE", "FOREIGN_CREDENTIALS_FILE"];

/// The variable that tells a command that `server` cannot run on this machine, and why.
pub(crate) fn not_run_variable(server: Server) -> String {
    variable(server, "NOT_RUN")
}

fn variable(server: Server, name: &str) -> String {
    format!("PLASTRON_LOCALSTACK_{}_{name}", server.name().to_uppercase().replace('-', "_"))
}

/// A value in the configuration grammar's quotes.
fn quoted(text: &str) -> String {
    format!("\"{}\"", text.replace('\\', "\\\\").replace('"', "\\\""))
}

impl fmt::Debug for Endpoint {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Endpoint")
            .field("server", &self.server)
            .field("url", &self.url)
            .field("region", &self.region)
            .field("access_key", &self.access_key)
            .field("read_only", &self.read_only.as_ref().map(|(access, _)| access))
            .field("credentials_file", &self.credentials_file)
            .field("signed_credentials_file", &self.signed_credentials_file)
            .field("foreign_credentials_file", &self.foreign_credentials_file)
            .field("other_urls", &self.other_urls)
            .finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn full() -> Endpoint {
        let mut endpoint = Endpoint::new(Server::MotoAuth, "http://127.0.0.1:1").with_keys("us-east-1", "AK", "s3cr3t");
        endpoint.read_only = Some(("RO".into(), "ros3cr3t".into()));
        endpoint.signed_credentials_file = Some("/tmp/signed.json".into());
        endpoint.other_urls = vec!["http://127.0.0.1:2".into(), "http://127.0.0.1:3".into()];
        endpoint
    }

    #[test]
    fn variables_read_back() {
        let variables = full().variables();
        assert_eq!(variables["PLASTRON_LOCALSTACK_MOTO_AUTH_URL"], "http://127.0.0.1:1");
        let back = Endpoint::from_variables(Server::MotoAuth, |name| variables.get(name).cloned()).unwrap();
        assert_eq!(back, Some(full()));
        assert_eq!(Endpoint::from_variables(Server::Moto, |name| variables.get(name).cloned()).unwrap(), None);
    }

    #[test]
    fn every_variable_is_named() {
        let mut endpoint = full();
        endpoint.credentials_file = Some("/tmp/plain.json".into());
        endpoint.foreign_credentials_file = Some("/tmp/foreign.json".into());
        let mut names: Vec<_> = Endpoint::variable_names(Server::MotoAuth).collect();
        let mut set: Vec<_> = endpoint.variables().into_keys().chain([not_run_variable(Server::MotoAuth)]).collect();
        names.sort();
        set.sort();
        assert_eq!(names, set);
    }

    #[test]
    fn a_server_that_cannot_run_is_an_error_by_name() {
        let get = |name: &str| (name == "PLASTRON_LOCALSTACK_SWIFT_NOT_RUN").then(|| "no apt-get".to_owned());
        let error = Endpoint::from_variables(Server::Swift, get).unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Unsupported);
        assert_eq!(error.message(), "swift is not run on this machine: no apt-get");
    }

    #[test]
    fn store_strings() {
        assert_eq!(
            full().store_string("b", ""),
            r#"source=s3_store,bucket="b;us-east-1",endpoint="http://127.0.0.1:1",auth_token="AK;s3cr3t""#
        );
        assert_eq!(
            full().store_string_at("http://127.0.0.1:9/", "b", "p\"/"),
            r#"source=s3_store,bucket="b;us-east-1",bucket_prefix="p\"/",endpoint="http://127.0.0.1:9",auth_token="AK;s3cr3t""#
        );
        let azurite = Endpoint::new(Server::Azurite, "http://127.0.0.1:1/acct").with_keys("", "acct", "key==");
        assert_eq!(
            azurite.store_string_at("http://127.0.0.1:9", "c", ""),
            "source=azure_store,bucket=\"c\",auth_token=\"DefaultEndpointsProtocol=http;AccountName=acct;AccountKey=key==;BlobEndpoint=http://127.0.0.1:9/acct;\""
        );
        assert_eq!(
            azurite.store_string_as("c", "", "acct", "sv=1&sig=s"),
            "source=azure_store,bucket=\"c\",auth_token=\"DefaultEndpointsProtocol=http;AccountName=acct;SharedAccessSignature=sv=1&sig=s;BlobEndpoint=http://127.0.0.1:1/acct;\""
        );
        let mut gcs = Endpoint::new(Server::Gcs, "http://127.0.0.1:1");
        gcs.credentials_file = Some("/tmp/a.json".into());
        let gcs_store = r#"source=gcp_store,bucket="b",endpoint="http://127.0.0.1:1",auth_token="/tmp/a.json""#;
        assert_eq!(gcs.store_string("b", ""), gcs_store);
        assert_eq!(gcs.store_string_as("b", "", "/tmp/b.json", ""), gcs_store.replace("a.json", "b.json"));
        assert_eq!(Endpoint::new(Server::Etcd, "http://127.0.0.1:1").store_string("b", ""), "");
    }

    #[test]
    fn debug_hides_secrets() {
        let text = format!("{:?}", full());
        assert!(!text.contains("s3cr3t"), "{text}");
    }
}
