//! The messages for what can't stand where it stands.
//!
//! Where `hidden` is set, what stands there is a secret or may be a part of one: the message then quotes nothing of it.

use crate::error::{Error, Result};
use crate::parser::reader::Reader;
use crate::value::{Bracket, Node, Value};

impl Reader<'_> {
    /// Checks that an entry ends here, of which the last character was read just before `end`.
    pub(super) fn end_of_entry(&self, key: &Value, value: &Value, end: usize, hidden: bool) -> Result<()> {
        let at = self.next_visible();
        match self.byte_at(at) {
            None | Some(b',' | b')' | b']' | b'}') => return Ok(()),
            Some(_) => {}
        }
        let c = self.char_at(at);
        let message = if hidden {
            // The excerpt hides what stands here, and this must not show it either.
            match c {
                '=' | ':' => "a secret that holds '=' or ':' must stand in double quotes".to_owned(),
                _ => "a comma is missing behind a secret, or double quotes around it".to_owned(),
            }
        } else if matches!(value.node, Node::Flag) {
            behind_a_key(key, c, at == end)
        } else {
            behind_a_value(key, value, c, at == end)
        };
        Err(self.error_at(at, message))
    }

    /// The next character can't start `what`.
    pub(super) fn unexpected(&self, what: &str, hidden: bool) -> Error {
        let c = self.char_at(self.at());
        let message = match c {
            _ if hidden => format!("{what} can't start like this; put it in double quotes"),
            '\'' => format!("{what} can't start with a single quote; use double quotes"),
            c => format!("{what} can't start with {}; put it in double quotes", shown(c)),
        };
        self.error_at(self.at(), message)
    }

    /// A closing bracket of another sort than the one that `open` tells of.
    pub(super) fn mismatched(&self, bracket: Bracket, open: usize) -> Error {
        let (opening, closing, found) = (bracket.open(), bracket.close(), self.char_at(self.at()));
        let message = format!("the '{opening}' {} takes a '{closing}', not '{found}'", self.place(open));
        self.error_at(self.at(), message)
    }

    /// A closing bracket where none is open.
    pub(super) fn unopened(&self) -> Error {
        let closing = self.char_at(self.at());
        let hint = match self.bracket_in_word() {
            Some(at) => format!(
                " (the '{}' {} is part of an unquoted value; put that value in double quotes)",
                self.char_at(at),
                self.place(at)
            ),
            None => String::new(),
        };
        self.error_at(self.at(), format!("'{closing}' closes nothing{hint}"))
    }

    /// `at line 1, column 5`.
    fn place(&self, at: usize) -> String {
        self.origin(at).position().map(|position| format!("at {position}")).unwrap_or_default()
    }
}

/// What is wrong if `c` follows a key; `touching`: without a blank between them.
fn behind_a_key(key: &Value, c: char, touching: bool) -> String {
    let name = key.name_in_messages();
    match (&key.node, c) {
        (Node::Text { .. }, '(' | '[' | '{') => format!("'=' is missing between {name} and '{c}'"),
        (Node::Text { quoted: false, .. }, _) if touching => {
            format!("unexpected {} in an unquoted key; put the key in double quotes", shown(c))
        }
        (Node::Text { .. }, _) => format!("a comma or '=' is missing behind {name}"),
        _ => "a comma is missing behind the bracket".to_owned(),
    }
}

/// What is wrong if `c` follows a value.
fn behind_a_value(key: &Value, value: &Value, c: char, touching: bool) -> String {
    let name = key.name_in_messages();
    match (&value.node, c) {
        (Node::Text { quoted: false, .. }, '=') => {
            format!("{name} has a value already; put the value in double quotes if '=' belongs to it")
        }
        (_, '=' | ':') => format!("{name} has a value already"),
        (Node::Text { quoted: false, .. }, _) if touching => {
            format!("unexpected {} in an unquoted value; put the value in double quotes", shown(c))
        }
        (Node::Text { quoted: false, .. }, _) => {
            format!("a comma is missing behind the value of {name}, or double quotes around it")
        }
        _ => format!("a comma is missing behind the value of {name}"),
    }
}

/// A character as messages show it.
fn shown(c: char) -> String {
    if c.is_control() { format!("'{}'", c.escape_default()) } else { format!("'{c}'") }
}
