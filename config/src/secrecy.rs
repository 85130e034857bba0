//! Which settings are secret, and which parts of a text must therefore never be shown.
//!
//! Two things hide secrets. A parsed value knows that its key is a secret one ([`is_secret_key`]) and prints as `[secret]`. A
//! text, which may be broken in just the place where the secret stands, is searched for secret keys and for user information
//! in URLs ([`masked_ranges`]); that search knows nothing of the grammar and errs towards hiding: what follows a secret and
//! is not clearly the next setting (`,name=`) is hidden too, because `auth_token=AK,SK` and `auth_token="AK";SK` are the
//! mistakes that people make.

use std::borrow::Cow;
use std::ops::Range;

use crate::suggest;

/// What is shown in the place of a secret.
pub(crate) const MASK: &str = "[secret]";

/// Parts of a key's name, lower case and without `_`, `-` and `.`, that make it a secret one.
const SECRET_PARTS: [&str; 12] = [
    "token",
    "secret",
    "password",
    "passwd",
    "passphrase",
    "credential",
    "accountkey",
    "accesskey",
    "sharedaccess",
    "privatekey",
    "apikey",
    "connectionstring",
];

/// Whole names that are secret ones.
const SECRET_NAMES: [&str; 4] = ["auth", "pwd", "sas", "sig"];

/// Names, spelled as above, that are secret ones even with a typo or two: whoever writes `auth_tokn` writes a secret behind it.
const OFTEN_MISTYPED: [&str; 6] =
    ["authtoken", "secretkey", "sessiontoken", "accountkey", "password", "connectionstring"];

/// Typos in one of [`OFTEN_MISTYPED`].
const TYPOS: usize = 2;

/// Longest bare word after a secret that is still taken for a setting of its own (`readonly`) rather than for a part of the
/// secret.
const LONGEST_PLAIN_FLAG: usize = 24;

/// Whether the value of a setting of this name is hidden from errors, `Debug` and [`crate::Config::redacted`].
///
/// That is so for names that hold `token` (as in `auth_token`), `secret`, `password`, `passphrase`, `credential`,
/// `access_key`, `account_key`, `private_key`, `api_key`, `connection_string` or `shared_access…`, in any case and with or
/// without underscores, and for `auth`, `pwd`, `sas` and `sig`; and for the commonest of these with one or two typos. Of a dotted
/// path any part counts.
///
/// ```
/// assert!(plastron_config::is_secret_key("auth_token"));
/// assert!(plastron_config::is_secret_key("AccountKey"));
/// assert!(plastron_config::is_secret_key("auth_tokn"));
/// assert!(!plastron_config::is_secret_key("key_format"));
/// ```
pub fn is_secret_key(name: &str) -> bool {
    name.split('.').any(|part| {
        let plain: String = part.chars().filter(|c| !matches!(c, '_' | '-')).flat_map(char::to_lowercase).collect();
        SECRET_NAMES.contains(&plain.as_str())
            || SECRET_PARTS.iter().any(|secret| plain.contains(secret))
            || OFTEN_MISTYPED.iter().any(|secret| suggest::is_near(&plain, secret, TYPOS))
    })
}

/// Whether a key without a value that stands right after a secret is surely a setting, and not the rest of the secret.
pub(crate) fn is_plain_flag(name: &str) -> bool {
    name.len() <= LONGEST_PLAIN_FLAG && name.bytes().all(|b| b.is_ascii_lowercase() || b == b'_')
}

/// Whether a key with a value that stands right after a secret is surely a setting.
pub(crate) fn is_plain_name(name: &str) -> bool {
    name.starts_with(|c: char| c.is_ascii_lowercase() || c == '_')
        && name.bytes().all(|b| b.is_ascii_lowercase() || b.is_ascii_digit() || matches!(b, b'_' | b'.'))
}

