//! One key of a schema.

use std::fmt;

use crate::error::{Error, Reason, Result};
use crate::schema::definition::Schema;
use crate::value::Value;

/// The type of a key's value.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum KeyType {
    /// Any text; empty with `key=`.
    Text,
    /// A text that is never shown.
    Secret,
    /// True or false; true as a bare key.
    Boolean,
    /// A whole number.
    Number,
    /// A number of bytes, with suffixes for powers of 1024.
    Size,
    /// A length of time.
    Duration,
    /// One of these words.
    Choice(&'static [&'static str]),
    /// A list of texts.
    List,
    /// Settings in brackets, with a schema of their own.
    Section,
}

impl KeyType {
    /// The type's name as it stands in the reference table.
    pub fn name(self) -> &'static str {
        match self {
            Self::Text => "text",
            Self::Secret => "secret",
            Self::Boolean => "boolean",
            Self::Number => "number",
            Self::Size => "size",
            Self::Duration => "duration",
            Self::Choice(_) => "choice",
            Self::List => "list",
            Self::Section => "section",
        }
    }
}

/// A key's own check: the error says what is wrong so that it can follow the key's name, as in `must be a power of two`.
pub type KeyCheck = fn(&Value) -> std::result::Result<(), String>;

/// One key of a [`Schema`].
#[derive(Clone)]
pub struct Key {
    pub(crate) name: &'static str,
    pub(crate) kind: KeyType,
    pub(crate) help: &'static str,
    pub(crate) default: Option<&'static str>,
    pub(crate) low: Option<&'static str>,
    pub(crate) high: Option<&'static str>,
    pub(crate) required: bool,
    pub(crate) check: Option<KeyCheck>,
    pub(crate) section: Option<Schema>,
}

impl Key {
    pub(crate) fn new(name: &'static str, kind: KeyType, help: &'static str) -> Self {
        Self { name, kind, help, default: None, low: None, high: None, required: false, check: None, section: None }
    }

    /// The name.
    pub fn name(&self) -> &'static str {
        self.name
    }

    /// The type of its value.
    pub fn key_type(&self) -> KeyType {
        self.kind
    }

    /// What it means, in a sentence or two.
    pub fn help(&self) -> &'static str {
        self.help
    }

    /// The default as one would write it; `None` if there is none.
    pub fn default(&self) -> Option<&'static str> {
        self.default
    }

    /// The least and the greatest value, as one would write them.
    pub fn range(&self) -> (Option<&'static str>, Option<&'static str>) {
        (self.low, self.high)
    }

    /// Whether it must be set.
    pub fn is_required(&self) -> bool {
        self.required
    }

    /// The schema of what stands in its brackets, for [`KeyType::Section`].
    pub fn schema(&self) -> Option<&Schema> {
        self.section.as_ref()
    }

    /// Checks type, range and the key's own check of `value`, which stands at `path`. What stands in a section is not checked.
    pub(crate) fn check_value(&self, path: &str, value: &Value) -> Result<()> {
        match self.kind {
            KeyType::Text | KeyType::Secret => value.as_string(path).map(drop)?,
            KeyType::Boolean => value.as_boolean(path).map(drop)?,
            KeyType::Number => self.in_range(path, value, Value::as_number)?,
            KeyType::Size => self.in_range(path, value, Value::as_size)?,
            KeyType::Duration => self.in_range(path, value, Value::as_duration)?,
            KeyType::Choice(choices) => value.as_choice(path, choices).map(drop)?,
            KeyType::List => value.as_list(path).map(drop)?,
            KeyType::Section => value.as_section(path).map(drop)?,
        }
        match self.check.map(|check| check(value)) {
            Some(Err(message)) => Err(value.error(Reason::Refused, format!("{path} {message}"))),
            _ => Ok(()),
        }
    }

    fn in_range<T: PartialOrd>(&self, path: &str, value: &Value, read: fn(&Value, &str) -> Result<T>) -> Result<()> {
        let found = read(value, path)?;
        let bound = |text: Option<&'static str>| text.map(|text| read(&Value::from(text), path)).transpose();
        let (low, high) = (bound(self.low)?, bound(self.high)?);
        if low.is_none_or(|low| low <= found) && high.is_none_or(|high| found <= high) {
            return Ok(());
        }
        let allowed = self.range_text().unwrap_or_default();
        Err(value.error(Reason::OutOfRange, format!("{path} takes {allowed}, not {}", value.quoted())))
    }

    /// `1MB to 1TB`, `at least 5MB`, `at most 100`.
    pub(crate) fn range_text(&self) -> Option<String> {
        match (self.low, self.high) {
            (Some(low), Some(high)) => Some(format!("{low} to {high}")),
            (Some(low), None) => Some(format!("at least {low}")),
            (None, Some(high)) => Some(format!("at most {high}")),
            (None, None) => None,
        }
    }

    /// What is wrong with the key itself, whose path is `path`.
    pub(crate) fn fault(&self, path: &str) -> Option<String> {
        let wrong = |what: &str, error: Error| Some(format!("the {what} of '{path}' is wrong: {}", error.message()));
        if self.kind == KeyType::Secret && !crate::is_secret_key(self.name) {
            return Some(format!("'{path}' is secret, but its name does not show it (see is_secret_key)"));
        }
        if self.kind != KeyType::Secret && crate::is_secret_key(self.name) {
            return Some(format!("'{path}' has the name of a secret, but is none"));
        }
        for (what, text) in [("least value", self.low), ("greatest value", self.high)] {
            let Some(text) = text else { continue };
            let value = Value::from(text);
            let read = match self.kind {
                KeyType::Number => value.as_number(path).map(drop),
                KeyType::Size => value.as_size(path).map(drop),
                KeyType::Duration => value.as_duration(path).map(drop),
                _ => return Some(format!("'{path}' has a range, but is no number, size or duration")),
            };
            if let Err(error) = read {
                return wrong(what, error);
            }
        }
        let default = self.default?;
        match crate::Config::parse(&format!("x={default}")) {
            Ok(config) => {
                config.get("x").and_then(|value| self.check_value(path, value).err()).and_then(|e| wrong("default", e))
            }
            Err(error) => wrong("default", error),
        }
    }
}

impl fmt::Debug for Key {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Key")
            .field("name", &self.name)
            .field("kind", &self.kind)
            .field("default", &self.default)
            .field("range", &(self.low, self.high))
            .field("required", &self.required)
            .field("section", &self.section)
            .finish_non_exhaustive()
    }
}
