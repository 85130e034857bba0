//! Takes secrets out of what token services and libraries say.

use crate::scrub;
use crate::secret::Secret;

/// Stands where a secret was.
const HIDDEN: &str = "[secret]";

/// Tokens that announce themselves: JSON web tokens (base64 of `{"`) and Google's.
const TOKEN_STARTS: [&str; 2] = ["eyJ", "ya29."];

/// `text` on one line and not too long, without any of `secrets` and without what looks like a token or is called one.
pub(crate) fn scrub(text: &str, secrets: &[Secret]) -> String {
    let mut clean = text.to_owned();
    for secret in secrets.iter().filter(|secret| !secret.is_empty()) {
        clean = clean.replace(secret.expose(), HIDDEN);
    }
    for start in TOKEN_STARTS {
        clean = without_tokens(&clean, start);
    }
    scrub::scrub(&clean)
}

fn without_tokens(text: &str, start: &str) -> String {
    let mut pieces = text.split(start);
    let mut clean = pieces.next().unwrap_or_default().to_owned();
    for piece in pieces {
        clean.push_str(HIDDEN);
        clean.push_str(piece.trim_start_matches(|c: char| c.is_ascii_alphanumeric() || matches!(c, '.' | '-' | '_')));
    }
    clean
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
            ("GET https://a/b?sv=1&sig=ab%2Bc failed", "GET https://a/b failed"),
            (r#"the body "access_token": "abc", more"#, r#"the body "access_token=[secret]", more"#),
            ("said eyJhbGciOi.J9.x_y twice: eyJhbGci", "said [secret] twice: [secret]"),
            ("ya29.a0AfH6-_x and\n\n  more", "[secret] and more"),
        ] {
            assert_eq!(scrub(text, &known), clean);
        }
    }
}
