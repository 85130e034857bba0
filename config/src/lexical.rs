//! The characters of the grammar: what starts and continues an unquoted word, and how quoted text is escaped.
//!
//! The classes are those of WiredTiger's `src/config/config.c` (tables `gostruct`, `gobare`, `gostring`, `goesc`), with one
//! addition: `:` is part of an unquoted *value*, so that `endpoint=http://127.0.0.1:9000` needs no quotes.

use std::fmt::Write as _;

/// What parts the entries and ends nothing: blank, tab, carriage return, line feed.
pub(crate) fn is_blank(b: u8) -> bool {
    matches!(b, b' ' | b'\t' | b'\r' | b'\n')
}

/// Whether an unquoted word may start with `b`: a letter, a digit, `_`, `-`, `.`, `/` or `%`.
pub(crate) fn starts_word(b: u8) -> bool {
    b.is_ascii_alphanumeric() || matches!(b, b'_' | b'-' | b'.' | b'/' | b'%')
}

/// Whether an unquoted value goes on with `b`: any visible ASCII character but `,`, `=` and the closing brackets.
pub(crate) fn continues_value(b: u8) -> bool {
    b.is_ascii_graphic() && !matches!(b, b',' | b'=' | b')' | b']' | b'}')
}

/// Whether an unquoted key goes on with `b`: as in a value, but no `:` (it separates), no `"` and no opening bracket.
pub(crate) fn continues_key(b: u8) -> bool {
    continues_value(b) && !matches!(b, b':' | b'"' | b'(' | b'[' | b'{')
}

/// Whether an unquoted word that starts like this is a number to WiredTiger, which can't be a key.
pub(crate) fn is_numeric(word: &str) -> bool {
    word.starts_with(|c: char| c.is_ascii_digit() || c == '-')
}

/// Whether `text` can stand unquoted as a value.
pub(crate) fn is_bare_value(text: &str) -> bool {
    text.bytes().next().is_some_and(starts_word) && text.bytes().all(continues_value)
}

/// Whether `text` can stand unquoted as a key or a list item.
pub(crate) fn is_bare_key(text: &str) -> bool {
    text.bytes().next().is_some_and(starts_word) && text.bytes().all(continues_key)
}

/// Whether an unquoted key is a dotted path: `cache.size`, but not `./libx.so` nor `WiredTigerCheckpoint.1`.
pub(crate) fn is_dotted(key: &str) -> bool {
    key.contains('.') && key.split('.').all(is_identifier)
}

/// A letter or `_`, then letters, digits, `_` and `-`.
pub(crate) fn is_identifier(part: &str) -> bool {
    part.starts_with(|c: char| c.is_ascii_alphabetic() || c == '_')
        && part.bytes().all(|b| b.is_ascii_alphanumeric() || matches!(b, b'_' | b'-'))
}

/// Appends `text` in double quotes, escaped so that it reads back as it was.
pub(crate) fn quote_into(out: &mut String, text: &str) {
    out.push('"');
    for c in text.chars() {
        match c {
            '"' => out.push_str("\\\""),
            '\\' => out.push_str("\\\\"),
            '\u{8}' => out.push_str("\\b"),
            '\u{c}' => out.push_str("\\f"),
            '\n' => out.push_str("\\n"),
            '\r' => out.push_str("\\r"),
            '\t' => out.push_str("\\t"),
            // Writing to a String can't fail.
            c if u32::from(c) < 0x20 || u32::from(c) == 0x7f => {
                let _ = write!(out, "\\u{:04x}", u32::from(c));
            }
            c => out.push(c),
        }
    }
    out.push('"');
}

/// What is wrong inside a quoted text, and at which byte of it (counted from behind the opening quote).
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct QuoteFault {
    pub(crate) at: usize,
    pub(crate) message: &'static str,
}

