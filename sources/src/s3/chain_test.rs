//! The AWS chain, in environments and home directories of the test's own, asking nobody but this machine.

use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use futures::TryStreamExt;
use object_store::aws::AwsCredential;

use super::Settings;
use super::open::{Found, find, open_in};
use crate::clock::{Clock, SystemClock};
use crate::credentials::Environment;
use crate::credentials::fake::{FakeClock, FakeServer, start};
use crate::error::Fault;
use crate::options::BucketOptions;
use crate::source::Provider;
use crate::stats::Stats;

/// A home directory, and the variables that keep the chain inside it.
struct Home {
    folder: tempfile::TempDir,
    variables: Vec<(&'static str, String)>,
    options: BucketOptions,
    clock: Arc<FakeClock>,
}

impl Home {
    fn new(bucket: &str) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().to_str().unwrap();
        let variables = vec![
            ("HOME", path.to_owned()),
            ("AWS_CONFIG_FILE", format!("{path}/config")),
            ("AWS_SHARED_CREDENTIALS_FILE", format!("{path}/credentials")),
            ("AWS_EC2_METADATA_DISABLED", "true".to_owned()),
        ];
        let clock = FakeClock::new();
        let mut options = BucketOptions::new(Provider::S3, bucket);
        options.clock = Arc::clone(&clock) as _;
        Self { folder, variables, options, clock }
    }

    fn path(&self) -> &Path {
        self.folder.path()
    }

    fn write(&self, name: &str, text: &str) {
        std::fs::write(self.path().join(name), text).unwrap();
    }

    fn set(&mut self, name: &'static str, value: impl Into<String>) {
        self.variables.retain(|(known, _)| *known != name);
        self.variables.push((name, value.into()));
    }

    fn environment(&self) -> Environment {
        let variables: Vec<_> = self.variables.iter().map(|(name, value)| (*name, value.as_str())).collect();
        Environment::of(&variables)
    }

    async fn find(&self) -> Result<Found, Fault> {
        let environment = self.environment();
        let settings = Settings::read(&self.options, &environment)?;
        find(&self.options, &settings, &environment).await
    }

    async fn credential(&self) -> Result<Arc<AwsCredential>, Fault> {
        self.find().await?.credentials.get().await
    }
}

/// `2026-01-01T…Z`, that many seconds after the fake clock's start, which is midnight.
fn after_start(seconds: u64) -> String {
    format!("2026-01-01T{:02}:{:02}:{:02}Z", seconds / 3600, seconds / 60 % 60, seconds % 60)
}

#[tokio::test]
async fn keys_and_region_from_a_profile() {
    let mut home = Home::new("pages");
    home.write("config", "[default]\nregion = eu-west-3\n[profile other]\nregion = sa-east-1\n");
    home.write(
        "credentials",
        "[default]\naws_access_key_id = AKDEFAULT\naws_secret_access_key = s\n\
         [other]\naws_access_key_id = AKOTHER\naws_secret_access_key = s\naws_session_token = t\n",
    );
    let found = home.find().await.unwrap();
    assert_eq!(found.region, "eu-west-3");
    assert_eq!(found.credentials.get().await.unwrap().key_id, "AKDEFAULT");
    assert_eq!(format!("{:?}", found.credentials), "Renewed([secret])");
    home.set("AWS_PROFILE", "other");
    let found = home.find().await.unwrap();
    let credential = found.credentials.get().await.unwrap();
    assert_eq!((found.region.as_str(), credential.key_id.as_str()), ("sa-east-1", "AKOTHER"));
    assert_eq!(credential.token.as_deref(), Some("t"));
}

#[tokio::test]
async fn a_region_from_the_profile_for_keys_of_the_token() {
    let mut home = Home::new("pages");
    home.write("config", "[default]\nregion = eu-west-3\n");
    home.options.auth_token = crate::Secret::new("AKTOKEN;s");
    let found = home.find().await.unwrap();
    assert_eq!(found.region, "eu-west-3");
    assert_eq!(found.credentials.get().await.unwrap().key_id, "AKTOKEN");
    assert!(!found.credentials.renew());
}

