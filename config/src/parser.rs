//! The parser, strict and lenient.
//!
//! One pass from left to right, one function per part of the grammar; recursion is bounded by [`MAX_DEPTH`]. The grammar is
//! WiredTiger's (`src/config/config.c`), read strictly where WiredTiger lets mistakes pass in silence: brackets must match in
//! kind, nothing may follow the bracket around a whole text, and a key is never empty, a number or a bracket.
//!
//! Strict: the first mistake is returned. Lenient: mistakes are collected, the setting with the mistake is left out, and reading
//! goes on behind the next comma or closing bracket; strings that other programs own must never make Plastron fail.

use std::sync::Arc;

use crate::config::{Config, Entry};
use crate::error::{Error, Reason, Result};
use crate::lexical::{self, continues_key, continues_value, is_blank, starts_word};
use crate::limits::{MAX_DEPTH, MAX_ERRORS, MAX_KEY_BYTES, MAX_SETTINGS, MAX_TEXT_BYTES};
use crate::secrecy;
use crate::source_text::{Origin, SourceText};
use crate::value::{Bracket, Node, Value};

pub(crate) struct Parser<'a> {
    text: &'a str,
    source: Arc<SourceText>,
    at: usize,
    /// Settings and items read so far.
    count: usize,
    /// Where an opening bracket stands inside an unquoted value, which opens nothing but confuses people.
    bracket_in_word: Option<usize>,
    lenient: bool,
    errors: Vec<Error>,
}

impl<'a> Parser<'a> {
    /// A parser of `text`.
    ///
    /// # Errors
    /// [`Reason::Limit`] for a text that is too long.
    pub(crate) fn new(text: &'a str, lenient: bool) -> Result<Self> {
        if text.len() > MAX_TEXT_BYTES {
            let message = format!("the configuration has {} bytes; {MAX_TEXT_BYTES} are allowed", text.len());
            return Err(Error::new(Reason::Limit, message, Origin::NOWHERE));
        }
        Ok(Self {
            text,
            source: SourceText::configuration(text),
            at: 0,
            count: 0,
            bracket_in_word: None,
            lenient,
            errors: Vec::new(),
        })
    }

    /// Reads the whole text: the configuration and, if lenient, the mistakes in it.
    pub(crate) fn run(mut self) -> Result<(Config, Vec<Error>)> {
        self.skip(|b| is_blank(b) || b == b',');
        let open = self.at;
        let entries = match self.peek().and_then(Bracket::opened_by) {
            None => self.entries(None, 0)?,
            Some(bracket) => {
                self.at += 1;
                let mut entries = self.entries(Some((bracket, open)), 0)?;
                self.skip(|b| is_blank(b) || b == b',');
                if self.at < self.text.len() {
                    let message = "nothing may follow the bracket that encloses the whole configuration";
                    self.report(self.error_at(self.at, message))?;
                    entries.extend(self.entries(None, 0)?);
                }
                entries
            }
        };
        let config = self.section(entries, None, 0)?;
        Ok((config, self.errors))
    }

    /// Entries up to the closing bracket, which is consumed, or to the end of the text. Brackets around them: `depth`.
    fn entries(&mut self, open: Option<(Bracket, usize)>, depth: usize) -> Result<Vec<Entry>> {
        let mut entries = Vec::new();
        let mut after_secret = false;
        loop {
            self.skip(|b| is_blank(b) || b == b',');
            match (self.peek(), open) {
                (None, None) => return Ok(entries),
                (None, Some((bracket, at))) => {
                    self.report(self.error_at(at, format!("'{}' is not closed", bracket.open())))?;
                    return Ok(entries);
                }
                (Some(b')' | b']' | b'}'), None) => {
                    self.report(self.unopened())?;
                    self.at += 1;
                }
                (Some(b @ (b')' | b']' | b'}')), Some((bracket, at))) => {
                    if char::from(b) != bracket.close() {
                        let opened = Origin::at(&self.source, at).position().map(|p| p.to_string()).unwrap_or_default();
                        let message = format!("'{}' can't close the '{}' of {opened}", char::from(b), bracket.open());
                        self.report(self.error_at(self.at, message))?;
                    }
                    self.at += 1;
                    return Ok(entries);
                }
                (Some(_), _) => {
                    let start = self.at;
                    match self.entry(depth, after_secret) {
                        Ok(entry) => {
                            after_secret = entry.key.secret || (entry.value.secret && !entry.is_flag());
                            entries.push(entry);
                        }
                        Err(error) => {
                            self.report(error)?;
                            after_secret = false;
                            self.recover(start);
                        }
                    }
                }
            }
        }
    }

