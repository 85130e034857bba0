//! Containers, accounts, endpoints and keys from options and environment, with the exact messages.

use super::identity::Identity;
use super::{Access, Key, Settings};
use crate::credentials::Environment;
use crate::error::Fault;
use crate::options::BucketOptions;
use crate::secret::Secret;
use crate::source::Provider;

const PLANTED: &str = "hunter2";
const STRING: &str = "AccountName=acc1;AccountKey=aHVudGVyMg==";

fn options(container: &str, token: &str) -> BucketOptions {
    let mut options = BucketOptions::new(Provider::Azure, container);
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
fn containers() {
    for name in ["abc", "pages-1", "123", "$root", "$web", "$logs", &"x".repeat(63)] {
        assert_eq!(read(&options(name, STRING), &[]).expect(name).container, name);
    }
    let semicolon =
        "bucket: a container's name has no `;`: Azure has no region here, and a connection string goes into auth_token";
    for (name, expected) in [
        ("", "bucket: the container's name is empty"),
        ("pages;westeurope", semicolon),
        ("AccountName=a;AccountKey=hunter2", semicolon),
        ("pages/db1", "bucket: a container's name has no `/`; what follows it belongs into bucket_prefix"),
        ("Pages", "bucket: 'P' in a container's name; lower-case letters, digits and `-` are possible"),
        ("my_pages", "bucket: '_' in a container's name; lower-case letters, digits and `-` are possible"),
        ("$other", "bucket: '$' in a container's name; lower-case letters, digits and `-` are possible"),
        ("ab", "bucket: a container's name has 3 to 63 characters, this one has 2"),
        (&"x".repeat(64), "bucket: a container's name has 3 to 63 characters, this one has 64"),
        ("-ab", "bucket: a container's name begins and ends with a letter or digit, and has no two hyphens in a row"),
        ("a--b", "bucket: a container's name begins and ends with a letter or digit, and has no two hyphens in a row"),
    ] {
        assert_eq!(message(read(&options(name, STRING), &[])), expected, "{name:?}");
    }
}

#[test]
fn which_account_and_endpoint() {
    let dev = "UseDevelopmentStorage=true";
    let sas = "BlobEndpoint=https://sas1.blob.core.windows.net;SharedAccessSignature=sig=hunter2";
    let local = "AccountName=acc1;AccountKey=eA==;BlobEndpoint=http://127.0.0.1:1/acc1";
    let (name, key) = (("AZURE_STORAGE_ACCOUNT_NAME", "env1"), ("AZURE_STORAGE_ACCOUNT_KEY", "eA=="));
    let at = ("AZURE_STORAGE_ENDPOINT", "https://env2.blob.core.windows.net");
    for (token, endpoint, variables, account, expected) in [
        (STRING, None, vec![name, at], "acc1", "https://acc1.blob.core.windows.net"),
        (STRING, Some("https://proxy.test/x"), vec![], "acc1", "https://proxy.test/x"),
        (dev, None, vec![], "devstoreaccount1", "http://127.0.0.1:10000/devstoreaccount1"),
        (dev, Some("http://127.0.0.1:7777"), vec![], "devstoreaccount1", "http://127.0.0.1:7777/devstoreaccount1"),
        (dev, Some("http://localhost:7777/"), vec![], "devstoreaccount1", "http://localhost:7777/devstoreaccount1"),
        (dev, Some("http://127.0.0.1:7777/other"), vec![], "devstoreaccount1", "http://127.0.0.1:7777/other"),
        (local, None, vec![], "acc1", "http://127.0.0.1:1/acc1"),
        (sas, None, vec![], "sas1", "https://sas1.blob.core.windows.net"),
        (sas, Some("https://other.blob.core.windows.net"), vec![], "other", "https://other.blob.core.windows.net"),
        ("", None, vec![("AZURE_STORAGE_CONNECTION_STRING", STRING), at], "acc1", "https://acc1.blob.core.windows.net"),
        ("", None, vec![name, key], "env1", "https://env1.blob.core.windows.net"),
        ("", None, vec![("AZURE_STORAGE_ACCOUNT", "env3"), key], "env3", "https://env3.blob.core.windows.net"),
        ("", None, vec![at, key], "env2", "https://env2.blob.core.windows.net"),
        ("", None, vec![at, name, key], "env1", "https://env2.blob.core.windows.net"),
        ("", Some("https://opt1.blob.core.windows.net"), vec![at, key], "opt1", "https://opt1.blob.core.windows.net"),
        ("", Some("http://127.0.0.1:10000/acc7"), vec![key], "acc7", "http://127.0.0.1:10000/acc7"),
    ] {
        let mut options = options("pages", token);
        options.endpoint = endpoint.map(str::to_owned);
        let settings = read(&options, &variables).expect(expected);
        assert_eq!((settings.account.as_str(), settings.endpoint.as_str()), (account, expected));
        assert_eq!(settings.address(), format!("az://pages at {expected}"));
    }
}

#[test]
fn which_credential() {
    let name = ("AZURE_STORAGE_ACCOUNT_NAME", "acc1");
    let key = ("AZURE_STORAGE_KEY", "aHVudGVyMg==");
    let sas = ("AZURE_STORAGE_SAS_TOKEN", "?sv=1&sig=hunter2");
    let bearer = ("AZURE_STORAGE_TOKEN", "hunter2");
    let principal = [("AZURE_TENANT_ID", "t"), ("AZURE_CLIENT_ID", "c"), ("AZURE_CLIENT_SECRET", "hunter2")];
    for (variables, expected) in [
        (vec![name, key, sas, bearer], Key::Account(Secret::new(key.1))),
        (vec![name, ("AZURE_STORAGE_ACCESS_KEY", "eA==")], Key::Account(Secret::new("eA=="))),
        (vec![name, sas, bearer], Key::Sas(Secret::new(sas.1))),
        (vec![name, ("AZURE_STORAGE_SAS_KEY", sas.1)], Key::Sas(Secret::new(sas.1))),
        (vec![name, bearer], Key::Bearer(Secret::new(bearer.1))),
        (vec![("AZURE_STORAGE_CONNECTION_STRING", STRING), name, sas], Key::Account(Secret::new("aHVudGVyMg=="))),
    ] {
        let mut variables = variables;
        variables.extend(principal);
        match read(&options("pages", ""), &variables).unwrap().access {
            Access::Given(found, _) => assert_eq!(found, expected),
            Access::Identity(identity) => panic!("{identity:?} rather than {expected:?}"),
        }
    }
    let mut variables = vec![name];
    variables.extend(principal);
    assert!(matches!(
        read(&options("pages", ""), &variables).unwrap().access,
        Access::Identity(Identity::ServicePrincipal { .. })
    ));
}

#[test]
fn what_is_wrong_or_missing() {
    let name = ("AZURE_STORAGE_ACCOUNT_NAME", "acc1");
    let mut plain = options("pages", "");
    plain.endpoint = Some("http://acc1.example".to_owned());
    for (options, variables, expected) in [
        (
            options("pages", ""),
            vec![],
            "no storage account: give a connection string in auth_token, set AZURE_STORAGE_ACCOUNT_NAME, or write endpoint=https://ACCOUNT.blob.core.windows.net",
        ),
        (
            options("pages", ""),
            vec![("AZURE_STORAGE_ACCOUNT", "hunter2/")],
            "AZURE_STORAGE_ACCOUNT: not a storage account's name, which has letters and digits only",
        ),
        (
            options("pages", ""),
            vec![("AZURE_STORAGE_CONNECTION_STRING", "AccountName=acc1;AccountKey=hunter2")],
            "AZURE_STORAGE_CONNECTION_STRING: AccountKey: the key is not base64; copy all of it, `==` included",
        ),
        (
            options("pages", ""),
            vec![name, ("AZURE_STORAGE_ACCESS_KEY", "hunter2")],
            "AZURE_STORAGE_ACCESS_KEY: the key is not base64; copy all of it, `==` included",
        ),
        (
            options("pages", ""),
            vec![name, ("AZURE_STORAGE_SAS_TOKEN", "hunter2")],
            "AZURE_STORAGE_SAS_TOKEN: not a shared access signature: it has no sig=…",
        ),
        (
            options("pages", ""),
            vec![name, ("AZURE_STORAGE_TOKEN", "hunter2\n")],
            "AZURE_STORAGE_TOKEN: the token holds a blank, a control character or a letter beyond ASCII",
        ),
        (
            plain.clone(),
            vec![],
            "endpoint: tokens of an identity are sent over https only; use https, or an account key",
        ),
        (
            plain,
            vec![("AZURE_STORAGE_TOKEN", "hunter2")],
            "endpoint: tokens of an identity are sent over https only; use https, or an account key",
        ),
        (
            options("pages", ""),
            vec![name, ("AZURE_CLIENT_SECRET", "hunter2"), ("AZURE_CLIENT_ID", "c")],
            "no usable credentials: AZURE_CLIENT_SECRET is set and AZURE_TENANT_ID is not",
        ),
        (
            options("pages", ""),
            vec![name, ("AZURE_CLIENT_SECRET", "hunter2"), ("AZURE_TENANT_ID", "t")],
            "no usable credentials: AZURE_CLIENT_SECRET is set and AZURE_CLIENT_ID is not",
        ),
        (
            options("pages", ""),
            vec![name, ("AZURE_FEDERATED_TOKEN_FILE", "/hunter2"), ("AZURE_TENANT_ID", "t")],
            "no usable credentials: AZURE_FEDERATED_TOKEN_FILE is set and AZURE_CLIENT_ID is not",
        ),
        (
            options("pages", ""),
            vec![name, ("AZURE_TENANT_ID", "../hunter2")],
            "AZURE_TENANT_ID: it holds a character that no such id has",
        ),
        (
            options("pages", ""),
            vec![name, ("AZURE_AUTHORITY_HOST", "http://hunter2.example")],
            "AZURE_AUTHORITY_HOST: must be https",
        ),
    ] {
        assert_eq!(message(read(&options, &variables)), expected);
        assert!(!expected.contains(PLANTED));
    }
}
