//! From an HTTP request to a call on the table, and back.

use std::collections::HashMap;
use std::convert::Infallible;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use bytes::Bytes;
use http::request::Parts;
use http::{HeaderMap, HeaderValue, Method, Request, StatusCode, header};
use http_body_util::{BodyExt as _, Full};
use hyper::body::Incoming;
use percent_encoding::percent_decode_str;
use plastron_sources::clock::{Clock as _, SystemClock};

use super::access::Access;
use super::answer::{Answer, Refusal, empty, escape, json, xml};
use super::digest::{Digests, names_md5};
use super::listing::Listing;
use super::object::{Object, metadata_of};
use super::table::{NewObject, Table};
use super::upload::Completion;

/// Longest object name, bytes: <https://cloud.google.com/storage/docs/objects#naming>.
const MAX_NAME: usize = 1024;

/// What all connections share.
#[derive(Debug)]
pub(super) struct Shared {
    pub(super) table: Mutex<Table>,
    pub(super) access: Access,
    pub(super) careless: bool,
    pub(super) md5: bool,
}

impl Shared {
    fn table(&self) -> MutexGuard<'_, Table> {
        self.table.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Where a request goes.
struct Target {
    bucket: String,
    name: String,
    query: HashMap<String, String>,
}

/// Answers one request.
pub(super) async fn serve(shared: Arc<Shared>, request: Request<Incoming>) -> Result<Answer, Infallible> {
    Ok(handle(&shared, request).await.unwrap_or_else(Answer::from))
}

async fn handle(shared: &Shared, request: Request<Incoming>) -> Result<Answer, Refusal> {
    let (parts, body) = request.into_parts();
    let path = parts.uri.path();
    if path == "/healthz" {
        return Ok(empty(StatusCode::OK));
    }
    // The address of Google's metadata server, for clients that fetch their token there.
    if path == "/computeMetadata/v1/instance/service-accounts/default/token" {
        let token =
            serde_json::json!({ "access_token": shared.access.token, "expires_in": 3600, "token_type": "Bearer" });
        let asks_right = parts.headers.get("metadata-flavor").is_some_and(|flavor| flavor == "Google");
        return if asks_right { Ok(json(&token)) } else { Err(Refusal::ACCESS_DENIED) };
    }
    shared.access.check(&parts)?;
    let room = shared.table().room();
    let body = read(body, &parts.headers, room).await?;
    if path == "/storage/v1/b" && parts.method == Method::POST {
        return create_bucket(shared, &body);
    }
    let target = target(&parts)?;
    if target.name.is_empty() {
        return bucket_request(shared, &parts, &target);
    }
    if target.name.len() > MAX_NAME {
        return Err(Refusal::KEY_TOO_LONG);
    }
    if target.name.contains(['\r', '\n']) {
        return Err(Refusal::INVALID_ARGUMENT);
    }
    match parts.method {
        Method::GET | Method::HEAD => get(shared, &parts, &target),
        Method::PUT if parts.headers.contains_key("x-goog-copy-source") => copy(shared, &parts, &target),
        Method::PUT => put(shared, &parts, &target, body).await,
        Method::POST => post(shared, &parts, &target, &body),
        Method::DELETE => delete(shared, &parts, &target),
        _ => Err(Refusal::METHOD_NOT_ALLOWED),
    }
}

/// Reads a body of at most `room` bytes into one buffer of its own, so that what is kept is not a slice of a larger one.
async fn read(mut body: Incoming, headers: &HeaderMap, room: u64) -> Result<Bytes, Refusal> {
    let declared = headers.get(header::CONTENT_LENGTH).and_then(|value| value.to_str().ok()?.parse::<u64>().ok());
    if declared.is_some_and(|declared| declared > room) {
        return Err(Refusal::FULL);
    }
    let mut bytes = Vec::with_capacity(usize::try_from(declared.unwrap_or(0)).unwrap_or(0));
    while let Some(frame) = body.frame().await {
        let Ok(data) = frame.map_err(|_| Refusal::INCOMPLETE_BODY)?.into_data() else { continue };
        if (bytes.len() + data.len()) as u64 > room {
            return Err(Refusal::FULL);
        }
        bytes.extend_from_slice(&data);
    }
    Ok(bytes.into())
}

fn target(parts: &Parts) -> Result<Target, Refusal> {
    let decode = |text: &str| {
        percent_decode_str(text).decode_utf8().map(|text| text.into_owned()).map_err(|_| Refusal::INVALID_ARGUMENT)
    };
    let path = parts.uri.path().trim_start_matches('/');
    let (bucket, name) = path.split_once('/').unwrap_or((path, ""));
    let mut query = HashMap::new();
    for pair in parts.uri.query().unwrap_or_default().split('&').filter(|pair| !pair.is_empty()) {
        let (name, value) = pair.split_once('=').unwrap_or((pair, ""));
        query.insert(decode(&name.replace('+', "%20"))?, decode(&value.replace('+', "%20"))?);
    }
    Ok(Target { bucket: decode(bucket)?, name: decode(name)?, query })
}

fn create_bucket(shared: &Shared, body: &[u8]) -> Result<Answer, Refusal> {
    let request: serde_json::Value = serde_json::from_slice(body).map_err(|_| Refusal::INVALID_ARGUMENT)?;
    let name = request.get("name").and_then(|name| name.as_str()).ok_or(Refusal::INVALID_ARGUMENT)?;
    shared.table().create_bucket(name)?;
    Ok(json(&serde_json::json!({ "kind": "storage#bucket", "name": name })))
}

fn bucket_request(shared: &Shared, parts: &Parts, target: &Target) -> Result<Answer, Refusal> {
    match parts.method {
        Method::GET => {
            let table = shared.table();
            Ok(xml(Listing::from_query(&target.query).page(&target.bucket, table.bucket(&target.bucket)?)))
        }
        Method::HEAD => shared.table().bucket(&target.bucket).map(|_| empty(StatusCode::OK)),
        Method::PUT => shared.table().create_bucket(&target.bucket).map(|()| empty(StatusCode::OK)),
        _ => Err(Refusal::METHOD_NOT_ALLOWED),
    }
}

/// The generation a write or read insists on; 0 stands for "no object".
fn wanted_generation(headers: &HeaderMap) -> Result<Option<u64>, Refusal> {
    let Some(value) = headers.get("x-goog-if-generation-match") else { return Ok(None) };
    let wanted = value.to_str().ok().and_then(|value| value.parse().ok());
    wanted.map(Some).ok_or(Refusal::INVALID_ARGUMENT)
}

fn get(shared: &Shared, parts: &Parts, target: &Target) -> Result<Answer, Refusal> {
    let object = {
        let table = shared.table();
        let object = table.object(&target.bucket, &target.name)?;
        table.check_generation(&target.bucket, &target.name, wanted_generation(&parts.headers)?)?;
        object.clone()
    };
    if target.query.get("generation").is_some_and(|wanted| *wanted != object.generation.to_string()) {
        return Err(Refusal::NO_SUCH_KEY);
    }
    let etag = object.etag();
    let matches = |name| {
        let value = parts.headers.get(name).and_then(|value: &HeaderValue| value.to_str().ok())?;
        Some(value == "*" || value.split(',').any(|listed| listed.trim() == etag))
    };
    if matches(header::IF_MATCH) == Some(false) && !shared.careless {
        return Err(Refusal::PRECONDITION_FAILED);
    }
    if matches(header::IF_NONE_MATCH) == Some(true) && !shared.careless {
        return Ok(described(empty(StatusCode::NOT_MODIFIED), &object));
    }
    let range = object.range(&parts.headers)?;
    let mut answer = empty(if range.is_some() { StatusCode::PARTIAL_CONTENT } else { StatusCode::OK });
    let length = object.data.len();
    if let Some(range) = &range {
        let text = format!("bytes {}-{}/{length}", range.start, range.end.saturating_sub(1));
        if let Ok(value) = HeaderValue::from_str(&text) {
            answer.headers_mut().insert(header::CONTENT_RANGE, value);
        }
    }
    let range = range.unwrap_or(0..length);
    answer.headers_mut().insert(header::CONTENT_LENGTH, range.len().into());
    if parts.method == Method::GET {
        *answer.body_mut() = Full::new(object.data.slice(range));
    }
    Ok(described(answer, &object))
}

async fn put(shared: &Shared, parts: &Parts, target: &Target, data: Bytes) -> Result<Answer, Refusal> {
    let digests = Digests::of(&data, shared.md5 || names_md5(&parts.headers)).await;
    digests.check(&parts.headers)?;
    if let Some(id) = target.query.get("uploadId") {
        let number = target.query.get("partNumber").and_then(|number| number.parse().ok());
        let number = number.ok_or(Refusal::INVALID_ARGUMENT)?;
        let etag = shared.table().put_part(id, number, data, &digests)?;
        let mut answer = empty(StatusCode::OK);
        answer.headers_mut().insert("x-goog-hash", digests.header());
        if let Ok(etag) = HeaderValue::from_str(&etag) {
            answer.headers_mut().insert(header::ETAG, etag);
        }
        return Ok(answer);
    }
    let new = NewObject { data, digests, metadata: metadata_of(&parts.headers)?, created: SystemClock.wall() };
    let wanted = wanted_generation(&parts.headers)?;
    let mut table = shared.table();
    let object = table.put(&target.bucket, &target.name, new, wanted)?;
    let mut answer = empty(StatusCode::OK);
    object.describe(answer.headers_mut());
    Ok(answer)
}

fn copy(shared: &Shared, parts: &Parts, target: &Target) -> Result<Answer, Refusal> {
    let source = parts.headers.get("x-goog-copy-source").and_then(|value| value.to_str().ok());
    let source = source.and_then(|source| source.trim_start_matches('/').split_once('/'));
    let (bucket, name) = source.ok_or(Refusal::INVALID_ARGUMENT)?;
    let decode = |text| percent_decode_str(text).decode_utf8().map_err(|_| Refusal::INVALID_ARGUMENT);
    let (bucket, name) = (decode(bucket)?, decode(name)?);
    let wanted = wanted_generation(&parts.headers)?;
    let mut table = shared.table();
    let Object { data, digests, metadata, .. } = table.object(&bucket, &name)?.clone();
    let new = NewObject { data, digests, metadata, created: SystemClock.wall() };
    let object = table.put(&target.bucket, &target.name, new, wanted)?;
    let text = format!(
        "<CopyObjectResult><LastModified>{}</LastModified><ETag>{}</ETag></CopyObjectResult>",
        object.created_rfc3339(),
        escape(&object.etag())
    );
    Ok(described(xml(text), object))
}

fn post(shared: &Shared, parts: &Parts, target: &Target, body: &[u8]) -> Result<Answer, Refusal> {
    if target.query.contains_key("uploads") {
        let id = shared.table().begin_upload(&target.bucket, &target.name, metadata_of(&parts.headers)?)?;
        let (bucket, name) = (escape(&target.bucket), escape(&target.name));
        return Ok(xml(format!(
            "<InitiateMultipartUploadResult><Bucket>{bucket}</Bucket><Key>{name}</Key><UploadId>{id}</UploadId></InitiateMultipartUploadResult>"
        )));
    }
    let id = target.query.get("uploadId").ok_or(Refusal::METHOD_NOT_ALLOWED)?;
    let completion = Completion::parse(body)?;
    let wanted = wanted_generation(&parts.headers)?;
    let mut table = shared.table();
    let object = table.complete_upload(id, &completion, wanted, SystemClock.wall())?;
    let (bucket, name, etag) = (escape(&target.bucket), escape(&target.name), escape(&object.etag()));
    let text = format!(
        "<CompleteMultipartUploadResult><Bucket>{bucket}</Bucket><Key>{name}</Key><ETag>{etag}</ETag></CompleteMultipartUploadResult>"
    );
    let mut answer = xml(text);
    answer.headers_mut().insert("x-goog-generation", object.generation.into());
    answer.headers_mut().insert("x-goog-hash", object.digests.header());
    Ok(answer)
}

fn delete(shared: &Shared, parts: &Parts, target: &Target) -> Result<Answer, Refusal> {
    let mut table = shared.table();
    match target.query.get("uploadId") {
        Some(id) => table.abort_upload(id)?,
        None => table.delete(&target.bucket, &target.name, wanted_generation(&parts.headers)?)?,
    }
    Ok(empty(StatusCode::NO_CONTENT))
}

fn described(mut answer: Answer, object: &Object) -> Answer {
    object.describe(answer.headers_mut());
    answer
}
