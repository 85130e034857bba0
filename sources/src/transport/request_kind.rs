//! What a request does, read off its provider, method, query and headers.
//!
//! `object_store` builds the requests; nothing but their shape says what they are for. The kind decides what a request is counted
//! as, whether it may be hedged, which condition and checksum it gets, and what an answer means.

use http::Method;
use object_store::client::HttpRequest;

use crate::source::Provider;
use crate::stats::RequestKind;

/// Hosts that give out credentials and nothing else.
const METADATA_HOSTS: [&str; 5] =
    ["169.254.169.254", "169.254.170.2", "169.254.170.23", "[fd00:ec2::254]", "metadata.google.internal"];

/// Headers that only requests for credentials carry.
const METADATA_HEADERS: [&str; 6] = [
    "metadata",
    "metadata-flavor",
    "x-identity-header",
    "x-aws-ec2-metadata-token",
    "x-aws-ec2-metadata-token-ttl-seconds",
    "x-ms-partner-token",
];

/// What `request` does at `provider`.
pub(super) fn kind_of(provider: Provider, request: &HttpRequest) -> RequestKind {
    let is_metadata = request.uri().host().is_some_and(|host| METADATA_HOSTS.contains(&host));
    if is_metadata || METADATA_HEADERS.iter().any(|name| request.headers().contains_key(*name)) {
        return RequestKind::Token;
    }
    match provider {
        Provider::Azure => azure(request),
        _ => s3_like(request),
    }
}

/// S3, and the XML interface of Google Cloud Storage, which follows it.
fn s3_like(request: &HttpRequest) -> RequestKind {
    let query = |name| has_query(request, name);
    let copies =
        || request.headers().contains_key("x-amz-copy-source") || request.headers().contains_key("x-goog-copy-source");
    match *request.method() {
        Method::GET if query("list-type") || query("prefix") || query("delimiter") || query("uploads") => {
            RequestKind::List
        }
        Method::GET => RequestKind::Get,
        Method::HEAD => RequestKind::Head,
        Method::PUT if copies() => RequestKind::Copy,
        Method::PUT if query("partNumber") => RequestKind::PutPart,
        Method::PUT => RequestKind::Put,
        Method::POST if query("uploads") => RequestKind::CreateMultipart,
        Method::POST if query("uploadId") => RequestKind::Complete,
        Method::POST if query("delete") => RequestKind::Delete,
        Method::POST => RequestKind::Token,
        Method::DELETE if query("uploadId") => RequestKind::Abort,
        Method::DELETE => RequestKind::Delete,
        _ => RequestKind::Other,
    }
}

/// Azure Blob Storage, where `comp=` says what is meant.
fn azure(request: &HttpRequest) -> RequestKind {
    let comp = query_value(request, "comp");
    match (request.method().clone(), comp) {
        (Method::GET, Some("list")) => RequestKind::List,
        (Method::GET, None) if request.uri().path().contains("/oauth2/") => RequestKind::Token,
        (Method::GET, None) => RequestKind::Get,
        (Method::HEAD, None) => RequestKind::Head,
        (Method::PUT, Some("block")) => RequestKind::PutPart,
        (Method::PUT, Some("blocklist")) => RequestKind::Complete,
        (Method::PUT, None) if request.headers().contains_key("x-ms-copy-source") => RequestKind::Copy,
        (Method::PUT, None) => RequestKind::Put,
        (Method::POST, Some("batch")) | (Method::DELETE, None) => RequestKind::Delete,
        (Method::POST, None) => RequestKind::Token,
        _ => RequestKind::Other,
    }
}

fn has_query(request: &HttpRequest, name: &str) -> bool {
    query_pairs(request).any(|(found, _)| found == name)
}

fn query_value<'a>(request: &'a HttpRequest, name: &str) -> Option<&'a str> {
    query_pairs(request).find(|(found, _)| *found == name).map(|(_, value)| value)
}

