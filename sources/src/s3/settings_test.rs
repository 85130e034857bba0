//! Bucket strings, tokens, endpoints and regions, good and bad, with the exact messages.

use object_store::aws::AwsCredential;

use super::settings::Settings;
use crate::credentials::Environment;
use crate::error::Fault;
use crate::options::BucketOptions;
use crate::secret::Secret;
use crate::source::Provider;

/// Nothing that is wrong may show this, nor may any `Debug`.
const PLANTED: &str = "hunter2";

fn options(bucket: &str) -> BucketOptions {
    let mut options = BucketOptions::new(Provider::S3, bucket);
    options.auth_token = Secret::new("AK;SK");
    options
}

fn read(options: &BucketOptions, variables: &[(&str, &str)]) -> Result<Settings, Fault> {
    let settings = Settings::read(options, &Environment::of(variables));
    assert!(!format!("{settings:?}").contains(PLANTED), "{settings:?}");
    settings
}

fn message(result: Result<Settings, Fault>) -> String {
    let fault = result.expect_err("should be refused");
    assert!(!fault.to_string().contains(PLANTED), "{fault}");
    fault.to_string()
}

#[test]
fn good_buckets() {
    for (bucket, name, region) in [
        ("pages", "pages", None),
        ("pages;ap-southeast-2", "pages", Some("ap-southeast-2")),
        ("a.b-c.d1;eu-central-1", "a.b-c.d1", Some("eu-central-1")),
        ("Old_Bucket;us-east-1", "Old_Bucket", Some("us-east-1")),
        ("123", "123", None),
        ("pages;garage", "pages", Some("garage")),
        ("alias-s3alias;us-gov-west-1", "alias-s3alias", Some("us-gov-west-1")),
    ] {
        let settings = read(&options(bucket), &[]).expect(bucket);
        assert_eq!((settings.bucket.as_str(), settings.region.as_deref()), (name, region), "{bucket}");
    }
}

#[test]
fn bad_buckets() {
    let many = "bucket: too many `;`: write it as \"name\" or \"name;region\"; keys go into auth_token";
    for (bucket, expected) in [
        ("", "bucket: the name is empty; write it as \"name\" or \"name;region\""),
        (";eu-central-1", "bucket: the name is empty; write it as \"name\" or \"name;region\""),
        ("pages;", "bucket: there is no region after the `;`"),
        ("pages;eu-central-1;hunter2", many),
        ("pages;;", many),
        ("pages;eu central 1", "bucket, behind the `;`: not a region; one looks like eu-central-1"),
        ("pages;evil.example/hunter2", "bucket, behind the `;`: not a region; one looks like eu-central-1"),
        ("ab", "bucket: a bucket name has 3 to 63 characters, this one has 2"),
        (&"x".repeat(64), "bucket: a bucket name has 3 to 63 characters, this one has 64"),
        ("pages/db1", "bucket: a bucket name has no `/`; what follows it belongs into bucket_prefix"),
        ("my pages", "bucket: ' ' in a bucket name; letters, digits, `.`, `-` and `_` are possible"),
        ("pagés", "bucket: 'é' in a bucket name; letters, digits, `.`, `-` and `_` are possible"),
        ("pages?x", "bucket: '?' in a bucket name; letters, digits, `.`, `-` and `_` are possible"),
        ("pages\n", "bucket: '\\n' in a bucket name; letters, digits, `.`, `-` and `_` are possible"),
        ("-pages", "bucket: a bucket name begins and ends with a letter or digit"),
        ("pages.", "bucket: a bucket name begins and ends with a letter or digit"),
        ("pa..ges", "bucket: a bucket name has no two dots in a row"),
        ("arn:aws:s3:::pages", "bucket: ARNs are not supported; use the bucket's name or the access point's alias"),
        (
            "pages--use1-az4--x-s3",
            "bucket: directory buckets (S3 Express One Zone) are not supported: their listings have no order; use a general purpose bucket",
        ),
    ] {
        assert_eq!(message(read(&options(bucket), &[])), expected, "{bucket:?}");
    }
}

#[test]
fn good_tokens() {
    for (token, session) in
        [("AKID;hunter2", None), ("AKID;hunter2;", None), ("AKID;hunter2;hunter2==/+", Some("hunter2==/+"))]
    {
        let mut options = options("pages");
        options.auth_token = Secret::new(token);
        let AwsCredential { key_id, secret_key, token } = read(&options, &[]).unwrap().credential.unwrap();
        assert_eq!((key_id.as_str(), secret_key.as_str(), token.as_deref()), ("AKID", PLANTED, session));
    }
}

