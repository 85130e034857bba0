//! A parsed configuration: an ordered list of settings, some of which hold configurations themselves.
//!
//! Invariants: a configuration with at least one setting that has a value holds no key twice and no key that is a bracket or an
//! unquoted number; a plain list (bare keys only) may. Nesting stays below [`crate::limits::MAX_DEPTH`]. Texts hold no NUL.

use std::fmt;

use crate::error::{Error, Reason, Result};
use crate::lexical;
use crate::limits::{MAX_DEPTH, MAX_KEY_BYTES};
use crate::secrecy::{self, MASK, is_secret_key};
use crate::source_text::Origin;
use crate::value::{Bracket, Node, Value};

/// Settings by key, in the order in which they were first set.
///
/// Parsed from text by [`Config::parse`] and its siblings, or built with [`Config::set`]. A *path* names a setting at any depth
/// by its keys, joined with dots: `cache.size`.
///
/// `Display` prints text that parses back to an equal configuration, **secrets included**; for eyes and logs there are
/// `Debug` and [`Config::redacted`].
#[derive(Clone, Default, PartialEq, Eq)]
pub struct Config {
    pub(crate) entries: Vec<Entry>,
}

/// One setting or list item.
#[derive(Clone)]
pub(crate) struct Entry {
    /// The key: a text, or in a plain list a bracket.
    pub(crate) key: Value,
    /// What stands behind it; [`Node::Flag`] for a bare key or list item.
    pub(crate) value: Value,
}

impl Entry {
    /// The key's name; none for a bracket in a list.
    pub(crate) fn name(&self) -> Option<&str> {
        match &self.key.node {
            Node::Text { text, .. } => Some(text),
            _ => None,
        }
    }

    pub(crate) fn is_flag(&self) -> bool {
        matches!(self.value.node, Node::Flag)
    }

    /// The setting of `value` at a path: sections around a setting. The key of each is said to stand at `origin`.
    pub(crate) fn nested(path: &[&str], value: Value, origin: &Origin) -> Self {
        let key = |name: &str| Value::new(Value::key_node(name), false, origin.clone());
        let mut value = if path.iter().any(|part| is_secret_key(part)) { value.into_secret() } else { value };
        let mut names = path.iter().rev();
        let mut name = names.next().copied().unwrap_or_default();
        for outer in names {
            let (secret, place) = (value.secret, value.origin.clone());
            let config = Config { entries: vec![Self { key: key(name), value }] };
            value = Value::new(Node::Group { bracket: Bracket::Round, config }, secret, place);
            name = outer;
        }
        Self { key: key(name), value }
    }
}

/// Whether a key is quoted is not part of what it says.
impl PartialEq for Entry {
    fn eq(&self, other: &Self) -> bool {
        self.value == other.value
            && match (self.name(), other.name()) {
                (Some(one), Some(two)) => one == two,
                _ => self.key == other.key,
            }
    }
}

impl Eq for Entry {}

/// What [`Value::section`] of an empty value gives.
pub(crate) static EMPTY: Config = Config::new();

impl Config {
    /// A configuration without settings.
    pub const fn new() -> Self {
        Self { entries: Vec::new() }
    }

    /// Whether there is nothing in it.
    pub fn is_empty(&self) -> bool {
        self.entries.is_empty()
    }

    /// Number of settings or list items, those inside nested ones not counted.
    pub fn len(&self) -> usize {
        self.entries.len()
    }

    /// The settings of this level, in order: key and value. Items of a list are keys with a bare value; items that are brackets
    /// have no key and are left out (see [`Config::items`]).
    pub fn iter(&self) -> impl Iterator<Item = (&str, &Value)> {
        self.entries.iter().filter_map(|entry| Some((entry.name()?, &entry.value)))
    }

    /// The items of a plain list, in order; for a configuration with settings, their keys.
    pub fn items(&self) -> impl Iterator<Item = &Value> {
        self.entries.iter().map(|entry| &entry.key)
    }

    /// The value at `path`; `None` if it is not set.
    ///
    /// As in WiredTiger, a key that holds dots itself is found too: at each level the whole rest of the path is looked for
    /// first, then sections whose key is the beginning of it.
    pub fn get(&self, path: &str) -> Option<&Value> {
        if let Some(entry) = self.entries.iter().rev().find(|entry| entry.name() == Some(path)) {
            return Some(&entry.value);
        }
        self.entries.iter().rev().find_map(|entry| {
            let rest = path.strip_prefix(entry.name()?)?.strip_prefix('.')?;
            entry.value.section()?.get(rest)
        })
    }

    /// Whether `path` is set.
    pub fn contains(&self, path: &str) -> bool {
        self.get(path).is_some()
    }

