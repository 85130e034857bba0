//! The command, with secrets in its environment and in the files that the providers' tools read.

use std::path::Path;
use std::process::{Command, Stdio};

use crate::planted::{
    BEARER, CLIENT_SECRET, PASSWORD, PRIVATE_KEY, REFRESH_TOKEN, SECRET_KEY, SESSION_TOKEN, Search, account_key,
    service_account, shared_access_signature,
};
use crate::server::{Mood, Server};

/// Settings that give up soon, as a URL has them.
const SOON: &str = "hedge.enabled=false&retry.deadline=300ms&retry.attempts=2&retry.initial=1ms&timeout.connect=300ms&timeout.request=300ms";

/// What is run, and how the server answers meanwhile.
const RUNS: [(&[&str], Mood); 6] = [
    (&["-vvv", "ls"], Mood::Refuse("403 Forbidden", "SignatureDoesNotMatch")),
    (&["--json", "-vvv", "put", "file", "--stats"], Mood::Malformed),
    (&["-vvv", "probe", "--stats"], Mood::Refuse("400 Bad Request", "ExpiredToken")),
    (&["--json", "get", "name", "copy", "-vvv"], Mood::Garbage),
    (&["stat", "name", "-vvv"], Mood::Refuse("503 Service Unavailable", "SlowDown")),
    (&["rm", "name"], Mood::Good),
];

/// Where secrets are planted: a name for people, the store, the environment.
type Case = (&'static str, String, Vec<(&'static str, String)>);

fn write(home: &Path, name: &str, text: &str) -> String {
    let path = home.join(name);
    std::fs::write(&path, text).unwrap();
    path.display().to_string()
}