#[tokio::test]
async fn keys_of_the_environment_need_no_chain() {
    let mut home = Home::new("pages;eu-west-1");
    home.write("config", "[default]\ncredential_process = false\n");
    home.set("AWS_ACCESS_KEY_ID", "AKENV");
    home.set("AWS_SECRET_ACCESS_KEY", "s");
    let found = home.find().await.unwrap();
    assert_eq!(found.credentials.get().await.unwrap().key_id, "AKENV");
}

#[tokio::test]
async fn a_process_gives_keys_that_end_and_are_renewed() {
    let home = Home::new("pages;eu-west-1");
    let script = home.path().join("give");
    let count = home.path().join("count");
    std::fs::write(
        &script,
        format!(
            "echo x >> {count}\nn=$(wc -l < {count})\n\
             echo '{{\"Version\":1,\"AccessKeyId\":\"AK'$n'\",\"SecretAccessKey\":\"s\",\"SessionToken\":\"t\",\"Expiration\":\"2026-01-01T0'$n':00:00Z\"}}'\n",
            count = count.display()
        ),
    )
    .unwrap();
    home.write("config", &format!("[default]\ncredential_process = /bin/sh {}\n", script.display()));
    let found = home.find().await.unwrap();
    let key = async || found.credentials.get().await.unwrap().key_id.clone();
    assert_eq!(key().await, "AK1");
    home.clock.advance(Duration::from_secs(55 * 60 - 1));
    assert_eq!(key().await, "AK1");
    SystemClock.sleep(Duration::from_millis(50)).await;
    assert_eq!(std::fs::read_to_string(&count).unwrap().lines().count(), 1, "not due yet");
    home.clock.advance(Duration::from_secs(1));
    assert_eq!(key().await, "AK1", "served while the next one is fetched");
    for _ in 0..18_000 {
        if key().await == "AK2" {
            break;
        }
        SystemClock.sleep(Duration::from_millis(10)).await;
    }
    assert_eq!(key().await, "AK2");
    // The provider calls AK2 expired before its time.
    home.clock.advance(Duration::from_secs(10));
    assert!(found.credentials.renew());
    assert_eq!(key().await, "AK3");
}

