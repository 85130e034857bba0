//! moto's stand-alone server, with its authorization off or on.

use std::time::Duration;

use bytes::Bytes;
use http::Method;
use serde::Deserialize;

use super::{ACCESS_KEY, REGION, SECRET_KEY, installed};
use crate::control;
use crate::endpoint::Endpoint;
use crate::error::{Context as _, Error, Result};
use crate::folder::CacheFolder;
use crate::ports::free_port;
use crate::process::{Process, ProcessSpec, data_directory};
use crate::running::Body;
use crate::server::Server;

const READY: Duration = Duration::from_secs(300);

const EVERYTHING: &str = r#"{"Version":"2012-10-17","Statement":[{"Effect":"Allow","Action":"*","Resource":"*"}]}"#;
const READING: &str =
    r#"{"Version":"2012-10-17","Statement":[{"Effect":"Allow","Action":["s3:Get*","s3:List*"],"Resource":"*"}]}"#;

pub(super) async fn start(folder: &CacheFolder, with_authorization: bool) -> Result<(Endpoint, Body)> {
    let server = if with_authorization { Server::MotoAuth } else { Server::Moto };
    let program = installed(folder, server, "python/bin/moto_server")?;
    let data = data_directory(server.name())?;
    let port = free_port()?;
    let spec = ProcessSpec {
        name: server.name(),
        program,
        arguments: vec!["-H".into(), "127.0.0.1".into(), "-p".into(), port.to_string().into()],
        variables: Vec::new(),
        litter: Vec::new(),
    };
    let mut process = Process::start(spec, data)?;
    let url = format!("http://127.0.0.1:{port}");
    let mut endpoint = Endpoint::new(server, &url).with_keys(REGION, ACCESS_KEY, SECRET_KEY);
    process
        .wait_until_ready(READY, || async {
            control::status(&format!("{url}/moto-api/data.json")).await.is_ok_and(|status| status == 200)
        })
        .await?;
    // The first S3 request imports half of moto; let it not be a test's.
    control::send_aws(&endpoint, "s3", control::request(Method::GET, &format!("{url}/"), &[], Bytes::new())?).await?;
    if with_authorization {
        let writer = create_user(&endpoint, "writer", EVERYTHING).await?;
        let reader = create_user(&endpoint, "reader", READING).await?;
        // From the next request on (0 more without a check), every one is authorized against these users.
        let reset = control::request(
            Method::POST,
            &format!("{url}/moto-api/reset-auth"),
            &[("content-type", "text/plain")],
            "0",
        )?;
        let (status, answer) = control::send(reset).await?;
        if !status.is_success() {
            let answer = String::from_utf8_lossy(&answer);
            return Err(Error::unavailable(format!("moto did not switch its authorization on: {status} {answer}")));
        }
        endpoint = endpoint.with_keys(REGION, &writer.0, &writer.1);
        endpoint.read_only = Some(reader);
    }
    Ok((endpoint, process.into()))
}

/// Creates an IAM user with `policy` and a pair of keys.
async fn create_user(endpoint: &Endpoint, name: &str, policy: &str) -> Result<(String, String)> {
    let policy = percent_encoding::utf8_percent_encode(policy, percent_encoding::NON_ALPHANUMERIC);
    iam(endpoint, &format!("Action=CreateUser&UserName={name}")).await?;
    iam(endpoint, &format!("Action=PutUserPolicy&UserName={name}&PolicyName=p&PolicyDocument={policy}")).await?;
    let answer = iam(endpoint, &format!("Action=CreateAccessKey&UserName={name}")).await?;
    let answer: CreateAccessKeyResponse =
        quick_xml::de::from_reader(answer.as_ref()).context(|| "read moto's access key".into())?;
    let key = answer.result.key;
    Ok((key.id, key.secret))
}

async fn iam(endpoint: &Endpoint, form: &str) -> Result<Bytes> {
    let headers = [("content-type", "application/x-www-form-urlencoded")];
    let body = format!("{form}&Version=2010-05-08");
    let request = control::request(Method::POST, &format!("{}/", endpoint.url), &headers, body)?;
    let (status, answer) = control::send_aws(endpoint, "iam", request).await?;
    if status.is_success() {
        return Ok(answer);
    }
    Err(Error::unavailable(format!("moto refused {form:?}: {status} {}", String::from_utf8_lossy(&answer))))
}

#[derive(Deserialize)]
struct CreateAccessKeyResponse {
    #[serde(rename = "CreateAccessKeyResult")]
    result: CreateAccessKeyResult,
}

#[derive(Deserialize)]
struct CreateAccessKeyResult {
    #[serde(rename = "AccessKey")]
    key: AccessKey,
}

#[derive(Deserialize)]
struct AccessKey {
    #[serde(rename = "AccessKeyId")]
    id: String,
    #[serde(rename = "SecretAccessKey")]
    secret: String,
}
