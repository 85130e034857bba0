//! Signatures against AWS's published examples, by way of a second implementation that is itself checked against them.
//!
//! The signer's library reads the machine's clock, so its signatures can't be compared with published ones. Instead a reference
//! written from the specification is checked against the examples of
//! <https://docs.aws.amazon.com/AmazonS3/latest/API/sig-v4-header-based-auth.html>, and then recomputes what the signer put on
//! requests, with the date it put there.

use std::sync::Arc;

use aws_lc_rs::{digest, hmac};
use bytes::Bytes;
use http::{HeaderMap, HeaderValue, Method, Request};
use object_store::PutPayload;
use object_store::aws::AwsCredential;
use object_store::client::{HttpRequest, HttpRequestBody};

use super::S3Signer;
use crate::credentials::fake::FakeClock;
use crate::credentials::{CredentialCache, Credentials, FetchCredential, Fetched, Lifetime};
use crate::error::Fault;
use crate::transport::Signer;

const SECRET: &str = "wJalrXUtnFEMI/K7MDENG/bPxRfiCYEXAMPLEKEY";

fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

fn sha256(bytes: &[u8]) -> [u8; 32] {
    digest::digest(&digest::SHA256, bytes).as_ref().try_into().unwrap()
}

fn hmac(key: &[u8], text: &str) -> Vec<u8> {
    hmac::sign(&hmac::Key::new(hmac::HMAC_SHA256, key), text.as_bytes()).as_ref().to_vec()
}

/// Signature Version 4 for S3: the host, all `x-amz-` headers and `also` are signed.
fn reference(
    method: &Method,
    host: &str,
    path: &str,
    query: &str,
    headers: &HeaderMap,
    also: &[&str],
) -> (String, String) {
    let mut signed: Vec<(String, String)> = headers
        .iter()
        .filter(|(name, _)| name.as_str().starts_with("x-amz-") || also.contains(&name.as_str()))
        .map(|(name, value)| (name.to_string(), value.to_str().unwrap().trim().to_owned()))
        .collect();
    signed.push(("host".to_owned(), host.to_owned()));
    signed.sort();
    let names: Vec<_> = signed.iter().map(|(name, _)| name.as_str()).collect();
    let names = names.join(";");
    let mut pairs: Vec<_> = query.split('&').filter(|pair| !pair.is_empty()).collect();
    pairs.sort_unstable();
    let query: Vec<_> =
        pairs.iter().map(|pair| if pair.contains('=') { pair.to_string() } else { format!("{pair}=") }).collect();
    let lines: String = signed.iter().map(|(name, value)| format!("{name}:{value}\n")).collect();
    let payload = headers["x-amz-content-sha256"].to_str().unwrap();
    let canonical = format!("{method}\n{path}\n{}\n{lines}\n{names}\n{payload}", query.join("&"));
    let time = headers["x-amz-date"].to_str().unwrap();
    let day = &time[..8];
    let text =
        format!("AWS4-HMAC-SHA256\n{time}\n{day}/us-east-1/s3/aws4_request\n{}", hex(&sha256(canonical.as_bytes())));
    let mut key = format!("AWS4{SECRET}").into_bytes();
    for part in [day, "us-east-1", "s3", "aws4_request"] {
        key = hmac(&key, part);
    }
    (names, hex(&hmac(&key, &text)))
}