    /// Sets `path` to `value`, in place of what is there (sections are not merged; see [`Config::merge`] for that). Sections on
    /// the way are made as needed; a plain value or list in the way is replaced.
    ///
    /// # Errors
    /// [`Reason::Syntax`] for a path with an empty part or a text with a NUL character, [`Reason::Limit`] for a path that is too
    /// deep or a key that is too long.
    pub fn set(&mut self, path: &str, value: impl Into<Value>) -> Result<()> {
        let mut value = value.into();
        let parts: Vec<&str> = path.split('.').collect();
        if parts.iter().any(|part| part.is_empty()) {
            return Err(Error::new(Reason::Syntax, format!("'{path}' is no path: a key is missing"), Origin::NOWHERE));
        }
        if parts.len() + value.section().map_or(0, |section| 1 + section.depth()) > MAX_DEPTH {
            let message = format!("settings can't be nested deeper than {MAX_DEPTH}");
            return Err(Error::new(Reason::Limit, message, Origin::NOWHERE));
        }
        if parts.iter().any(|part| part.len() > MAX_KEY_BYTES) {
            let message = format!("a key can't be longer than {MAX_KEY_BYTES} bytes");
            return Err(Error::new(Reason::Limit, message, Origin::NOWHERE));
        }
        if path.contains('\0') || value.text().is_some_and(|text| text.contains('\0')) {
            let message = "a key or value can't hold the character \\u0000";
            return Err(Error::new(Reason::Syntax, message, Origin::NOWHERE));
        }
        if is_secret_key(path) {
            value = value.into_secret();
        }
        match self.existing(path) {
            Some(slot) => *slot = value,
            None => self.set_at(&parts, value),
        }
        Ok(())
    }

    /// What [`Config::get`] finds, unless it is an item of a list.
    fn existing(&mut self, path: &str) -> Option<&mut Value> {
        if !self.has_settings() {
            return None;
        }
        if let Some(index) = self.entries.iter().rposition(|entry| entry.name() == Some(path)) {
            return self.entries.get_mut(index).map(|entry| &mut entry.value);
        }
        self.entries.iter_mut().rev().find_map(|entry| {
            let rest = path.strip_prefix(entry.name()?)?.strip_prefix('.')?.to_owned();
            match &mut entry.value.node {
                Node::Group { config, .. } => config.existing(&rest),
                _ => None,
            }
        })
    }

    fn set_at(&mut self, parts: &[&str], value: Value) {
        let [key, deeper @ ..] = parts else { return };
        if !self.has_only_names() {
            self.entries.clear();
        } else if !self.has_settings() {
            *self = Self::from_settings(std::mem::take(&mut self.entries));
        }
        let entry = self.entries.iter_mut().find(|entry| entry.name() == Some(key));
        let value = if deeper.is_empty() {
            value
        } else {
            let (mut config, bracket) = match entry.as_ref().map(|entry| &entry.value.node) {
                Some(Node::Group { config, bracket }) => (config.clone(), *bracket),
                _ => (Self::new(), Bracket::Round),
            };
            config.set_at(deeper, value);
            Value::new(Node::Group { bracket, config }, false, Origin::NOWHERE)
        };
        match entry {
            Some(entry) => entry.value = value,
            None => self.entries.push(Entry { key: Value::new(Value::key_node(key), false, Origin::NOWHERE), value }),
        }
    }

    /// Takes `path` out and returns what was there. A section that becomes empty stays.
    pub fn remove(&mut self, path: &str) -> Option<Value> {
        if let Some(index) = self.entries.iter().rposition(|entry| entry.name() == Some(path)) {
            return Some(self.entries.remove(index).value);
        }
        self.entries.iter_mut().rev().find_map(|entry| {
            let rest = path.strip_prefix(entry.name()?)?.strip_prefix('.')?.to_owned();
            match &mut entry.value.node {
                Node::Group { config, .. } => config.remove(&rest),
                _ => None,
            }
        })
    }

    /// Whether any entry has a value: a section rather than a plain list.
    pub(crate) fn has_settings(&self) -> bool {
        self.entries.iter().any(|entry| !entry.is_flag())
    }

    /// Whether every entry could be a setting: no brackets, no unquoted numbers in the place of a key.
    pub(crate) fn has_only_names(&self) -> bool {
        self.entries.iter().all(|entry| match &entry.key.node {
            Node::Text { text, quoted } => !text.is_empty() && (*quoted || !lexical::is_numeric(text)),
            _ => false,
        })
    }

    /// Brackets inside brackets at the most.
    pub(crate) fn depth(&self) -> usize {
        let deepest = |value: &Value| value.section().map_or(0, |section| 1 + section.depth());
        self.entries.iter().map(|entry| deepest(&entry.value).max(deepest(&entry.key))).max().unwrap_or(0)
    }

    pub(crate) fn make_secret(&mut self) {
        for entry in &mut self.entries {
            entry.key.secret = true;
            let value = std::mem::replace(&mut entry.value, Value::new(Node::Flag, true, Origin::NOWHERE));
            entry.value = value.into_secret();
        }
    }
}

impl fmt::Debug for Config {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut map = f.debug_map();
        for Entry { key, value } in &self.entries {
            match &key.node {
                _ if key.secret => map.entry(&format_args!("{MASK}"), value),
                Node::Text { text, .. } => map.entry(&format_args!("{}", secrecy::masked(text)), value),
                _ => map.entry(key, value),
            };
        }
        map.finish()
    }
}