    /// One setting or list item, up to the comma or bracket behind it. `after_secret`: the setting before it was a secret, so
    /// what stands here may be a part of it.
    fn entry(&mut self, depth: usize, after_secret: bool) -> Result<Entry> {
        let start = self.at;
        let mut key = self.key(depth, after_secret)?;
        let name = match &key.node {
            Node::Text { text, .. } => text.clone(),
            _ => String::new(),
        };
        let mut secret = secrecy::is_secret_key(&name);
        self.skip(is_blank);
        let mut value = match self.peek() {
            Some(b'=' | b':') => {
                self.at += 1;
                self.skip(is_blank);
                secret |= after_secret && !secrecy::is_plain_name(&name);
                key.secret = after_secret && !secrecy::is_plain_name(&name);
                self.value(depth, secret)?
            }
            _ => {
                key.secret = after_secret && !secrecy::is_plain_flag(&name);
                Value::new(Node::Flag, false, self.origin(start))
            }
        };
        self.end_of_entry(&name, &value, secret || key.secret || after_secret)?;
        if secret || key.secret {
            value = value.into_secret();
        }
        self.count += 1;
        if self.count > MAX_SETTINGS {
            let error = self.limit_at(start, format!("there are more than {MAX_SETTINGS} settings and list items"));
            self.at = self.text.len();
            return Err(error);
        }
        Ok(Entry { key, value })
    }

    fn key(&mut self, depth: usize, hidden: bool) -> Result<Value> {
        let start = self.at;
        let node = match self.peek() {
            Some(b'"') => self.quoted()?,
            Some(b) if starts_word(b) => Node::Text { text: self.word(continues_key), quoted: false },
            Some(b) if Bracket::opened_by(b).is_some() => self.group(depth)?,
            Some(b @ (b'=' | b':')) => {
                return Err(self.error_at(start, format!("a key is missing before '{}'", char::from(b))));
            }
            _ => return Err(self.unexpected("a key", hidden)),
        };
        if self.at - start > MAX_KEY_BYTES && matches!(node, Node::Text { .. }) {
            return Err(self.limit_at(start, format!("a key has more than {MAX_KEY_BYTES} bytes")));
        }
        Ok(Value::new(node, false, self.origin(start)))
    }

    fn value(&mut self, depth: usize, secret: bool) -> Result<Value> {
        let start = self.at;
        let node = match self.peek() {
            None | Some(b',' | b')' | b']' | b'}') => Node::Empty,
            Some(b'"') => self.quoted()?,
            Some(b) if starts_word(b) => {
                let text = self.word(continues_value);
                if let Some(inside) = text.find(['(', '[', '{']) {
                    self.bracket_in_word = Some(start + inside);
                }
                Node::Text { text, quoted: false }
            }
            Some(b) if Bracket::opened_by(b).is_some() => self.group(depth)?,
            _ => return Err(self.unexpected("an unquoted value", secret)),
        };
        Ok(Value::new(node, false, self.origin(start)))
    }

