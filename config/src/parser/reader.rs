//! One pass over the text from left to right, one function per part of the grammar. Recursion is bounded by [`MAX_DEPTH`].

use std::sync::Arc;

use crate::config::{Config, Entry};
use crate::error::{Error, Reason, Result};
use crate::lexical::{self, continues_key, continues_value, is_blank, starts_word};
use crate::limits::{MAX_DEPTH, MAX_ERRORS, MAX_KEY_BYTES, MAX_SETTINGS, MAX_TEXT_BYTES};
use crate::secrecy;
use crate::source_text::{Origin, SourceText};
use crate::value::{Bracket, Node, Value};

pub(super) struct Reader<'a> {
    text: &'a str,
    source: Arc<SourceText>,
    at: usize,
    /// Settings and items read so far.
    count: usize,
    /// Whether the bracket that is being read is the value of a secret.
    in_secret: bool,
    /// Where an opening bracket stands inside an unquoted value, which opens nothing but confuses people.
    bracket_in_word: Option<usize>,
    lenient: bool,
    errors: Vec<Error>,
}

impl<'a> Reader<'a> {
    /// A parser of `text`.
    ///
    /// # Errors
    /// [`Reason::Limit`] for a text that is too long.
    pub(super) fn new(text: &'a str, lenient: bool) -> Result<Self> {
        if text.len() > MAX_TEXT_BYTES {
            let message = format!("the configuration has {} bytes; {MAX_TEXT_BYTES} are allowed", text.len());
            return Err(Error::new(Reason::Limit, message, Origin::NOWHERE));
        }
        Ok(Self {
            text,
            source: SourceText::configuration(text),
            at: 0,
            count: 0,
            in_secret: false,
            bracket_in_word: None,
            lenient,
            errors: Vec::new(),
        })
    }

    /// Reads the whole text: the configuration and, if lenient, the mistakes in it.
    pub(super) fn run(mut self) -> Result<(Config, Vec<Error>)> {
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
                    self.report(|reader| reader.error_at(reader.at, message))?;
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
                    self.report(|reader| reader.error_at(at, format!("'{}' is not closed", bracket.open())))?;
                    return Ok(entries);
                }
                (Some(b')' | b']' | b'}'), None) => {
                    self.report(Self::unopened)?;
                    self.at += 1;
                }
                (Some(b @ (b')' | b']' | b'}')), Some((bracket, at))) => {
                    if char::from(b) != bracket.close() {
                        self.report(|reader| reader.mismatched(bracket, at))?;
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
                            self.report(|_| error)?;
                            // What was wrong may have been a secret, so that what follows may still be a part of it.
                            after_secret = true;
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
        let mut key = self.key(depth, after_secret || self.in_secret)?;
        let mut end = self.at;
        self.skip(is_blank);
        let separated = matches!(self.peek(), Some(b'=' | b':'));
        let (named_secret, plain) = match &key.node {
            Node::Text { text, .. } if separated => (secrecy::is_secret_key(text), secrecy::is_plain_name(text)),
            Node::Text { text, .. } => (false, secrecy::is_plain_flag(text)),
            _ => (false, false),
        };
        // A key that may be a part of a secret is hidden itself.
        key.secret = self.in_secret || (after_secret && !plain);
        let secret = named_secret || key.secret;
        let value = if separated {
            self.at += 1;
            self.skip(is_blank);
            let value = self.value(depth, secret)?;
            end = self.at;
            value
        } else {
            Value::new(Node::Flag, false, self.origin(start))
        };
        self.end_of_entry(&key, &value, end, secret || after_secret)?;
        self.count += 1;
        if self.count > MAX_SETTINGS {
            let error = self.limit_at(start, format!("there are more than {MAX_SETTINGS} settings and list items"));
            self.at = self.text.len();
            return Err(error);
        }
        Ok(Entry { key, value: if secret { value.into_secret() } else { value } })
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
            Some(b) if Bracket::opened_by(b).is_some() => {
                let outside = self.in_secret;
                self.in_secret |= secret;
                let group = self.group(depth);
                self.in_secret = outside;
                group?
            }
            _ => return Err(self.unexpected("an unquoted value", secret)),
        };
        Ok(Value::new(node, false, self.origin(start)))
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

    pub(super) fn at(&self) -> usize {
        self.at
    }

    pub(super) fn bracket_in_word(&self) -> Option<usize> {
        self.bracket_in_word
    }

    /// Where the next character that is no blank stands.
    pub(super) fn next_visible(&self) -> usize {
        let blanks = self.text.as_bytes().iter().skip(self.at).take_while(|b| is_blank(**b)).count();
        self.at + blanks
    }

    pub(super) fn byte_at(&self, at: usize) -> Option<u8> {
        self.text.as_bytes().get(at).copied()
    }

    fn peek(&self) -> Option<u8> {
        self.byte_at(self.at)
    }

    fn skip(&mut self, skipped: fn(u8) -> bool) {
        while self.peek().is_some_and(skipped) {
            self.at += 1;
        }
    }

    pub(super) fn char_at(&self, at: usize) -> char {
        self.text.get(at..).and_then(|rest| rest.chars().next()).unwrap_or(char::REPLACEMENT_CHARACTER)
    }

    pub(super) fn origin(&self, at: usize) -> Origin {
        Origin::at(&self.source, at)
    }

    pub(super) fn error_at(&self, at: usize, message: impl Into<String>) -> Error {
        Error::new(Reason::Syntax, message, self.origin(at))
    }

    fn limit_at(&self, at: usize, message: impl Into<String>) -> Error {
        Error::new(Reason::Limit, message, self.origin(at))
    }

    /// Strict: fails. Lenient: notes the mistake, which is not even made up if enough of them are noted.
    pub(super) fn report(&mut self, mistake: impl FnOnce(&Self) -> Error) -> Result<()> {
        if !self.lenient {
            return Err(mistake(self));
        }
        if self.errors.len() < MAX_ERRORS {
            let error = mistake(self);
            self.errors.push(error);
        }
        Ok(())
    }
}
