//! The few requests the launcher itself makes: "are you there?" and "make me a bucket".

use std::time::Duration;

use base64::Engine as _;
use base64::prelude::BASE64_STANDARD;
use bytes::Bytes;
use http::{Method, Request, StatusCode};
use http_body_util::BodyExt as _;
use hyper_util::client::legacy::Client;
use hyper_util::rt::TokioExecutor;
use object_store::aws::{AwsAuthorizer, AwsCredential};
use object_store::azure::{AzureAccessKey, AzureAuthorizer, AzureCredential};
use object_store::client::{HttpRequest, HttpRequestBody};
use plastron_config::ErrorKind;
use plastron_sources::clock::{Clock as _, SystemClock};

use crate::endpoint::Endpoint;
use crate::error::{Context as _, Error, Result};
use crate::server::Server;

/// One request on loopback takes milliseconds; a server that needs longer than this is stuck.
const REQUEST_TIMEOUT: Duration = Duration::from_secs(120);

/// Sends one request on a connection of its own and reads the whole answer.
pub(crate) async fn send(request: HttpRequest) -> Result<(StatusCode, Bytes)> {
    let what = format!("{} {}", request.method(), request.uri());
    let client: Client<_, HttpRequestBody> = Client::builder(TokioExecutor::new()).build_http();
    let exchange = async {
        let response = client.request(request).await.context(|| what.clone())?;
        let status = response.status();
        let body = response.into_body().collect().await.context(|| what.clone())?;
        Ok((status, body.to_bytes()))
    };
    tokio::select! {
        answer = exchange => answer,
        () = SystemClock.sleep(REQUEST_TIMEOUT) => Err(Error::unavailable(format!("{what}: no answer in {} s", REQUEST_TIMEOUT.as_secs()))),
    }
}

/// A request with the given parts.
pub(crate) fn request(
    method: Method,
    url: &str,
    headers: &[(&str, &str)],
    body: impl Into<Bytes>,
) -> Result<HttpRequest> {
    let mut builder = Request::builder().method(method).uri(url);
    for (name, value) in headers {
        builder = builder.header(*name, *value);
    }
    builder.body(HttpRequestBody::from(body.into())).context(|| format!("make a request of {url}"))
}

/// GETs `url` and says which status came back.
pub(crate) async fn status(url: &str) -> Result<u16> {
    Ok(send(request(Method::GET, url, &[], Bytes::new())?).await?.0.as_u16())
}

/// Signs for an AWS service and sends.
pub(crate) async fn send_aws(
    endpoint: &Endpoint,
    service: &str,
    mut request: HttpRequest,
) -> Result<(StatusCode, Bytes)> {
    let credential =
        AwsCredential { key_id: endpoint.access_key.clone(), secret_key: endpoint.secret_key.clone(), token: None };
    AwsAuthorizer::new(&credential, service, &endpoint.region)
        .try_authorize(&mut request, None)
        .context(|| format!("sign a request for {}", endpoint.server))?;
    send(request).await
}

/// Creates a bucket or container; one that exists already is fine.
pub(crate) async fn create_bucket(endpoint: &Endpoint, name: &str) -> Result<()> {
    let url = format!("{}/{name}", endpoint.url);
    let (status, body) = match endpoint.server {
        server if server.speaks_s3() => {
            send_aws(endpoint, "s3", request(Method::PUT, &url, &[("content-length", "0")], Bytes::new())?).await?
        }
        Server::Azurite => {
            let mut request =
                request(Method::PUT, &format!("{url}?restype=container"), &[("content-length", "0")], Bytes::new())?;
            let key = AzureAccessKey::try_new(&endpoint.secret_key).context(|| "read the account key".into())?;
            AzureAuthorizer::new(&AzureCredential::AccessKey(key), &endpoint.access_key)
                .try_authorize(&mut request)
                .context(|| "sign a request for azurite".into())?;
            send(request).await?
        }
        Server::Gcs | Server::Careless => {
            let body = serde_json::json!({ "name": name }).to_string();
            let url = format!("{}/storage/v1/b?project=plastron", endpoint.url);
            send(request(Method::POST, &url, &[("content-type", "application/json")], body)?).await?
        }
        server => return Err(Error::new(ErrorKind::Unsupported, format!("{server} has no buckets"))),
    };
    let answer = String::from_utf8_lossy(&body);
    let exists = status == StatusCode::CONFLICT
        && ["BucketAlreadyOwnedByYou", "BucketAlreadyExists", "ContainerAlreadyExists", "conflict"]
            .iter()
            .any(|code| answer.contains(code));
    if status.is_success() || exists {
        return Ok(());
    }
    Err(Error::unavailable(format!("{} did not create bucket {name:?}: {status} {answer}", endpoint.server)))
}

/// `text` in standard base64.
pub(crate) fn base64(bytes: &[u8]) -> String {
    BASE64_STANDARD.encode(bytes)
}