#[test]
fn the_reference_agrees_with_the_published_examples() {
    let nothing = "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855";
    let body = hex(&sha256(b"Welcome to Amazon S3."));
    assert_eq!(body, "44ce7dd67c959e0d3524ffac1771dfbba87d2b6b4b4e99e42034a8b803f8b072");
    for (method, path, query, payload, more, signature) in [
        (
            Method::GET,
            "/test.txt",
            "",
            nothing,
            vec![("range", "bytes=0-9")],
            "f0e8bdb87c964420e857bd35b5d6ed310bd44f0170aba48dd91039c6036bdb41",
        ),
        (
            Method::PUT,
            "/test%24file.text",
            "",
            &body,
            vec![("date", "Fri, 24 May 2013 00:00:00 GMT"), ("x-amz-storage-class", "REDUCED_REDUNDANCY")],
            "98ad721746da40c64f1a55b78f14c238d841ea1380cd77a1b5971af0ece108bd",
        ),
        (
            Method::GET,
            "/",
            "lifecycle",
            nothing,
            vec![],
            "fea454ca298b7da1c68078a5d1bdbfbbe0d65c699e0f91ac7a200a0136783543",
        ),
        (
            Method::GET,
            "/",
            "max-keys=2&prefix=J",
            nothing,
            vec![],
            "34b48302e7b5fa45bde8084f4b7868a86f0a534bc59db6670ed5711ef69dc6f7",
        ),
    ] {
        let mut headers = HeaderMap::new();
        headers.insert("x-amz-date", "20130524T000000Z".parse().unwrap());
        headers.insert("x-amz-content-sha256", payload.parse().unwrap());
        for (name, value) in &more {
            headers.insert(*name, value.parse().unwrap());
        }
        let (_, found) =
            reference(&method, "examplebucket.s3.amazonaws.com", path, query, &headers, &["range", "date"]);
        assert_eq!(found, signature, "{method} {path}?{query}");
    }
}

fn credential(token: Option<&str>) -> AwsCredential {
    AwsCredential {
        key_id: "AKIAIOSFODNN7EXAMPLE".to_owned(),
        secret_key: SECRET.to_owned(),
        token: token.map(str::to_owned),
    }
}

