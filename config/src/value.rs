//! One value: what stands behind a key.
//!
//! A value keeps its text as it was written (without quotes and escapes) and is understood as a boolean, number, size,
//! duration, word or list only when somebody asks for one; see [`crate::Config`]'s typed getters. It knows whether its key is a
//! secret one, so that no `Debug` print shows it, and where it came from, so that errors can point at it.

use std::fmt;
use std::time::Duration;

use crate::config::Config;
use crate::error::{Error, Reason};
use crate::lexical;
use crate::position::Position;
use crate::quantity;
use crate::secrecy::{self, MASK};
use crate::source_text::Origin;

/// What stands behind a key in a configuration.
///
/// Two values are equal if they say the same: sorts of brackets, where they were read and whether they are secret don't matter.
#[derive(Clone)]
pub struct Value {
    pub(crate) node: Node,
    pub(crate) secret: bool,
    pub(crate) origin: Origin,
}

#[derive(Clone)]
pub(crate) enum Node {
    /// A bare key: `create`.
    Flag,
    /// A separator and nothing behind it: `bucket_prefix=`.
    Empty,
    /// Text, quoted or not.
    Text { text: String, quoted: bool },
    /// A bracket with its entries.
    Group { bracket: Bracket, config: Config },
}

/// The three pairs mean the same; they are kept only so that a text prints as it was written.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Bracket {
    Round,
    Square,
    Curly,
}

impl Bracket {
    pub(crate) fn opened_by(b: u8) -> Option<Self> {
        match b {
            b'(' => Some(Self::Round),
            b'[' => Some(Self::Square),
            b'{' => Some(Self::Curly),
            _ => None,
        }
    }

    pub(crate) fn open(self) -> char {
        match self {
            Self::Round => '(',
            Self::Square => '[',
            Self::Curly => '{',
        }
    }

    pub(crate) fn close(self) -> char {
        match self {
            Self::Round => ')',
            Self::Square => ']',
            Self::Curly => '}',
        }
    }
}

/// What a value looks like, by the grammar alone.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum ValueKind {
    /// A key without a value, which means true: `create`.
    Flag,
    /// A key with a separator and nothing behind it: `bucket_prefix=`. An empty text or list; true where a boolean is asked for,
    /// for that is how WiredTiger itself prints a bare key.
    Empty,
    /// The unquoted words `true` and `false`.
    Boolean,
    /// An unquoted integer, with or without a suffix: `-1`, `10GB`.
    Number,
    /// Any other unquoted word: `s3_store`, `30s`, `/var/cache`.
    Word,
    /// A quoted text.
    Text,
    /// A bracket that holds no settings: `(a,b)`, `["x"]`, `()`.
    List,
    /// A bracket with settings: `(size=10GB,readonly)`.
    Section,
}

impl Value {
    pub(crate) fn new(node: Node, secret: bool, origin: Origin) -> Self {
        Self { node, secret, origin }
    }

    pub(crate) fn text_node(text: impl Into<String>) -> Node {
        let text = text.into();
        Node::Text { quoted: !lexical::is_bare_value(&text), text }
    }

    pub(crate) fn key_node(key: &str) -> Node {
        Node::Text { text: key.to_owned(), quoted: !lexical::is_bare_key(key) || lexical::is_numeric(key) }
    }

    /// What the value looks like.
    pub fn kind(&self) -> ValueKind {
        match &self.node {
            Node::Flag => ValueKind::Flag,
            Node::Empty => ValueKind::Empty,
            Node::Text { quoted: true, .. } => ValueKind::Text,
            Node::Text { text, .. } if text == "true" || text == "false" => ValueKind::Boolean,
            Node::Text { text, .. } if quantity::number(text).is_ok() => ValueKind::Number,
            Node::Text { .. } => ValueKind::Word,
            Node::Group { config, .. } if config.has_settings() => ValueKind::Section,
            Node::Group { .. } => ValueKind::List,
        }
    }

    /// The text of a word, number, boolean or quoted text, and `""` for [`ValueKind::Empty`]; `None` for the others. **This is
    /// the text itself even if it is a secret.**
    pub fn text(&self) -> Option<&str> {
        match &self.node {
            Node::Text { text, .. } => Some(text),
            Node::Empty => Some(""),
            Node::Flag | Node::Group { .. } => None,
        }
    }

    /// The value as [`Config::boolean`] reads it; `None` if it is none.
    pub fn to_boolean(&self) -> Option<bool> {
        self.as_boolean("").ok()
    }

    /// The value as [`Config::number`] reads it; `None` if it is none.
    pub fn to_number(&self) -> Option<i64> {
        self.as_number("").ok()
    }

