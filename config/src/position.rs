//! Where in a text something stands.

use std::fmt;

/// A place in a configuration text.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[non_exhaustive]
pub struct Position {
    /// Bytes before it, from the start of the text.
    pub byte: usize,
    /// Line, counted from 1; lines end with a line feed.
    pub line: usize,
    /// Column in that line, in characters, counted from 1.
    pub column: usize,
}

impl Position {
    /// The position of the byte `offset` of `text`; an offset past the end is the end, one inside a character its start.
    pub(crate) fn of(text: &str, offset: usize) -> Self {
        let byte = text.floor_char_boundary(offset);
        let before = text.get(..byte).unwrap_or_default();
        let line = before.matches('\n').count() + 1;
        let column = before.rsplit('\n').next().unwrap_or_default().chars().count() + 1;
        Self { byte, line, column }
    }
}

impl fmt::Display for Position {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "line {}, column {}", self.line, self.column)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn counts_lines_and_characters() {
        let text = "a=1,\n é=2\n";
        assert_eq!(Position::of(text, 0), Position { byte: 0, line: 1, column: 1 });
        assert_eq!(Position::of(text, 4), Position { byte: 4, line: 1, column: 5 });
        assert_eq!(Position::of(text, 5), Position { byte: 5, line: 2, column: 1 });
        assert_eq!(Position::of(text, 8), Position { byte: 8, line: 2, column: 3 });
        assert_eq!(Position::of(text, 7), Position { byte: 6, line: 2, column: 2 });
        assert_eq!(Position::of(text, 99), Position { byte: 11, line: 3, column: 1 });
        assert_eq!(Position::of(text, 99).to_string(), "line 3, column 1");
    }
}
