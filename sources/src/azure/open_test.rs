//! Opening, and what is then sent.

use std::sync::Arc;

use object_store::ObjectStoreExt;
use object_store::path::Path;
use plastron_config::ErrorKind;

use super::open::open_in;
use crate::credentials::Environment;
use crate::credentials::fake::FakeServer;
use crate::error::Fault;
use crate::fault_of::fault_of;
use crate::options::BucketOptions;
use crate::secret::Secret;
use crate::source::{LargeCreate, Provider, Source};
use crate::stats::Stats;

async fn open(options: &BucketOptions, variables: &[(&str, &str)]) -> crate::Result<Source> {
    let stats = Arc::new(Stats::new(Provider::Azure));
    open_in(options, stats, &Environment::of(variables)).await
}

fn options(token: String) -> BucketOptions {
    let mut options = BucketOptions::new(Provider::Azure, "pages");
    options.auth_token = Secret::new(token);
    options
}

#[tokio::test]
async fn a_source_is_built_and_shows_no_secret() {
    let text = "AccountName=acc1;AccountKey=aHVudGVyMg==;BlobEndpoint=http://127.0.0.1:1/acc1/";
    let options = options(text.to_owned());
    let source = open(&options, &[]).await.unwrap();
    assert_eq!(source.address, "az://pages at http://127.0.0.1:1/acc1");
    assert_eq!((source.provider, source.large_create), (Provider::Azure, LargeCreate::Multipart));
    let debug = format!("{source:?} {:?} {} {options:?}", source.store, source.store);
    assert!(!debug.contains("hunter2") && !debug.contains("aHVud") && !debug.contains("104, 117"), "{debug}");
}

#[tokio::test]
async fn one_delete_is_one_signed_request() {
    let gone = "<?xml version='1.0'?><Error><Code>BlobNotFound</Code><Message>gone</Message></Error>".to_owned();
    let denied =
        "<?xml version='1.0'?><Error><Code>AuthorizationPermissionMismatch</Code><Message>no</Message></Error>"
            .to_owned();
    let server = FakeServer::start(vec![(202, String::new()), (404, gone), (403, denied)]).await;
    let options = options(format!("AccountName=acc1;AccountKey=aHVudGVyMg==;BlobEndpoint={}/acc1", server.url));
    let source = open(&options, &[]).await.unwrap();
    let name = Path::parse("db1/a b/ü+%").unwrap();
    source.store.delete(&name).await.unwrap();
    let error = source.store.delete(&name).await.unwrap_err();
    assert!(matches!(fault_of(&error), Fault::NoSuchObject), "{error:?}");
    let error = source.store.delete(&name).await.unwrap_err();
    assert!(matches!(fault_of(&error), Fault::Forbidden { .. }), "{error:?}");
    let seen = server.seen();
    assert_eq!(seen.len(), 3);
    for request in seen {
        assert!(request.starts_with("DELETE /acc1/pages/db1/a%20b/%C3%BC+%25 HTTP/1.1\r\n"), "{request}");
        assert_eq!(request.matches("authorization: SharedKey acc1:").count(), 1, "{request}");
        assert!(request.contains("x-ms-version: ") && request.contains("date: "), "{request}");
    }
}

#[tokio::test]
async fn without_credentials_it_says_what_failed() {
    let server =
        FakeServer::start(vec![(401, r#"{"error":"invalid_client","error_description":"hunter2"}"#.to_owned())]).await;
    let variables = [
        ("AZURE_STORAGE_ACCOUNT_NAME", "acc1"),
        ("AZURE_AUTHORITY_HOST", server.url.as_str()),
        ("AZURE_TENANT_ID", "t"),
        ("AZURE_CLIENT_ID", "c"),
        ("AZURE_CLIENT_SECRET", "hunter2"),
    ];
    let error = open(&options(String::new()), &variables).await.unwrap_err();
    let text = format!("{error} {error:?}");
    let begin = "open az://pages at https://acc1.blob.core.windows.net: no usable credentials: service principal (AZURE_CLIENT_SECRET): ";
    assert!(text.starts_with(begin), "{text}");
    assert!(!text.contains("hunter2"), "{text}");
    assert_eq!(error.kind(), ErrorKind::Unauthorized);
    let error = open(&options("hunter2".to_owned()), &[]).await.unwrap_err();
    assert_eq!(
        error.to_string(),
        "open azure_store: auth_token: part 1 is not Key=Value; a connection string looks like AccountName=…;AccountKey=…"
    );
}
