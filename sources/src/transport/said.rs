//! What a provider says about a failure: its code, its message, the region it names.
//!
//! S3, Azure and Google Cloud Storage answer with a small XML document, token endpoints with JSON, proxies with anything. Only
//! three elements are of interest, so this looks for them rather than parse documents; everything else in the body is dropped
//! unread, above all the elements that repeat what was signed (`StringToSign`, `CanonicalRequest`, `AuthenticationErrorDetail`).

use http::{HeaderMap, StatusCode};

/// How Azure words it that a shared-access signature or a token has run out.
const EXPIRED: [&str; 3] = ["not valid in the specified time frame", "Lifetime validation failed", "token is expired"];

/// A provider's account of a failure. The message is raw: scrub it.
#[derive(Debug, Default, Clone, PartialEq, Eq)]
pub(super) struct Said {
    /// The provider's code, such as `NoSuchBucket`; empty where it gives none (HEAD).
    pub(super) code: String,
    /// The provider's message.
    pub(super) message: String,
    /// The bucket's region, where the provider names it.
    pub(super) region: Option<String>,
    /// Whether it says that a token or a signature has run out; Azure says so only in its prose.
    pub(super) says_expired: bool,
}

impl Said {
    /// Reads an answer.
    pub(super) fn read(headers: &HeaderMap, body: &[u8]) -> Self {
        let header = |name: &str| headers.get(name).and_then(|value| value.to_str().ok()).map(str::to_owned);
        // What matters comes first; a proxy's page of HTML need not be searched to its end.
        let text = String::from_utf8_lossy(body.get(..body.len().min(16 << 10)).unwrap_or(body));
        let code = header("x-ms-error-code").or_else(|| element(&text, "Code")).or_else(|| json_string(&text, "error"));
        let message = element(&text, "Message").or_else(|| json_string(&text, "error_description"));
        let region = header("x-amz-bucket-region").or_else(|| element(&text, "Region"));
        // A page of HTML or XML that holds none of these elements says nothing to anybody.
        let is_document = text.trim_start_matches('\u{feff}').trim_start().starts_with(['<', '{']);
        let bare = if is_document { "" } else { &*text };
        Self {
            code: code.filter(|code| is_code(code)).unwrap_or_default(),
            message: message.unwrap_or_else(|| bare.to_owned()),
            region: region.filter(|region| is_region(region)),
            says_expired: EXPIRED.iter().any(|words| text.contains(words)),
        }
    }

    /// Whether a successful answer is none: S3 begins to answer some requests before they are done, and then reports the failure in
    /// the body (<https://repost.aws/knowledge-center/s3-resolve-200-internalerror>).
    pub(super) fn is_error_document(body: &[u8]) -> bool {
        let head = String::from_utf8_lossy(body.get(..body.len().min(512)).unwrap_or(body));
        let root = head.split('<').map(str::trim_start).find(|tag| !tag.is_empty() && !tag.starts_with(['?', '!']));
        root.is_some_and(|tag| tag.strip_prefix("Error").is_some_and(|rest| rest.starts_with(['>', ' ', '/'])))
    }

    /// `NoSuchBucket`, or `503` where there is no code.
    pub(super) fn code_or(&self, status: StatusCode) -> String {
        if self.code.is_empty() { status.as_u16().to_string() } else { self.code.clone() }
    }
}

/// The text of the first element `name`, entities decoded.
fn element(text: &str, name: &str) -> Option<String> {
    let open = format!("<{name}>");
    let start = text.find(&open)? + open.len();
    let rest = text.get(start..)?;
    let inner = rest.get(..rest.find("</")?)?;
    let decoded = inner.replace("&lt;", "<").replace("&gt;", ">").replace("&quot;", "\"").replace("&apos;", "'");
    Some(decoded.replace("&amp;", "&").trim().to_owned())
}

/// The value of the first JSON string called `name`; escapes other than `\"` and `\\` are left as they are.
fn json_string(text: &str, name: &str) -> Option<String> {
    let key = format!("\"{name}\"");
    let rest =
        text.get(text.find(&key)? + key.len()..)?.trim_start().strip_prefix(':')?.trim_start().strip_prefix('"')?;
    let mut out = String::new();
    let mut chars = rest.chars();
    loop {
        match chars.next()? {
            '"' => return Some(out),
            '\\' => out.push(chars.next()?),
            char => out.push(char),
        }
    }
}

