//! One value: what stands behind a key.
//!
//! A value keeps its text as it was written (without quotes and escapes) and is understood as a boolean, number, size,
//! duration, word or list only when somebody asks for one; see [`crate::Config`]'s typed getters. It knows whether its key is a
//! secret one, so that no `Debug` print shows it, and where it came from, so that errors can point at it.

use std::fmt;

use crate::config::Config;
use crate::error::{Error, Reason};
use crate::lexical;
use crate::position::Position;
use crate::quantity;
use crate::source_text::{MASK, Origin};

/// What stands behind a key in a configuration.
///
/// Two values are equal if they print alike; where they were read from and whether they are secret does not matter.
#[derive(Clone)]
pub struct Value {
    pub(crate) node: Node,
    pub(crate) secret: bool,
    pub(crate) origin: Origin,
}

#[derive(Clone, PartialEq, Eq)]
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

/// WiredTiger takes the three pairs for one another; they are kept only so that a text prints as it was written.
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
        const LONGEST: usize = 48;
        match &self.node {
            _ if self.secret => "the given value (not shown, it is secret)".to_owned(),
            Node::Flag => "a bare key".to_owned(),
            Node::Empty => "nothing".to_owned(),
            Node::Text { text, .. } => {
                let shown: String = text.chars().take(LONGEST).flat_map(printable).collect();
                let more = if text.chars().nth(LONGEST).is_some() { "…" } else { "" };
                format!("'{shown}{more}'")
            }
            Node::Group { config, .. } if config.has_settings() => "a section".to_owned(),
            Node::Group { .. } => "a list".to_owned(),
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

/// The character itself, or its escape where a terminal would act on it.
fn printable(c: char) -> impl Iterator<Item = char> {
    let escaped = c.is_control().then(|| c.escape_default());
    let plain = (!c.is_control()).then_some(c);
    escaped.into_iter().flatten().chain(plain)
}

impl PartialEq for Value {
    fn eq(&self, other: &Self) -> bool {
        self.node == other.node
    }
}

impl Eq for Value {}

impl fmt::Debug for Value {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.node {
            Node::Flag => f.write_str("(bare)"),
            Node::Empty => f.write_str("(empty)"),
            _ if self.secret => f.write_str(MASK),
            Node::Text { text, .. } => fmt::Debug::fmt(text, f),
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
