//! Which checksum goes with an upload, and whether the provider's answer agrees with it.
//!
//! A checksum that the provider checks before it stores anything is worth more than one compared afterwards, so one is sent
//! wherever that costs next to nothing:
//!
//! | provider | sent with | why this one |
//! | --- | --- | --- |
//! | S3 | `x-amz-checksum-sha256`: puts; parts of other servers than Amazon's | S3's signature needs the SHA-256 anyway |
//! | Azure | `x-ms-content-crc64`; `Content-MD5` if that is refused (Azurite) | CRC64 is free, MD5 is not |
//! | Google | `x-goog-hash: crc32c=` | CRC32C is free |
//!
//! Amazon takes a part's checksum only if the upload was created with its algorithm, and checks the signed hash of the body in any
//! case. Other servers take it as it comes (SeaweedFS checks it, and does not check the signed hash), or refuse it: then it is
//! left out from then on, after one request more ([`UploadChecks::is_refused`]).
//!
//! What the answer repeats is compared as well. A server that repeats nothing, such as moto, still says the ETag: if ETags have
//! been MD5 sums here before, this one has to be, too. That is the one case in which MD5 is computed.

use std::sync::atomic::{AtomicBool, AtomicU8, Ordering};

use http::{HeaderMap, HeaderName, HeaderValue, StatusCode};
use object_store::client::HttpRequest;

use super::body_sums::{BodySums, base64_of};
use super::said::Said;
use crate::source::Provider;
use crate::stats::RequestKind;

pub(super) const S3_SHA256: HeaderName = HeaderName::from_static("x-amz-checksum-sha256");
const GOOGLE_HASH: HeaderName = HeaderName::from_static("x-goog-hash");
const AZURE_CRC64: HeaderName = HeaderName::from_static("x-ms-content-crc64");
const CONTENT_MD5: HeaderName = HeaderName::from_static("content-md5");

/// Nothing is known about ETags yet.
const ETAG_UNKNOWN: u8 = 0;
/// An ETag was the body's MD5.
const ETAG_MD5: u8 = 1;

/// The checksum habits of one endpoint, learned as its answers come.
#[derive(Debug)]
pub(super) struct UploadChecks {
    provider: Provider,
    /// Whether puts, and parts, are sent with the preferred checksum.
    puts: AtomicBool,
    parts: AtomicBool,
    etags: AtomicU8,
}

/// The checksum that was put on a request.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Sent {
    /// None.
    Nothing,
    /// One that whoever made the request had put there.
    Theirs,
    /// The provider's preferred one.
    Preferred,
    /// Content-MD5, where the preferred one is refused.
    Md5,
}

/// Whether the provider has what was sent.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Agreement {
    /// It repeats the checksum.
    Same,
    /// It doesn't say.
    Unknown,
    /// It has something else: what was compared, for a message.
    Different(String),
}

impl UploadChecks {
    /// For an endpoint of which nothing is known.
    pub(super) fn new(provider: Provider) -> Self {
        Self { provider, puts: AtomicBool::new(true), parts: AtomicBool::new(true), etags: AtomicU8::new(ETAG_UNKNOWN) }
    }

    /// Puts a checksum on `request`.
    pub(super) async fn put_on(&self, kind: RequestKind, request: &mut HttpRequest, sums: &BodySums) -> Sent {
        let Some(switch) = self.switch(kind) else { return Sent::Nothing };
        let preferred = switch.load(Ordering::Relaxed);
        let (name, value) = match self.provider {
            Provider::S3 if request.headers().contains_key(S3_SHA256) => return Sent::Theirs,
            Provider::S3 if kind == RequestKind::PutPart && is_amazon(request) => return Sent::Nothing,
            Provider::S3 if preferred => (S3_SHA256, base64_of(&sums.sha256().await)),
            Provider::Gcp if preferred => (GOOGLE_HASH, format!("crc32c={}", sums.crc32c_base64())),
            Provider::Azure if preferred => (AZURE_CRC64, sums.crc64_base64()),
            Provider::Azure => (CONTENT_MD5, base64_of(&sums.md5().await)),
            _ => return Sent::Nothing,
        };
        let sent = if name == CONTENT_MD5 { Sent::Md5 } else { Sent::Preferred };
        match HeaderValue::from_str(&value) {
            Ok(value) => {
                request.headers_mut().insert(name, value);
                sent
            }
            Err(_) => Sent::Nothing,
        }
    }