/// Codes are words; anything else under that name is not one, and is not let into a message.
fn is_code(text: &str) -> bool {
    (1..=80).contains(&text.len())
        && text.chars().all(|char| char.is_ascii_alphanumeric() || matches!(char, '_' | '-' | '.'))
}

fn is_region(text: &str) -> bool {
    (1..=40).contains(&text.len()) && text.chars().all(|char| char.is_ascii_alphanumeric() || matches!(char, '-' | '_'))
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn read(body: &str) -> Said {
        Said::read(&HeaderMap::new(), body.as_bytes())
    }

    #[test]
    fn the_documents_of_the_providers() {
        let s3 = read(
            "<?xml version=\"1.0\"?>\n<Error><Code>AuthorizationHeaderMalformed</Code><Message>the region &apos;us-east-1&apos; is wrong; \
             expecting &apos;eu-west-1&apos;</Message><Region>eu-west-1</Region><HostId>x</HostId></Error>",
        );
        assert_eq!((s3.code.as_str(), s3.region.as_deref()), ("AuthorizationHeaderMalformed", Some("eu-west-1")));
        assert_eq!(s3.message, "the region 'us-east-1' is wrong; expecting 'eu-west-1'");
        let azure = read(
            "\u{feff}<?xml version=\"1.0\"?><Error><Code>AuthenticationFailed</Code><Message>Server failed.\nRequestId:1</Message>\
             <AuthenticationErrorDetail>The MAC signature found is 'hush'</AuthenticationErrorDetail></Error>",
        );
        assert_eq!(
            (azure.code.as_str(), azure.message.as_str()),
            ("AuthenticationFailed", "Server failed.\nRequestId:1")
        );
        let token = read("{\"error\": \"invalid_grant\", \"error_description\": \"Invalid \\\"JWT\\\" Signature.\"}");
        assert_eq!((token.code.as_str(), token.message.as_str()), ("invalid_grant", "Invalid \"JWT\" Signature."));
        let plain = read("upstream connect error");
        assert_eq!((plain.code.as_str(), plain.message.as_str()), ("", "upstream connect error"));
        assert_eq!(read("<html><body>secret</body></html>"), Said::default());
    }

    #[test]
    fn headers_where_there_is_no_body() {
        let mut headers = HeaderMap::new();
        headers.insert("x-ms-error-code", http::HeaderValue::from_static("ContainerNotFound"));
        headers.insert("x-amz-bucket-region", http::HeaderValue::from_static("eu-west-1"));
        let said = Said::read(&headers, b"");
        assert_eq!((said.code.as_str(), said.region.as_deref()), ("ContainerNotFound", Some("eu-west-1")));
        assert_eq!(said.code_or(StatusCode::NOT_FOUND), "ContainerNotFound");
        assert_eq!(Said::default().code_or(StatusCode::FORBIDDEN), "403");
    }

    #[test]
    fn errors_that_come_as_successes() {
        assert!(Said::is_error_document(b"<?xml version=\"1.0\"?>\n<Error><Code>InternalError</Code></Error>"));
        assert!(Said::is_error_document(b"   <Error xmlns=\"x\"><Code>SlowDown</Code>"));
        assert!(!Said::is_error_document(
            b"<CompleteMultipartUploadResult><Key>Error</Key></CompleteMultipartUploadResult>"
        ));
        assert!(!Said::is_error_document(b"<Errors></Errors>"));
        assert!(!Said::is_error_document(b"InternalError"));
        assert!(!Said::is_error_document(b""));
    }

    proptest! {
        #[test]
        fn any_body_at_all(body in prop::collection::vec(any::<u8>(), 0..600), text in "(<|</|Error|Code|Message|>|\"error\"|:|\"|\\\\| |a){0,40}") {
            for body in [body.as_slice(), text.as_bytes()] {
                let said = Said::read(&HeaderMap::new(), body);
                prop_assert!(said.code.is_empty() || is_code(&said.code));
                Said::is_error_document(body);
            }
        }
    }
}
