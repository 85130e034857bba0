//! The identity chain against a server that plays Microsoft Entra and the metadata address, on this machine.

use std::sync::Arc;
use std::time::Duration;

use object_store::azure::AzureCredential;

use super::identity::Identity;
use crate::credentials::fake::{FakeClock, FakeServer};
use crate::credentials::{CredentialCache, Environment, FetchCredential};
use crate::error::Fault;
use crate::options::TimeoutOptions;

fn token(name: &str, seconds: u64) -> (u16, String) {
    (200, format!(r#"{{"token_type":"Bearer","expires_in":{seconds},"access_token":"{name}"}}"#))
}

fn chain(variables: &[(&str, &str)]) -> super::identity::Chain {
    Identity::read(&Environment::of(variables)).unwrap().chain(&TimeoutOptions::default())
}

fn bearer(credential: &AzureCredential) -> &str {
    match credential {
        AzureCredential::BearerToken(token) => token,
        _ => panic!("no token"),
    }
}

#[tokio::test]
async fn a_service_principal() {
    let server = FakeServer::start(vec![token("first", 3600), token("second", 3600)]).await;
    let chain = chain(&[
        ("AZURE_AUTHORITY_HOST", &server.url),
        ("AZURE_TENANT_ID", "tenant-1"),
        ("AZURE_CLIENT_ID", "client-1"),
        ("AZURE_CLIENT_SECRET", "hunter2+/="),
        // The explicit one alone is used.
        ("AZURE_FEDERATED_TOKEN_FILE", "/nonexistent"),
        ("IDENTITY_ENDPOINT", "http://127.0.0.1:1"),
    ]);
    assert_eq!(format!("{chain:?}"), "[Delegated(service principal (AZURE_CLIENT_SECRET))]");
    assert_eq!(bearer(&chain.fetch(false).await.unwrap().credential), "first");
    assert_eq!(bearer(&chain.fetch(false).await.unwrap().credential), "first", "the provider's own cache");
    assert_eq!(bearer(&chain.fetch(true).await.unwrap().credential), "second", "past the provider's own cache");
    let seen = server.seen();
    assert_eq!(seen.len(), 2);
    assert!(seen[0].starts_with("POST /tenant-1/oauth2/v2.0/token HTTP/1.1\r\n"), "{}", seen[0]);
    assert!(seen[0].contains("client_id=client-1&client_secret=hunter2%2B%2F%3D&"), "{}", seen[0]);
}

#[tokio::test]
async fn a_refused_service_principal_says_why_without_the_secret() {
    let body = r#"{"error":"invalid_client","error_description":"AADSTS7000215: Invalid client secret hunter2 provided","access_token":"planted"}"#;
    let server = FakeServer::start(vec![(401, body.to_owned())]).await;
    let chain = chain(&[
        ("AZURE_AUTHORITY_HOST", &server.url),
        ("AZURE_TENANT_ID", "tenant-1"),
        ("AZURE_CLIENT_ID", "client-1"),
        ("AZURE_CLIENT_SECRET", "hunter2"),
    ]);
    let Err(fault) = chain.fetch(false).await else { panic!("refused") };
    let text = format!("{fault} {fault:?} {chain:?}");
    assert!(text.contains("service principal (AZURE_CLIENT_SECRET): ") && text.contains("AADSTS7000215"), "{text}");
    assert!(!text.contains("hunter2") && !text.contains("planted"), "{text}");
    assert!(matches!(fault, Fault::NoCredentials { .. }));
}

#[tokio::test]
async fn a_workload_identity() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("token");
    std::fs::write(&file, "federated.token").unwrap();
    let server = FakeServer::start(vec![token("workload", 3600)]).await;
    let variables = [
        ("AZURE_AUTHORITY_HOST", server.url.as_str()),
        ("AZURE_TENANT_ID", "tenant-1"),
        ("AZURE_CLIENT_ID", "client-1"),
        ("AZURE_FEDERATED_TOKEN_FILE", file.to_str().unwrap()),
    ];
    assert_eq!(bearer(&chain(&variables).fetch(false).await.unwrap().credential), "workload");
    assert!(server.seen()[0].contains("client_assertion=federated.token"), "{}", server.seen()[0]);
    std::fs::remove_file(&file).unwrap();
    let Err(fault) = chain(&variables).fetch(false).await else { panic!("no file") };
    assert!(fault.to_string().contains("workload identity (AZURE_FEDERATED_TOKEN_FILE): "), "{fault}");
}

#[tokio::test]
async fn a_managed_identity_at_a_given_address() {
    let answer = r#"{"access_token":"managed","expires_on":"4070908800","resource":"https://storage.azure.com","token_type":"Bearer"}"#;
    let server = FakeServer::start(vec![(200, answer.to_owned())]).await;
    let endpoint = format!("{}/msi/token", server.url);
    let chain = chain(&[("IDENTITY_ENDPOINT", &endpoint), ("AZURE_CLIENT_ID", "client-1")]);
    assert_eq!(bearer(&chain.fetch(false).await.unwrap().credential), "managed");
    let seen = server.seen();
    assert!(seen[0].starts_with("GET /msi/token?api-version="), "{}", seen[0]);
    assert!(seen[0].contains("client_id=client-1") && seen[0].contains("metadata: true\r\n"), "{}", seen[0]);
}

#[tokio::test]
async fn a_token_that_fits_no_header_is_refused() {
    let (status, body) = token("evil\\r\\nx-evil: 1", 3600);
    let server = FakeServer::start(vec![(status, body)]).await;
    let chain = chain(&[
        ("AZURE_AUTHORITY_HOST", &server.url),
        ("AZURE_TENANT_ID", "tenant-1"),
        ("AZURE_CLIENT_ID", "client-1"),
        ("AZURE_CLIENT_SECRET", "x"),
    ]);
    let Err(fault) = chain.fetch(false).await else { panic!("refused") };
    assert!(fault.to_string().contains("the answer holds no usable token"), "{fault}");
}

#[tokio::test]
async fn through_the_cache_a_refused_token_is_replaced() {
    let server = FakeServer::start(vec![token("first", 3600), token("second", 3600)]).await;
    let chain = chain(&[
        ("AZURE_AUTHORITY_HOST", &server.url),
        ("AZURE_TENANT_ID", "tenant-1"),
        ("AZURE_CLIENT_ID", "client-1"),
        ("AZURE_CLIENT_SECRET", "x"),
    ]);
    let clock = FakeClock::new();
    let cache = CredentialCache::new(Arc::new(chain), Arc::clone(&clock) as _);
    assert_eq!(bearer(&cache.get().await.unwrap()), "first");
    clock.advance(Duration::from_secs(30));
    cache.renew();
    assert_eq!(bearer(&cache.get().await.unwrap()), "second");
}

#[test]
fn without_anything_explicit_the_surroundings_are_asked() {
    let identity = Identity::read(&Environment::of(&[("AZURE_CLIENT_ID", "c"), ("AZURE_TENANT_ID", "t")])).unwrap();
    assert_eq!(identity, Identity::Ambient { client: Some("c".to_owned()) });
    let chain = identity.chain(&TimeoutOptions::default());
    assert_eq!(format!("{chain:?}"), "[Delegated(managed identity), Delegated(Azure CLI)]");
}
