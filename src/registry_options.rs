//! Who knows the latest checkpoint: what a `registry=(…)` section of a store string says.
//!
//! Each registry has settings of its own; those of another are mistakes, and told as such.

use std::fmt;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use plastron_config::{Config, Schema};
use plastron_sources::Secret;

/// The place in a setting where the prefix of the database stands.
pub(crate) const PREFIX_MARK: &str = "{prefix}";

/// Who knows the latest checkpoint.
#[derive(Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct RegistryOptions {
    /// Which registry.
    pub name: RegistryName,
    /// The shortest time between two looks for news. Default 200 ms.
    pub poll_least: Duration,
    /// The longest, which it grows to while there are none. Default 10 s.
    pub poll_most: Duration,
    /// What this process calls itself in turtles and pins; for people. None for `host:process`, the default.
    pub owner: Option<String>,
    /// `ickpt`: the URLs of all instances of the group.
    pub urls: Vec<String>,
    /// `ickpt`: the object in the store that stands for the database. `{prefix}` in it is the database's prefix.
    pub storage_url: String,
    /// `ickpt`: the store's token.
    pub auth_token: Secret,
    /// `etcd`: the URLs of its nodes.
    pub endpoints: Vec<String>,
    /// `etcd`: the key of the database. `{prefix}` in it is the database's prefix.
    pub key: String,
    /// `etcd`: a user; none where it has none, or goes by certificates.
    pub user: Option<String>,
    /// `etcd`: the user's password.
    pub password: Secret,
    /// `ickpt` and `etcd`: the certificate authority of the servers, PEM, besides those of the machine.
    pub ca_file: Option<PathBuf>,
    /// `etcd`: the certificate to show, PEM.
    pub cert_file: Option<PathBuf>,
    /// `etcd`: the certificate's private key, PEM.
    pub key_file: Option<PathBuf>,
    /// `ickpt` and `etcd`: deadline of one request. Default 10 s.
    pub timeout: Duration,
}

/// Neither secrets nor URLs, in which some write them, are shown.
impl fmt::Debug for RegistryOptions {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("RegistryOptions")
            .field("name", &self.name)
            .field("poll_least", &self.poll_least)
            .field("poll_most", &self.poll_most)
            .field("owner", &self.owner)
            .field("servers", &(self.urls.len() + self.endpoints.len()))
            .field("timeout", &self.timeout)
            .finish_non_exhaustive()
    }
}

/// A registry.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
#[non_exhaustive]
pub enum RegistryName {
    /// The bucket itself.
    #[default]
    Bucket,
    /// A group of `ickpt` instances.
    Ickpt,
    /// etcd.
    Etcd,
}

