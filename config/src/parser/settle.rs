//! Entries become settings.
//!
//! The reader doesn't know whether a bracket is a list or a section until it has seen all of it: `(a,b)` is a list, `(a,b=1)` is a
//! section with two settings. Only in the latter are keys checked, dotted keys nested and double keys merged.

use crate::config::{Config, Entry};
use crate::error::{Reason, Result};
use crate::lexical;
use crate::limits::MAX_DEPTH;
use crate::parser::reader::Reader;
use crate::value::{Bracket, Node};

impl Reader<'_> {
    /// Makes a configuration of the entries in a bracket (none: of the whole text): a plain list stays as it is; settings are
    /// checked, dotted keys become sections, and what is set twice is merged.
    pub(super) fn section(&mut self, entries: Vec<Entry>, bracket: Option<Bracket>, depth: usize) -> Result<Config> {
        if bracket.is_some() && entries.iter().all(Entry::is_flag) {
            return Ok(Config { entries });
        }
        let mut settings = Vec::with_capacity(entries.len());
        for entry in entries {
            match setting(entry, bracket, depth) {
                Ok(entry) => settings.push(entry),
                Err(error) => self.report(|_| error)?,
            }
        }
        Ok(Config::from_settings(settings))
    }
}

/// The setting that an entry is, at a depth of so many brackets.
fn setting(entry: Entry, bracket: Option<Bracket>, depth: usize) -> Result<Entry> {
    let key = &entry.key;
    let Node::Text { text, quoted } = &key.node else {
        return Err(key.error(Reason::Syntax, "a bracket can't stand in the place of a key"));
    };
    if text.is_empty() {
        return Err(key.error(Reason::Syntax, "a key can't be empty"));
    }
    if !quoted && lexical::is_numeric(text) {
        let message = format!("{} can't be a key: a key starts with a letter or stands in double quotes", key.quoted());
        return Err(key.error(Reason::Syntax, message));
    }
    if *quoted || bracket == Some(Bracket::Square) || !lexical::is_dotted(text) {
        return Ok(entry);
    }
    let parts: Vec<&str> = text.split('.').collect();
    if depth + parts.len() - 1 + entry.value.section().map_or(0, |section| 1 + section.depth()) > MAX_DEPTH {
        return Err(key.error(Reason::Limit, format!("settings are nested deeper than {MAX_DEPTH}")));
    }
    let (hidden, origin) = (key.secret, key.origin.clone());
    let mut nested = Entry::nested(&parts, entry.value, &origin);
    if hidden {
        nested.value = nested.value.into_secret();
        nested.key.secret = true;
    }
    Ok(nested)
}
