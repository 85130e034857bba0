//! Takes secrets out of text that comes from servers and libraries, before it gets into a message.
//!
//! Three sieves, each coarse on purpose (a message that lost a harmless word is still a message):
//! 1. the very values that the failed request carried: its signature, token, shared-access signature;
//! 2. whatever follows a name that announces a secret (`sig=`, `Signature=`, `Bearer `, `AccountKey=`, `"access_token":` …), and
//!    the query of every URL;
//! 3. long runs of characters that look random: keys, tokens and digests.

use http::header::AUTHORIZATION;
use http::{HeaderValue, Uri};
use object_store::client::HttpRequest;

/// What stands where a secret was.
const SCRUBBED: &str = "[scrubbed]";
/// The longest message kept, characters.
const LONGEST: usize = 300;
/// The shortest run that may be a key: SAS signatures have 44 characters, AWS secrets 40, MD5 and CRC tokens 32.
const SHORTEST_KEY: usize = 32;
/// Values shorter than this are not searched for: they would take ordinary words out.
const SHORTEST_VALUE: usize = 6;

/// Names that announce a secret, in lower case.
const ANNOUNCERS: [&str; 25] = [
    "sig",
    "signature",
    "x-amz-signature",
    "x-amz-credential",
    "x-amz-security-token",
    "x-goog-signature",
    "x-goog-credential",
    "credential",
    "authorization",
    "bearer",
    "sharedkey",
    "sharedkeylite",
    "sharedaccesssignature",
    "accountkey",
    "access_token",
    "refresh_token",
    "id_token",
    "client_secret",
    "client_assertion",
    "assertion",
    "private_key",
    "secretaccesskey",
    "aws_secret_access_key",
    "sessiontoken",
    "password",
];

/// The secrets one request carries; kept beside it so that no answer can bring them back. Cheap to make: header values and
/// addresses share their memory, and are taken apart only when a message has to be scrubbed.
#[derive(Default)]
pub(super) struct Carried {
    headers: Vec<HeaderValue>,
    uri: Uri,
}

impl Carried {
    /// The secrets of `request`, which is signed.
    pub(super) fn by(request: &HttpRequest) -> Self {
        let names = [AUTHORIZATION.as_str(), "x-amz-security-token", "x-ms-copy-source-authorization"];
        let headers = names.iter().filter_map(|name| request.headers().get(*name)).cloned().collect();
        Self { headers, uri: request.uri().clone() }
    }

    /// `text` without these secrets, without anything else that looks like one, on one line, and not too long.
    pub(super) fn scrub(&self, text: &str) -> String {
        let mut text = text.to_owned();
        for value in self.values() {
            if text.contains(value.as_str()) {
                text = text.replace(value.as_str(), SCRUBBED);
            }
        }
        scrub(&text)
    }

    /// The values themselves, the longest first.
    fn values(&self) -> Vec<String> {
        let mut values = Vec::new();
        for text in self.headers.iter().filter_map(|value| value.to_str().ok()) {
            // `Scheme Name=value, Name=value`, `Scheme account:signature`, `Bearer token`.
            values
                .extend(text.split([' ', ',', '=', ':', '/']).filter(|part| is_worth_hiding(part)).map(str::to_owned));
            values.push(text.to_owned());
        }
        for pair in self.uri.query().unwrap_or_default().split('&') {
            if let Some((name, value)) = pair.split_once('=')
                && ANNOUNCERS.contains(&name.to_ascii_lowercase().as_str())
                && value.len() >= SHORTEST_VALUE
            {
                values.push(value.to_owned());
                values.push(percent_decoded(value));
            }
        }
        values.sort_by_key(|value| std::cmp::Reverse(value.len()));
        values
    }
}

/// Whether a piece of an `Authorization` header is part of the secret, and not one of the words around it.
fn is_worth_hiding(part: &str) -> bool {
    const WORDS: [&str; 8] = [
        "AWS4-HMAC-SHA256",
        "Credential",
        "SignedHeaders",
        "Signature",
        "aws4_request",
        "SharedKey",
        "Bearer",
        "us-east-1",
    ];
    part.len() >= 16 && !WORDS.contains(&part) && !part.contains(';')
}