#[tokio::test]
async fn a_container_gives_keys_over_http() {
    let mut home = Home::new("pages;eu-west-1");
    let answer =
        format!(r#"{{"AccessKeyId":"AKTASK","SecretAccessKey":"s","Token":"t","Expiration":"{}"}}"#, after_start(3600));
    let server = FakeServer::start(vec![(200, answer)]).await;
    home.set("AWS_CONTAINER_CREDENTIALS_FULL_URI", format!("{}/role", server.url));
    home.set("AWS_CONTAINER_AUTHORIZATION_TOKEN", "container-token");
    let credential = home.credential().await.unwrap();
    assert_eq!(credential.key_id, "AKTASK");
    assert_eq!(server.seen().len(), 1);
    assert!(server.seen()[0].starts_with("GET /role HTTP/1.1\r\n"));
    assert!(server.seen()[0].contains("authorization: container-token\r\n"));
    assert_eq!(home.clock.wall(), start());
}

#[tokio::test]
async fn an_instance_gives_region_and_keys() {
    let mut home = Home::new("pages");
    let server = FakeServer::answering(|request| {
        let keys = r#"{"Code":"Success","AccessKeyId":"AKINSTANCE","SecretAccessKey":"s","Token":"t","Expiration":"2036-01-01T00:00:00Z"}"#;
        let path = request.split(' ').nth(1).unwrap_or_default();
        match path {
            "/latest/api/token" => (200, "imds-token".to_owned()),
            "/latest/meta-data/placement/region" => (200, "ap-south-2".to_owned()),
            path if path.ends_with("/role") => (200, keys.to_owned()),
            path if path.contains("/iam/security-credentials") => (200, "role".to_owned()),
            _ => (404, String::new()),
        }
    })
    .await;
    home.set("AWS_EC2_METADATA_DISABLED", "false");
    home.set("AWS_EC2_METADATA_SERVICE_ENDPOINT", server.url.clone());
    let found = home.find().await.unwrap();
    assert_eq!(found.region, "ap-south-2");
    assert_eq!(found.credentials.get().await.unwrap().key_id, "AKINSTANCE");
}

#[tokio::test]
async fn nothing_anywhere() {
    let home = Home::new("pages;eu-west-1");
    let fault = home.credential().await.unwrap_err();
    assert!(matches!(fault, Fault::NoCredentials { .. }));
    let message = fault.to_string();
    let begin = "no usable credentials: auth_token is empty and the AWS chain (environment, profile, web identity, container and instance role) has none (";
    assert!(message.starts_with(begin), "{message}");
    assert!(message.ends_with("); set auth_token=\"ACCESS_KEY;SECRET_KEY\" or one of those"), "{message}");
    let home = Home::new("pages");
    let Err(fault) = home.find().await else { panic!("no region") };
    assert_eq!(
        fault.to_string(),
        "no region: write it into the bucket (\"name;region\") or into region=, or set AWS_REGION or the profile's region"
    );
}

#[tokio::test]
async fn a_broken_chain_says_so_without_secrets() {
    let mut home = Home::new("pages;eu-west-1");
    home.write("give", "echo '{\"Version\":1,\"AccessKeyId\":\"AK\",\"SecretAccessKey\":\"hunter2\"'\n");
    let script = home.path().join("give");
    home.write("config", &format!("[default]\ncredential_process = /bin/sh {}\n", script.display()));
    let fault = home.credential().await.unwrap_err();
    let message = fault.to_string();
    assert!(message.starts_with("no usable credentials: the AWS chain failed: "), "{message}");
    assert!(!format!("{message}{fault:?}").contains("hunter2"), "{message}");
    // A key that would end the header it stands in.
    home.write("config", "[default]\n");
    let server = FakeServer::start(vec![(
        200,
        format!(
            r#"{{"AccessKeyId":"AK\r\nx-evil: hunter2","SecretAccessKey":"s","Token":"t","Expiration":"{}"}}"#,
            after_start(3600)
        ),
    )])
    .await;
    home.set("AWS_CONTAINER_CREDENTIALS_FULL_URI", server.url.clone());
    assert_eq!(
        home.credential().await.unwrap_err().to_string(),
        "no usable credentials: the access key from the AWS chain holds a blank, a control character or a letter beyond ASCII"
    );
    let refusing =
        FakeServer::start(vec![(403, r#"{"code":"AccessDenied","message":"no","token":"hunter2"}"#.to_owned())]).await;
    home.set("AWS_CONTAINER_CREDENTIALS_FULL_URI", refusing.url.clone());
    let message = home.credential().await.unwrap_err().to_string();
    assert!(message.starts_with("no usable credentials: the AWS chain failed: "), "{message}");
    assert!(!message.contains("hunter2"), "{message}");
}

#[tokio::test]
async fn a_request_refused_as_expired_is_signed_anew_and_sent_again() {
    let given = AtomicUsize::new(0);
    let keys = FakeServer::answering(move |_| {
        let number = given.fetch_add(1, Ordering::SeqCst) + 1;
        let expires = "2036-01-01T00:00:00Z";
        (200, format!(r#"{{"AccessKeyId":"AK{number}","SecretAccessKey":"s","Token":"t","Expiration":"{expires}"}}"#))
    })
    .await;
    let bucket = FakeServer::answering(|request| {
        if request.contains("Credential=AK2/") {
            return (200, "<ListBucketResult><IsTruncated>false</IsTruncated></ListBucketResult>".to_owned());
        }
        (400, "<Error><Code>ExpiredToken</Code><Message>The provided token has expired.</Message></Error>".to_owned())
    })
    .await;
    let mut home = Home::new("pages");
    home.options.clock = Arc::new(SystemClock);
    home.options.endpoint = Some(bucket.url.clone());
    home.set("AWS_CONTAINER_CREDENTIALS_FULL_URI", keys.url.clone());
    let source = open_in(&home.options, Arc::new(Stats::new(Provider::S3)), &home.environment()).await.unwrap();
    let found: Vec<_> = source.store.list(None).try_collect().await.unwrap();
    assert!(found.is_empty());
    assert_eq!((keys.seen().len(), bucket.seen().len()), (2, 2));
}