fn s3(address: &str, home: &Path) -> Vec<Case> {
    let host = address.strip_prefix("http://").unwrap();
    let url = format!("s3://pages?region=eu-central-1&{SOON}");
    let endpoint = || ("AWS_ENDPOINT_URL", address.to_owned());
    let keys = || {
        vec![
            ("AWS_ACCESS_KEY_ID", "AKPLANTED".to_owned()),
            ("AWS_SECRET_ACCESS_KEY", SECRET_KEY.to_owned()),
            ("AWS_SESSION_TOKEN", SESSION_TOKEN.to_owned()),
        ]
    };
    let with = |more: &[(&'static str, String)]| [keys(), more.to_vec()].concat();
    let files = |name: &str, text: String| vec![endpoint(), ("AWS_CONFIG_FILE", write(home, name, &text))];
    let profile = format!(
        "[default]\naws_access_key_id = AKPLANTED\naws_secret_access_key = {SECRET_KEY}\naws_session_token = {SESSION_TOKEN}\n"
    );
    let process = |script: String| format!("[default]\ncredential_process = {}\n", write(home, "process", &script));
    let say = |text: &str| format!("sh {}", write(home, "script", text));
    let broken = say(&format!("echo '{{\"Version\":1,\"SecretAccessKey\":\"{SECRET_KEY}\"'; echo {PASSWORD} >&2"));
    vec![
        ("keys in the environment", url.clone(), with(&[endpoint()])),
        ("half a pair", url.clone(), vec![endpoint(), ("AWS_SECRET_ACCESS_KEY", SECRET_KEY.to_owned())]),
        (
            "a blank in a key",
            url.clone(),
            vec![
                endpoint(),
                ("AWS_ACCESS_KEY_ID", "AKPLANTED".to_owned()),
                ("AWS_SECRET_ACCESS_KEY", format!("{SECRET_KEY} {PASSWORD}")),
            ],
        ),
        (
            "a password in the endpoint",
            url.clone(),
            with(&[("AWS_ENDPOINT_URL", format!("http://u:{PASSWORD}@{host}"))]),
        ),
        (
            "a key as the region",
            format!("s3://pages?{SOON}"),
            with(&[endpoint(), ("AWS_REGION", SECRET_KEY.to_owned())]),
        ),
        (
            "a profile",
            url.clone(),
            vec![endpoint(), ("AWS_SHARED_CREDENTIALS_FILE", write(home, "credentials", &profile))],
        ),
        (
            "a broken profile",
            url.clone(),
            vec![endpoint(), ("AWS_SHARED_CREDENTIALS_FILE", write(home, "broken", &profile.replace(" = ", " ")))],
        ),
        ("a process that fails", url.clone(), files("config1", process(format!("{broken}; exit 3")))),
        (
            "a process that prints nonsense",
            url.clone(),
            files("config2", format!("[default]\ncredential_process = {broken}\n")),
        ),
        (
            "a web identity",
            url.clone(),
            vec![
                endpoint(),
                ("AWS_ROLE_ARN", "arn:aws:iam::123456789012:role/r".to_owned()),
                ("AWS_WEB_IDENTITY_TOKEN_FILE", write(home, "identity", BEARER)),
            ],
        ),
        (
            "a container's token",
            url.clone(),
            vec![
                endpoint(),
                ("AWS_CONTAINER_CREDENTIALS_FULL_URI", format!("{address}/credentials")),
                ("AWS_CONTAINER_AUTHORIZATION_TOKEN", BEARER.to_owned()),
            ],
        ),
        (
            "a proxy that answers",
            url.clone(),
            with(&[
                ("AWS_ENDPOINT_URL", "http://127.0.0.1:9".to_owned()),
                ("HTTP_PROXY", format!("http://user:{PASSWORD}@{host}")),
                ("http_proxy", format!("http://user:{PASSWORD}@{host}")),
            ]),
        ),
        (
            "a proxy that does not",
            url.clone(),
            with(&[
                ("AWS_ENDPOINT_URL", "https://127.0.0.1:9".to_owned()),
                ("HTTPS_PROXY", format!("http://user:{PASSWORD}@127.0.0.1:9")),
                ("https_proxy", format!("http://user:{PASSWORD}@127.0.0.1:9")),
            ]),
        ),
        (
            "a proxy that is no URL",
            url,
            with(&[
                endpoint(),
                ("ALL_PROXY", format!("user:{PASSWORD}@@:x")),
                ("all_proxy", format!("user:{PASSWORD}@@:x")),
            ]),
        ),
    ]
}

fn azure(address: &str, home: &Path) -> Vec<Case> {
    let url = format!("az://pages?{SOON}");
    let (key, sas) = (account_key(), shared_access_signature());
    let account = |more: &[(&'static str, String)]| {
        let own =
            [("AZURE_STORAGE_ACCOUNT_NAME", "acct".to_owned()), ("AZURE_STORAGE_ENDPOINT", format!("{address}/acct"))];
        [own.to_vec(), more.to_vec()].concat()
    };
    let application = [("AZURE_TENANT_ID", "tenant".to_owned()), ("AZURE_CLIENT_ID", "client".to_owned())];
    let authority = ("AZURE_AUTHORITY_HOST", address.replace("http", "https"));
    let connection = |text: String| vec![("AZURE_STORAGE_CONNECTION_STRING", text)];
    vec![
        (
            "a connection string",
            url.clone(),
            connection(format!("AccountName=acct;AccountKey={key};BlobEndpoint={address}/acct")),
        ),
        (
            "a connection string with a signature",
            url.clone(),
            connection(format!("BlobEndpoint={address}/acct;SharedAccessSignature={sas}")),
        ),
        (
            "a connection string with a mistake",
            url.clone(),
            connection(format!("AccountName=acct;AccountKey={key}{PASSWORD}")),
        ),
        ("a key instead of a connection string", url.clone(), connection(key.clone())),
        ("an account key", url.clone(), account(&[("AZURE_STORAGE_ACCOUNT_KEY", key.clone())])),
        ("a broken account key", url.clone(), account(&[("AZURE_STORAGE_KEY", format!("{PASSWORD}{key}!"))])),
        ("a signature", url.clone(), account(&[("AZURE_STORAGE_SAS_TOKEN", format!("?{sas}"))])),
        ("a token", url.clone(), account(&[("AZURE_STORAGE_TOKEN", BEARER.to_owned())])),
        ("a key as the account", url.clone(), vec![("AZURE_STORAGE_ACCOUNT_NAME", key)]),
        (
            "a service principal",
            url.clone(),
            account(
                &[&application[..], &[authority.clone(), ("AZURE_CLIENT_SECRET", CLIENT_SECRET.to_owned())]].concat(),
            ),
        ),
        (
            "a workload identity",
            url.clone(),
            account(
                &[&application[..], &[authority, ("AZURE_FEDERATED_TOKEN_FILE", write(home, "federated", BEARER))]]
                    .concat(),
            ),
        ),
        (
            "a managed identity",
            url,
            account(&[("IDENTITY_ENDPOINT", format!("{address}/token")), ("IDENTITY_HEADER", BEARER.to_owned())]),
        ),
    ]
}

fn gcp(address: &str, home: &Path) -> Vec<Case> {
    let host = address.strip_prefix("http://").unwrap();
    let url = format!("gs://pages?{SOON}");
    let at = format!("gs://pages?endpoint={address}&{SOON}");
    let file = |text: String| vec![("GOOGLE_APPLICATION_CREDENTIALS", text)];
    let user = format!(
        "{{\"type\":\"authorized_user\",\"client_id\":\"c\",\"client_secret\":\"{CLIENT_SECRET}\",\"refresh_token\":\"{REFRESH_TOKEN}\""
    );
    vec![
        ("a service account", url.clone(), file(write(home, "account.json", &service_account()))),
        ("a broken service account", url.clone(), file(write(home, "cut.json", &service_account()[..180]))),
        ("a user's file that breaks off", url.clone(), file(write(home, "user.json", &user))),
        ("a key as a file", url.clone(), file(write(home, "key.pem", PRIVATE_KEY))),
        ("a credential instead of a file", url.clone(), file(service_account())),
        ("a password as a path", url.clone(), file(format!("/no/such/{PASSWORD}"))),
        ("an emulator with a password", url, vec![("STORAGE_EMULATOR_HOST", format!("http://u:{PASSWORD}@{host}"))]),
        (
            "a token",
            format!(
                "source=gcp_store,bucket=pages,endpoint=\"{address}\",auth_token=\"Bearer {BEARER}\",retry=(deadline=300ms)"
            ),
            vec![],
        ),
        ("no credentials at all", at, vec![("CLOUDSDK_CONFIG", home.display().to_string())]),
    ]
}

/// The command with nothing of this process's environment.
fn command(home: &Path, environment: &[(&str, String)]) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_plastron"));
    let search = std::env::var_os("PATH").unwrap_or_default();
    command.current_dir(home).env_clear().env("PATH", search).env("HOME", home).stdin(Stdio::null());
    // Nobody asks for credentials outside of this machine.
    command.env("AWS_EC2_METADATA_DISABLED", "true").env("NO_GCE_CHECK", "true").env("RUST_BACKTRACE", "1");
    command.envs(environment.iter().map(|(name, value)| (*name, value.as_str())));
    command
}

fn heard(command: &mut Command) -> String {
    let output = command.output().unwrap();
    format!("{}\n{}", String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr))
}

#[test]
fn no_run_of_the_command_shows_one() {
    let home = tempfile::tempdir().unwrap();
    let path = home.path();
    write(path, "file", "some bytes");
    let mut texts = Vec::new();
    let mut sent = Vec::new();
    // One server a source: each has its mood, and the sources go side by side, since most of the time is waiting.
    std::thread::scope(|scope| {
        let sources: [fn(&str, &Path) -> Vec<Case>; 3] = [s3, azure, gcp];
        let running: Vec<_> = sources
            .into_iter()
            .map(|cases| {
                scope.spawn(move || {
                    let server = Server::start(Mood::Good);
                    let mut texts = Vec::new();
                    for (what, store, mut environment) in cases(&server.address, path) {
                        environment.push(("PLASTRON_STORE", store));
                        for (arguments, mood) in RUNS {
                            server.set(mood);
                            let text = heard(command(path, &environment).args(arguments));
                            texts.push((format!("{what}: {arguments:?}"), text));
                        }
                    }
                    (texts, server.sent())
                })
            })
            .collect();
        for source in running {
            let (said, more) = source.join().unwrap();
            texts.extend(said);
            sent.extend(more);
        }
    });
    let search = Search::new(sent);
    for (what, text) in &texts {
        search.assert_none(what, text);
        assert!(!text.trim().is_empty(), "{what} said nothing");
    }
    assert!(texts.len() > 200, "{}", texts.len());
}

#[test]
fn no_help_and_no_usage_error_shows_one() {
    let home = tempfile::tempdir().unwrap();
    let search = Search::new(Vec::new());
    let store = format!("source=s3_store,bucket=pages,auth_token=\"AKPLANTED;{SECRET_KEY};{SESSION_TOKEN}\"");
    let environment = [("PLASTRON_STORE", store.clone()), ("AWS_SECRET_ACCESS_KEY", SECRET_KEY.to_owned())];
    let mut runs: Vec<Vec<&str>> =
        vec![vec!["--help"], vec!["-h"], vec!["--version"], vec!["completions", "bash"], vec![]];
    for name in ["put", "get", "cat", "ls", "stat", "rm", "probe", "demo", "bench"] {
        runs.push(vec![name, "--help"]);
        runs.push(vec![name, "--no-such-option"]);
        runs.push(vec!["--json", name, "--store", &store, "--no-such-option"]);
    }
    for arguments in runs {
        let text = heard(command(home.path(), &environment).args(&arguments));
        search.assert_none(&format!("{arguments:?}"), &text);
        assert!(!text.trim().is_empty(), "{arguments:?}");
    }
}