/// `text` without anything that looks like a secret, on one line, and not too long.
pub(super) fn scrub(text: &str) -> String {
    let text: String = text.chars().map(|char| if char.is_control() { ' ' } else { char }).collect();
    let mut out = String::with_capacity(text.len());
    let mut rest = text.as_str();
    let mut announced = false;
    while !rest.is_empty() {
        let length = rest.find(|char| !is_word(char)).unwrap_or(rest.len());
        let (word, after) = rest.split_at(length);
        if word.is_empty() {
            let mut chars = rest.chars();
            let Some(char) = chars.next() else { break };
            rest = chars.as_str();
            // The query of a URL goes as a whole; elsewhere a question mark is a question mark.
            if char == '?' && rest.starts_with(is_word) && rest.contains('=') {
                let end = rest.find([' ', '"', '\'', '<', ')']).unwrap_or(rest.len());
                rest = rest.get(end..).unwrap_or_default();
                out.push('?');
                out.push_str(SCRUBBED);
            } else {
                announced = announced && matches!(char, '=' | ':' | ' ' | '"' | '\'' | '>' | ',' | '&');
                out.push(char);
            }
            continue;
        }
        rest = after;
        if is_announcer(word) {
            announced = true;
            out.push_str(word);
        } else if announced {
            announced = announces_more(&mut out, word, rest);
        } else {
            push_word(&mut out, word);
        }
    }
    shorten(&out)
}

/// A word after one that announces a secret: hidden, unless it only leads on (`Signature you provided`).
fn announces_more(out: &mut String, word: &str, rest: &str) -> bool {
    let direct = out.ends_with(['=', ':', '"', '\'', '>']) || out.to_ascii_lowercase().trim_end().ends_with("bearer");
    let account = rest.starts_with(':') && out.to_ascii_lowercase().trim_end().ends_with("sharedkey");
    if account {
        out.push_str(word);
        return true;
    }
    if direct {
        out.push_str(SCRUBBED);
    } else {
        push_word(out, word);
    }
    false
}

/// A word on its own: hidden where it looks random. `name=value` stays together in one run, since `=` ends base64.
fn push_word(out: &mut String, word: &str) {
    let (name, value) = match word.split_once('=') {
        Some((name, value)) if !value.trim_matches('=').is_empty() => (Some(name), value),
        _ => (None, word),
    };
    if let Some(name) = name {
        push_word(out, name);
        out.push('=');
        if ANNOUNCERS.contains(&name.to_ascii_lowercase().as_str()) {
            out.push_str(SCRUBBED);
            return;
        }
    }
    out.push_str(if looks_random(value) { SCRUBBED } else { value });
}

fn is_announcer(word: &str) -> bool {
    ANNOUNCERS.contains(&word.trim_end_matches('=').to_ascii_lowercase().as_str())
}

/// What keys, tokens and digests are made of: base64 in both alphabets, hexadecimal, percent signs.
fn is_word(char: char) -> bool {
    char.is_ascii_alphanumeric() || matches!(char, '+' | '/' | '=' | '_' | '-' | '%' | '.')
}

/// Long, and of mixed characters: upper and lower case and digits together, or nothing but hexadecimal digits.
fn looks_random(word: &str) -> bool {
    let has = |is: fn(&char) -> bool| word.chars().any(|char| is(&char));
    let mixed = has(char::is_ascii_uppercase) && has(char::is_ascii_lowercase) && has(char::is_ascii_digit);
    let hex = word.chars().all(|char| char.is_ascii_hexdigit());
    word.len() >= SHORTEST_KEY && (mixed || hex)
}

/// The first [`LONGEST`] characters, and runs of spaces made one.
fn shorten(text: &str) -> String {
    let mut out = String::new();
    for word in text.split_whitespace() {
        if out.chars().count() + word.chars().count() + 1 > LONGEST {
            out.push('…');
            break;
        }
        if !out.is_empty() {
            out.push(' ');
        }
        out.push_str(word);
    }
    out
}

fn percent_decoded(text: &str) -> String {
    let mut out = Vec::with_capacity(text.len());
    let mut bytes = text.bytes();
    while let Some(byte) = bytes.next() {
        let mut hex = || bytes.next().and_then(|byte| char::from(byte).to_digit(16));
        match byte {
            b'%' => {
                if let (Some(high), Some(low)) = (hex(), hex()) {
                    out.push((high * 16 + low) as u8);
                }
            }
            _ => out.push(byte),
        }
    }
    String::from_utf8_lossy(&out).into_owned()
}