/// `text` with the parts that must not be shown replaced by `[secret]`.
pub(crate) fn masked(text: &str) -> Cow<'_, str> {
    let ranges = masked_ranges(text);
    if ranges.is_empty() {
        return Cow::Borrowed(text);
    }
    let mut shown = String::new();
    let mut at = 0;
    for range in ranges {
        shown.push_str(text.get(at..range.start).unwrap_or_default());
        shown.push_str(MASK);
        at = range.end;
    }
    shown.push_str(text.get(at..).unwrap_or_default());
    Cow::Owned(shown)
}

/// The parts of `text` that must not be shown, in order and apart from each other. Takes time by the length of the text.
pub(crate) fn masked_ranges(text: &str) -> Vec<Range<usize>> {
    let bytes = text.as_bytes();
    let mut masked = Vec::new();
    let mut at = 0;
    // Up to here user information has been looked for.
    let mut searched = 0;
    while at < bytes.len() {
        if at >= searched && byte(bytes, at) == b'/' && byte(bytes, at + 1) == b'/' {
            let (user, end) = user_information(bytes, at + 2);
            searched = end;
            masked.extend(user);
        }
        let word = run(bytes, at, is_key_byte);
        if word == at {
            at += 1;
            continue;
        }
        let name = at..word;
        at = word;
        let value = value_after(bytes, word);
        if let Some(value) = value.filter(|_| text.get(name).is_some_and(is_secret_key)) {
            at = end_of_secret(text, value);
            masked.push(value..at);
        }
    }
    disjoint(masked)
}

/// The same parts in order, with those that overlap or touch joined, and without empty ones.
pub(crate) fn disjoint(mut ranges: Vec<Range<usize>>) -> Vec<Range<usize>> {
    ranges.retain(|range| !range.is_empty());
    ranges.sort_by_key(|range| range.start);
    let mut apart: Vec<Range<usize>> = Vec::new();
    for range in ranges {
        match apart.last_mut() {
            Some(last) if range.start <= last.end => last.end = last.end.max(range.end),
            _ => apart.push(range),
        }
    }
    apart
}

fn is_key_byte(b: u8) -> bool {
    b.is_ascii_alphanumeric() || matches!(b, b'_' | b'-' | b'.')
}

/// The end of the run of bytes from `at` on for which `of` holds.
fn run(bytes: &[u8], at: usize, of: fn(u8) -> bool) -> usize {
    bytes.iter().skip(at).position(|b| !of(*b)).map_or(bytes.len(), |length| at + length)
}

fn byte(bytes: &[u8], at: usize) -> u8 {
    bytes.get(at).copied().unwrap_or(0)
}

/// Where the value starts if, after a key that ends at `at`, there is a separator (the key's own closing quote may precede it).
fn value_after(bytes: &[u8], mut at: usize) -> Option<usize> {
    while matches!(byte(bytes, at), b'"' | b'\\' | b'\'') {
        at += 1;
    }
    at = run(bytes, at, |b| b.is_ascii_whitespace());
    if !matches!(byte(bytes, at), b'=' | b':') {
        return None;
    }
    Some(run(bytes, at, |b| b.is_ascii_whitespace() || matches!(b, b'=' | b':')))
}

/// The end of the secret that starts at `at`: of a well-terminated quoted string its closing quote, else everything up to
/// what is surely another setting, or the end of the text.
fn end_of_secret(text: &str, mut at: usize) -> usize {
    let bytes = text.as_bytes();
    if byte(bytes, at) == b'"' {
        let mut close = at + 1;
        while close < bytes.len() && byte(bytes, close) != b'"' {
            close += if byte(bytes, close) == b'\\' { 2 } else { 1 };
        }
        if close >= bytes.len() {
            return bytes.len();
        }
        at = close + 1;
        let next = run(bytes, at, |b| b.is_ascii_whitespace());
        if next >= bytes.len() || matches!(byte(bytes, next), b')' | b']' | b'}') {
            return at;
        }
    }
    while at < bytes.len() {
        if matches!(byte(bytes, at), b',' | b'&') {
            let name = run(bytes, at, |b| b.is_ascii_whitespace() || matches!(b, b',' | b'&' | b'"'));
            let end = run(bytes, name, is_key_byte);
            let separator = run(bytes, end, |b| b.is_ascii_whitespace() || b == b'"');
            let plain = text.get(name..end).is_some_and(is_plain_name);
            if plain && matches!(byte(bytes, separator), b'=' | b':') {
                return at;
            }
            at = end.max(at + 1);
        } else {
            at += 1;
        }
    }
    bytes.len()
}