/// The query's pairs as they stand, not decoded: the names and values looked for here need no encoding.
fn query_pairs(request: &HttpRequest) -> impl Iterator<Item = (&str, &str)> {
    let pairs = request.uri().query().unwrap_or_default().split('&');
    pairs.map(|pair| pair.split_once('=').unwrap_or((pair, "")))
}

#[cfg(test)]
mod tests {
    use super::*;
    use object_store::client::HttpRequestBody;

    #[test]
    fn every_request_of_the_three_protocols() {
        use RequestKind::*;
        let cases = [
            (Provider::S3, "PUT", "http://h/b/k", "", Put),
            (Provider::S3, "PUT", "http://h/b/k?partNumber=1&uploadId=u", "", PutPart),
            (Provider::S3, "PUT", "http://h/b/k?partNumber=1&uploadId=u", "x-amz-copy-source", Copy),
            (Provider::S3, "PUT", "http://h/b/k", "x-amz-copy-source", Copy),
            (Provider::S3, "POST", "http://h/b/k?uploads=", "", CreateMultipart),
            (Provider::S3, "POST", "http://h/b/k?uploads", "", CreateMultipart),
            (Provider::S3, "POST", "http://h/b/k?uploadId=u", "", Complete),
            (Provider::S3, "DELETE", "http://h/b/k?uploadId=u", "", Abort),
            (Provider::S3, "DELETE", "http://h/b/k", "", Delete),
            (Provider::S3, "POST", "http://h/b?delete", "", Delete),
            (Provider::S3, "GET", "http://h/b?list-type=2&prefix=a", "", List),
            (Provider::S3, "GET", "http://h/b/k", "", Get),
            (Provider::S3, "HEAD", "http://h/b/k", "", Head),
            (Provider::S3, "POST", "http://sts.amazonaws.com/", "", Token),
            (Provider::S3, "PUT", "http://h/latest/api/token", "x-aws-ec2-metadata-token-ttl-seconds", Token),
            (Provider::S3, "GET", "http://169.254.170.2/v2/credentials", "", Token),
            (Provider::S3, "OPTIONS", "http://h/b", "", Other),
            (Provider::Gcp, "PUT", "http://h/b/k", "x-goog-copy-source", Copy),
            (Provider::Gcp, "POST", "http://h/b/k?uploadId=u", "", Complete),
            (Provider::Gcp, "POST", "https://oauth2.googleapis.com/token", "", Token),
            (Provider::Gcp, "GET", "http://h/computeMetadata/v1/x", "metadata-flavor", Token),
            (Provider::Azure, "PUT", "http://h/c/k", "", Put),
            (Provider::Azure, "PUT", "http://h/c/k", "x-ms-copy-source", Copy),
            (Provider::Azure, "PUT", "http://h/c/k?comp=block&blockid=x", "", PutPart),
            (Provider::Azure, "PUT", "http://h/c/k?comp=blocklist", "", Complete),
            (Provider::Azure, "GET", "http://h/c?restype=container&comp=list", "", List),
            (Provider::Azure, "GET", "http://h/c/k", "", Get),
            (Provider::Azure, "HEAD", "http://h/c/k", "", Head),
            (Provider::Azure, "DELETE", "http://h/c/k", "", Delete),
            (Provider::Azure, "POST", "http://h/c?restype=container&comp=batch", "", Delete),
            (Provider::Azure, "POST", "http://login/tenant/oauth2/v2.0/token", "", Token),
            (Provider::Azure, "GET", "http://h/metadata/identity/oauth2/token?resource=x", "metadata", Token),
            (Provider::Azure, "PUT", "http://h/c/k?comp=tags", "", Other),
        ];
        for (provider, method, uri, header, expected) in cases {
            let mut request = http::Request::builder().method(method).uri(uri);
            if !header.is_empty() {
                request = request.header(header, "x");
            }
            let request = request.body(HttpRequestBody::empty()).unwrap();
            assert_eq!(kind_of(provider, &request), expected, "{provider} {method} {uri} {header}");
        }
    }
}
