//! Buckets, endpoints and credentials from options and environment, with the exact messages.

use super::{Access, Settings};
use crate::credentials::Environment;
use crate::error::Fault;
use crate::options::BucketOptions;
use crate::secret::Secret;
use crate::source::Provider;

const PLANTED: &str = "hunter2";

fn options(bucket: &str, token: &str) -> BucketOptions {
    let mut options = BucketOptions::new(Provider::Gcp, bucket);
    options.auth_token = Secret::new(token);
    options
}

fn read(options: &BucketOptions, variables: &[(&str, &str)]) -> Result<Settings, Fault> {
    let settings = Settings::read(options, &Environment::of(variables));
    assert!(!format!("{settings:?}").contains(PLANTED), "{settings:?}");
    settings
}

fn message(result: Result<Settings, Fault>) -> String {
    result.expect_err("should be refused").to_string()
}

#[test]
fn buckets() {
    let long = format!("{}.{}.{}", "x".repeat(63), "y".repeat(63), "z".repeat(63));
    for name in ["abc", "pages-1", "my_pages", "1.example.com", &"x".repeat(63), &long] {
        assert_eq!(read(&options(name, "/f"), &[]).expect(name).bucket, name);
    }
    let length = |n: usize| {
        format!("bucket: a bucket name has 3 to 63 characters (222 with dots, 63 between them), this one has {n}")
    };
    for (name, expected) in [
        ("", "bucket: the name is empty".to_owned()),
        (
            "pages;europe-west1",
            "bucket: a bucket name has no `;`: Google's buckets need no region here, and a credential file goes into auth_token".to_owned(),
        ),
        ("pages/db1", "bucket: a bucket name has no `/`; what follows it belongs into bucket_prefix".to_owned()),
        ("Pages", "bucket: 'P' in a bucket name; lower-case letters, digits, `-`, `_` and `.` are possible".to_owned()),
        ("pa ges", "bucket: ' ' in a bucket name; lower-case letters, digits, `-`, `_` and `.` are possible".to_owned()),
        ("ab", length(2)),
        (&"x".repeat(64), length(64)),
        (&format!("a.{}", "x".repeat(64)), length(66)),
        ("-abc", "bucket: a bucket name begins and ends with a letter or digit".to_owned()),
        ("abc_", "bucket: a bucket name begins and ends with a letter or digit".to_owned()),
        ("a..b", "bucket: a bucket name has no two dots in a row".to_owned()),
    ] {
        assert_eq!(message(read(&options(name, "/f"), &[])), expected, "{name:?}");
    }
}

#[test]
fn which_endpoint() {
    let emulator = ("STORAGE_EMULATOR_HOST", "http://localhost:4443");
    for (option, variables, expected) in [
        (None, vec![], None),
        (Some("http://127.0.0.1:1/"), vec![emulator], Some("http://127.0.0.1:1")),
        (None, vec![emulator], Some("http://localhost:4443")),
        (None, vec![("STORAGE_EMULATOR_HOST", "localhost:4443")], Some("http://localhost:4443")),
        (None, vec![("STORAGE_EMULATOR_HOST", "127.0.0.1:9/storage/v1/")], Some("http://127.0.0.1:9")),
        (None, vec![("STORAGE_EMULATOR_HOST", "https://emulator.test/")], Some("https://emulator.test")),
        (None, vec![("STORAGE_EMULATOR_HOST", "")], None),
    ] {
        let mut options = options("pages", "/f");
        options.endpoint = option.map(str::to_owned);
        let settings = read(&options, &variables).unwrap();
        assert_eq!(settings.endpoint.as_ref().map(|endpoint| endpoint.as_str()), expected, "{option:?} {variables:?}");
    }
    let mut wrong = options("pages", "/f");
    let shape = "write it like https://storage.example.com or http://127.0.0.1:9000";
    assert_eq!(
        message(read(&wrong, &[("STORAGE_EMULATOR_HOST", "http://")])),
        format!("STORAGE_EMULATOR_HOST: not a URL (empty host); {shape}")
    );
    wrong.endpoint = Some(PLANTED.to_owned());
    assert_eq!(message(read(&wrong, &[])), format!("endpoint: not a URL (relative URL without a base); {shape}"));
}