#[cfg(test)]
mod tests {
    use super::*;
    use object_store::client::HttpRequestBody;
    use proptest::prelude::*;

    const AWS_SECRET: &str = "wJalrXUtnFEMI/K7MDENG/bPxRfiCYEXAMPLEKEY";
    const AZURE_KEY: &str = "Eby8vdM02xNOcqFlqUwJPLlmEtlCDXJ1OUzFT50uSRZ6IFsuFq2UVErCz4I6tq/K1SZFPTOtr/KBHBeksoGMGw==";

    #[test]
    fn planted_secrets_are_gone() {
        let cases = [
            format!("your key is {AWS_SECRET}, really"),
            format!("AccountName=x;AccountKey={AZURE_KEY};EndpointSuffix=y"),
            "GET https://a.blob.core.windows.net/c/b?sv=2023&sig=hush%2Bhush%3D&se=1 failed".to_owned(),
            "Authorization: Bearer hush.hush.hush".to_owned(),
            "authorization: SharedKey devstoreaccount1:hushhush=".to_owned(),
            "{\"access_token\":\"hush-hush\",\"x\":1}".to_owned(),
            "client_secret=hush&grant_type=x".to_owned(),
            "X-Amz-Signature=hush&X-Amz-Credential=hush/20260101/us-east-1/s3".to_owned(),
            "AWS4-HMAC-SHA256 Credential=hush/20260101, SignedHeaders=host, Signature=hush".to_owned(),
            "<Signature>hush</Signature>".to_owned(),
            "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855".to_owned(),
        ];
        for case in &cases {
            let found = scrub(case);
            for secret in ["hush", AWS_SECRET, "K7MDENG", AZURE_KEY, "K1SZFPTOtr", "e3b0c442"] {
                assert!(!found.contains(secret), "{case} became {found}");
            }
        }
    }

    #[test]
    fn ordinary_messages_stay() {
        for message in [
            "The specified key does not exist.",
            "The request signature we calculated does not match the signature you provided. Check your key and signing method.",
            "Server failed to authenticate the request. RequestId:0c2a7f5e-701e-0012-3f0c-9a1b2c3d4e5f",
            "the region 'us-east-1' is wrong; expecting 'ap-southeast-2'",
            "error sending request for url (http://127.0.0.1:9/bucket/key): connection refused",
            "What? No.",
        ] {
            assert_eq!(scrub(message), message);
        }
    }

    #[test]
    fn what_the_request_carried_never_comes_back() {
        let request = http::Request::builder()
            .uri("http://h/c/k?sv=1&sig=ab%2Bcdef%3D")
            .header("authorization", "AWS4-HMAC-SHA256 Credential=AKIDEXAMPLE000001/20260101/us-east-1/s3/aws4_request, SignedHeaders=host, Signature=feedfacefeedface")
            .header("x-amz-security-token", "short-lived-token")
            .body(HttpRequestBody::empty())
            .unwrap();
        let carried = Carried::by(&request);
        let found = carried.scrub(
            "you sent AKIDEXAMPLE000001 and feedfacefeedface with short-lived-token and ab+cdef= or ab%2Bcdef%3D",
        );
        assert_eq!(found, format!("you sent {0} and {0} with {0} and {0} or {0}", "[scrubbed]"));
    }

    #[test]
    fn messages_are_short_and_on_one_line() {
        let found = scrub(&"many words\r\n".repeat(1_000));
        assert!(found.chars().count() <= LONGEST + 1 && found.ends_with('…') && !found.contains('\n'), "{found}");
    }

    proptest! {
        #[test]
        fn keys_do_not_survive_anywhere(before in "[ -~]{0,40}", key in "[A-Za-z0-9+/]{40,88}", after in "[ -~]{0,40}") {
            prop_assume!(looks_random(&key));
            let found = scrub(&format!("{before} {key} {after}"));
            prop_assert!(!found.contains(&key), "{}", found);
        }

        #[test]
        fn any_text_at_all(text: String) {
            prop_assert!(scrub(&text).chars().count() <= LONGEST + SCRUBBED.len() + 1);
        }
    }
}
