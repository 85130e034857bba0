//! Opening: what is sent to whom, and what is refused.

use std::sync::Arc;

use futures::TryStreamExt;
use plastron_config::ErrorKind;

use super::open::open_in;
use crate::credentials::Environment;
use crate::credentials::fake::FakeServer;
use crate::options::BucketOptions;
use crate::secret::Secret;
use crate::source::{Provider, Source};
use crate::stats::Stats;

const EMPTY: &str =
    "<?xml version='1.0'?><ListBucketResult><Name>pages</Name><IsTruncated>false</IsTruncated></ListBucketResult>";

async fn open(options: &BucketOptions, variables: &[(&str, &str)]) -> crate::Result<Source> {
    let stats = Arc::new(Stats::new(Provider::Gcp));
    open_in(options, stats, &Environment::of(variables)).await
}

async fn list(source: &Source) -> String {
    let found: Vec<_> = source.store.list(None).try_collect().await.unwrap();
    assert!(found.is_empty());
    format!("{source:?} {:?} {}", source.store, source.store)
}

#[tokio::test]
async fn an_emulator_is_asked_without_credentials_and_nobody_else_is_asked_at_all() {
    let server = FakeServer::start(vec![(200, EMPTY.to_owned())]).await;
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("nobody.json");
    std::fs::write(&file, format!(r#"{{"disable_oauth":true,"gcs_base_url":"{}"}}"#, server.url)).unwrap();
    let given = ("GOOGLE_APPLICATION_CREDENTIALS", "/nonexistent/must-not-be-read.json");
    let mut by_option = BucketOptions::new(Provider::Gcp, "pages");
    by_option.endpoint = Some(server.url.clone());
    let mut by_file = BucketOptions::new(Provider::Gcp, "pages");
    by_file.auth_token = Secret::new(file.to_str().unwrap());
    let by_variable = BucketOptions::new(Provider::Gcp, "pages");
    for (options, variables) in [
        (by_option, vec![given]),
        (by_file, vec![]),
        (by_variable.clone(), vec![given, ("STORAGE_EMULATOR_HOST", server.url.as_str())]),
        (by_variable, vec![("GOOGLE_APPLICATION_CREDENTIALS", file.to_str().unwrap())]),
    ] {
        let before = server.seen().len();
        let source = open(&options, &variables).await.unwrap();
        assert_eq!(server.seen().len(), before, "opening asks nothing");
        assert_eq!(source.address, format!("gs://pages at {}", server.url));
        list(&source).await;
        let seen = server.seen();
        assert_eq!(seen.len(), before + 1);
        assert!(seen[before].starts_with("GET /pages?"), "{}", seen[before]);
        assert!(!seen[before].to_ascii_lowercase().contains("authorization"), "{}", seen[before]);
    }
}

#[tokio::test]
async fn a_token_is_sent_and_not_shown() {
    let server = FakeServer::start(vec![(200, EMPTY.to_owned())]).await;
    let mut options = BucketOptions::new(Provider::Gcp, "pages");
    options.endpoint = Some(server.url.clone());
    options.auth_token = Secret::new("Bearer hunter2");
    let source = open(&options, &[]).await.unwrap();
    let debug = list(&source).await;
    assert!(!debug.contains("hunter2"), "{debug}");
    let seen = server.seen();
    assert_eq!(seen[0].matches("hunter2").count(), 1);
    assert!(seen[0].contains("authorization: Bearer hunter2\r\n"), "{}", seen[0]);
}

#[tokio::test]
async fn what_cannot_be_opened() {
    let folder = tempfile::tempdir().unwrap();
    let path = |name: &str| folder.path().join(name).to_str().unwrap().to_owned();
    std::fs::write(path("bad.json"), r#"{"private_key":"hunter2"}"#).unwrap();
    let nowhere = "open gs://pages: no usable credentials: set auth_token or GOOGLE_APPLICATION_CREDENTIALS to a credential file's path, or run `gcloud auth application-default login`";
    for (token, variables, expected) in [
        (path("hunter2.json"), vec![], "open gs://pages: no usable credentials: auth_token: there is no such file"),
        (
            path("bad.json"),
            vec![],
            "open gs://pages: no usable credentials: auth_token: the credential file has no client_email",
        ),
        (
            String::new(),
            vec![("GOOGLE_APPLICATION_CREDENTIALS", path("hunter2.json"))],
            "open gs://pages: no usable credentials: GOOGLE_APPLICATION_CREDENTIALS: there is no such file",
        ),
        (String::new(), vec![("HOME", path("")), ("NO_GCE_CHECK", "true".to_owned())], nowhere),
    ] {
        let mut options = BucketOptions::new(Provider::Gcp, "pages");
        options.auth_token = Secret::new(token);
        let variables: Vec<_> = variables.iter().map(|(name, value)| (*name, value.as_str())).collect();
        let error = open(&options, &variables).await.unwrap_err();
        assert_eq!(error.to_string(), expected);
        assert_eq!(error.kind(), ErrorKind::Unauthorized);
        assert!(!format!("{error:?}").contains("hunter2"));
    }
    let error = open(&BucketOptions::new(Provider::Gcp, "No"), &[]).await.unwrap_err();
    assert!(error.to_string().starts_with("open gcp_store: bucket: "), "{error}");
}
