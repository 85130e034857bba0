//! What the signer puts on requests, recomputed from the specification:
//! <https://learn.microsoft.com/en-us/rest/api/storageservices/authorize-with-shared-key>.

use aws_lc_rs::hmac;
use base64::Engine;
use base64::prelude::BASE64_STANDARD;
use bytes::Bytes;
use http::{HeaderValue, Method, Request};
use object_store::azure::AzureCredential;
use object_store::client::{HttpRequest, HttpRequestBody};

use super::{AzureSigner, Key};
use crate::credentials::Credentials;
use crate::error::Fault;
use crate::secret::Secret;
use crate::transport::Signer;

fn signer(key: Key) -> AzureSigner {
    AzureSigner::new("acc1", Credentials::fixed(key.credential("test").unwrap()))
}

fn request(method: Method, url: &str, headers: &[(&'static str, &str)], body: &'static [u8]) -> HttpRequest {
    let mut request =
        Request::builder().method(method).uri(url).body(HttpRequestBody::from(Bytes::from_static(body))).unwrap();
    for (name, value) in headers {
        request.headers_mut().insert(*name, value.parse().unwrap());
    }
    request
}

#[tokio::test]
async fn a_block_list_is_signed_with_its_condition() {
    let key = b"a key of some bytes";
    let signer = signer(Key::Account(Secret::new(BASE64_STANDARD.encode(key))));
    let mut put = request(
        Method::PUT,
        "http://127.0.0.1:10000/acc1/pages/a%20b/%C3%BC?comp=blocklist",
        &[
            ("content-length", "7"),
            ("content-type", "application/xml"),
            ("if-none-match", "*"),
            ("x-ms-meta-plastron", "1;id=0"),
        ],
        b"<xml />",
    );
    signer.sign(&mut put, None).await.unwrap();
    let headers = put.headers();
    let text = format!(
        "PUT\n\n\n7\n\napplication/xml\n{}\n\n\n*\n\n\nx-ms-meta-plastron:1;id=0\nx-ms-version:{}\n/acc1/acc1/pages/a%20b/%C3%BC\ncomp:blocklist",
        headers["date"].to_str().unwrap(),
        headers["x-ms-version"].to_str().unwrap(),
    );
    let expected =
        BASE64_STANDARD.encode(hmac::sign(&hmac::Key::new(hmac::HMAC_SHA256, key), text.as_bytes()).as_ref());
    assert_eq!(headers["authorization"], format!("SharedKey acc1:{expected}"));
    assert!(headers["authorization"].is_sensitive());
    // Signed again, as a retry is: one signature, not two.
    signer.sign(&mut put, None).await.unwrap();
    assert_eq!(put.headers().get_all("authorization").iter().count(), 1);
}

#[tokio::test]
async fn a_shared_access_signature_goes_into_the_query_once() {
    for sas in [
        "sv=2023-11-03&se=2030-01-01T00%3A00%3A00Z&sig=a%2Bb%2Fc%3D",
        "?sv=2023-11-03&se=2030-01-01T00:00:00Z&sig=a+b/c=",
    ] {
        let signer = signer(Key::Sas(Secret::new(sas)));
        let signed = "sv=2023-11-03&se=2030-01-01T00%3A00%3A00Z&sig=a%2Bb%2Fc%3D";
        for (url, expected) in [
            (
                "https://acc1.blob.core.windows.net/pages/a%20b",
                format!("https://acc1.blob.core.windows.net/pages/a%20b?{signed}"),
            ),
            (
                "https://acc1.blob.core.windows.net/pages?comp=list&prefix=a%2Bb",
                format!("https://acc1.blob.core.windows.net/pages?comp=list&prefix=a%2Bb&{signed}"),
            ),
        ] {
            let mut get = request(Method::GET, url, &[], b"");
            for _ in 0..3 {
                signer.sign(&mut get, None).await.unwrap();
                assert_eq!(get.uri().to_string(), expected);
            }
            assert!(!get.headers().contains_key("authorization"));
        }
    }
}

#[tokio::test]
async fn a_token_goes_into_the_header() {
    let signer = signer(Key::Bearer(Secret::new("hunter2")));
    let mut get =
        request(Method::GET, "https://acc1.blob.core.windows.net/pages", &[("authorization", "Bearer old")], b"");
    signer.sign(&mut get, None).await.unwrap();
    assert_eq!(get.headers()["authorization"], "Bearer hunter2");
    assert!(!format!("{get:?}").contains("hunter2"), "{get:?}");
    assert!(!signer.renew().await);
}

#[tokio::test]
async fn what_the_library_would_panic_on_is_an_error() {
    let signer = signer(Key::Account(Secret::new("eA==")));
    let mut relative = request(Method::GET, "/pages", &[], b"");
    assert!(matches!(signer.sign(&mut relative, None).await, Err(Fault::Config(_))));
    let mut latin = request(Method::GET, "http://127.0.0.1:1/pages", &[], b"");
    latin.headers_mut().insert("x-ms-meta-k", HeaderValue::from_bytes(b"\xfc").unwrap());
    assert!(matches!(signer.sign(&mut latin, None).await, Err(Fault::Config(_))));
}

#[test]
fn nothing_shows_the_key() {
    for key in [
        Key::Account(Secret::new("aHVudGVyMg==")),
        Key::Sas(Secret::new("sig=hunter2")),
        Key::Bearer(Secret::new("hunter2")),
    ] {
        let credential: AzureCredential = key.credential("test").unwrap();
        let signer = AzureSigner::new("acc1", Credentials::fixed(credential));
        let debug = format!("{key:?} {signer:?}");
        // An account key's bytes, as `object_store` would print them, start with 104, 117.
        assert!(!debug.contains("hunter2") && !debug.contains("aHVud") && !debug.contains("104, 117"), "{debug}");
    }
}
