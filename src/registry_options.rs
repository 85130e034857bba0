//! Who knows the latest checkpoint, by name: the builder behind the `registry=(…)` section of a store string.

use std::sync::Arc;
use std::time::Duration;

use plastron_config::{Config, Schema};
use plastron_registry::{BucketRegistry, CheckpointRegistry};
use plastron_sources::Bucket;

/// Who knows the latest checkpoint.
#[derive(Debug, Clone, PartialEq, Eq)]
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
}

/// A registry.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
#[non_exhaustive]
pub enum RegistryName {
    /// The bucket itself.
    #[default]
    Bucket,
}

impl Default for RegistryOptions {
    fn default() -> Self {
        let (poll_least, poll_most) = (Duration::from_millis(200), Duration::from_secs(10));
        Self { name: RegistryName::Bucket, poll_least, poll_most, owner: None }
    }
}

impl RegistryOptions {
    /// What a `registry=(…)` section may hold.
    pub fn schema() -> Schema {
        Schema::new("registry")
            .about("Who knows which checkpoint is the latest, and who the leader is.")
            .choice("name", "Which registry: the bucket itself.", &["bucket"], "bucket")
            .duration("poll_least", "The shortest time between two looks for news.", "200ms")
            .range("1ms", "1h")
            .duration("poll_most", "The longest, which it grows to while there are none.", "10s")
            .range("1ms", "1h")
            .string("owner", "What this process calls itself, for people. Default: host:process.")
    }

    /// The options in `section`: what stands in the brackets of `registry=(…)`. It is checked here.
    ///
    /// # Errors
    /// The first mistake in the text.
    pub fn from_config(section: &Config) -> plastron_config::Result<Self> {
        Self::schema().check(section)?;
        let mut options = Self::default();
        for (name, value) in [("poll_least", &mut options.poll_least), ("poll_most", &mut options.poll_most)] {
            *value = section.duration(name)?.unwrap_or(*value);
        }
        options.owner = section.string("owner")?.filter(|owner| !owner.is_empty());
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

    /// Opens the registry of the database in `bucket`, and the list of its turtles.
    pub(crate) fn open(&self, bucket: &Bucket) -> (Arc<dyn CheckpointRegistry>, BucketRegistry) {
        let turtles = BucketRegistry::new(bucket.clone()).polling(self.poll_least, self.poll_most);
        match self.name {
            RegistryName::Bucket => (Arc::new(turtles.clone()), turtles),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn defaults_of_schema_and_builder_agree() {
        let schema = RegistryOptions::schema();
        schema.validate().unwrap();
        assert_eq!(RegistryOptions::from_config(&schema.defaults().unwrap()).unwrap(), RegistryOptions::default());
        assert!(RegistryOptions::default().owner().ends_with(&format!(":{}", std::process::id())));
    }

    #[test]
    fn every_key_is_read_and_mistakes_are_told() {
        let read = |text: &str| RegistryOptions::from_config(&Config::parse(text).unwrap());
        let options = read("name=bucket,poll_least=1s,poll_most=2s,owner=me").unwrap();
        assert_eq!((options.poll_least, options.poll_most), (Duration::from_secs(1), Duration::from_secs(2)));
        assert_eq!(&*options.owner(), "me");
        assert!(read("name=buckt").unwrap_err().to_string().contains("did you mean 'bucket'"));
    }
}
