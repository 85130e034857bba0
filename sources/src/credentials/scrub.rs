//! Takes secrets out of what providers and libraries say.

use crate::secret::Secret;

/// Longest message kept, characters; providers' error pages are longer and add nothing.
const LONGEST: usize = 400;

/// `text` on one line, at most [`LONGEST`] characters, without any of `secrets`, and without what looks like a token or follows the name
/// of one.
pub(crate) fn scrub(text: &str, secrets: &[Secret]) -> String {
    let mut clean = text.to_owned();
    for secret in secrets.iter().filter(|secret| !secret.is_empty()) {
        clean = clean.replace(secret.expose(), "[secret]");
    }
    let words: Vec<String> = clean.split_whitespace().map(scrub_word).collect();
    let mut clean = words.join(" ");
    if let Some((cut, _)) = clean.char_indices().nth(LONGEST) {
        clean.truncate(cut);
        clean.push('…');
    }
    clean
}

/// A JSON web token starts so: base64 of `{"`.
const TOKEN_STARTS: [&str; 2] = ["eyJ", "ya29."];

/// What follows one of these up to the next separator is a secret.
const NAMES: [&str; 10] = [
    "sig=",
    "token=",
    "secret=",
    "key=",
    "assertion=",
    "password=",
    "token\":\"",
    "secret\":\"",
    "key\":\"",
    "assertion\":\"",
];

fn scrub_word(word: &str) -> String {
    let is_end = |c: char| matches!(c, '&' | '"' | '\'' | ',' | ';' | '}' | ')' | '<' | '>');
    let mut out = String::with_capacity(word.len());
    let mut rest = word;
    loop {
        let lower = rest.to_ascii_lowercase();
        let named = NAMES.iter().filter_map(|name| Some(lower.find(name)? + name.len())).min();
        let token = TOKEN_STARTS.iter().filter_map(|start| rest.find(start)).min();
        let Some(start) = [named, token].into_iter().flatten().min() else {
            out.push_str(rest);
            return out;
        };
        let (before, secret) = rest.split_at(start);
        let end = secret.find(is_end).unwrap_or(secret.len());
        out.push_str(before);
        if end > 0 {
            out.push_str("[secret]");
        }
        rest = secret.get(end..).unwrap_or_default();
        if rest.is_empty() {
            return out;
        }
    }
}

#[cfg(test)]
mod test {
    use super::*;

    #[test]
    fn secrets_go_and_words_stay() {
        let known = [Secret::new("hunter2"), Secret::default()];
        for (text, clean) in [
            ("nothing to hide", "nothing to hide"),
            ("wrong hunter2 here: xhunter2x", "wrong [secret] here: x[secret]x"),
            ("GET https://a/b?sv=1&sig=ab%2Bc&se=2 failed", "GET https://a/b?sv=1&sig=[secret]&se=2 failed"),
            (r#"{"access_token":"abc","expires_in":1}"#, r#"{"access_token":"[secret]","expires_in":1}"#),
            (r#"{"client_secret":"","x":1}"#, r#"{"client_secret":"","x":1}"#),
            ("Authorization: Bearer eyJhbGciOi.J9.x_y", "Authorization: Bearer [secret]"),
            ("ya29.a0AfH6 and\n\n  more", "[secret] and more"),
            ("client_secret=one&AccountKey=two;x", "client_secret=[secret]&AccountKey=[secret];x"),
        ] {
            assert_eq!(scrub(text, &known), clean);
        }
    }

    #[test]
    fn long_ones_are_cut_between_characters() {
        let long = scrub(&"ü ".repeat(1000), &[]);
        assert_eq!(long.chars().count(), LONGEST + 1);
        assert!(long.ends_with('…'));
    }
}
