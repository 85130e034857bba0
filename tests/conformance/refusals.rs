//! What a bucket that cannot be opened says, and that a good one proves good.

use std::time::Duration;

use plastron_localstack::{Server, endpoint};
use plastron_sources::{Bucket, Error, ErrorKind, Fault};

use crate::backend::{Backend, Place, options};

/// Refused, and not tried again and again up to a deadline that this test does not wait for.
async fn refusal(store: &str) -> Error {
    refusal_of(&format!("{store},retry=(deadline=1h,attempts=1000)")).await
}

async fn refusal_of(store: &str) -> Error {
    let opened = tokio::time::timeout(Duration::from_secs(300), Bucket::open(options(store))).await;
    opened.expect("it is refused before any deadline").expect_err(store)
}

pub(crate) async fn a_missing_bucket(place: Place) {
    let store = match (&place.endpoint, place.backend) {
        (Some(endpoint), _) => endpoint.store_string("no-such-bucket-anywhere", "x/"),
        (None, Backend::Dir) => "source=dir_store,bucket=/no/such/directory/bucket".to_owned(),
        // Memory has every bucket.
        (None, _) => return,
    };
    for more in ["", ",readonly=true", ",probe=off"] {
        let error = refusal(&format!("{store}{more}")).await;
        assert_eq!(error.kind(), ErrorKind::Invalid, "{error}");
        assert!(matches!(error.fault(), Fault::NoSuchBucket), "{error}");
        assert!(error.to_string().contains("no such bucket"), "{error}");
    }
}

pub(crate) async fn no_network(place: Place) {
    if place.endpoint.is_none() {
        return;
    }
    // A port that is taken and not listened on: the connection is refused.
    let socket = tokio::net::TcpSocket::new_v4().unwrap();
    socket.bind("127.0.0.1:0".parse().unwrap()).unwrap();
    let store = place.store_at(&format!("http://{}", socket.local_addr().unwrap()));
    let error = refusal_of(&format!("{store},retry=(deadline=1s)")).await;
    assert_eq!(error.kind(), ErrorKind::Unavailable, "{error}");
    assert!(error.to_string().contains("127.0.0.1") && error.to_string().contains("cannot reach"), "{error}");
}

pub(crate) async fn wrong_key_wrong_secret_expired_token(place: Place) {
    let Some(found) = place.endpoint.clone() else { return };
    let (bucket, prefix) = (place.bucket_name.as_str(), place.prefix.as_str());
    match place.backend {
        Backend::SeaweedFs | Backend::Moto => {
            // moto checks credentials only where it was told to.
            let strict = match place.backend {
                Backend::Moto => endpoint(Server::MotoAuth).await,
                _ => Ok(found),
            };
            let strict = match strict {
                Err(error) if error.kind() == ErrorKind::Unsupported => return println!("NOT RUN: {error}"),
                strict => strict.unwrap(),
            };
            strict.create_bucket(bucket).await.unwrap();
            let error =
                refusal(&strict.store_string_as(bucket, prefix, "AKIAUNKNOWNUNKNOWN00", &strict.secret_key)).await;
            assert!(matches!(error.fault(), Fault::UnknownKey { .. }), "{error}");
            let error = refusal(&strict.store_string_as(bucket, prefix, &strict.access_key, "wrongwrongwrong")).await;
            assert!(matches!(error.fault(), Fault::WrongSecret { .. }), "{error}");
            assert!(!error.to_string().contains("wrongwrongwrong"), "{error}");
        }
        Backend::Azurite => {
            let key = "d3Jvbmd3cm9uZ3dyb25nd3Jvbmd3cm9uZ3dyb25nd3Jvbmd3cm9uZ3dyb25nd3Jvbmd3cm9uZ3dyb25nd3Jvbmd3cm9uZ3dyb25nd3Jvbmc=";
            let error = refusal(&found.store_string_as(bucket, prefix, &found.access_key, key)).await;
            assert!(matches!(error.fault(), Fault::WrongSecret { .. }), "{error}");
            assert!(!error.to_string().contains("d3Jvbmd3"), "{error}");
        }
        Backend::Gcs => {
            // The path is in the place of a secret, so it is not repeated.
            let file = found.credentials_file.clone().unwrap();
            let store = found.store_string(bucket, prefix).replace(&file.display().to_string(), "/no/such/file.json");
            let error = refusal(&store).await;
            assert_eq!(error.kind(), ErrorKind::Unauthorized, "{error}");
            assert!(error.to_string().contains("no such file"), "{error}");
        }
        // LocalStack takes anything.
        _ => {}
    }
    let (status, code) = match place.backend {
        Backend::Azurite => ("403 Forbidden", "AuthenticationFailed"),
        Backend::Gcs => ("401 Unauthorized", "ExpiredToken"),
        _ => ("400 Bad Request", "ExpiredToken"),
    };
    let address = always_answering(status, code).await;
    let error = refusal(&place.store_at(&address)).await;
    assert_eq!(error.kind(), ErrorKind::Unauthorized, "{error}");
    assert!(matches!(error.fault(), Fault::Expired { .. }), "{error}");
}

/// A server that gives every request the same refusal, as a provider does once a token has run out.
async fn always_answering(status: &'static str, code: &'static str) -> String {
    use tokio::io::{AsyncReadExt, AsyncWriteExt};
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = format!("http://{}", listener.local_addr().unwrap());
    tokio::spawn(async move {
        while let Ok((mut stream, _)) = listener.accept().await {
            tokio::spawn(async move {
                let mut request = vec![0; 65536];
                let body = format!(
                    "<?xml version=\"1.0\"?><Error><Code>{code}</Code><Message>The provided token has expired.</Message><AuthenticationErrorDetail>Signature not valid in the specified time frame: Start [Sat, 01 Nov 2025 00:00:00 GMT] - Expiry [Sun, 02 Nov 2025 00:00:00 GMT]</AuthenticationErrorDetail></Error>"
                );
                let length = body.len();
                while let Ok(1..) = stream.read(&mut request).await {
                    let head = format!(
                        "HTTP/1.1 {status}\r\ncontent-type: application/xml\r\nx-ms-error-code: {code}\r\ncontent-length: {length}\r\n\r\n"
                    );
                    let body = if request.starts_with(b"HEAD") { "" } else { body.as_str() };
                    if stream.write_all(format!("{head}{body}").as_bytes()).await.is_err() {
                        break;
                    }
                }
            });
        }
    });
    address
}

pub(crate) async fn the_probe_finds_everything_in_order(place: Place) {
    let bucket = place.open().await;
    let report = bucket.probe().await;
    assert!(report.holds(), "{report:#?}");
    assert!(
        crate::backend::names(&bucket.system(), "_plastron/probe/").await.is_empty(),
        "the probe left something behind"
    );
}