/// The user information of a URL (`//user:password@`) whose two slashes end at `start`, and where the URL ends.
///
/// Secret keys hold slashes, and people paste them as they are: the last `@` counts, wherever it stands.
fn user_information(bytes: &[u8], start: usize) -> (Option<Range<usize>>, usize) {
    let end = run(bytes, start, |b| !b.is_ascii_whitespace() && !matches!(b, b'"' | b',' | b'?'));
    let sign = bytes.get(start..end).and_then(|url| url.iter().rposition(|b| *b == b'@'));
    (sign.map(|sign| start..start + sign), end)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn knows_secret_names() {
        for name in
            ["auth_token", "secret", "secret_key", "password", "PASSWORD2", "AccountKey", "cache.password", "sig"]
        {
            assert!(is_secret_key(name), "{name}");
        }
        for name in ["bucket", "key_format", "value", "signature_of", "authority", "endpoint", ""] {
            assert!(!is_secret_key(name), "{name}");
        }
    }

    #[test]
    fn masks_what_stands_after_a_secret_key() {
        for (text, shown) in [
            (r#"a=1,auth_token="AK;SK",b=2"#, "a=1,auth_token=*,b=2"),
            (r#"a=(auth_token="AK;SK"),b=2"#, "a=(auth_token=*),b=2"),
            (r#"auth_token = "A\"K" , b=2"#, "auth_token = *, b=2"),
            (r#""auth_token":"AK","b":2"#, r#""auth_token":*,"b":2"#),
            (r#"auth_token="AK","SK""#, "auth_token=*"),
            ("auth_token=AK;SK,b=2", "auth_token=*,b=2"),
            ("auth_token=AK,SK", "auth_token=*"),
            ("auth_token=AK,abc/DEF=,b=2", "auth_token=*,b=2"),
            (r#"auth_token="AK";SK,b=2"#, "auth_token=*,b=2"),
            (r#"auth_token="AK,b=2"#, "auth_token=*"),
            ("auth_token=(AK,SK),b=2", "auth_token=*,b=2"),
            ("auth_token=AK)SK", "auth_token=*"),
            ("auth_token,b=2", "auth_token,b=2"),
            (r#"config="(password=\"x\",y=1)""#, r#"config="(password=*,y=1)""#),
            ("AccountName=a;AccountKey=k==;x", "AccountName=a;AccountKey=*"),
            ("s3://AK:SK@bucket/p?x=1", "s3://*@bucket/p?x=1"),
            ("s3://AK:S/K@bucket/p?x=1", "s3://*@bucket/p?x=1"),
            ("endpoint=http://u:p@h:1/x,b=c@d", "endpoint=http://*@h:1/x,b=c@d"),
            ("//a:b//c:d@h//e", "//*@h//e"),
            ("s3://b/p?auth_token=AK&b=2", "s3://b/p?auth_token=*&b=2"),
        ] {
            assert_eq!(masked(text), shown.replace('*', MASK), "{text}");
        }
    }

    #[test]
    fn a_hostile_text_takes_no_more_than_its_length() {
        for piece in ["//", "sig=", "sig=,", ",", "sig=\"", "a\"", "//@", "\"", " ", "sig "] {
            let text = format!("sig={}", piece.repeat((1 << 18) / piece.len()));
            masked_ranges(&text);
            masked_ranges(&text[4..]);
        }
    }
}
