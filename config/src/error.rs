//! The one error of this crate: what is wrong, where, and what to write instead.
//!
//! A message never holds the value of a secret setting, nor does the excerpt under it; see [`crate::is_secret_key`].

use std::fmt;
use std::sync::Arc;

use crate::kind::ErrorKind;
use crate::position::Position;
use crate::source_text::Origin;

/// The result of reading a configuration.
pub type Result<T, E = Error> = std::result::Result<T, E>;

/// What a configuration text gets wrong. Cheap to clone.
///
/// `Display` prints one line with the place (`… (line 1, column 5)`); the alternate form `{:#}` adds the line of the text
/// and a caret under the place, with secrets masked.
#[derive(Clone)]
pub struct Error(Arc<Inner>);

struct Inner {
    reason: Reason,
    message: String,
    origin: Origin,
}

/// The sort of mistake behind an [`Error`].
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Reason {
    /// The text does not follow the grammar.
    Syntax,
    /// A URL short form is malformed, or says what a URL must not say.
    Url,
    /// One of the [limits](crate::limits) is exceeded.
    Limit,
    /// A key that the schema does not have.
    UnknownKey,
    /// A required key that is not set.
    MissingKey,
    /// A value of another type than the key takes.
    WrongType,
    /// A number, size or duration outside of its range, or a word that is none of the choices.
    OutOfRange,
    /// A key's own check refuses the value.
    Refused,
    /// A schema contradicts itself: a mistake in the program, not in the text.
    Schema,
}

impl Error {
    pub(crate) fn new(reason: Reason, message: impl Into<String>, origin: Origin) -> Self {
        Self(Arc::new(Inner { reason, message: message.into(), origin }))
    }

    /// Always [`ErrorKind::Invalid`].
    pub fn kind(&self) -> ErrorKind {
        ErrorKind::Invalid
    }

    /// Always false: the same text will be as wrong next time.
    pub fn is_retryable(&self) -> bool {
        self.kind().is_retryable()
    }

    /// The sort of mistake.
    pub fn reason(&self) -> Reason {
        self.0.reason
    }

    /// What is wrong and what to write instead, without the place.
    pub fn message(&self) -> &str {
        &self.0.message
    }

    /// Where in the text; `None` when there is no text (a value set by a program, a key that is missing).
    pub fn position(&self) -> Option<Position> {
        self.0.origin.position()
    }

    /// The line of the text where it went wrong, cut to a window and with secrets masked, and below it a caret; `None`
    /// where there is no position.
    pub fn excerpt(&self) -> Option<String> {
        self.0.origin.excerpt()
    }
}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0.message)?;
        if let Some(position) = self.position() {
            write!(f, " ({position})")?;
        }
        match self.excerpt() {
            Some(excerpt) if f.alternate() => write!(f, "\n{excerpt}"),
            _ => Ok(()),
        }
    }
}

impl fmt::Debug for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Error")
            .field("reason", &self.0.reason)
            .field("message", &self.0.message)
            .field("position", &self.position())
            .finish()
    }
}

impl std::error::Error for Error {}
