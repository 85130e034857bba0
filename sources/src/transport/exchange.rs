//! One request that is to be answered, by as many attempts as it takes.

use std::ops::Range;

use http::header::{AUTHORIZATION, DATE, IF_MATCH, IF_NONE_MATCH, RANGE};
use http::{HeaderName, HeaderValue};
use object_store::client::HttpRequest;

use super::body_sums::{BodySums, from_base64};
use super::request_kind::kind_of;
use super::upload_checks::{S3_SHA256, Sent, UploadChecks};
use crate::source::Provider;
use crate::stats::RequestKind;

const IF_GENERATION_MATCH: HeaderName = HeaderName::from_static("x-goog-if-generation-match");

/// What signers add, and what is therefore taken off before one signs: nothing may be signed twice, or be sent with an old date.
const AUTHORIZATION_HEADERS: [HeaderName; 7] = [
    AUTHORIZATION,
    DATE,
    HeaderName::from_static("x-amz-date"),
    HeaderName::from_static("x-amz-content-sha256"),
    HeaderName::from_static("x-amz-security-token"),
    HeaderName::from_static("x-ms-date"),
    HeaderName::from_static("x-ms-content-sha256"),
];

/// A request as it is sent, but for its authorization.
#[derive(Debug)]
pub(super) struct Exchange {
    pub(super) provider: Provider,
    pub(super) kind: RequestKind,
    /// The bytes of an object that are asked for.
    pub(super) range: Option<Range<u64>>,
    pub(super) sums: BodySums,
    /// Ready to be signed.
    pub(super) request: HttpRequest,
    /// Which checksum it carries.
    pub(super) sent: Sent,
    /// The version of the object that this upload has to replace, because it is a damaged copy of itself.
    damaged: Option<(HeaderName, HeaderValue)>,
}

impl Exchange {
    /// Prepares `request`; `resign` says whether a signer will authorize it.
    pub(super) async fn new(provider: Provider, mut request: HttpRequest, resign: bool, checks: &UploadChecks) -> Self {
        let kind = kind_of(provider, &request);
        if resign && kind != RequestKind::Token {
            for name in &AUTHORIZATION_HEADERS {
                request.headers_mut().remove(name);
            }
        }
        let mut sums = BodySums::new(request.body());
        let known = request.headers().get(S3_SHA256).and_then(|value| from_base64(value.to_str().ok()?));
        if let Some(sha256) = known {
            sums.know_sha256(sha256);
        }
        let range = request.headers().get(RANGE).and_then(|value| parse_range(value.to_str().ok()?));
        let mut exchange = Self { provider, kind, range, sums, request, sent: Sent::Nothing, damaged: None };
        exchange.prepare(checks).await;
        exchange
    }

    /// Adds condition and checksum; again after the endpoint's habits or the condition have changed.
    pub(super) async fn prepare(&mut self, checks: &UploadChecks) {
        checks.take_off(self.sent, &mut self.request);
        if let Some((name, value)) = create_only(self.provider, self.kind)
            && !self.request.headers().contains_key(&name)
        {
            self.request.headers_mut().insert(name, value);
        }
        if let Some((name, value)) = &self.damaged {
            self.request.headers_mut().remove(IF_NONE_MATCH);
            self.request.headers_mut().insert(name.clone(), value.clone());
        }
        self.sent = checks.put_on(self.kind, &mut self.request, &self.sums).await;
    }

    /// Makes the next attempt replace exactly the object that a successful but damaged one has created, if `answer` says which one
    /// that is. Without this the repeated create would find its own damaged copy, and call the name taken.
    pub(super) fn replace_damaged(&mut self, answer: &http::HeaderMap) -> bool {
        if self.kind != RequestKind::Put {
            // A part may be sent again as it is.
            return true;
        }
        let (theirs, ours) = match self.provider {
            Provider::Gcp => (HeaderName::from_static("x-goog-generation"), IF_GENERATION_MATCH),
            _ => (http::header::ETAG, IF_MATCH),
        };
        self.damaged = answer.get(theirs).map(|value| (ours, value.clone()));
        self.damaged.is_some()
    }

    /// Bytes of the body.
    pub(super) fn up(&self) -> u64 {
        self.sums.len()
    }