#[test]
fn bad_tokens() {
    let shape = "write it as \"ACCESS_KEY;SECRET_KEY\" or \"ACCESS_KEY;SECRET_KEY;SESSION_TOKEN\"";
    for (token, why) in [
        ("hunter2", "there is no `;`, so no secret key"),
        ("hunter2:hunter2", "there is no `;`, so no secret key"),
        (";hunter2", "the access key is empty"),
        ("hunter2;", "the secret key is empty"),
        (";", "the access key is empty"),
        ("hunter2;;hunter2", "the secret key is empty"),
        ("hunter2;hunter2;hunter2;hunter2", "there are more than three parts"),
        ("hunter2;hunter2;;", "there are more than three parts"),
        ("hunter2 ;x", "the access key holds a blank, a control character or a letter beyond ASCII"),
        ("x;hunter2\n", "the secret key holds a blank, a control character or a letter beyond ASCII"),
        ("x;y;hunter2\r\nx-evil: 1", "the session token holds a blank, a control character or a letter beyond ASCII"),
        ("hunter2ü;x", "the access key holds a blank, a control character or a letter beyond ASCII"),
    ] {
        let mut options = options("pages");
        options.auth_token = Secret::new(token);
        assert_eq!(message(read(&options, &[])), format!("auth_token: {why}; {shape}"), "{token:?}");
    }
}

#[test]
fn keys_from_the_environment() {
    let mut options = options("pages;eu-central-1");
    let both = [("AWS_ACCESS_KEY_ID", "ENVKEY"), ("AWS_SECRET_ACCESS_KEY", PLANTED), ("AWS_SESSION_TOKEN", PLANTED)];
    assert_eq!(read(&options, &both).unwrap().credential.unwrap().key_id, "AK", "the token wins");
    options.auth_token = Secret::default();
    let credential = read(&options, &both).unwrap().credential.unwrap();
    assert_eq!((credential.key_id.as_str(), credential.token.as_deref()), ("ENVKEY", Some(PLANTED)));
    assert!(read(&options, &[]).unwrap().credential.is_none());
    assert!(read(&options, &[("AWS_ACCESS_KEY_ID", ""), ("AWS_SECRET_ACCESS_KEY", "")]).unwrap().credential.is_none());
    assert_eq!(
        message(read(&options, &[("AWS_ACCESS_KEY_ID", PLANTED)])),
        "no usable credentials: AWS_ACCESS_KEY_ID is set and AWS_SECRET_ACCESS_KEY is not; set both or neither"
    );
    assert_eq!(
        message(read(&options, &[("AWS_SECRET_ACCESS_KEY", PLANTED)])),
        "no usable credentials: AWS_SECRET_ACCESS_KEY is set and AWS_ACCESS_KEY_ID is not; set both or neither"
    );
    assert_eq!(
        message(read(&options, &[("AWS_ACCESS_KEY_ID", "k"), ("AWS_SECRET_ACCESS_KEY", "hunter2\n")])),
        "no usable credentials: the secret key in the environment holds a blank, a control character or a letter beyond ASCII"
    );
}

#[test]
fn which_region_wins() {
    let endpoint = ("AWS_ENDPOINT_URL", "http://127.0.0.1:1");
    let (region, default) = (("AWS_REGION", "from-env"), ("AWS_DEFAULT_REGION", "from-default"));
    for (bucket, option, variables, expected) in [
        ("pages;of-bucket", Some("of-option"), vec![region], Some("of-option")),
        ("pages;of-bucket", None, vec![region, default], Some("of-bucket")),
        ("pages", None, vec![default, region], Some("from-env")),
        ("pages", None, vec![default], Some("from-default")),
        ("pages", None, vec![("AWS_REGION", ""), default], Some("from-default")),
        ("pages", None, vec![endpoint, region], Some("from-env")),
        ("pages", None, vec![endpoint], Some("us-east-1")),
        ("pages", None, vec![], None),
    ] {
        let mut options = options(bucket);
        options.region = option.map(str::to_owned);
        assert_eq!(
            read(&options, &variables).unwrap().region.as_deref(),
            expected,
            "{bucket} {option:?} {variables:?}"
        );
    }
    let mut options = options("pages");
    options.region = Some(String::new());
    assert_eq!(message(read(&options, &[])), "region: the region is empty");
    options.region = Some("hunter2/".to_owned());
    assert_eq!(message(read(&options, &[])), "region: not a region; one looks like eu-central-1");
    options.region = None;
    assert_eq!(
        message(read(&options, &[("AWS_REGION", "hunter2 ")])),
        "AWS_REGION: not a region; one looks like eu-central-1"
    );
}