    /// Checks that the entry ends here.
    fn end_of_entry(&self, name: &str, value: &Value, hidden: bool) -> Result<()> {
        let Some(b) = self.peek_after(is_blank) else { return Ok(()) };
        if matches!(b, b',' | b')' | b']' | b'}') {
            return Ok(());
        }
        let blanks = self.text.len() - self.at - self.rest().trim_start_matches([' ', '\t', '\r', '\n']).len();
        let at = self.at + blanks;
        let c = self.char_at(at);
        let unquoted = |node: &Node| matches!(node, Node::Text { quoted: false, .. });
        let message = match (&value.node, c) {
            (Node::Flag, '(' | '[' | '{') if !hidden => format!("'=' is missing before '{c}': {name}={c}…"),
            (Node::Flag, _) if blanks == 0 && !hidden => {
                format!("unexpected {} in an unquoted key; put the key in double quotes", shown(c))
            }
            (Node::Empty | Node::Flag, _) => "a comma is missing between two settings".to_owned(),
            (_, '=' | ':') if hidden => "a secret that holds '=' or ':' must stand in double quotes".to_owned(),
            (node, '=') if unquoted(node) => {
                format!("{name} has a value already; put the value in double quotes if '=' belongs to it")
            }
            (_, '=' | ':') => format!("{name} has a value already"),
            (node, _) if unquoted(node) && blanks == 0 && !hidden => {
                format!("unexpected {} in an unquoted value; put the value in double quotes", shown(c))
            }
            (node, _) if unquoted(node) && !hidden => {
                format!("a comma is missing behind the value of {name}, or double quotes around it")
            }
            _ => "a comma is missing behind the value".to_owned(),
        };
        Err(self.error_at(at, message))
    }

    /// A bracket and all in it.
    fn group(&mut self, depth: usize) -> Result<Node> {
        let open = self.at;
        let Some(bracket) = self.peek().and_then(Bracket::opened_by) else {
            return Err(self.unexpected("a bracket", false));
        };
        if depth >= MAX_DEPTH {
            let error = self.limit_at(open, format!("brackets are nested deeper than {MAX_DEPTH}"));
            self.at = self.text.len();
            return Err(error);
        }
        self.at += 1;
        let entries = self.entries(Some((bracket, open)), depth + 1)?;
        let config = self.section(entries, Some(bracket), depth + 1)?;
        Ok(Node::Group { bracket, config })
    }

    /// Makes a configuration of the entries in a bracket (none: of the whole text): a plain list stays as it is; settings are
    /// checked, dotted keys become sections, and what is set twice is merged.
    fn section(&mut self, entries: Vec<Entry>, bracket: Option<Bracket>, depth: usize) -> Result<Config> {
        if bracket.is_some() && entries.iter().all(Entry::is_flag) {
            return Ok(Config { entries });
        }
        let mut settings = Vec::with_capacity(entries.len());
        for entry in entries {
            match Self::setting(entry, bracket, depth) {
                Ok(entry) => settings.push(entry),
                Err(error) => self.report(error)?,
            }
        }
        Ok(Config::from_settings(settings))
    }