    /// Bytes that are asked for, as far as the request says.
    pub(super) fn expected_down(&self) -> u64 {
        match (&self.range, self.kind) {
            (Some(range), RequestKind::Get) => range.end.saturating_sub(range.start),
            _ => 0,
        }
    }
}

/// The condition under which the end of an upload in parts creates an object and never replaces one. `object_store` has no
/// create-only mode for uploads in parts; <https://docs.aws.amazon.com/AmazonS3/latest/userguide/conditional-writes.html>.
fn create_only(provider: Provider, kind: RequestKind) -> Option<(HeaderName, HeaderValue)> {
    match (kind, provider) {
        (RequestKind::Complete, Provider::S3 | Provider::Azure) => Some((IF_NONE_MATCH, HeaderValue::from_static("*"))),
        (RequestKind::Complete, Provider::Gcp) => Some((IF_GENERATION_MATCH, HeaderValue::from_static("0"))),
        _ => None,
    }
}

/// `bytes=first-last`.
fn parse_range(text: &str) -> Option<Range<u64>> {
    let (first, last) = text.strip_prefix("bytes=")?.split_once('-')?;
    let (first, last): (u64, u64) = (first.parse().ok()?, last.parse().ok()?);
    (first <= last).then_some(first..last.checked_add(1)?)
}

#[cfg(test)]
mod tests {
    use super::*;
    use object_store::client::HttpRequestBody;

    async fn exchange(provider: Provider, method: &str, uri: &str, headers: &[(&str, &str)]) -> Exchange {
        let mut request = http::Request::builder().method(method).uri(uri);
        for (name, value) in headers {
            request = request.header(*name, *value);
        }
        let request = request.body(HttpRequestBody::from(b"hello".to_vec())).unwrap();
        Exchange::new(provider, request, true, &UploadChecks::new(provider)).await
    }

    #[tokio::test]
    async fn the_end_of_an_upload_creates_only() {
        let s3 = exchange(Provider::S3, "POST", "http://h/b/k?uploadId=1", &[]).await;
        assert_eq!(s3.request.headers()[IF_NONE_MATCH], "*");
        let azure = exchange(Provider::Azure, "PUT", "http://h/b/k?comp=blocklist", &[]).await;
        assert_eq!(azure.request.headers()[IF_NONE_MATCH], "*");
        let google = exchange(Provider::Gcp, "POST", "http://h/b/k?uploadId=1", &[]).await;
        assert_eq!(google.request.headers()[IF_GENERATION_MATCH], "0");
        let put = exchange(Provider::S3, "PUT", "http://h/b/k", &[]).await;
        assert!(!put.request.headers().contains_key(IF_NONE_MATCH), "a put says itself what it wants");
    }

    #[tokio::test]
    async fn old_authorization_is_taken_off_but_not_from_requests_for_tokens() {
        let headers = [("authorization", "old"), ("x-amz-date", "old"), ("x-amz-meta-a", "b")];
        let get = exchange(Provider::S3, "GET", "http://h/b/k", &headers).await;
        assert_eq!(get.request.headers().len(), 1);
        let token = exchange(Provider::Azure, "POST", "http://h/tenant/oauth2/v2.0/token", &headers).await;
        assert_eq!(token.request.headers()[AUTHORIZATION], "old");
    }

    #[tokio::test]
    async fn a_damaged_object_is_replaced_and_no_other() {
        let mut put = exchange(Provider::S3, "PUT", "http://h/b/k", &[("if-none-match", "*")]).await;
        let answer = http::HeaderMap::from_iter([(http::header::ETAG, HeaderValue::from_static("\"x\""))]);
        assert!(put.replace_damaged(&answer));
        put.prepare(&UploadChecks::new(Provider::S3)).await;
        assert_eq!(put.request.headers()[IF_MATCH], "\"x\"");
        assert!(!put.request.headers().contains_key(IF_NONE_MATCH));
        assert!(!put.replace_damaged(&http::HeaderMap::new()));
    }

    #[test]
    fn ranges() {
        assert_eq!(parse_range("bytes=3-7"), Some(3..8));
        for text in ["bytes=3-", "bytes=-3", "bytes=7-3", "bytes=0-18446744073709551615", "3-7"] {
            assert_eq!(parse_range(text), None, "{text}");
        }
    }
}
