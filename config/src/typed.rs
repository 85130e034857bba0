//! Values by type: what a section of the program asks its configuration for.
//!
//! Each getter takes a path and answers `Ok(None)` if nothing is set there. Quotes don't matter for scalars: `readonly="true"`
//! is as good as `readonly=true`. A wrong type is an error that names the path and the place and quotes the value (unless it
//! is a secret).

use std::time::Duration;

use crate::config::{Config, EMPTY};
use crate::error::{Error, Reason, Result};
use crate::quantity::{self, Fault};
use crate::suggest;
use crate::value::{Node, Value};

impl Config {
    /// A text: a word, number or quoted text as it stands; `key=` is the empty text.
    ///
    /// # Errors
    /// [`Reason::WrongType`] for a bare key or a bracket.
    pub fn string(&self, path: &str) -> Result<Option<String>> {
        self.get(path).map(|value| value.as_string(path).map(str::to_owned)).transpose()
    }

    /// A boolean: `true`, `false`, `1`, `0`; a bare key is true, and so is `key=`, as in WiredTiger.
    ///
    /// # Errors
    /// [`Reason::WrongType`] for anything else.
    pub fn boolean(&self, path: &str) -> Result<Option<bool>> {
        self.get(path).map(|value| value.as_boolean(path)).transpose()
    }

    /// A whole number, negative or with a suffix as in [`Config::size`].
    ///
    /// # Errors
    /// [`Reason::WrongType`] for anything else, and for a number that 64 bits can't hold.
    pub fn number(&self, path: &str) -> Result<Option<i64>> {
        self.get(path).map(|value| value.as_number(path)).transpose()
    }

    /// A size in bytes: `4096`, `64KB`, `10GB`, `1T`; suffixes are powers of 1024.
    ///
    /// # Errors
    /// [`Reason::WrongType`] for anything else, and for a size that 64 bits can't hold.
    pub fn size(&self, path: &str) -> Result<Option<u64>> {
        self.get(path).map(|value| value.as_size(path)).transpose()
    }

    /// A length of time: `500ms`, `30s`, `2min`, `1h`, also `us` and `d`; a bare number is seconds.
    ///
    /// # Errors
    /// [`Reason::WrongType`] for anything else.
    pub fn duration(&self, path: &str) -> Result<Option<Duration>> {
        self.get(path).map(|value| value.as_duration(path)).transpose()
    }

    /// One of the words `choices`; what is returned is the element of `choices`.
    ///
    /// # Errors
    /// [`Reason::OutOfRange`] for another word, [`Reason::WrongType`] for a bare key or a bracket.
    pub fn choice<'a>(&self, path: &str, choices: &[&'a str]) -> Result<Option<&'a str>> {
        self.get(path).map(|value| value.as_choice(path, choices)).transpose()
    }

    /// The items of a bracket without settings: `[a,"b c"]` or `(a,b)`. A single word is a list of one, `key=` an empty one.
    ///
    /// # Errors
    /// [`Reason::WrongType`] for a bare key, and for a bracket that holds settings or other brackets.
    pub fn list(&self, path: &str) -> Result<Option<Vec<String>>> {
        self.get(path).map(|value| value.as_list(path)).transpose()
    }

    /// What stands in the bracket at `path`; `key=` is an empty section.
    ///
    /// # Errors
    /// [`Reason::WrongType`] for anything but a bracket.
    pub fn section(&self, path: &str) -> Result<Option<&Config>> {
        self.get(path).map(|value| value.as_section(path)).transpose()
    }
}

impl Value {
    /// "`path` takes `what`, not 'x'".
    fn mismatch(&self, path: &str, what: &str, hint: &str) -> Error {
        self.error(Reason::WrongType, format!("{path} takes {what}, not {}{hint}", self.quoted()))
    }