fn request(method: &Method, url: &str, headers: &[(&'static str, &str)], body: HttpRequestBody) -> HttpRequest {
    let mut request = Request::builder().method(method).uri(url).body(body).unwrap();
    for (name, value) in headers {
        request.headers_mut().insert(*name, value.parse().unwrap());
    }
    request
}

#[tokio::test]
async fn the_signer_agrees_with_the_reference() {
    let payload = Bytes::from_static(b"Welcome to Amazon S3.");
    let list = "list-type=2&prefix=a%20b%2F%C3%BC%2B%26%3D&start-after=a%25&max-keys=1&delimiter=%2F";
    for (method, path, query, headers, body, token) in [
        (Method::GET, "/test.txt", "", vec![("range", "bytes=0-9")], Bytes::new(), None),
        (Method::HEAD, "/test%24file.text", "", vec![], Bytes::new(), Some("a/session+token==")),
        (
            Method::PUT,
            "/a%20b/%C3%BC/%25/%2B%23",
            "",
            vec![("if-none-match", "*"), ("x-amz-meta-plastron", "1;id=0;  size=1")],
            payload.clone(),
            None,
        ),
        (Method::GET, "/", list, vec![], Bytes::new(), None),
        (Method::POST, "/big", "uploads", vec![], Bytes::new(), Some("t")),
        (
            Method::PUT,
            "/big",
            "partNumber=10&uploadId=a%2Fb%3D%3D",
            vec![("x-amz-checksum-crc32c", "AAAAAA==")],
            payload.clone(),
            None,
        ),
        (
            Method::POST,
            "/big",
            "uploadId=a%2Fb%3D%3D",
            vec![("if-none-match", "*"), ("content-type", "application/xml")],
            payload.clone(),
            None,
        ),
        (Method::DELETE, "/big", "", vec![("if-match", "\"0\"")], Bytes::new(), None),
    ] {
        for (url, host, base) in [
            ("https://pages.s3.us-east-1.amazonaws.com", "pages.s3.us-east-1.amazonaws.com", ""),
            ("http://127.0.0.1:8333/pages", "127.0.0.1:8333", "/pages"),
        ] {
            let url = if query.is_empty() { format!("{url}{path}") } else { format!("{url}{path}?{query}") };
            let mut request = request(&method, &url, &headers, body.clone().into());
            let digest = (!body.is_empty()).then(|| sha256(&body));
            let signer = S3Signer::new("us-east-1", Credentials::fixed(credential(token)));
            signer.sign(&mut request, digest).await.unwrap();
            let signed = request.headers();
            assert_eq!(signed["x-amz-content-sha256"], hex(&sha256(&body)));
            assert_eq!(signed.get("x-amz-security-token").map(|value| value.to_str().unwrap()), token);
            let mut plain = signed.clone();
            if let Some(meta) = plain.get_mut("x-amz-meta-plastron") {
                *meta = HeaderValue::from_static("1;id=0; size=1"); // blanks are folded in what is signed
            }
            let also = ["range", "if-none-match", "if-match", "content-type"];
            let (names, signature) = reference(&method, host, &format!("{base}{path}"), query, &plain, &also);
            let day = &signed["x-amz-date"].to_str().unwrap()[..8];
            assert_eq!(
                signed["authorization"],
                format!(
                    "AWS4-HMAC-SHA256 Credential=AKIAIOSFODNN7EXAMPLE/{day}/us-east-1/s3/aws4_request, SignedHeaders={names}, Signature={signature}"
                ),
                "{method} {url}"
            );
            // Signed again, as a retry is: one signature, not two.
            signer.sign(&mut request, digest).await.unwrap();
            assert_eq!(request.headers().get_all("authorization").iter().count(), 1);
            assert_eq!(request.headers().get_all("x-amz-date").iter().count(), 1);
        }
    }
}

#[tokio::test]
async fn a_body_without_a_digest_is_unsigned_but_an_empty_one_is_signed() {
    let signer = S3Signer::new("us-east-1", Credentials::fixed(credential(None)));
    let pieces = PutPayload::from_iter([Bytes::from_static(b"two "), Bytes::from_static(b"pieces")]);
    for (body, expected) in [
        (HttpRequestBody::from(pieces), "UNSIGNED-PAYLOAD".to_owned()),
        (HttpRequestBody::from(Bytes::from_static(b"one")), "UNSIGNED-PAYLOAD".to_owned()),
        (HttpRequestBody::from(Bytes::new()), hex(&sha256(b""))),
        (HttpRequestBody::from(PutPayload::new()), hex(&sha256(b""))),
        (HttpRequestBody::from(PutPayload::from_iter([Bytes::new(), Bytes::new()])), hex(&sha256(b""))),
    ] {
        let mut request = request(&Method::PUT, "http://127.0.0.1:1/b/k", &[], body);
        signer.sign(&mut request, None).await.unwrap();
        assert_eq!(request.headers()["x-amz-content-sha256"], expected);
    }
}

#[tokio::test]
async fn what_the_library_would_panic_on_is_an_error() {
    let signer = S3Signer::new("us-east-1", Credentials::fixed(credential(None)));
    let mut relative = request(&Method::GET, "/b/k", &[], HttpRequestBody::empty());
    assert!(matches!(signer.sign(&mut relative, None).await, Err(Fault::Config(_))));
    let mut latin = request(&Method::GET, "http://127.0.0.1:1/b/k", &[], HttpRequestBody::empty());
    latin.headers_mut().insert("x-amz-meta-k", HeaderValue::from_bytes(b"\xfc").unwrap());
    assert!(matches!(signer.sign(&mut latin, None).await, Err(Fault::Config(_))));
}

#[derive(Debug)]
struct Failing;

#[async_trait::async_trait]
impl FetchCredential<AwsCredential> for Failing {
    async fn fetch(&self, fresh: bool) -> Result<Fetched<AwsCredential>, Fault> {
        if fresh {
            return Err(Fault::NoCredentials { reason: "gone".to_owned() });
        }
        Ok(Fetched { credential: Arc::new(credential(Some("session"))), lifetime: Lifetime::Open })
    }
}

#[tokio::test]
async fn only_a_source_can_renew() {
    let fixed = S3Signer::new("us-east-1", Credentials::fixed(credential(None)));
    assert!(!fixed.renew().await);
    let clock = FakeClock::new();
    let cache = CredentialCache::new(Arc::new(Failing), Arc::clone(&clock) as _);
    let renewed = S3Signer::new("us-east-1", Credentials::Renewed(cache));
    let mut request = request(&Method::GET, "http://127.0.0.1:1/b/k", &[], HttpRequestBody::empty());
    renewed.sign(&mut request, None).await.unwrap();
    clock.advance(std::time::Duration::from_secs(60));
    assert!(renewed.renew().await);
    let fault = renewed.sign(&mut request, None).await.unwrap_err();
    assert_eq!(fault.to_string(), "no usable credentials: gone");
    for debug in [format!("{fixed:?}"), format!("{renewed:?}")] {
        assert!(!debug.contains(SECRET) && !debug.contains("session"), "{debug}");
    }
}