fn file(origin: &'static str, path: &str, required: bool, else_metadata: bool) -> Access {
    Access::File { origin, path: Secret::new(path), required, else_metadata }
}

#[test]
fn which_credential() {
    let emulator = ("STORAGE_EMULATOR_HOST", "localhost:4443");
    let given = ("GOOGLE_APPLICATION_CREDENTIALS", "/given.json");
    let (home, cloudsdk) = (("HOME", "/home/u"), ("CLOUDSDK_CONFIG", "/sdk"));
    let no_metadata = ("NO_GCE_CHECK", "True");
    let adc = "application default credentials";
    let in_home = "/home/u/.config/gcloud/application_default_credentials.json";
    for (token, endpoint, variables, expected) in [
        ("/hunter2.json", None, vec![given, home], file("auth_token", "/hunter2.json", true, false)),
        ("/hunter2.json", None, vec![emulator], file("auth_token", "/hunter2.json", true, false)),
        ("Bearer hunter2", None, vec![given, emulator], Access::Bearer(Secret::new(PLANTED))),
        ("", None, vec![given, home], file("GOOGLE_APPLICATION_CREDENTIALS", "/given.json", true, false)),
        ("", None, vec![home], file(adc, in_home, false, true)),
        ("", None, vec![home, no_metadata], file(adc, in_home, false, false)),
        ("", None, vec![home, cloudsdk], file(adc, "/sdk/application_default_credentials.json", false, true)),
        ("", None, vec![], Access::Metadata),
        (
            "",
            Some("https://private.test"),
            vec![given],
            file("GOOGLE_APPLICATION_CREDENTIALS", "/given.json", true, false),
        ),
        ("", Some("https://private.test"), vec![], Access::Metadata),
        // An emulator and plain http get nothing of the machine's own.
        ("", None, vec![emulator, given, home], Access::Anonymous),
        ("", Some("http://127.0.0.1:1"), vec![given, home], Access::Anonymous),
        ("", Some("http://storage.test"), vec![given, home], Access::Anonymous),
    ] {
        let mut options = options("pages", token);
        options.endpoint = endpoint.map(str::to_owned);
        let settings = read(&options, &variables).unwrap();
        assert_eq!(settings.access, expected, "{endpoint:?} {variables:?}");
    }
}

#[test]
fn bad_credentials() {
    for (token, variables, expected) in [
        ("Bearer ", vec![], "auth_token: what follows \"Bearer \" must be a token without blanks"),
        ("Bearer hunter2 hunter2", vec![], "auth_token: what follows \"Bearer \" must be a token without blanks"),
        ("Bearer hunter2\n", vec![], "auth_token: what follows \"Bearer \" must be a token without blanks"),
        (
            r#"{"private_key":"hunter2"}"#,
            vec![],
            "auth_token: this is a credential itself; put it into a file and give its path",
        ),
        (
            "ya29.hunter2",
            vec![],
            "auth_token: this is a token; write it as \"Bearer TOKEN\", or give the path of a credential file",
        ),
        (
            "",
            vec![("GOOGLE_APPLICATION_CREDENTIALS", r#" {"private_key":"hunter2"}"#)],
            "GOOGLE_APPLICATION_CREDENTIALS: this is a credential itself; put it into a file and give its path",
        ),
        (
            "",
            vec![("NO_GCE_CHECK", "true")],
            "no usable credentials: set auth_token or GOOGLE_APPLICATION_CREDENTIALS to a credential file's path, or run `gcloud auth application-default login`",
        ),
    ] {
        assert_eq!(message(read(&options("pages", token), &variables)), expected);
    }
}