/// Reads the quoted text whose opening quote is just before `text`: the text itself, and how many bytes it took, closing quote
/// included. A missing closing quote is a fault at the end of `text`.
pub(crate) fn unquote(text: &str) -> Result<(String, usize), QuoteFault> {
    let mut out = String::new();
    let mut at = 0;
    while let Some(c) = text.get(at..).and_then(|rest| rest.chars().next()) {
        match c {
            '"' => return Ok((out, at + 1)),
            '\\' => {
                let Some(rest) = text.get(at + 1..).filter(|rest| !rest.is_empty()) else { break };
                let (c, taken) = escape(rest).map_err(|message| QuoteFault { at, message })?;
                out.push(c);
                at += 1 + taken;
            }
            c if u32::from(c) < 0x20 || u32::from(c) == 0x7f => {
                return Err(QuoteFault {
                    at,
                    message: "a control character can't stand in a quoted text; write it as an escape such as \\n or \\t",
                });
            }
            c => {
                out.push(c);
                at += c.len_utf8();
            }
        }
    }
    Err(QuoteFault { at: text.len(), message: "the quoted text is not closed" })
}

/// The character that the escape behind a backslash stands for, and the bytes it takes.
fn escape(rest: &str) -> Result<(char, usize), &'static str> {
    let c = match rest.chars().next() {
        Some(c @ ('"' | '\\' | '/')) => c,
        Some('b') => '\u{8}',
        Some('f') => '\u{c}',
        Some('n') => '\n',
        Some('r') => '\r',
        Some('t') => '\t',
        Some('u') => return unicode_escape(rest),
        _ => {
            return Err(
                "unknown escape; there are \\\" \\\\ \\/ \\b \\f \\n \\r \\t and \\uXXXX (write \\\\ for a backslash)",
            );
        }
    };
    Ok((c, 1))
}

/// `uXXXX`, or `uXXXX\uXXXX` for a surrogate pair.
fn unicode_escape(rest: &str) -> Result<(char, usize), &'static str> {
    const BAD: &str =
        "\\u takes four hexadecimal digits that name a character; one beyond U+FFFF takes a surrogate pair";
    let unit = |at: usize| -> Option<u32> {
        let digits = rest.get(at..at + 4)?;
        digits.bytes().all(|b| b.is_ascii_hexdigit()).then(|| u32::from_str_radix(digits, 16).ok())?
    };
    let first = unit(1).ok_or(BAD)?;
    if first == 0 {
        return Err("the character \\u0000 can't be part of a text");
    }
    if let Some(c) = char::from_u32(first) {
        return Ok((c, 5));
    }
    let second = if rest.get(5..7) == Some("\\u") { unit(7) } else { None };
    match (first, second) {
        (0xd800..=0xdbff, Some(low @ 0xdc00..=0xdfff)) => {
            let code = 0x1_0000 + ((first - 0xd800) << 10) + (low - 0xdc00);
            char::from_u32(code).map(|c| (c, 11)).ok_or(BAD)
        }
        _ => Err(BAD),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn unquotes_every_escape() {
        assert_eq!(unquote(r#"a\"\\\/\b\f\n\r\t\u00e9\ud83d\udc22z" tail"#), {
            Ok(("a\"\\/\u{8}\u{c}\n\r\té🐢z".to_owned(), 37))
        });
        assert_eq!(unquote("\""), Ok((String::new(), 1)));
    }

    #[test]
    fn says_what_is_wrong_and_where() {
        for (text, at) in [
            ("ab", 2),
            ("ab\\", 3),
            ("ab\\q\"", 2),
            ("ab\\u12\"", 2),
            ("ab\\u+123\"", 2),
            ("\\ud83d\"", 0),
            ("\\ud83dx\\udc22\"", 0),
            ("\\udc22\"", 0),
            ("\\u0000\"", 0),
            ("a\nb\"", 1),
            ("é\u{7f}\"", 2),
        ] {
            assert_eq!(unquote(text).unwrap_err().at, at, "{text:?}");
        }
    }

    #[test]
    fn a_million_escapes_need_no_stack() {
        let text = "\\u0041".repeat(100_000) + "\"";
        assert_eq!(unquote(&text).unwrap().0.len(), 100_000);
    }

    #[test]
    fn quoted_text_reads_back() {
        let text: String = (1..0x250_u32).filter_map(char::from_u32).collect();
        let mut quoted = String::new();
        quote_into(&mut quoted, &text);
        assert_eq!(unquote(&quoted[1..]), Ok((text, quoted.len() - 1)));
    }
}
