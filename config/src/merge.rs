//! Later settings override earlier ones.
//!
//! The rule, for one key that is set twice, be it in one text or in two that are merged: where both values are brackets, at least
//! one of them holds settings (`size=10GB`) and both hold nothing but settings and bare keys, they are merged key by key;
//! otherwise the later value replaces the earlier one. So sections are merged, lists are replaced, `cache=()` changes nothing
//! and `cache=` empties the section.
//!
//! This is `__wt_config_merge` of WiredTiger but for two of its corners: there a later plain value never replaces a section, and
//! bare keys of an earlier bracket are lost when a later one has settings.

use std::collections::HashMap;

use crate::config::{Config, Entry};
use crate::value::{Node, Value};

impl Config {
    /// Puts `later` on top of this configuration: key by key the later setting wins, and sections are merged.
    ///
    /// ```
    /// # use plastron_config::Config;
    /// let mut config = Config::parse("bucket=b,cache=(size=10GB,memory=512MB)")?;
    /// config.merge(Config::parse("cache=(size=20GB),readonly")?);
    /// assert_eq!(config.to_string(), "bucket=b,cache=(size=20GB,memory=512MB),readonly");
    /// # Ok::<(), plastron_config::Error>(())
    /// ```
    pub fn merge(&mut self, later: Config) {
        let sections = self.has_settings() || later.has_settings();
        if sections && !(self.has_only_names() && later.has_only_names()) {
            *self = later;
            return;
        }
        let mut places: HashMap<String, usize> =
            self.entries.iter().enumerate().filter_map(|(at, entry)| Some((entry.name()?.to_owned(), at))).collect();
        for entry in later.entries {
            let place = entry.name().and_then(|name| places.get(name).copied());
            match place.and_then(|place| self.entries.get_mut(place)) {
                Some(earlier) => earlier.override_with(entry),
                None => {
                    if let Some(name) = entry.name() {
                        places.insert(name.to_owned(), self.entries.len());
                    }
                    self.entries.push(entry);
                }
            }
        }
    }

    /// Settings as they stand in a text, with those that come twice merged.
    pub(crate) fn from_settings(entries: Vec<Entry>) -> Self {
        let mut config = Self::new();
        config.merge(Self { entries });
        config
    }
}

impl Entry {
    fn override_with(&mut self, later: Entry) {
        self.key = later.key;
        match (&mut self.value.node, later.value) {
            (
                Node::Group { config: earlier, .. },
                Value { node: Node::Group { config: later, bracket }, secret, origin },
            ) => {
                if earlier.has_settings() || later.has_settings() {
                    earlier.merge(later);
                    self.value.origin = origin;
                    self.value.secret |= secret;
                } else {
                    self.value = Value::new(Node::Group { config: later, bracket }, secret, origin);
                }
            }
            (_, later) => self.value = later,
        }
    }
}
