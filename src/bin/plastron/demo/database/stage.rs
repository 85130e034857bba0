//! Where the demo plays: a bucket, a prefix, keys.

use futures::StreamExt;
use plastron::clock::{Entropy, SystemEntropy};
use plastron::{Bucket, Config, Provider, Store, StoreOptions};

use tempfile::TempDir;

#[cfg(feature = "keyserver")]
use super::realm::DemoRealm;
use crate::context::Context;
use crate::demo::DemoKeys;
use crate::failure::{Failure, Result};

/// Where the demo plays.
pub(super) struct Stage {
    /// What every process opens, but for its keys if they are with a keyserver.
    config: Config,
    /// The same, opened by the director.
    pub(super) store: Store,
    /// The keyserver, if the demo has one.
    #[cfg(feature = "keyserver")]
    pub(super) realm: Option<DemoRealm>,
    _scratch: TempDir,
}

impl Stage {
    /// The store that was named, under a prefix of the demo's own, or a local directory; with a keyring of the demo's own unless the
    /// store has keys, and with another registry if one is named.
    pub(super) async fn prepare(context: &Context, registry: Option<&str>, keys: DemoKeys) -> Result<Self> {
        let make = || tempfile::Builder::new().prefix("plastron-demo-").tempdir();
        let scratch = tokio::task::spawn_blocking(make)
            .await?
            .map_err(|error| Failure::local("make a directory in", &std::env::temp_dir(), &error))?;
        let path = |name: &str| {
            let path = scratch.path().join(name);
            path.to_str()
                .map(str::to_owned)
                .ok_or_else(|| Failure::usage("the directory for temporary files (TMPDIR) must be UTF-8"))
        };
        let wrong = |error: plastron::ConfigError| Failure::from(plastron::Error::from(error));
        let own = format!("plastron-demo-{:016x}/", SystemEntropy::default().next_u64());
        let mut config = match context.store_text() {
            Some(text) => {
                let mut config = Config::parse_store(text).map_err(wrong)?;
                with_registry(&mut config, registry).map_err(wrong)?;
                let options = StoreOptions::from_config(&config)?;
                if options.bucket.provider == Provider::Memory {
                    return Err(Failure::usage(
                        "a memory_store ends with its process, and the demo has several: name another store, or say --files",
                    ));
                }
                config.set("bucket_prefix", format!("{}{own}", options.bucket.prefix)).map_err(wrong)?;
                config
            }
            None => {
                let bucket = path("bucket")?;
                tokio::fs::create_dir(&bucket)
                    .await
                    .map_err(|error| Failure::local("make directory", bucket.as_ref(), &error))?;
                let mut config = Config::new();
                config.set("source", "dir_store").map_err(wrong)?;
                config.set("bucket", bucket).map_err(wrong)?;
                // A registry may be shared with others, whose prefix is none.
                config.set("bucket_prefix", own).map_err(wrong)?;
                with_registry(&mut config, registry).map_err(wrong)?;
                config
            }
        };
        #[cfg(feature = "keyserver")]
        let realm = match keys {
            DemoKeys::Keyserver if config.contains("key_management") => {
                return Err(Failure::usage(
                    "the store string has a key_management=(…) of its own: leave it out, or --keys",
                ));
            }
            DemoKeys::Keyserver => Some(DemoRealm::start(scratch.path().join("keyserver")).await?),
            DemoKeys::File => None,
        };
        if keys == DemoKeys::File && !config.contains("key_management") {
            for (key, value) in [
                ("key_management.name", "file".to_owned()),
                ("key_management.config.path", path("keyring")?),
                ("key_management.config.key_file", master_key(path("master-key")?).await?),
            ] {
                config.set(key, value).map_err(wrong)?;
            }
        }
        // So that the demo shows garbage without waiting for an hour, and news without waiting for seconds.
        for (key, value) in [
            ("retention.checkpoints", "1"),
            ("retention.time", "0s"),
            ("retention.window", "0s"),
            ("registry.poll_most", "200ms"),
        ] {
            if !config.contains(key) {
                config.set(key, value).map_err(wrong)?;
            }
        }
        #[cfg(feature = "keyserver")]
        let directors = match &realm {
            Some(realm) => realm.store_of(&config, "director")?,
            None => config.clone(),
        };
        #[cfg(not(feature = "keyserver"))]
        let directors = config.clone();
        let store = context.open_with(StoreOptions::from_config(&directors)?).await?;
        Ok(Self {
            config,
            store,
            #[cfg(feature = "keyserver")]
            realm,
            _scratch: scratch,
        })
    }

    /// What the process opens that plays that node.
    pub(super) fn text(&self, node: &str) -> Result<String> {
        #[cfg(feature = "keyserver")]
        if let Some(realm) = &self.realm {
            return Ok(realm.store_of(&self.config, node)?.to_string());
        }
        let _ = node;
        Ok(self.config.to_string())
    }

    /// Removes everything under the demo's prefix, and has the registry forget it.
    pub(super) async fn clear(&self) -> Result<()> {
        let bucket: Bucket = self.store.bucket().system();
        let mut entries = bucket.list("", plastron::ListOptions::default());
        let mut names = Vec::new();
        while let Some(entry) = entries.next().await {
            names.push(entry.map_err(plastron::Error::from)?.name().to_owned());
        }
        for name in names {
            match bucket.delete(&name).await {
                Ok(()) => {}
                Err(error) if error.kind() == plastron::ErrorKind::NotFound => {}
                Err(error) => return Err(plastron::Error::from(error).into()),
            }
        }
        Ok(self.store.forget_database().await?)
    }
}

/// Names another registry: by its name alone, or with settings in place of all that the store string has of one.
fn with_registry(config: &mut Config, registry: Option<&str>) -> std::result::Result<(), plastron::ConfigError> {
    match registry {
        None => Ok(()),
        Some(settings) if settings.contains('=') => {
            let settings = Config::parse(settings)?;
            config.remove("registry");
            settings.iter().try_for_each(|(key, value)| config.set(&format!("registry.{key}"), value.clone()))
        }
        // Settings of a registry are of no use to the bucket, and mistakes there.
        Some("bucket") => {
            config.remove("registry");
            Ok(())
        }
        Some(name) => config.set("registry.name", name),
    }
}

/// Makes a file with a fresh master key, and returns its path.
async fn master_key(path: String) -> Result<String> {
    let make = move || -> std::io::Result<String> {
        use std::io::{Read, Write};
        use std::os::unix::fs::OpenOptionsExt;
        let mut key = [0; 32];
        std::fs::File::open("/dev/urandom")?.read_exact(&mut key)?;
        let mut file = std::fs::OpenOptions::new().write(true).create_new(true).mode(0o600).open(&path)?;
        file.write_all(&key)?;
        Ok(path)
    };
    let made = tokio::task::spawn_blocking(make).await?;
    made.map_err(|error| Failure::other(format!("cannot make a master key: {error}")))
}
