//! A database that cannot be opened says why, and never with a secret.

use plastron_localstack::Server;

use crate::backend::{Backend, azure_token, serve, settings_at};
use crate::python::{scenario, text};
use crate::settings::Settings;

/// A port where nobody listens, while it is held.
fn nobody() -> (tokio::net::TcpSocket, String) {
    let socket = tokio::net::TcpSocket::new_v4().unwrap();
    socket.bind("127.0.0.1:0".parse().unwrap()).unwrap();
    let url = format!("http://{}", socket.local_addr().unwrap());
    (socket, url)
}

/// `wiredtiger_open` fails and says all of `words`, and nothing of `secret`.
fn refused(settings: &Settings, words: &[&str], secret: &str) {
    // It gives up soon. Where this machine holds up the server for so long that it gives no reason, it is asked again.
    let settings = settings.with("retry=(deadline=3s)");
    let mut said = String::new();
    for _ in 0..10 {
        let home = tempfile::tempdir().unwrap();
        let output = scenario("refused", &home.path().join("home"), &settings).output().unwrap();
        said = text(&output);
        assert!(output.status.success(), "{words:?}: {said}");
        assert!(secret.is_empty() || !said.contains(secret), "a secret is in {said}");
        if words.iter().all(|word| said.contains(word)) {
            return;
        }
    }
    panic!("{words:?} are not in {said}");
}

#[test]
fn by_s3() {
    let weed = serve(Server::SeaweedFs).unwrap();
    let good = settings_at(&weed, &weed.url);
    let token = |key: &str, secret: &str| Settings { auth_token: format!("{key};{secret}"), ..good.clone() };
    refused(&token(&weed.access_key, "wrongwrongwrong"), &["wrong secret"], "wrongwrongwrong");
    refused(&token("AKIAUNKNOWN", &weed.secret_key), &["unknown access key"], &weed.secret_key);
    let (key, secret) = weed.read_only.clone().unwrap();
    refused(&token(&key, &secret), &["permission denied"], &secret);
    let missing = Settings { bucket: format!("no-such-bucket;{}", weed.region), ..good };
    refused(&missing, &["no such bucket"], &weed.secret_key);
    let (_held, url) = nobody();
    refused(&settings_at(&weed, &url), &["cannot reach", "127.0.0.1"], &weed.secret_key);
}

#[test]
fn by_azure() {
    let azurite = serve(Server::Azurite).unwrap();
    let good = settings_at(&azurite, &azurite.url);
    let key =
        "d3Jvbmd3cm9uZ3dyb25nd3Jvbmd3cm9uZ3dyb25nd3Jvbmd3cm9uZ3dyb25nd3Jvbmd3cm9uZ3dyb25nd3Jvbmd3cm9uZ3dyb25nd3Jvbmc=";
    let token = azure_token(&azurite, &azurite.url, key);
    refused(&Settings { auth_token: token, ..good.clone() }, &["wrong secret"], key);
    let (_, signature) = azurite.read_only.clone().unwrap();
    let reader = azure_token(&azurite, &azurite.url, &signature);
    let secret = signature.rsplit_once('=').unwrap().1;
    refused(&Settings { auth_token: reader, ..good.clone() }, &["permission denied"], secret);
    let missing = Settings { bucket: "no-such-bucket".to_owned(), ..good };
    refused(&missing, &["no such bucket"], &azurite.secret_key);
    let (_held, url) = nobody();
    refused(&settings_at(&azurite, &url), &["cannot reach", "127.0.0.1"], &azurite.secret_key);
}

#[test]
fn by_gcp() {
    let gcs = serve(Server::Gcs).unwrap();
    let good = settings_at(&gcs, &gcs.url);
    refused(&Settings { auth_token: "/no/such/file.json".to_owned(), ..good.clone() }, &["no such file"], "");
    let foreign = gcs.foreign_credentials_file.as_ref().unwrap().display().to_string();
    refused(&Settings { auth_token: foreign, ..good.clone() }, &["credentials"], "");
    let (reader, _) = gcs.read_only.clone().unwrap();
    refused(&Settings { auth_token: reader, ..good.clone() }, &["permission denied"], "");
    refused(&Settings { bucket: "no-such-bucket".to_owned(), ..good }, &["no such bucket"], &gcs.secret_key);
    let (_held, url) = nobody();
    refused(&settings_at(&gcs, &url), &["cannot reach", "127.0.0.1"], &gcs.secret_key);
}

#[test]
fn by_a_directory_and_by_the_configuration() {
    let home = tempfile::tempdir().unwrap();
    let good = Backend::Dir.place(home.path()).unwrap().settings;
    let missing = home.path().join("no-such/missing").display().to_string();
    refused(&Settings { bucket: missing, ..good.clone() }, &["no such bucket", "missing"], "");
    refused(&good.with("endpiont=\"http://127.0.0.1:9\""), &["endpiont", "did you mean 'endpoint'"], "");
    refused(&good.with("cache=(block_size=5000)"), &["block_size", "power of two"], "");
    refused(&good.with("verbose=9"), &["verbose", "-3"], "");
}