    /// The value in bytes, as [`Config::size`] reads it; `None` if it is no size.
    pub fn to_size(&self) -> Option<u64> {
        self.as_size("").ok()
    }

    /// The value as [`Config::duration`] reads it; `None` if it is no duration.
    pub fn to_duration(&self) -> Option<Duration> {
        self.as_duration("").ok()
    }

    /// What stands in the bracket, for [`ValueKind::Section`] and [`ValueKind::List`].
    pub fn section(&self) -> Option<&Config> {
        match &self.node {
            Node::Group { config, .. } => Some(config),
            _ => None,
        }
    }

    /// Whether the value stands behind a secret key (or in its section) and is masked in errors and `Debug`.
    pub fn is_secret(&self) -> bool {
        self.secret
    }

    /// Where the value starts in the text it was parsed from (for a bare key, where the key starts); `None` if a program set it.
    pub fn position(&self) -> Option<Position> {
        self.origin.position()
    }

    /// An error about this value: `path`, what is wrong with it, and the place.
    pub(crate) fn error(&self, reason: Reason, message: impl Into<String>) -> Error {
        Error::new(reason, message, self.origin.clone())
    }

    /// The value as errors quote it: in single quotes and cut to a readable length, or said in words.
    pub(crate) fn quoted(&self) -> String {
        match &self.node {
            Node::Flag => "a bare key".to_owned(),
            Node::Empty => "nothing".to_owned(),
            Node::Text { .. } if self.secret => "the given text (not shown, it is secret)".to_owned(),
            Node::Text { text, .. } => format!("'{}'", readable(text)),
            Node::Group { config, .. } if config.has_settings() => "a section".to_owned(),
            Node::Group { .. } => "a list".to_owned(),
        }
    }

    /// A key as errors name it.
    pub(crate) fn name_in_messages(&self) -> String {
        match &self.node {
            Node::Text { text, .. } if !self.secret => readable(text),
            _ => "the key".to_owned(),
        }
    }

    /// The value as if a program had set it.
    pub(crate) fn forget_origin(mut self) -> Self {
        self.origin = Origin::NOWHERE;
        self
    }

    /// Marks the value and all inside it as secret.
    pub(crate) fn into_secret(mut self) -> Self {
        self.secret = true;
        if let Node::Group { config, .. } = &mut self.node {
            config.make_secret();
        }
        self
    }
}

/// Text as messages show it: without what looks secret in it, on one line, and not too long.
fn readable(text: &str) -> String {
    const LONGEST: usize = 48;
    let shown = secrecy::masked(text);
    let mut out = String::new();
    for c in shown.chars().take(LONGEST) {
        if c.is_control() {
            out.extend(c.escape_default());
        } else {
            out.push(c);
        }
    }
    if shown.chars().nth(LONGEST).is_some() {
        out.push('…');
    }
    out
}

impl PartialEq for Value {
    fn eq(&self, other: &Self) -> bool {
        match (&self.node, &other.node) {
            (Node::Flag, Node::Flag) | (Node::Empty, Node::Empty) => true,
            (Node::Text { text: one, quoted: as_text }, Node::Text { text: two, quoted }) => {
                one == two && as_text == quoted
            }
            (Node::Group { config: one, .. }, Node::Group { config: two, .. }) => one == two,
            _ => false,
        }
    }
}

impl Eq for Value {}

impl fmt::Debug for Value {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.node {
            Node::Flag => f.write_str("(bare)"),
            Node::Empty => f.write_str("(empty)"),
            _ if self.secret => f.write_str(MASK),
            Node::Text { text, .. } => fmt::Debug::fmt(secrecy::masked(text).as_ref(), f),
            Node::Group { config, .. } => fmt::Debug::fmt(config, f),
        }
    }
}

impl From<&str> for Value {
    fn from(text: &str) -> Self {
        Self::new(Self::text_node(text), false, Origin::NOWHERE)
    }
}

impl From<String> for Value {
    fn from(text: String) -> Self {
        Self::new(Self::text_node(text), false, Origin::NOWHERE)
    }
}

impl From<bool> for Value {
    fn from(value: bool) -> Self {
        Self::from(if value { "true" } else { "false" })
    }
}

impl From<i64> for Value {
    fn from(value: i64) -> Self {
        Self::from(value.to_string())
    }
}

impl From<u64> for Value {
    fn from(value: u64) -> Self {
        Self::from(value.to_string())
    }
}

/// A section, or a list if the configuration holds bare keys only.
impl From<Config> for Value {
    fn from(config: Config) -> Self {
        Self::new(Node::Group { bracket: Bracket::Round, config }, false, Origin::NOWHERE)
    }
}
