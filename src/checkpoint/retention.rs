//! How long checkpoints are kept: the builder behind the `retention=(…)` section of a store string.

use std::time::Duration;

use plastron_config::{Config, Schema};
use plastron_registry::Retention;

use super::CheckpointFault;

/// The shortest lease of a pin: renewals are requests, and a third of it must suffice for one that is tried again.
const MIN_LEASE: Duration = Duration::from_secs(3);

/// How long checkpoints are kept. Made by [`RetentionOptions::new`] and changed field by field, or read from a configuration string by
/// [`RetentionOptions::from_config`].
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct RetentionOptions {
    /// So many of the newest checkpoints are kept. Default 10.
    pub checkpoints: u32,
    /// All that were the newest at any time within this long are kept. Default 1 hour.
    pub time: Duration,
    /// Nothing is removed that is younger than this, or has been superseded for a shorter time. It has to be longer than any reader takes to
    /// pin what it opens, than clocks are apart, and than a create may be on its way. Default 1 hour.
    pub window: Duration,
    /// How often a leader collects garbage by itself; 0 for never, the default.
    pub interval: Duration,
    /// How long a pin holds unless it is renewed, which happens every third of it. Default 10 minutes.
    pub lease: Duration,
}

impl Default for RetentionOptions {
    fn default() -> Self {
        Self::new()
    }
}

impl RetentionOptions {
    /// The defaults.
    pub fn new() -> Self {
        let hour = Duration::from_secs(3600);
        Self { checkpoints: 10, time: hour, window: hour, interval: Duration::ZERO, lease: Duration::from_secs(600) }
    }

    /// What a `retention=(…)` section may hold.
    pub fn schema() -> Schema {
        Schema::new("retention")
            .about("How long checkpoints are kept.")
            .number("checkpoints", "So many of the newest checkpoints are kept.", "10")
            .range("1", "1000000")
            .duration("time", "Checkpoints that were the newest within this long are kept.", "1h")
            .duration(
                "window",
                "Nothing younger is removed: longer than a reader takes to pin what it opens, than clocks are apart, and than a write may be on its way.",
                "1h",
            )
            .duration("interval", "How often a leader collects garbage by itself; 0 for never.", "0s")
            .duration("lease", "How long a follower's pin holds unless it is renewed, at every third of it.", "10min")
    }

    /// The options in `section`: what stands in the brackets of `retention=(…)`. It is checked here.
    ///
    /// # Errors
    /// The first mistake in the text.
    pub fn from_config(section: &Config) -> plastron_config::Result<Self> {
        Self::schema().check(section)?;
        let mut options = Self::new();
        for (name, value) in [
            ("time", &mut options.time),
            ("window", &mut options.window),
            ("interval", &mut options.interval),
            ("lease", &mut options.lease),
        ] {
            *value = section.duration(name)?.unwrap_or(*value);
        }
        if let Some(checkpoints) = section.number("checkpoints")?.and_then(|number| u32::try_from(number).ok()) {
            options.checkpoints = checkpoints;
        }
        Ok(options)
    }

    /// Checks what can't be.
    ///
    /// # Errors
    /// [`CheckpointFault::Invalid`].
    pub fn validate(&self) -> Result<(), CheckpointFault> {
        if self.lease < MIN_LEASE {
            let lease = self.lease;
            return Err(CheckpointFault::Invalid(format!(
                "retention.lease must be {MIN_LEASE:?} at least, not {lease:?}"
            )));
        }
        Ok(())
    }

    /// What a turtle says of it.
    pub(crate) fn rule(&self) -> Retention {
        Retention { checkpoints: self.checkpoints, seconds: self.time.as_secs() }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn defaults_of_schema_and_builder_agree() {
        let schema = RetentionOptions::schema();
        schema.validate().unwrap();
        assert_eq!(RetentionOptions::from_config(&schema.defaults().unwrap()).unwrap(), RetentionOptions::new());
        RetentionOptions::new().validate().unwrap();
    }

    #[test]
    fn every_key_is_read_and_mistakes_are_told() {
        let text = "checkpoints=3,time=2s,window=4s,interval=5s,lease=6s";
        let read = RetentionOptions::from_config(&Config::parse(text).unwrap()).unwrap();
        let seconds = Duration::from_secs;
        let expected = RetentionOptions {
            checkpoints: 3,
            time: seconds(2),
            window: seconds(4),
            interval: seconds(5),
            lease: seconds(6),
        };
        assert_eq!(read, expected);
        let short = RetentionOptions { lease: seconds(1), ..RetentionOptions::new() };
        assert!(short.validate().unwrap_err().to_string().contains("retention.lease"));
        let error = RetentionOptions::from_config(&Config::parse("checkpoint=3").unwrap()).unwrap_err();
        assert!(error.to_string().contains("did you mean 'checkpoints'"), "{error}");
    }
}
