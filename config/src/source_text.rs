//! A configuration text as it was given, kept so that errors can point into it.
//!
//! Every key and value remembers its [`Origin`]: the text (shared) and a byte offset. A schema can thus complain about a value
//! long after it was parsed and still show the line with a caret. The text may hold secrets: it is only shown through
//! [`Origin::excerpt`], which masks them.

use std::fmt;
use std::ops::Range;
use std::sync::Arc;

use crate::position::Position;
use crate::secrecy::{self, MASK};

/// Characters of a line shown on either side of the caret.
const WINDOW: usize = 60;

/// A text, and the function that finds the parts of it that must not be shown.
pub(crate) struct SourceText {
    text: String,
    masked: fn(&str) -> Vec<Range<usize>>,
}

impl SourceText {
    /// A configuration string.
    pub(crate) fn configuration(text: &str) -> Arc<Self> {
        Self::with_masked(text, secrecy::masked_ranges)
    }

    /// A text of which `masked` finds what must not be shown, in order and apart from each other.
    pub(crate) fn with_masked(text: &str, masked: fn(&str) -> Vec<Range<usize>>) -> Arc<Self> {
        Arc::new(Self { text: text.to_owned(), masked })
    }

    fn position(&self, byte: usize) -> Position {
        Position::of(&self.text, byte)
    }

    fn excerpt(&self, byte: usize) -> String {
        let byte = self.text.floor_char_boundary(byte);
        let before = self.text.get(..byte).unwrap_or_default();
        let start = before.rfind('\n').map_or(0, |newline| newline + 1);
        let rest = self.text.get(start..).unwrap_or_default();
        let end = start + rest.find('\n').unwrap_or(rest.len());

        let masked = (self.masked)(&self.text);
        let mut masks = masked.iter().skip_while(|range| range.end <= start).peekable();
        let mut shown: Vec<char> = Vec::new();
        let mut caret = None;
        let mut at = start;
        while at < end {
            let (piece, next) = match masks.next_if(|range| range.contains(&at)) {
                Some(range) => (MASK.chars().collect(), range.end.min(end)),
                None => {
                    let character = self.text.get(at..).and_then(|rest| rest.chars().next()).unwrap_or(' ');
                    (vec![if character.is_control() { ' ' } else { character }], at + character.len_utf8())
                }
            };
            if caret.is_none() && byte < next {
                caret = Some(shown.len());
            }
            shown.extend(piece);
            at = next;
        }
        let caret = caret.unwrap_or(shown.len());

        let first = caret.saturating_sub(WINDOW);
        let last = shown.len().min(caret + WINDOW);
        let lead = if first > 0 { "…" } else { "" };
        let trail = if last < shown.len() { "…" } else { "" };
        let line: String = shown.get(first..last).unwrap_or_default().iter().collect();
        let pad = " ".repeat(caret - first + lead.chars().count());
        format!("  {lead}{line}{trail}\n  {pad}^")
    }
}

/// Where a key or a value came from: nowhere (set by a program), or a byte of a text.
#[derive(Clone, Default)]
pub(crate) struct Origin(Option<(Arc<SourceText>, usize)>);

impl Origin {
    pub(crate) const NOWHERE: Self = Self(None);

    pub(crate) fn at(source: &Arc<SourceText>, byte: usize) -> Self {
        Self(Some((Arc::clone(source), byte)))
    }

    pub(crate) fn position(&self) -> Option<Position> {
        self.0.as_ref().map(|(source, byte)| source.position(*byte))
    }

    pub(crate) fn excerpt(&self) -> Option<String> {
        self.0.as_ref().map(|(source, byte)| source.excerpt(*byte))
    }
}

/// Two values are equal wherever they came from.
impl PartialEq for Origin {
    fn eq(&self, _: &Self) -> bool {
        true
    }
}

impl Eq for Origin {}

impl fmt::Debug for Origin {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Debug::fmt(&self.position(), f)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn excerpt(text: &str, byte: usize) -> String {
        SourceText::configuration(text).excerpt(byte)
    }

    #[test]
    fn points_under_the_character() {
        assert_eq!(excerpt("a=1,é=2", 4), "  a=1,é=2\n      ^");
        assert_eq!(excerpt("a=1,é=2", 6), "  a=1,é=2\n       ^");
        assert_eq!(excerpt("a=1", 3), "  a=1\n     ^");
        assert_eq!(excerpt("", 0), "  \n  ^");
        assert_eq!(excerpt("a=1,\n\tb=2,\nc", 8), "   b=2,\n     ^");
    }

    #[test]
    fn cuts_a_long_line_to_a_window() {
        let text = format!("{}X{}", "a".repeat(200), "b".repeat(200));
        let shown = excerpt(&text, 200);
        let mut lines = shown.lines();
        let (line, caret) = (lines.next().unwrap(), lines.next().unwrap());
        assert_eq!(line.chars().position(|c| c == 'X'), caret.chars().position(|c| c == '^'));
        assert!(line.starts_with("  …a") && line.ends_with("b…"), "{line}");
        assert!(line.chars().count() <= 2 * WINDOW + 4);
    }

    #[test]
    fn masks_secrets_and_keeps_the_caret_in_place() {
        assert_eq!(excerpt("auth_token=\"AK;SK\",x=!", 21), "  auth_token=[secret],x=!\n                        ^");
        assert_eq!(excerpt("auth_token=\"AK;SK", 11), "  auth_token=[secret]\n             ^");
        assert_eq!(excerpt("auth_token=AK;SK", 14), "  auth_token=[secret]\n             ^");
    }
}
