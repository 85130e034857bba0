//! Responses, and the errors of the XML API (<https://cloud.google.com/storage/docs/xml-api/reference-status>).

use bytes::Bytes;
use http::{HeaderValue, Response, StatusCode, header};
use http_body_util::Full;

/// What the server answers.
pub(super) type Answer = Response<Full<Bytes>>;

/// Why a request is refused: the status and the code that stands in the XML.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Refusal {
    pub(super) status: StatusCode,
    pub(super) code: &'static str,
}

impl Refusal {
    pub(super) const ACCESS_DENIED: Self = Self::new(StatusCode::FORBIDDEN, "AccessDenied");
    pub(super) const AUTHENTICATION_REQUIRED: Self = Self::new(StatusCode::UNAUTHORIZED, "AuthenticationRequired");
    pub(super) const BAD_DIGEST: Self = Self::new(StatusCode::BAD_REQUEST, "BadDigest");
    pub(super) const BUCKET_EXISTS: Self = Self::new(StatusCode::CONFLICT, "BucketAlreadyOwnedByYou");
    pub(super) const ENTITY_TOO_SMALL: Self = Self::new(StatusCode::BAD_REQUEST, "EntityTooSmall");
    pub(super) const FULL: Self = Self::new(StatusCode::INSUFFICIENT_STORAGE, "InsufficientStorage");
    pub(super) const INCOMPLETE_BODY: Self = Self::new(StatusCode::BAD_REQUEST, "IncompleteBody");
    pub(super) const INVALID_ARGUMENT: Self = Self::new(StatusCode::BAD_REQUEST, "InvalidArgument");
    pub(super) const INVALID_PART: Self = Self::new(StatusCode::BAD_REQUEST, "InvalidPart");
    pub(super) const INVALID_RANGE: Self = Self::new(StatusCode::RANGE_NOT_SATISFIABLE, "InvalidRange");
    pub(super) const KEY_TOO_LONG: Self = Self::new(StatusCode::BAD_REQUEST, "KeyTooLongError");
    pub(super) const METADATA_TOO_LARGE: Self = Self::new(StatusCode::BAD_REQUEST, "MetadataTooLarge");
    pub(super) const METHOD_NOT_ALLOWED: Self = Self::new(StatusCode::METHOD_NOT_ALLOWED, "MethodNotAllowed");
    pub(super) const NO_SUCH_BUCKET: Self = Self::new(StatusCode::NOT_FOUND, "NoSuchBucket");
    pub(super) const NO_SUCH_KEY: Self = Self::new(StatusCode::NOT_FOUND, "NoSuchKey");
    pub(super) const NO_SUCH_UPLOAD: Self = Self::new(StatusCode::NOT_FOUND, "NoSuchUpload");
    pub(super) const PRECONDITION_FAILED: Self = Self::new(StatusCode::PRECONDITION_FAILED, "PreconditionFailed");

    const fn new(status: StatusCode, code: &'static str) -> Self {
        Self { status, code }
    }
}

impl From<Refusal> for Answer {
    fn from(refusal: Refusal) -> Self {
        let text = format!(
            "<?xml version='1.0' encoding='UTF-8'?><Error><Code>{0}</Code><Message>{0}</Message></Error>",
            refusal.code
        );
        xml_with(refusal.status, text)
    }
}

/// A 200 with an XML body.
pub(super) fn xml(text: String) -> Answer {
    xml_with(StatusCode::OK, text)
}

fn xml_with(status: StatusCode, text: String) -> Answer {
    let mut answer = empty(status);
    *answer.body_mut() = Full::new(text.into());
    answer.headers_mut().insert(header::CONTENT_TYPE, HeaderValue::from_static("application/xml; charset=UTF-8"));
    answer
}

/// A 200 with a JSON body.
pub(super) fn json(value: &serde_json::Value) -> Answer {
    let mut answer = empty(StatusCode::OK);
    *answer.body_mut() = Full::new(value.to_string().into());
    answer.headers_mut().insert(header::CONTENT_TYPE, HeaderValue::from_static("application/json"));
    answer
}

/// No body.
pub(super) fn empty(status: StatusCode) -> Answer {
    let mut answer = Response::new(Full::default());
    *answer.status_mut() = status;
    answer
}

/// Text between XML tags.
pub(super) fn escape(text: &str) -> String {
    quick_xml::escape::escape(text).into_owned()
}
