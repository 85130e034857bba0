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
use crate::value::Node;

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
        let settings = self.has_settings() || later.has_settings();
        if settings && !(self.has_only_names() && later.has_only_names()) {
            // One of them is a list that can't hold settings.
            *self = later;
            return;
        }
        self.entries.extend(later.entries);
        *self = Self::from_settings(std::mem::take(&mut self.entries));
    }

    /// Settings as they stand in a text, with those that come twice merged. A setting stays where its key first stood.
    pub(crate) fn from_settings(entries: Vec<Entry>) -> Self {
        let mut places: HashMap<String, usize> = HashMap::new();
        let mut slots: Vec<Slot> = Vec::with_capacity(entries.len());
        for entry in entries {
            let place = entry.name().and_then(|name| places.get(name).copied());
            match place.and_then(|place| slots.get_mut(place)) {
                Some(slot) => slot.override_with(entry),
                None => {
                    if let Some(name) = entry.name() {
                        places.insert(name.to_owned(), slots.len());
                    }
                    slots.push(Slot { entry, traits: None, grown: false });
                }
            }
        }
        Self { entries: slots.into_iter().map(Slot::finish).collect() }
    }
}

/// The setting of one key while settings are merged. Sections that are to be merged are only strung together at first, and merged
/// when all of them are there: merging them one by one would take time by the square of their number.
struct Slot {
    entry: Entry,
    /// What is known of the bracket behind the key.
    traits: Option<Traits>,
    /// Whether entries of later sections were added.
    grown: bool,
}

#[derive(Clone, Copy)]
struct Traits {
    settings: bool,
    only_names: bool,
}

impl Traits {
    fn of(config: &Config) -> Self {
        Self { settings: config.has_settings(), only_names: config.has_only_names() }
    }
}

impl Slot {
    fn override_with(&mut self, later: Entry) {
        if let (Node::Group { config: earlier, .. }, Node::Group { config, .. }) =
            (&mut self.entry.value.node, &later.value.node)
        {
            let one = self.traits.unwrap_or_else(|| Traits::of(earlier));
            let two = Traits::of(config);
            if (one.settings || two.settings) && one.only_names && two.only_names {
                self.traits = Some(Traits { settings: true, only_names: true });
                self.grown = true;
                self.entry.key = later.key;
                self.entry.value.origin = later.value.origin;
                self.entry.value.secret |= later.value.secret;
                if let Node::Group { config, .. } = later.value.node {
                    earlier.entries.extend(config.entries);
                }
                return;
            }
        }
        *self = Self { entry: later, traits: None, grown: false };
    }

    fn finish(mut self) -> Entry {
        if let (true, Node::Group { config, .. }) = (self.grown, &mut self.entry.value.node) {
            *config = Config::from_settings(std::mem::take(&mut config.entries));
        }
        self.entry
    }
}