    /// Takes off the checksum that was put on a request before.
    pub(super) fn take_off(&self, sent: Sent, request: &mut HttpRequest) {
        let preferred = match self.provider {
            Provider::Gcp => GOOGLE_HASH,
            Provider::Azure => AZURE_CRC64,
            _ => S3_SHA256,
        };
        match sent {
            Sent::Nothing | Sent::Theirs => {}
            Sent::Preferred => drop(request.headers_mut().remove(preferred)),
            Sent::Md5 => drop(request.headers_mut().remove(CONTENT_MD5)),
        }
    }

    /// Whether the server refused the checksum itself, rather than the request or a damaged body. If so, it is left out from now on,
    /// and the request is worth another attempt.
    pub(super) fn is_refused(&self, kind: RequestKind, sent: Sent, status: StatusCode, said: &Said) -> bool {
        let Some(switch) = self.switch(kind) else { return false };
        let unsupported = matches!(said.code.as_str(), "FeatureNotSupported" | "NotImplemented" | "UnsupportedHeader");
        let words = format!("{} {}", said.code, said.message).to_ascii_lowercase();
        let about_checksums = words.contains("checksum") || words.contains("crc64") || words.contains("x-goog-hash");
        let refused = sent == Sent::Preferred
            && !is_damage(said)
            && (unsupported || (matches!(status.as_u16(), 400 | 501) && about_checksums));
        if refused {
            switch.store(false, Ordering::Relaxed);
            tracing::debug!(kind = kind.as_str(), code = said.code, "the server refuses checksums; they are left out");
        }
        refused
    }

    /// Compares what a successful answer says about the body with what was sent.
    pub(super) async fn compare(
        &self,
        kind: RequestKind,
        request: &HttpRequest,
        sums: &BodySums,
        answer: &HeaderMap,
    ) -> Agreement {
        if self.switch(kind).is_none() {
            return Agreement::Unknown;
        }
        match self.provider {
            Provider::S3 => match text(answer, &S3_SHA256) {
                Some(theirs) => compared("SHA-256", &base64_of(&sums.sha256().await), theirs),
                None if is_amazon(request) => Agreement::Unknown,
                None => self.compare_etag(sums, answer).await,
            },
            Provider::Gcp => {
                let hashes = answer.get_all(GOOGLE_HASH).iter().filter_map(|value| value.to_str().ok());
                let theirs =
                    hashes.flat_map(|value| value.split(',')).find_map(|hash| hash.trim().strip_prefix("crc32c="));
                theirs.map_or(Agreement::Unknown, |theirs| compared("CRC32C", &sums.crc32c_base64(), theirs))
            }
            Provider::Azure => match text(answer, &AZURE_CRC64) {
                Some(theirs) => compared("CRC64", &sums.crc64_base64(), theirs),
                None => Agreement::Unknown,
            },
            _ => Agreement::Unknown,
        }
    }

    /// Compares an ETag that may be the body's MD5.
    async fn compare_etag(&self, sums: &BodySums, answer: &HeaderMap) -> Agreement {
        let encrypted = text(answer, &HeaderName::from_static("x-amz-server-side-encryption"));
        let Some(etag) = text(answer, &http::header::ETAG).map(|etag| etag.trim_matches('"')) else {
            return Agreement::Unknown;
        };
        let is_md5_shaped = etag.len() == 32 && etag.bytes().all(|byte| byte.is_ascii_hexdigit());
        if !is_md5_shaped || encrypted.is_some_and(|algorithm| algorithm != "AES256") {
            return Agreement::Unknown;
        }
        let ours: String = sums.md5().await.iter().map(|byte| format!("{byte:02x}")).collect();
        if ours.eq_ignore_ascii_case(etag) {
            self.etags.store(ETAG_MD5, Ordering::Relaxed);
            return Agreement::Same;
        }
        match self.etags.load(Ordering::Relaxed) {
            ETAG_MD5 => compared("MD5 (ETag)", &ours, etag),
            // A server whose ETags are something else of the same shape.
            _ => Agreement::Unknown,
        }
    }

    fn switch(&self, kind: RequestKind) -> Option<&AtomicBool> {
        match kind {
            RequestKind::Put => Some(&self.puts),
            RequestKind::PutPart => Some(&self.parts),
            _ => None,
        }
    }
}

