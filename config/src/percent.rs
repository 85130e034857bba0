//! Percent-decoding of URL parts (RFC 3986, section 2.1).

/// What is wrong, and at which byte.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct PercentFault {
    pub(crate) at: usize,
    pub(crate) message: &'static str,
}

/// `text` with every `%XX` replaced by its byte. What comes out must be UTF-8 without control characters.
pub(crate) fn decode(text: &str) -> Result<String, PercentFault> {
    let fault = |at, message| PercentFault { at, message };
    let mut bytes = Vec::with_capacity(text.len());
    let mut at = 0;
    while let Some(b) = text.as_bytes().get(at).copied() {
        if b != b'%' {
            bytes.push(b);
            at += 1;
            continue;
        }
        let digits = text.get(at + 1..at + 3).filter(|digits| digits.bytes().all(|b| b.is_ascii_hexdigit()));
        let Some(b) = digits.and_then(|digits| u8::from_str_radix(digits, 16).ok()) else {
            return Err(fault(at, "'%' must be followed by two hexadecimal digits; write %25 for a percent sign"));
        };
        if b < 0x20 || b == 0x7f {
            return Err(fault(at, "a URL can't hold control characters, not even as an escape"));
        }
        bytes.push(b);
        at += 3;
    }
    String::from_utf8(bytes).map_err(|_| fault(0, "the percent escapes do not spell UTF-8"))
}

/// As [`decode`], but what is malformed stays as it is: to search a text, not to use it.
pub(crate) fn decode_lossy(text: &str) -> String {
    let mut bytes = Vec::with_capacity(text.len());
    let mut at = 0;
    while let Some(b) = text.as_bytes().get(at).copied() {
        let escaped =
            text.get(at + 1..at + 3).filter(|_| b == b'%').and_then(|digits| u8::from_str_radix(digits, 16).ok());
        bytes.push(escaped.unwrap_or(b));
        at += if escaped.is_some() { 3 } else { 1 };
    }
    String::from_utf8_lossy(&bytes).into_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn decodes() {
        for (text, decoded) in [("", ""), ("a+b", "a+b"), ("a%20b%2Fc", "a b/c"), ("%c3%A9é", "éé"), ("%25", "%")] {
            assert_eq!(decode(text).as_deref(), Ok(decoded), "{text}");
        }
        for (text, at) in
            [("%", 0), ("a%2", 1), ("a%zz", 1), ("%+1", 0), ("ab%00", 2), ("%0a", 0), ("%ff", 0), ("%é", 0)]
        {
            assert_eq!(decode(text).unwrap_err().at, at, "{text}");
        }
    }

    #[test]
    fn searches_what_is_malformed() {
        assert_eq!(decode_lossy("a%3Db%zz%2%é%ff%00"), "a=b%zz%2%é\u{fffd}\0");
    }
}