    fn setting(entry: Entry, bracket: Option<Bracket>, depth: usize) -> Result<Entry> {
        let key = &entry.key;
        let Node::Text { text, quoted } = &key.node else {
            return Err(key.error(Reason::Syntax, "a bracket can't stand in the place of a key"));
        };
        if text.is_empty() {
            return Err(key.error(Reason::Syntax, "a key can't be empty"));
        }
        if !quoted && lexical::is_numeric(text) {
            let message =
                format!("{} can't be a key: a key starts with a letter or stands in double quotes", key.quoted());
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

    /// A quoted text, whose opening quote is next. After a fault the parser stands behind the closing quote.
    fn quoted(&mut self) -> Result<Node> {
        let open = self.at;
        let inside = open + 1;
        match lexical::unquote(self.text.get(inside..).unwrap_or_default()) {
            Ok((text, length)) => {
                self.at = inside + length;
                Ok(Node::Text { text, quoted: true })
            }
            Err(fault) => {
                self.at = inside + fault.at;
                self.skip_quoted();
                let at = if inside + fault.at >= self.text.len() { open } else { inside + fault.at };
                Err(self.error_at(at, fault.message))
            }
        }
    }

    /// Moves behind the closing quote of the text the parser is in.
    fn skip_quoted(&mut self) {
        while let Some(b) = self.peek() {
            self.at += 1;
            match b {
                b'"' => return,
                b'\\' => self.at = (self.at + 1).min(self.text.len()),
                _ => {}
            }
        }
    }

    fn word(&mut self, goes_on: fn(u8) -> bool) -> String {
        let start = self.at;
        self.skip(goes_on);
        self.text.get(start..self.at).unwrap_or_default().to_owned()
    }

    /// After a mistake in the entry that began at `start`: moves to where the next entry may begin.
    fn recover(&mut self, start: usize) {
        self.at = self.at.max(start);
        while let Some(b) = self.peek() {
            match b {
                b',' | b')' | b']' | b'}' => return,
                b'"' => {
                    self.at += 1;
                    self.skip_quoted();
                }
                _ => self.at += 1,
            }
        }
    }

    fn rest(&self) -> &str {
        self.text.get(self.text.ceil_char_boundary(self.at)..).unwrap_or_default()
    }

    fn peek(&self) -> Option<u8> {
        self.text.as_bytes().get(self.at).copied()
    }

    fn peek_after(&self, skipped: fn(u8) -> bool) -> Option<u8> {
        self.text.as_bytes().iter().skip(self.at).copied().find(|b| !skipped(*b))
    }

    fn skip(&mut self, skipped: fn(u8) -> bool) {
        while self.peek().is_some_and(skipped) {
            self.at += 1;
        }
    }

    fn char_at(&self, at: usize) -> char {
        self.text.get(at..).and_then(|rest| rest.chars().next()).unwrap_or(char::REPLACEMENT_CHARACTER)
    }

    fn origin(&self, at: usize) -> Origin {
        Origin::at(&self.source, at)
    }

    fn error_at(&self, at: usize, message: impl Into<String>) -> Error {
        Error::new(Reason::Syntax, message, self.origin(at))
    }

    fn limit_at(&self, at: usize, message: impl Into<String>) -> Error {
        Error::new(Reason::Limit, message, self.origin(at))
    }

    /// The next character can't start `what`.
    fn unexpected(&self, what: &str, hidden: bool) -> Error {
        let c = self.char_at(self.at);
        let message = match c {
            _ if hidden => format!("{what} can't start like this; put it in double quotes"),
            '\'' => format!("{what} can't start with a single quote; use double quotes"),
            c => format!("{what} can't start with {}; put it in double quotes", shown(c)),
        };
        self.error_at(self.at, message)
    }

    /// A closing bracket where none is open.
    fn unopened(&self) -> Error {
        let closing = self.char_at(self.at);
        let hint = match self.bracket_in_word {
            Some(at) => format!(
                " (the '{}' of {} is part of an unquoted value; put that value in double quotes)",
                self.char_at(at),
                self.origin(at).position().map(|p| p.to_string()).unwrap_or_default()
            ),
            None => String::new(),
        };
        self.error_at(self.at, format!("'{closing}' closes nothing{hint}"))
    }

    /// Strict: fails. Lenient: notes the mistake.
    fn report(&mut self, error: Error) -> Result<()> {
        if !self.lenient {
            return Err(error);
        }
        if self.errors.len() < MAX_ERRORS {
            self.errors.push(error);
        }
        Ok(())
    }
}

/// A character as messages show it.
fn shown(c: char) -> String {
    if c.is_control() { format!("'{}'", c.escape_default()) } else { format!("'{c}'") }
}

impl Config {
    /// Reads a configuration string: `bucket=b,cache=(size=10GB),readonly`.
    ///
    /// # Errors
    /// The first mistake, with its position: [`Reason::Syntax`], or [`Reason::Limit`] if one of the
    /// [limits](crate::limits) is exceeded.
    pub fn parse(text: &str) -> Result<Self> {
        Parser::new(text, false)?.run().map(|(config, _)| config)
    }

    /// Reads a configuration string of somebody else as far as it makes sense: settings with mistakes are left out, and the
    /// mistakes (64 at the most) are returned beside the rest.
    pub fn parse_lenient(text: &str) -> (Self, Vec<Error>) {
        match Parser::new(text, true).and_then(Parser::run) {
            Ok(read) => read,
            Err(error) => (Self::new(), vec![error]),
        }
    }

    /// As [`Config::parse_lenient`], for bytes that may not even be text: what is no UTF-8 becomes U+FFFD, which is a mistake
    /// outside of quotes.
    pub fn parse_lenient_bytes(bytes: &[u8]) -> (Self, Vec<Error>) {
        // One byte beyond the limit is enough for the parser to see that it is exceeded.
        let bytes = bytes.get(..=MAX_TEXT_BYTES).unwrap_or(bytes);
        Self::parse_lenient(&String::from_utf8_lossy(bytes))
    }
}

impl std::str::FromStr for Config {
    type Err = Error;

    fn from_str(text: &str) -> Result<Self> {
        Self::parse(text)
    }
}