/// Whether the provider says that the body came damaged: it checked a checksum, and stored nothing.
pub(super) fn is_damage(said: &Said) -> bool {
    const CODES: [&str; 6] = [
        "BadDigest",
        "XAmzContentSHA256Mismatch",
        "XAmzContentChecksumMismatch",
        "Md5Mismatch",
        "Crc64Mismatch",
        "IncompleteBody",
    ];
    // Azurite has no code of its own for it.
    let azurite = said.code == "InvalidOperation" && said.message.contains("doesn't match");
    azurite || CODES.contains(&said.code.as_str())
}

/// Whether a request goes to Amazon itself, which checks the signed hash of every body.
fn is_amazon(request: &HttpRequest) -> bool {
    let host = request.uri().host().unwrap_or_default();
    host.ends_with(".amazonaws.com") || host.ends_with(".amazonaws.com.cn")
}

fn compared(name: &str, ours: &str, theirs: &str) -> Agreement {
    if ours == theirs.trim() {
        Agreement::Same
    } else {
        // Digests of the data are no secrets, but an answer is not trusted to hold nothing else.
        let theirs: String = theirs.chars().filter(char::is_ascii_graphic).take(64).collect();
        Agreement::Different(format!("{name} sent {ours}, stored {theirs}"))
    }
}

fn text<'a>(headers: &'a HeaderMap, name: &HeaderName) -> Option<&'a str> {
    headers.get(name).and_then(|value| value.to_str().ok())
}

#[cfg(test)]
mod tests {
    use super::*;
    use object_store::client::HttpRequestBody;

    fn request(host: &str) -> HttpRequest {
        http::Request::builder()
            .method("PUT")
            .uri(format!("http://{host}/b/k"))
            .body(HttpRequestBody::from(b"hello".to_vec()))
            .unwrap()
    }

