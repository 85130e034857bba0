//! Opening, without a server: what is built, what is refused, and what is never shown.

use std::sync::Arc;

use super::open::open_in;
use crate::credentials::Environment;
use crate::options::BucketOptions;
use crate::secret::Secret;
use crate::source::{LargeCreate, Provider};
use crate::stats::Stats;
use plastron_config::ErrorKind;

fn stats() -> Arc<Stats> {
    Arc::new(Stats::new(Provider::S3))
}

#[tokio::test]
async fn a_source_is_built_and_shows_no_secret() {
    let mut options = BucketOptions::new(Provider::S3, "pages");
    options.auth_token = Secret::new("AKID;hunter2;hunter2");
    options.endpoint = Some("http://127.0.0.1:1/".to_owned());
    let source = open_in(&options, stats(), &Environment::of(&[])).await.unwrap();
    assert_eq!(source.address, "s3://pages at http://127.0.0.1:1");
    assert_eq!(source.provider, Provider::S3);
    assert_eq!(source.large_create, LargeCreate::Claimed);
    assert!(source.pages.is_some());
    for debug in
        [format!("{source:?}"), format!("{:?}", source.store), source.store.to_string(), format!("{options:?}")]
    {
        assert!(!debug.contains("hunter2"), "{debug}");
    }
}

#[tokio::test]
async fn only_servers_that_are_not_aws_make_creators_take_turns() {
    for (endpoint, expected) in [
        (None, LargeCreate::Multipart),
        (Some("https://vpce-1a.s3.us-east-1.vpce.amazonaws.com"), LargeCreate::Multipart),
        (Some("https://s3.cn-north-1.amazonaws.com.cn"), LargeCreate::Multipart),
        (Some("https://amazonaws.com.example.org"), LargeCreate::Claimed),
        (Some("https://play.example.org"), LargeCreate::Claimed),
    ] {
        let mut options = BucketOptions::new(Provider::S3, "pages;us-east-1");
        options.auth_token = Secret::new("AKID;hunter2");
        options.endpoint = endpoint.map(str::to_owned);
        let source = open_in(&options, stats(), &Environment::of(&[])).await.unwrap();
        assert_eq!(source.large_create, expected, "{endpoint:?}");
    }
}

#[tokio::test]
async fn errors_say_what_was_opened() {
    let mut options = BucketOptions::new(Provider::S3, "no");
    options.auth_token = Secret::new("AKID;hunter2");
    let error = open_in(&options, stats(), &Environment::of(&[])).await.unwrap_err();
    assert_eq!(error.to_string(), "open s3_store: bucket: a bucket name has 3 to 63 characters, this one has 2");
    assert_eq!(error.kind(), ErrorKind::Invalid);
}

#[cfg(not(feature = "aws-chain"))]
#[tokio::test]
async fn without_the_chain_it_says_what_to_build() {
    let mut options = BucketOptions::new(Provider::S3, "pages");
    let error = open_in(&options, stats(), &Environment::of(&[])).await.unwrap_err();
    assert_eq!(
        error.to_string(),
        "open s3://pages: no usable credentials: auth_token is empty and AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY are not set; \
         set either, or build with the feature aws-chain, which looks in profiles, SSO, web identity, container and instance roles"
    );
    assert_eq!(error.kind(), ErrorKind::Unauthorized);
    options.auth_token = Secret::new("AKID;hunter2");
    let error = open_in(&options, stats(), &Environment::of(&[])).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Invalid);
    assert!(error.to_string().starts_with("open s3://pages: no region: "), "{error}");
}