#[test]
fn which_endpoint_wins_and_which_style_follows() {
    let (s3, any) = (("AWS_ENDPOINT_URL_S3", "http://s3.test:1"), ("AWS_ENDPOINT_URL", "http://any.test:2"));
    let ignore = ("AWS_IGNORE_CONFIGURED_ENDPOINT_URLS", "true");
    for (bucket, endpoint, path_style, variables, url, address) in [
        (
            "pages;eu-central-1",
            None,
            None,
            vec![],
            "https://pages.s3.eu-central-1.amazonaws.com",
            "s3://pages in eu-central-1",
        ),
        (
            "my.pages;eu-west-1",
            None,
            None,
            vec![],
            "https://s3.eu-west-1.amazonaws.com/my.pages",
            "s3://my.pages in eu-west-1",
        ),
        (
            "My_Pages;us-east-1",
            None,
            None,
            vec![],
            "https://s3.us-east-1.amazonaws.com/My_Pages",
            "s3://My_Pages in us-east-1",
        ),
        (
            "pages;eu-west-1",
            None,
            Some(true),
            vec![],
            "https://s3.eu-west-1.amazonaws.com/pages",
            "s3://pages in eu-west-1",
        ),
        (
            "pages;cn-north-1",
            None,
            None,
            vec![],
            "https://pages.s3.cn-north-1.amazonaws.com.cn",
            "s3://pages in cn-north-1",
        ),
        (
            "pages;eusc-de-east-1",
            None,
            None,
            vec![],
            "https://pages.s3.eusc-de-east-1.amazonaws.eu",
            "s3://pages in eusc-de-east-1",
        ),
        (
            "pages;r1",
            Some("http://127.0.0.1:8333/"),
            None,
            vec![s3, any],
            "http://127.0.0.1:8333/pages",
            "s3://pages at http://127.0.0.1:8333",
        ),
        (
            "pages;r1",
            Some("https://s3.test/base"),
            Some(false),
            vec![],
            "https://pages.s3.test/base",
            "s3://pages at https://s3.test/base",
        ),
        (
            "pages;r1",
            Some("https://s3.test"),
            Some(true),
            vec![],
            "https://s3.test/pages",
            "s3://pages at https://s3.test",
        ),
        ("pages;r1", None, None, vec![s3, any], "http://s3.test:1/pages", "s3://pages at http://s3.test:1"),
        ("pages;r1", None, None, vec![any], "http://any.test:2/pages", "s3://pages at http://any.test:2"),
        ("pages;r1", None, None, vec![any, ignore], "https://pages.s3.r1.amazonaws.com", "s3://pages in r1"),
    ] {
        let mut options = options(bucket);
        options.endpoint = endpoint.map(str::to_owned);
        options.path_style = path_style;
        let settings = read(&options, &variables).unwrap();
        let region = settings.region.clone().unwrap();
        assert_eq!((settings.url(&region).as_str(), settings.address(&region).as_str()), (url, address));
    }
}

#[test]
fn bad_endpoints_name_where_they_came_from() {
    let mut wrong = options("pages;r1");
    let expected =
        "not a URL (relative URL without a base); write it like https://storage.example.com or http://127.0.0.1:9000";
    assert_eq!(message(read(&wrong, &[("AWS_ENDPOINT_URL_S3", PLANTED)])), format!("AWS_ENDPOINT_URL_S3: {expected}"));
    assert_eq!(message(read(&wrong, &[("AWS_ENDPOINT_URL", PLANTED)])), format!("AWS_ENDPOINT_URL: {expected}"));
    wrong.endpoint = Some(PLANTED.to_owned());
    assert_eq!(message(read(&wrong, &[])), format!("endpoint: {expected}"));
    wrong.endpoint = Some(String::new());
    assert_eq!(message(read(&wrong, &[])), format!("endpoint: {expected}"));
}

#[test]
fn styles_that_cannot_be() {
    let mut address = options("pages;r1");
    address.path_style = Some(false);
    address.endpoint = Some("http://127.0.0.1:8333".to_owned());
    assert_eq!(
        message(read(&address, &[])),
        "path_style=false: a bucket can't be put in front of an address, only of a host name; leave path_style out"
    );
    let mut dots = options("my.pages;r1");
    dots.path_style = Some(false);
    assert_eq!(
        message(read(&dots, &[])),
        "path_style=false: the bucket my.pages can't be part of a host name; leave path_style out"
    );
}