impl RegistryName {
    const ALL: [(&'static str, Self); 3] = [("bucket", Self::Bucket), ("ickpt", Self::Ickpt), ("etcd", Self::Etcd)];
    const NAMES: &'static [&'static str] = &["bucket", "ickpt", "etcd"];
}

impl Default for RegistryOptions {
    fn default() -> Self {
        Self {
            name: RegistryName::Bucket,
            poll_least: Duration::from_millis(200),
            poll_most: Duration::from_secs(10),
            owner: None,
            urls: Vec::new(),
            storage_url: String::new(),
            auth_token: Secret::default(),
            endpoints: Vec::new(),
            key: "plastron/{prefix}".to_owned(),
            user: None,
            password: Secret::default(),
            ca_file: None,
            cert_file: None,
            key_file: None,
            timeout: Duration::from_secs(10),
        }
    }
}

/// Settings of every registry.
fn common(name: &'static str) -> Schema {
    Schema::new(name)
        .about("Who knows which checkpoint is the latest, and who the leader is.")
        .choice(
            "name",
            "Which registry: the bucket itself, a group of ickpt instances, or etcd.",
            RegistryName::NAMES,
            "bucket",
        )
        .duration("poll_least", "The shortest time between two looks for news.", "200ms")
        .range("1ms", "1h")
        .duration("poll_most", "The longest, which it grows to while there are none.", "10s")
        .range("1ms", "1h")
        .string("owner", "What this process calls itself, for people. Default: host:process.")
}

fn of_ickpt(schema: Schema, strict: bool) -> Schema {
    let required = |schema: Schema| if strict { schema.required() } else { schema };
    let schema = required(schema.list("urls", "ickpt: the URLs of all instances of the group, 1, 3, 5, 7 or 9."));
    let help =
        "ickpt: the URL of the object that stands for the database; it must exist. {prefix} in it is bucket_prefix.";
    let schema = required(schema.string("storage_url", help));
    required(schema.secret("auth_token", "ickpt: the store's token, which must let it read and write that object."))
}

fn of_etcd(schema: Schema, strict: bool) -> Schema {
    let schema = schema.list("endpoints", "etcd: the URLs of its nodes.");
    let schema = if strict { schema.required() } else { schema };
    schema
        .string(
            "key",
            "etcd: the key of the database; plastron/ and bucket_prefix unless it is given. {prefix} in it, in double quotes, is bucket_prefix.",
        )
        .string("user", "etcd: the user, where etcd has users.")
        .secret("password", "etcd: the user's password.")
        .string("cert_file", "etcd: the certificate to show, PEM.")
        .string("key_file", "etcd: the private key of that certificate, PEM.")
}

fn of_both(schema: Schema) -> Schema {
    schema
        .string("ca_file", "ickpt, etcd: certificate authorities of the servers, PEM, besides those of the machine.")
        .duration("timeout", "ickpt, etcd: deadline of one request.", "10s")
        .range("10ms", "10min")
}

impl RegistryOptions {
    /// What a `registry=(…)` section may hold: the settings of all registries.
    pub fn schema() -> Schema {
        of_both(of_etcd(of_ickpt(common("registry"), false), false))
    }

    /// What it may hold, and must, with this name.
    fn schema_of(name: RegistryName) -> Schema {
        match name {
            RegistryName::Bucket => common("registry=(name=bucket)"),
            RegistryName::Ickpt => of_both(of_ickpt(common("registry=(name=ickpt)"), true)),
            RegistryName::Etcd => of_both(of_etcd(common("registry=(name=etcd)"), true)),
        }
    }

    /// The options in `section`: what stands in the brackets of `registry=(…)`. It is checked here.
    ///
    /// # Errors
    /// The first mistake in the text; settings of another registry are one, and so are those that are missing.
    pub fn from_config(section: &Config) -> plastron_config::Result<Self> {
        Self::schema().check(section)?;
        let mut options = Self::default();
        let name = section.choice("name", RegistryName::NAMES)?.unwrap_or("bucket");
        options.name =
            RegistryName::ALL.into_iter().find(|(word, _)| *word == name).map(|(_, name)| name).unwrap_or_default();
        if !section.is_empty() {
            // As a section of its name, which then stands in every message.
            let strict = Self::schema_of(options.name);
            let mut named = Config::new();
            named.set(strict.name(), section.clone())?;
            Schema::new("store").section(strict).check(&named)?;
        }
        for (name, value) in [
            ("poll_least", &mut options.poll_least),
            ("poll_most", &mut options.poll_most),
            ("timeout", &mut options.timeout),
        ] {
            *value = section.duration(name)?.unwrap_or(*value);
        }
        let text = |name: &str| section.string(name).map(|text| text.filter(|text| !text.is_empty()));
        options.owner = text("owner")?;
        options.urls = section.list("urls")?.unwrap_or_default();
        options.storage_url = text("storage_url")?.unwrap_or_default();
        options.auth_token = Secret::new(text("auth_token")?.unwrap_or_default());
        options.endpoints = section.list("endpoints")?.unwrap_or_default();
        options.key = text("key")?.unwrap_or(options.key);
        options.user = text("user")?;
        options.password = Secret::new(text("password")?.unwrap_or_default());
        options.ca_file = text("ca_file")?.map(PathBuf::from);
        options.cert_file = text("cert_file")?.map(PathBuf::from);
        options.key_file = text("key_file")?.map(PathBuf::from);
        Ok(options)
    }