    fn headers(pairs: &[(&'static str, &str)]) -> HeaderMap {
        pairs
            .iter()
            .map(|(name, value)| (HeaderName::from_static(name), HeaderValue::from_str(value).unwrap()))
            .collect()
    }

    fn said(code: &str, message: &str) -> Said {
        Said { code: code.to_owned(), message: message.to_owned(), ..Said::default() }
    }

    async fn sent(checks: &UploadChecks, kind: RequestKind, host: &str) -> (Sent, HeaderMap) {
        let mut request = request(host);
        let sums = BodySums::new(request.body());
        let sent = checks.put_on(kind, &mut request, &sums).await;
        (sent, request.headers().clone())
    }

    const SHA256: &str = "LPJNul+wow4m6DsqxbninhsWHlwfp0JecwQzYpOLmCQ=";
    const MD5: &str = "5d41402abc4b2a76b9719d911017c592";

    #[tokio::test]
    async fn what_is_sent_where() {
        let s3 = UploadChecks::new(Provider::S3);
        assert_eq!(sent(&s3, RequestKind::Put, "127.0.0.1").await.1[&S3_SHA256], SHA256);
        assert_eq!(sent(&s3, RequestKind::PutPart, "127.0.0.1").await.1[&S3_SHA256], SHA256);
        assert_eq!(sent(&s3, RequestKind::Put, "b.s3.eu-west-1.amazonaws.com").await.0, Sent::Preferred);
        assert_eq!(sent(&s3, RequestKind::PutPart, "b.s3.eu-west-1.amazonaws.com").await.0, Sent::Nothing);
        assert_eq!(sent(&s3, RequestKind::Complete, "127.0.0.1").await.0, Sent::Nothing);
        let google = sent(&UploadChecks::new(Provider::Gcp), RequestKind::PutPart, "h").await.1;
        assert_eq!(google[&GOOGLE_HASH], "crc32c=mnG7TA==");
        assert!(sent(&UploadChecks::new(Provider::Azure), RequestKind::Put, "h").await.1.contains_key(AZURE_CRC64));
        let mut theirs = request("h");
        theirs.headers_mut().insert(S3_SHA256, HeaderValue::from_static("theirs"));
        let sums = BodySums::new(theirs.body());
        assert_eq!(s3.put_on(RequestKind::PutPart, &mut theirs, &sums).await, Sent::Theirs);
        assert_eq!(theirs.headers()[&S3_SHA256], "theirs");
    }

    #[tokio::test]
    async fn a_refused_checksum_is_left_out() {
        let status = StatusCode::BAD_REQUEST;
        let s3 = UploadChecks::new(Provider::S3);
        let null = said(
            "InvalidRequest",
            "Checksum Type mismatch occurred, expected checksum Type: null, actual checksum Type: sha256",
        );
        assert!(!s3.is_refused(RequestKind::PutPart, Sent::Theirs, status, &null));
        assert!(!s3.is_refused(
            RequestKind::PutPart,
            Sent::Preferred,
            status,
            &said("BadDigest", "the checksum differs")
        ));
        assert!(!s3.is_refused(
            RequestKind::PutPart,
            Sent::Preferred,
            StatusCode::FORBIDDEN,
            &said("AccessDenied", "")
        ));
        assert!(s3.is_refused(RequestKind::PutPart, Sent::Preferred, status, &null));
        assert_eq!(sent(&s3, RequestKind::PutPart, "h").await.0, Sent::Nothing);
        assert_eq!(sent(&s3, RequestKind::Put, "h").await.0, Sent::Preferred, "puts are another matter");
        let azure = UploadChecks::new(Provider::Azure);
        let azurite = said("FeatureNotSupported", "x-ms-content-crc64 header or parameter is not supported");
        assert!(azure.is_refused(RequestKind::Put, Sent::Preferred, StatusCode::INTERNAL_SERVER_ERROR, &azurite));
        let (kind, headers) = sent(&azure, RequestKind::Put, "h").await;
        assert_eq!((kind, headers[&CONTENT_MD5].to_str().unwrap()), (Sent::Md5, "XUFAKrxLKna5cZ2REBfFkg=="));
        assert!(!azure.is_refused(RequestKind::Put, Sent::Md5, StatusCode::INTERNAL_SERVER_ERROR, &azurite));
    }

    async fn agreement(checks: &UploadChecks, host: &str, answer: &[(&'static str, &str)]) -> Agreement {
        let request = request(host);
        checks.compare(RequestKind::Put, &request, &BodySums::new(request.body()), &headers(answer)).await
    }

    fn differs(agreement: &Agreement) -> bool {
        matches!(agreement, Agreement::Different(_))
    }

    #[tokio::test]
    async fn what_answers_repeat_is_compared() {
        let s3 = UploadChecks::new(Provider::S3);
        assert_eq!(agreement(&s3, "h", &[("x-amz-checksum-sha256", SHA256)]).await, Agreement::Same);
        assert!(differs(&agreement(&s3, "h", &[("x-amz-checksum-sha256", "AAAA")]).await));
        let google = UploadChecks::new(Provider::Gcp);
        assert_eq!(agreement(&google, "h", &[("x-goog-hash", "md5=x, crc32c=mnG7TA==")]).await, Agreement::Same);
        assert!(differs(&agreement(&google, "h", &[("x-goog-hash", "crc32c=AAAAAA==")]).await));
        assert_eq!(agreement(&google, "h", &[]).await, Agreement::Unknown);
        let azure = UploadChecks::new(Provider::Azure);
        assert!(differs(&agreement(&azure, "h", &[("x-ms-content-crc64", "AAAAAAAAAAA=")]).await));
        assert_eq!(agreement(&azure, "h", &[("etag", MD5)]).await, Agreement::Unknown);
    }

    #[tokio::test]
    async fn etags_count_once_they_have_been_md5() {
        let s3 = UploadChecks::new(Provider::S3);
        let other = "\"00000000000000000000000000000000\"";
        assert_eq!(agreement(&s3, "h", &[("etag", other)]).await, Agreement::Unknown, "not known to be MD5 here");
        assert_eq!(agreement(&s3, "h", &[("etag", &format!("\"{MD5}\""))]).await, Agreement::Same);
        assert!(differs(&agreement(&s3, "h", &[("etag", other)]).await));
        assert_eq!(agreement(&s3, "b.s3.amazonaws.com", &[("etag", other)]).await, Agreement::Unknown);
        assert_eq!(agreement(&s3, "h", &[("etag", "\"0000-2\"")]).await, Agreement::Unknown);
        let kms = [("etag", other), ("x-amz-server-side-encryption", "aws:kms")];
        assert_eq!(agreement(&s3, "h", &kms).await, Agreement::Unknown);
    }
}
