//! Takes the secrets that a request carried out of what is said about it: its signature, token, shared-access signature. What else looks
//! like a secret is taken out by [`crate::scrub`], through which the text goes as well.

use http::header::AUTHORIZATION;
use http::{HeaderValue, Uri};
use object_store::client::HttpRequest;

use crate::scrub::{announces_secret, scrub};

/// What stands where a secret was.
const SCRUBBED: &str = "[scrubbed]";
/// Values shorter than this are not searched for: they would take ordinary words out.
const SHORTEST_VALUE: usize = 6;

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
                && announces_secret(name)
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
}
