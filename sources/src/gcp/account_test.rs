//! Credential files, good and bad, with the exact messages; and a token that a service account signed for itself.

use aws_lc_rs::encoding::{AsDer, Pkcs8V1Der};
use aws_lc_rs::rsa::{KeyPair, KeySize};
use aws_lc_rs::signature::{self, KeyPair as _, UnparsedPublicKey};
use base64::Engine;
use base64::prelude::{BASE64_STANDARD, BASE64_URL_SAFE_NO_PAD};

use super::account::AccountKind;
use super::{Account, tokens};
use crate::credentials::FetchCredential;
use crate::error::Fault;
use crate::options::TimeoutOptions;
use crate::secret::Secret;

const PLANTED: &str = "hunter2";

fn parse(text: &str) -> Result<Account, Fault> {
    let account = Account::parse("auth_token", text);
    assert!(!format!("{account:?}").contains(PLANTED), "{account:?}");
    account
}

#[test]
fn good_files() {
    let service = r#""client_email":"a@b","private_key_id":"1","private_key":"hunter2""#;
    for (text, kind, endpoint) in [
        (format!("{{{service}}}"), AccountKind::Service, None),
        (
            format!(r#"{{"type":"service_account",{service},"universe_domain":"googleapis.com"}}"#),
            AccountKind::Service,
            None,
        ),
        (format!(r#"{{{service},"disable_oauth":false}}"#), AccountKind::Service, None),
        (
            format!(r#"{{{service},"disable_oauth":true,"gcs_base_url":"http://127.0.0.1:4443/"}}"#),
            AccountKind::Nobody,
            Some("http://127.0.0.1:4443"),
        ),
        (r#"{"disable_oauth":true}"#.to_owned(), AccountKind::Nobody, None),
        (
            r#"{"type":"authorized_user","client_id":"i","client_secret":"hunter2","refresh_token":"hunter2"}"#
                .to_owned(),
            AccountKind::User,
            None,
        ),
    ] {
        let account = parse(&text).expect(&text);
        assert_eq!(account.kind, kind, "{text}");
        assert_eq!(account.endpoint.as_ref().map(|endpoint| endpoint.as_str()), endpoint, "{text}");
    }
}

#[test]
fn bad_files() {
    let shape = "write it like https://storage.example.com or http://127.0.0.1:9000";
    let unsupported = |kind: &str| {
        format!(
            "credentials of type {kind} are not supported; use a service account's file, or give a token as \"Bearer TOKEN\""
        )
    };
    for (text, why) in [
        ("", "the credential file is not JSON (line 1, column 0)".to_owned()),
        (PLANTED, "the credential file is not JSON (line 1, column 1)".to_owned()),
        ("{\n\"private_key\": hunter2}", "the credential file is not JSON (line 2, column 16)".to_owned()),
        (r#"["hunter2"]"#, "the credential file is not a JSON object".to_owned()),
        (r#""hunter2""#, "the credential file is not a JSON object".to_owned()),
        ("{}", "the credential file has no client_email".to_owned()),
        (r#"{"client_email":"a"}"#, "the credential file has no private_key_id".to_owned()),
        (r#"{"client_email":"a","private_key_id":"b"}"#, "the credential file has no private_key".to_owned()),
        (
            r#"{"client_email":"a","private_key_id":"b","private_key":""}"#,
            "the credential file has no private_key".to_owned(),
        ),
        (
            r#"{"client_email":"a","private_key_id":"b","private_key":["hunter2"]}"#,
            "the credential file has no private_key".to_owned(),
        ),
        (
            r#"{"type":"authorized_user","client_id":"i","refresh_token":"hunter2"}"#,
            "the credential file has no client_secret".to_owned(),
        ),
        (r#"{"type":"external_account","x":"hunter2"}"#, unsupported("external_account")),
        (r#"{"type":"impersonated_service_account"}"#, unsupported("impersonated_service_account")),
        (
            r#"{"type":"hunter2"}"#,
            "the credential file has an unknown type; service_account and authorized_user are known".to_owned(),
        ),
    ] {
        let fault = parse(text).expect_err(text);
        assert_eq!(fault.to_string(), format!("no usable credentials: auth_token: {why}"), "{text}");
    }
    let fault = parse(r#"{"disable_oauth":true,"gcs_base_url":"hunter2"}"#).unwrap_err();
    assert_eq!(
        fault.to_string(),
        format!("auth_token: gcs_base_url: not a URL (relative URL without a base); {shape}")
    );
}

#[tokio::test]
async fn files_that_cannot_be_read() {
    let folder = tempfile::tempdir().unwrap();
    let path = |name: &str| Secret::new(folder.path().join(name).to_str().unwrap());
    assert!(Account::read("auth_token", &path("hunter2.json")).await.unwrap().is_none());
    std::fs::create_dir(folder.path().join("hunter2")).unwrap();
    std::fs::write(folder.path().join("hunter2.long"), vec![b' '; 300 << 10]).unwrap();
    std::fs::write(folder.path().join("hunter2.bin"), b"\xff").unwrap();
    for (name, expected) in [
        ("hunter2", "no usable credentials: auth_token: the path is not that of a file"),
        ("hunter2.long", "no usable credentials: auth_token: the file is too long for a credential file"),
        ("hunter2.bin", "no usable credentials: auth_token: the credential file can't be read: invalid data"),
        ("hunter2.bin/below", "no usable credentials: auth_token: the credential file can't be read: not a directory"),
    ] {
        let fault = Account::read("auth_token", &path(name)).await.unwrap_err();
        assert_eq!(fault.to_string(), expected);
    }
}

fn pem(der: &[u8]) -> String {
    format!("-----BEGIN PRIVATE KEY-----\\n{}\\n-----END PRIVATE KEY-----\\n", BASE64_STANDARD.encode(der))
}

#[tokio::test]
async fn a_service_account_signs_its_own_token() {
    let key = KeyPair::generate(KeySize::Rsa2048).unwrap();
    let der = AsDer::<Pkcs8V1Der<'_>>::as_der(&key).unwrap();
    let text = format!(
        r#"{{"type":"service_account","client_email":"pages@example.iam.gserviceaccount.com","private_key_id":"key-1","private_key":"{}"}}"#,
        pem(der.as_ref())
    );
    let account = parse(&text).unwrap();
    let source = tokens::of_service_account(&account.text, &TimeoutOptions::default());
    let token = source.fetch(false).await.unwrap().credential.bearer.clone();
    let (signed, signature) = token.rsplit_once('.').unwrap();
    let (header, claims) = signed.split_once('.').unwrap();
    let public = UnparsedPublicKey::new(&signature::RSA_PKCS1_2048_8192_SHA256, key.public_key().as_ref());
    public
        .verify(signed.as_bytes(), &BASE64_URL_SAFE_NO_PAD.decode(signature).unwrap())
        .expect("signed with the account's key");
    let header: serde_json::Value = serde_json::from_slice(&BASE64_URL_SAFE_NO_PAD.decode(header).unwrap()).unwrap();
    assert_eq!((header["alg"].as_str(), header["kid"].as_str()), (Some("RS256"), Some("key-1")));
    let claims: serde_json::Value = serde_json::from_slice(&BASE64_URL_SAFE_NO_PAD.decode(claims).unwrap()).unwrap();
    assert_eq!(claims["iss"], "pages@example.iam.gserviceaccount.com");
    assert_eq!(claims["exp"].as_u64().unwrap() - claims["iat"].as_u64().unwrap(), 3600);
    assert_eq!(format!("{source:?}"), "Delegated(service account)");
}

#[tokio::test]
async fn a_key_that_is_none_is_not_quoted() {
    for key in [
        "hunter2",
        "-----BEGIN hunter2-----\\nhunter2\\n",
        "-----BEGIN PRIVATE KEY-----\\nhunter2\\n-----END PRIVATE KEY-----\\n",
        "-----BEGIN PRIVATE KEY-----\\naHVudGVyMg==\\n-----END PRIVATE KEY-----\\n",
    ] {
        let text = format!(r#"{{"client_email":"a","private_key_id":"b","private_key":"{key}"}}"#);
        let account = parse(&text).unwrap();
        let Err(fault) = tokens::of_service_account(&account.text, &TimeoutOptions::default()).fetch(false).await
        else {
            panic!("{key} is no key")
        };
        assert_eq!(
            fault.to_string(),
            "no usable credentials: service account: the private_key is not an RSA key in PEM"
        );
    }
}
