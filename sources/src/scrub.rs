//! Takes secrets out of text that comes from servers and libraries.
//!
//! Providers echo what they were sent: S3 answers a wrong signature with the string that was signed, Azure quotes the
//! authorization header, HTTP libraries print URLs with their query. None of that may reach an error or a log line, so every
//! foreign text passes through [`scrub`] before it is kept. Three sieves, coarse on purpose, since a message that lost a harmless word
//! is still a message, and the provider's error code stays:
//! 1. the query and the user of every URL;
//! 2. whatever follows a name that announces a secret (`sig=`, `Bearer `, `"access_token":`, `<StringToSign>` …);
//! 3. long runs of characters that look random: keys, tokens and digests.
//!
//! Where the secrets of a request are at hand (the transport, the credentials), those very values are taken out before.

/// Longest text kept, characters: an error is read by people.
const MAX_CHARACTERS: usize = 400;

/// The shortest run that may be a key, characters: SAS signatures have 44, AWS secrets 40, digests in hexadecimal 32 and more.
const SHORTEST_KEY: usize = 32;

/// Words after which a secret follows, lower case and without `x-amz-` and `x-goog-`. What follows them, up to the next separator, is
/// replaced.
const SECRET_WORDS: [&str; 31] = [
    "accountkey",
    "sharedaccesssignature",
    "sharedkey",
    "sharedkeylite",
    "signature",
    "signatureprovided",
    "stringtosign",
    "stringtosignbytes",
    "canonicalrequest",
    "canonicalrequestbytes",
    "authorization",
    "authenticationerrordetail",
    "bearer",
    "sig",
    "credential",
    "security-token",
    "access_token",
    "refresh_token",
    "id_token",
    "sessiontoken",
    "session_token",
    "token",
    "client_secret",
    "client_assertion",
    "assertion",
    "private_key",
    "secretaccesskey",
    "secret_access_key",
    "aws_secret_access_key",
    "secret",
    "password",
];

/// The same for words that end so: `WebIdentityToken`, `x-aws-ec2-metadata-token`, `proxy_password`.
const SECRET_ENDS: [&str; 4] = ["token", "secret", "password", "assertion"];

/// `text` in one line, without queries and user names of URLs, without what follows words such as `Signature=` or `Bearer`,
/// without `<StringToSign>` and the like, and cut to 400 characters.
pub(crate) fn scrub(text: &str) -> String {
    let mut clean = String::with_capacity(text.len().min(MAX_CHARACTERS));
    let mut rest = text;
    while let Some(first) = rest.chars().next() {
        if let Some(length) = random_run(rest) {
            clean.push_str("[secret]");
            rest = rest.get(length..).unwrap_or_default();
        } else if is_word(first) {
            let end = rest.find(|c| !is_word(c)).unwrap_or(rest.len());
            let (word, after) = rest.split_at(end);
            if let Some(secret) = secret_after(word, after) {
                clean.push_str(word);
                clean.push_str("=[secret]");
                rest = after.get(secret..).unwrap_or_default();
            } else if let Some(url) = after.strip_prefix("://") {
                let end = url.find(|c: char| c.is_whitespace() || "\"'<>)}`".contains(c)).unwrap_or(url.len());
                let (url, later) = url.split_at(end);
                clean.push_str(word);
                clean.push_str("://");
                clean.push_str(bare_url(url));
                rest = later;
            } else {
                clean.push_str(word);
                rest = after;
            }
        } else {
            clean.push(if first.is_control() { ' ' } else { first });
            rest = rest.get(first.len_utf8()..).unwrap_or_default();
        }
    }
    let mut line: String = clean.split_whitespace().collect::<Vec<_>>().join(" ");
    if let Some((cut, _)) = line.char_indices().nth(MAX_CHARACTERS) {
        line.truncate(cut);
        line.push('…');
    }
    line
}

/// Whether a secret follows `name` in a query, a header or a document.
#[cfg(feature = "http")]
pub(crate) fn announces_secret(name: &str) -> bool {
    SECRET_WORDS.contains(&without_vendor(&name.to_ascii_lowercase()))
}

fn without_vendor(word: &str) -> &str {
    word.strip_prefix("x-amz-").or_else(|| word.strip_prefix("x-goog-")).unwrap_or(word)
}

fn is_word(c: char) -> bool {
    c.is_alphanumeric() || c == '_' || c == '-'
}

/// The length of the run at the beginning of `text` that looks like a key: long, and of upper case, lower case and digits together,
/// or of nothing but hexadecimal digits.
fn random_run(text: &str) -> Option<usize> {
    let is_key = |c: char| c.is_ascii_alphanumeric() || matches!(c, '+' | '/' | '_' | '-' | '%' | '.');
    let length = text.find(|c| !is_key(c)).unwrap_or(text.len());
    let run = text.get(..length)?.trim_end_matches(['.', '-', '%']);
    let after = text.get(run.len()..)?;
    let has = |is: fn(&u8) -> bool| run.as_bytes().iter().any(is);
    let mixed = has(u8::is_ascii_uppercase) && has(u8::is_ascii_lowercase) && has(u8::is_ascii_digit);
    let random = mixed || run.bytes().all(|byte| byte.is_ascii_hexdigit());
    (random && run.len() >= SHORTEST_KEY).then(|| text.len() - after.trim_start_matches('=').len())
}

