//! The GCS server keeps its word where tests of Plastron depend on it.

#![allow(clippy::unwrap_used, clippy::indexing_slicing, reason = "a test says what it expects by failing")]

use std::path::Path as File;

use bytes::Bytes;
use futures::future::join_all;
use futures::{StreamExt as _, TryStreamExt as _};
use http::{Method, Request, StatusCode};
use http_body_util::{BodyExt as _, Full};
use hyper_util::client::legacy::Client;
use hyper_util::rt::TokioExecutor;
use object_store::gcp::{GoogleCloudStorage, GoogleCloudStorageBuilder};
use object_store::path::Path;
use object_store::{
    Attribute, ClientOptions, CopyMode, CopyOptions, GetOptions, GetRange, ObjectStore, ObjectStoreExt, PutMode,
    PutOptions, RetryConfig, UpdateVersion, WriteMultipart,
};
use plastron_localstack::GcsServer;

const BUCKET: &str = "bucket";

async fn server() -> GcsServer {
    with_bucket(GcsServer::builder().start().await.unwrap()).await
}

async fn with_bucket(server: GcsServer) -> GcsServer {
    let body = format!(r#"{{"name":"{BUCKET}"}}"#);
    let bearer = format!("Bearer {}", server.token());
    let made = ask(&server, Method::POST, "/storage/v1/b", &[("authorization", &bearer)], body.as_bytes()).await;
    assert_eq!(made.0, StatusCode::OK);
    server
}

fn builder(bucket: &str) -> GoogleCloudStorageBuilder {
    let retry = RetryConfig { max_retries: 0, ..RetryConfig::default() };
    let options = ClientOptions::new()
        .with_allow_http(true)
        .with_timeout(std::time::Duration::from_secs(600))
        .with_connect_timeout(std::time::Duration::from_secs(300));
    GoogleCloudStorageBuilder::new().with_bucket_name(bucket).with_client_options(options).with_retry(retry)
}

fn store_with(bucket: &str, file: &File) -> GoogleCloudStorage {
    builder(bucket).with_service_account_path(file.display().to_string()).build().unwrap()
}

fn store(server: &GcsServer) -> GoogleCloudStorage {
    store_with(BUCKET, server.credentials_file())
}

/// One request, as it stands.
async fn ask(
    server: &GcsServer,
    method: Method,
    path: &str,
    headers: &[(&str, &str)],
    body: &[u8],
) -> (StatusCode, http::HeaderMap, String) {
    let client: Client<_, Full<Bytes>> = Client::builder(TokioExecutor::new()).build_http();
    let mut request = Request::builder().method(method).uri(format!("{}{path}", server.url()));
    for (name, value) in headers {
        request = request.header(*name, *value);
    }
    let response = client.request(request.body(body.to_vec().into()).unwrap()).await.unwrap();
    let (parts, body) = response.into_parts();
    let body = body.collect().await.unwrap().to_bytes();
    (parts.status, parts.headers, String::from_utf8_lossy(&body).into_owned())
}

fn is_already_exists<T>(outcome: &Result<T, object_store::Error>) -> bool {
    matches!(outcome, Err(object_store::Error::AlreadyExists { .. }))
}

#[tokio::test(flavor = "multi_thread")]
async fn of_racing_creators_exactly_one_wins() {
    let server = server().await;
    let store = store(&server);
    for round in 0..100 {
        let name = Path::from(format!("race/{round}"));
        let creating =
            (0..24).map(|creator| store.put_opts(&name, format!("{creator}").into(), PutMode::Create.into()));
        let outcomes = join_all(creating).await;
        let winners: Vec<usize> = (0..24).filter(|creator| outcomes[*creator].is_ok()).collect();
        assert_eq!(winners.len(), 1);
        assert_eq!(outcomes.iter().filter(|outcome| is_already_exists(outcome)).count(), 23);
        let content = store.get(&name).await.unwrap().bytes().await.unwrap();
        assert_eq!(content, winners[0].to_string(), "what is there is the winner's");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn of_racing_updates_exactly_one_wins() {
    let server = server().await;
    let store = store(&server);
    let name = Path::from("counter");
    let mut version: UpdateVersion = store.put(&name, "0".into()).await.unwrap().into();
    for _ in 0..50 {
        let update = |writer: u32| {
            let mode = PutMode::Update(version.clone());
            store.put_opts(&name, writer.to_string().into(), mode.into())
        };
        let outcomes = join_all((0..24).map(update)).await;
        let winners: Vec<_> = outcomes.iter().flatten().cloned().collect();
        assert_eq!(winners.len(), 1);
        assert!(
            outcomes
                .iter()
                .flat_map(|outcome| outcome.as_ref().err())
                .all(|error| matches!(error, object_store::Error::Precondition { .. }))
        );
        version = winners[0].clone().into();
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn of_racing_completions_exactly_one_wins() {
    let server = server().await;
    for round in 0..20 {
        let path = format!("/{BUCKET}/multi-{round}");
        let race = join_all((0..24).map(|creator: u32| {
            let (server, path) = (&server, &path);
            async move {
                let (_, _, begun) = ask(server, Method::POST, &format!("{path}?uploads"), &[], b"").await;
                let id = begun.split("<UploadId>").nth(1).unwrap().split('<').next().unwrap().to_owned();
                let part = format!("{path}?partNumber=1&uploadId={id}");
                let (_, headers, _) = ask(server, Method::PUT, &part, &[], creator.to_string().as_bytes()).await;
                let etag = headers["etag"].to_str().unwrap().to_owned();
                let xml = format!("<CompleteMultipartUpload><Part><PartNumber>1</PartNumber><ETag>{etag}</ETag></Part></CompleteMultipartUpload>");
                let only_new = [("x-goog-if-generation-match", "0")];
                ask(server, Method::POST, &format!("{path}?uploadId={id}"), &only_new, xml.as_bytes()).await.0
            }
        }))
        .await;
        let winners: Vec<usize> = (0..24).filter(|creator| race[*creator] == StatusCode::OK).collect();
        assert_eq!(winners.len(), 1, "{race:?}");
        assert_eq!(race.iter().filter(|status| **status == StatusCode::PRECONDITION_FAILED).count(), 23);
        assert_eq!(ask(&server, Method::GET, &path, &[], b"").await.2, winners[0].to_string());
    }
}

#[tokio::test]
async fn multipart() {
    let server = server().await;
    let store = store(&server);
    let name = Path::from("large");
    let content: Vec<u8> = (0..13_u32 << 20).map(|place| u8::try_from(place >> 12 & 0xff).unwrap()).collect();
    let mut upload = WriteMultipart::new_with_chunk_size(store.put_multipart(&name).await.unwrap(), 5 << 20);
    upload.write(&content);
    upload.finish().await.unwrap();
    assert!(store.get(&name).await.unwrap().bytes().await.unwrap() == content);
    // The digest put together from the parts' is that of the whole.
    let (_, headers, _) = ask(&server, Method::HEAD, &format!("/{BUCKET}/large"), &[], b"").await;
    let crc32c = base64(&crc32c::crc32c(&content).to_be_bytes());
    assert_eq!(headers["x-goog-hash"], format!("crc32c={crc32c}"));

    // Small parts before the last are refused, and aborted uploads are gone.
    let mut upload = store.put_multipart(&name).await.unwrap();
    upload.put_part("a".into()).await.unwrap();
    upload.put_part("b".into()).await.unwrap();
    assert!(upload.complete().await.unwrap_err().to_string().contains("EntityTooSmall"));
    let mut upload = store.put_multipart(&Path::from("aborted")).await.unwrap();
    upload.put_part("a".into()).await.unwrap();
    upload.abort().await.unwrap();
    assert!(upload.complete().await.is_err());
    assert!(matches!(store.head(&Path::from("aborted")).await, Err(object_store::Error::NotFound { .. })));
}

fn base64(bytes: &[u8]) -> String {
    use base64::Engine as _;
    base64::prelude::BASE64_STANDARD.encode(bytes)
}

#[tokio::test]
async fn digests_are_checked_and_told() {
    let server = server().await;
    let path = format!("/{BUCKET}/digest");
    let right = "crc32c=Nks/tw==,md5=kAFQmDzST7DWlj99KOF/cg==";
    let (status, headers, _) = ask(&server, Method::PUT, &path, &[("x-goog-hash", right)], b"abc").await;
    assert_eq!((status, &headers["x-goog-hash"]), (StatusCode::OK, &right.parse().unwrap()));
    let (_, headers, _) = ask(&server, Method::GET, &path, &[], b"").await;
    assert_eq!(headers["x-goog-hash"], right);
    for (name, wrong) in [("x-goog-hash", "crc32c=AAAAAA=="), ("content-md5", "AAFQmDzST7DWlj99KOF/cg==")] {
        let (status, _, body) = ask(&server, Method::PUT, &path, &[(name, wrong)], b"abc").await;
        assert_eq!(status, StatusCode::BAD_REQUEST);
        assert!(body.contains("<Code>BadDigest</Code>"));
    }
}

#[tokio::test]
async fn listing() {
    let server = server().await;
    let store = store(&server);
    let mut expected: Vec<String> = (0..2_345).map(|number| format!("many/{number}")).collect();
    futures::stream::iter(&expected)
        .map(|name| put(&store, name))
        .buffer_unordered(16)
        .try_collect::<Vec<_>>()
        .await
        .unwrap();
    expected.sort();
    let all: Vec<_> = store.list(Some(&Path::from("many"))).try_collect().await.unwrap();
    assert_eq!(all.iter().map(|meta| meta.location.to_string()).collect::<Vec<_>>(), expected);
    let rest: Vec<_> = store.list_with_offset(None, &Path::from("many/5")).try_collect().await.unwrap();
    assert_eq!(rest.len(), expected.iter().filter(|name| name.as_str() > "many/5").count());
    let top = store.list_with_delimiter(None).await.unwrap();
    assert_eq!((top.objects.len(), top.common_prefixes), (0, vec![Path::from("many")]));
}

#[tokio::test]
async fn names_metadata_ranges_and_copies() {
    let server = server().await;
    let store = store(&server);
    let longest = "n".repeat(1024);
    for name in ["a b", "ä/ö", "100%", "a+b#c?d&e=f", "<&>\"'", longest.as_str()] {
        let name = Path::from(name);
        let attribute = Attribute::Metadata("plastron".into());
        let options =
            PutOptions { attributes: [(attribute.clone(), "1;id=0")].into_iter().collect(), ..PutOptions::default() };
        store.put_opts(&name, "0123456789".into(), options).await.unwrap();
        let got = store.get(&name).await.unwrap();
        assert_eq!(got.attributes.get(&attribute).unwrap().as_ref(), "1;id=0");
        assert_eq!(store.head(&name).await.unwrap().size, 10);
        assert_eq!(store.get_range(&name, 3..5).await.unwrap(), "34");
        let suffix = GetOptions { range: Some(GetRange::Suffix(2)), ..GetOptions::default() };
        assert_eq!(store.get_opts(&name, suffix).await.unwrap().bytes().await.unwrap(), "89");
        assert!(store.list(None).any(async |found| found.unwrap().location == name).await, "{name} is listed");
        let copy = Path::from("copy");
        let create = CopyOptions { mode: CopyMode::Create, ..CopyOptions::default() };
        store.copy_opts(&name, &copy, create.clone()).await.unwrap();
        assert!(is_already_exists(&store.copy_opts(&name, &copy, create).await));
        for name in [&name, &copy] {
            store.delete(name).await.unwrap();
            assert!(matches!(store.delete(name).await, Err(object_store::Error::NotFound { .. })));
        }
    }
    assert!(store.put(&Path::from("n".repeat(1025)), "x".into()).await.unwrap_err().to_string().contains("KeyTooLong"));
}

#[tokio::test]
async fn a_missing_bucket_is_told_from_a_missing_object() {
    let server = server().await;
    let missing = store_with("missing", server.credentials_file());
    let error = missing.put(&Path::from("a"), "x".into()).await.unwrap_err();
    assert!(format!("{error:?}").contains("NoSuchBucket"), "{error:?}");
    assert!(missing.list(None).next().await.unwrap().is_err());
    let error = store(&server).get(&Path::from("a")).await.unwrap_err();
    assert!(format!("{error:?}").contains("NoSuchKey"), "{error:?}");
}

#[tokio::test]
async fn tokens() {
    let strict = GcsServer::builder().token("right").anonymous(false).accounts(true).start().await.unwrap();
    let strict = with_bucket(strict).await;
    let name = Path::from("a");
    let bearer = |token: &str| builder(BUCKET).with_base_url(&strict.url()).with_bearer_token(token).build().unwrap();
    bearer("right").put(&name, "x".into()).await.unwrap();
    let denied = |error: object_store::Error| {
        matches!(error, object_store::Error::Unauthenticated { .. } | object_store::Error::PermissionDenied { .. })
    };
    assert!(denied(bearer("wrong").get(&name).await.unwrap_err()));
    assert_eq!(ask(&strict, Method::GET, &format!("/{BUCKET}/a"), &[], b"").await.0, StatusCode::FORBIDDEN);
    assert!(denied(store(&strict).get(&name).await.unwrap_err()), "an empty token is none");

    let signed = store_with(BUCKET, strict.signed_credentials_file().unwrap());
    assert_eq!(signed.get(&name).await.unwrap().bytes().await.unwrap(), "x");
    let foreign = store_with(BUCKET, strict.foreign_credentials_file().unwrap());
    assert!(denied(foreign.get(&name).await.unwrap_err()));
    let reader = store_with(BUCKET, strict.reader_credentials_file().unwrap());
    assert_eq!(reader.get(&name).await.unwrap().bytes().await.unwrap(), "x");
    assert!(reader.list(None).all(async |found| found.is_ok()).await);
    for error in [reader.put(&name, "y".into()).await.unwrap_err(), reader.delete(&name).await.unwrap_err()] {
        assert!(matches!(error, object_store::Error::PermissionDenied { .. }), "{error}");
    }

    // Where tokens are fetched from on Google's machines.
    let path = "/computeMetadata/v1/instance/service-accounts/default/token";
    let (_, _, token) = ask(&strict, Method::GET, path, &[("metadata-flavor", "Google")], b"").await;
    assert!(token.contains(r#""access_token":"right""#), "{token}");
    assert_eq!(ask(&strict, Method::GET, path, &[], b"").await.0, StatusCode::FORBIDDEN);
}

#[tokio::test]
async fn memory_is_bounded() {
    let small = with_bucket(GcsServer::builder().limit(1000).start().await.unwrap()).await;
    let store = store(&small);
    let body = |size: usize| "x".repeat(size);
    store.put(&Path::from("a"), body(600).into()).await.unwrap();
    let full = store.put(&Path::from("b"), body(600).into()).await.unwrap_err();
    assert!(full.to_string().contains("507"), "{full}");
    // Parts count, and are given back.
    let mut upload = store.put_multipart(&Path::from("c")).await.unwrap();
    upload.put_part(body(400).into()).await.unwrap();
    assert!(store.put(&Path::from("d"), "x".into()).await.is_err());
    upload.abort().await.unwrap();
    store.put(&Path::from("d"), body(400).into()).await.unwrap();
    store.delete(&Path::from("a")).await.unwrap();
    store.put(&Path::from("b"), body(600).into()).await.unwrap();
}

#[tokio::test]
async fn a_careless_server_ignores_preconditions() {
    let careless = with_bucket(GcsServer::builder().careless(true).start().await.unwrap()).await;
    let store = store(&careless);
    let name = Path::from("a");
    store.put_opts(&name, "1".into(), PutMode::Create.into()).await.unwrap();
    store.put_opts(&name, "2".into(), PutMode::Create.into()).await.unwrap();
    assert_eq!(store.get(&name).await.unwrap().bytes().await.unwrap(), "2");
}

async fn put(store: &GoogleCloudStorage, name: &str) -> object_store::Result<object_store::PutResult> {
    store.put(&Path::from(name), "x".into()).await
}