    /// The text of a scalar that can't be empty.
    fn scalar(&self, path: &str, what: &str) -> Result<&str> {
        match &self.node {
            Node::Text { text, .. } => Ok(text),
            _ => Err(self.mismatch(path, what, "")),
        }
    }

    pub(crate) fn as_string(&self, path: &str) -> Result<&str> {
        self.text().ok_or_else(|| match self.node {
            Node::Group { .. } => {
                self.mismatch(path, "a text", " (put it in double quotes if the brackets belong to it)")
            }
            _ => self.error(Reason::WrongType, format!("{path} takes a text: {path}=…")),
        })
    }

    pub(crate) fn as_boolean(&self, path: &str) -> Result<bool> {
        match &self.node {
            Node::Flag | Node::Empty => Ok(true),
            Node::Text { text, .. } if text == "true" || text == "1" => Ok(true),
            Node::Text { text, .. } if text == "false" || text == "0" => Ok(false),
            _ => Err(self.mismatch(path, "true or false", "")),
        }
    }

    pub(crate) fn as_number(&self, path: &str) -> Result<i64> {
        const WHAT: &str = "a whole number";
        quantity::number(self.scalar(path, WHAT)?).map_err(|fault: Fault| self.mismatch(path, WHAT, fault.hint()))
    }

    pub(crate) fn as_size(&self, path: &str) -> Result<u64> {
        const WHAT: &str = "a size such as 64MB or 10GB";
        quantity::size(self.scalar(path, WHAT)?).map_err(|fault: Fault| self.mismatch(path, WHAT, fault.hint()))
    }

    pub(crate) fn as_duration(&self, path: &str) -> Result<Duration> {
        const WHAT: &str = "a duration such as 500ms, 30s or 2min";
        quantity::duration(self.scalar(path, WHAT)?).map_err(|fault: Fault| self.mismatch(path, WHAT, fault.hint()))
    }

    pub(crate) fn as_choice<'a>(&self, path: &str, choices: &[&'a str]) -> Result<&'a str> {
        let what = format!("one of {}", choices.join(", "));
        let text = self.scalar(path, &what)?;
        choices.iter().copied().find(|choice| *choice == text).ok_or_else(|| {
            let hint =
                suggest::did_you_mean(text, choices.iter().copied()).filter(|_| !self.secret).unwrap_or_default();
            self.error(Reason::OutOfRange, format!("{path} takes {what}, not {}{hint}", self.quoted()))
        })
    }

    pub(crate) fn as_list(&self, path: &str) -> Result<Vec<String>> {
        const WHAT: &str = "a list such as [a,b]";
        match &self.node {
            Node::Empty => Ok(Vec::new()),
            Node::Text { text, .. } => Ok(vec![text.clone()]),
            Node::Group { config, .. } => config
                .entries
                .iter()
                .map(|entry| match entry.name() {
                    Some(name) if entry.is_flag() => Ok(name.to_owned()),
                    Some(_) => Err(entry.key.error(
                        Reason::WrongType,
                        format!(
                            "{path} takes a list of plain items, but {} has a value (put the item in double quotes if '=' or ':' belongs to it)",
                            entry.key.quoted()
                        ),
                    )),
                    None => Err(entry.key.error(
                        Reason::WrongType,
                        format!("{path} takes a list of plain items, but one of them is a bracket"),
                    )),
                })
                .collect(),
            Node::Flag => Err(self.mismatch(path, WHAT, "")),
        }
    }

    pub(crate) fn as_section(&self, path: &str) -> Result<&Config> {
        match &self.node {
            Node::Empty => Ok(&EMPTY),
            Node::Group { config, .. } => Ok(config),
            Node::Text { text, quoted: true } if text.starts_with(['(', '[', '{']) => {
                Err(self.mismatch(path, "settings in brackets", " (leave the quotes away)"))
            }
            _ => Err(self.mismatch(path, &format!("settings in brackets, {path}=(…)"), "")),
        }
    }
}