/// The number of bytes of `after` that belong to a secret announced by `word`, or none.
fn secret_after(word: &str, after: &str) -> Option<usize> {
    let lower = word.to_ascii_lowercase();
    let word = without_vendor(&lower);
    if !SECRET_WORDS.contains(&word) && !SECRET_ENDS.iter().any(|end| word.ends_with(end)) {
        return None;
    }
    // `<StringToSign>…</StringToSign>`: everything up to the closing tag.
    if after.starts_with('>') {
        return Some(after.find("</").unwrap_or(after.len()));
    }
    // `key=value`, `key: value`, `"key":"value"`, `Bearer value`: everything up to a separator; an authorization header holds
    // spaces and commas, so it ends with its line.
    let value = after.trim_start_matches(['"', '\'', ' ']);
    let value = match value.strip_prefix(['=', ':']) {
        Some(value) => value,
        None if word == "bearer" => value,
        // `SharedKey account:signature`; elsewhere it is a word.
        None if word.starts_with("sharedkey") && value.split(' ').next().unwrap_or_default().contains(':') => value,
        None => return None,
    };
    let value = value.trim_start_matches(['"', '\'', ' ']);
    let separators: &[char] = match word {
        "authorization" | "stringtosign" | "canonicalrequest" | "authenticationerrordetail" => &['\n', '\r'],
        _ => &['&', ';', ',', ' ', '"', '\'', '<', '>', ')', '}', '\n', '\r', '\t'],
    };
    let end = value.find(separators).unwrap_or(value.len());
    if value.get(..end).unwrap_or_default().is_empty() {
        return None;
    }
    Some(after.len() - value.len() + end)
}

/// A URL's host and path.
fn bare_url(url: &str) -> &str {
    let url = url.split(['?', '#']).next().unwrap_or_default();
    let host_end = url.find('/').unwrap_or(url.len());
    match url.get(..host_end).and_then(|authority| authority.rfind('@')) {
        Some(at) => url.get(at + 1..).unwrap_or_default(),
        None => url,
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn plain_text_is_kept() {
        for text in
            ["The specified bucket does not exist", "status 503: slow down, please", "a signature is missing", "ü ✓"]
        {
            assert_eq!(scrub(text), text);
        }
        assert_eq!(scrub("two\n  lines\tand more"), "two lines and more");
    }

    #[test]
    fn secrets_are_taken_out() {
        for text in [
            "GET https://b.s3.amazonaws.com/k?X-Amz-Signature=PLANTED&x=1 failed",
            "error for url (http://PLANTED:PLANTED@127.0.0.1:9000/b/k?sig=PLANTED)",
            "AccountName=dev;AccountKey=PLANTED==;EndpointSuffix=x",
            "SharedAccessSignature=PLANTED",
            "<Error><Code>SignatureDoesNotMatch</Code><StringToSign>AWS4\nPLANTED</StringToSign></Error>",
            "<SignatureProvided>PLANTED</SignatureProvided>",
            "<CanonicalRequest>GET\n/\nPLANTED</CanonicalRequest>",
            "Authorization: AWS4-HMAC-SHA256 Credential=AK/x, Signature=PLANTED",
            "authorization: SharedKey dev:PLANTED",
            "Authorization: Bearer PLANTED",
            "Bearer PLANTED was refused",
            "{\"access_token\": \"PLANTED\", \"x\": 1}",
            "{\"secret\":\"PLANTED\"}",
            "x-amz-security-token: PLANTED",
            "X-Amz-Credential=PLANTED/2026/us-east-1",
            "password=PLANTED",
            "the header SharedKey devstoreaccount1:PLANTED= is wrong",
            "X-Goog-Signature=PLANTED&x",
            "Version=2011-06-15&WebIdentityToken=PLANTED",
            "x-aws-ec2-metadata-token: PLANTED",
            "client_secret=PLANTED&grant_type=x",
            "key wJalrXUtnPLANTED/K7MDENG/bPxRfiCYEXAMPLEKEY, really",
            "found Eby8vdM02xPLANTED1OUzFT50uSRZ6IFsuFq2UVErCz4I6tq/K1SZFPTOtr/KBHBeksoGMGw== instead",
        ] {
            let clean = scrub(text);
            assert!(!clean.contains("PLANTED"), "{text} became {clean}");
        }
        assert!(
            scrub("<Code>SignatureDoesNotMatch</Code><StringToSign>x</StringToSign>").contains("SignatureDoesNotMatch")
        );
        assert_eq!(scrub("see https://host:1/a/b?x=1 now"), "see https://host:1/a/b now");
    }

    #[test]
    fn long_text_is_cut() {
        let clean = scrub(&"ä".repeat(10_000));
        assert_eq!(clean.chars().count(), MAX_CHARACTERS + 1);
    }

    proptest! {
        #[test]
        fn keys_do_not_survive_anywhere(before in "[ -~]{0,40}", key in "[A-Za-z0-9+/]{40,88}", after in "[ -~]{0,40}") {
            prop_assume!(random_run(&key) == Some(key.len()));
            let found = scrub(&format!("{before} {key} {after}"));
            prop_assert!(!found.contains(&key), "{}", found);
        }

        #[test]
        fn any_text_is_scrubbed_without_panic(text in any::<String>(), key in 0..SECRET_WORDS.len(), secret in "[A-Z]{12}") {
            let _ = scrub(&text);
            for text in [
                format!("{text};{}={secret}", SECRET_WORDS[key]),
                format!("https://{secret}@host/?q={secret}{text}"),
                format!("<{0}>{secret}</{0}>{text}", SECRET_WORDS[key]),
            ] {
                // The secret may be part of a longer word by chance of `text`; without that it must be gone.
                if text.matches(&secret).count() <= 2 {
                    let clean = scrub(&text);
                    prop_assert!(!clean.contains(&secret) , "{} became {}", text, clean);
                }
            }
        }
    }
}