    /// What this process calls itself.
    pub(crate) fn owner(&self) -> Arc<str> {
        match &self.owner {
            Some(owner) => owner.as_str().into(),
            None => {
                let host = rustix::system::uname();
                format!("{}:{}", host.nodename().to_string_lossy(), std::process::id()).into()
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(text: &str) -> plastron_config::Result<RegistryOptions> {
        RegistryOptions::from_config(&Config::parse(text).unwrap())
    }

    #[test]
    fn defaults_of_schema_and_builder_agree() {
        let schema = RegistryOptions::schema();
        schema.validate().unwrap();
        let defaults = RegistryOptions::default();
        for (path, key) in schema.paths() {
            let text = match path.as_str() {
                "name" => "bucket",
                "poll_least" => "200ms",
                "poll_most" | "timeout" => "10s",
                _ => continue,
            };
            assert_eq!(key.default(), Some(text), "{path}");
        }
        assert_eq!(read("").unwrap(), defaults);
        assert!(defaults.owner().ends_with(&format!(":{}", std::process::id())));
        for (_, name) in RegistryName::ALL {
            RegistryOptions::schema_of(name).validate().unwrap();
        }
    }

    #[test]
    fn every_key_is_read() {
        let options = read("name=bucket,poll_least=1s,poll_most=2s,owner=me").unwrap();
        assert_eq!((options.poll_least, options.poll_most), (Duration::from_secs(1), Duration::from_secs(2)));
        assert_eq!(&*options.owner(), "me");
        let ickpt = read(
            r#"name=ickpt,urls=["http://a:1","http://b:1","http://c:1"],storage_url="http://s/v1/a/c/o",auth_token=t,ca_file=f,timeout=1s"#,
        );
        let ickpt = ickpt.unwrap();
        assert_eq!((ickpt.name, ickpt.urls.len(), ickpt.auth_token.expose()), (RegistryName::Ickpt, 3, "t"));
        assert_eq!((ickpt.storage_url.as_str(), ickpt.timeout), ("http://s/v1/a/c/o", Duration::from_secs(1)));
        let etcd =
            read(r#"name=etcd,endpoints=["http://a:2379"],key=k,user=u,password=p,ca_file=ca,cert_file=c,key_file=f"#);
        let etcd = etcd.unwrap();
        assert_eq!((etcd.name, etcd.endpoints.len(), etcd.key.as_str()), (RegistryName::Etcd, 1, "k"));
        assert_eq!((etcd.user.as_deref(), etcd.password.expose()), (Some("u"), "p"));
        assert_eq!(
            (etcd.ca_file, etcd.cert_file, etcd.key_file),
            (Some("ca".into()), Some("c".into()), Some("f".into()))
        );
    }

    #[test]
    fn mistakes_are_told() {
        for (text, said) in [
            ("name=buckt", "did you mean 'bucket'"),
            ("name=etcd", "endpoints"),
            ("name=ickpt,storage_url=\"http://s/o\",auth_token=t", "urls"),
            ("name=ickpt,urls=[\"http://a:1\"],auth_token=t", "storage_url"),
            ("name=ickpt,urls=[\"http://a:1\"],storage_url=\"http://s/o\"", "auth_token"),
            ("urls=[\"http://a:1\"]", "'urls' is not a setting of registry=(name=bucket)"),
            (
                "name=etcd,endpoints=[\"http://a:1\"],storage_url=x",
                "'storage_url' is not a setting of registry=(name=etcd)",
            ),
        ] {
            let error = read(text).unwrap_err().to_string();
            assert!(error.contains(said), "{text}: {error}");
        }
    }
}
