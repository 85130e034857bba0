//! Azurite, its Blob service alone, with the account everybody knows.

use std::time::Duration;

use aws_lc_rs::hmac;
use base64::Engine as _;
use base64::prelude::BASE64_STANDARD;
use percent_encoding::{NON_ALPHANUMERIC, utf8_percent_encode};

use super::installed;
use crate::control;
use crate::endpoint::Endpoint;
use crate::error::{Context as _, Result};
use crate::folder::CacheFolder;
use crate::ports::free_port;
use crate::process::{Process, ProcessSpec, data_directory};
use crate::running::Body;
use crate::server::Server;

const ACCOUNT: &str = "devstoreaccount1";
/// Public knowledge: <https://learn.microsoft.com/azure/storage/common/storage-use-azurite#well-known-storage-account-and-key>.
const KEY: &str = "Eby8vdM02xNOcqFlqUwJPLlmEtlCDXJ1OUzFT50uSRZ6IFsuFq2UVErCz4I6tq/K1SZFPTOtr/KBHBeksoGMGw==";

/// How long the signature for readers holds: as long as anybody will run this.
const EXPIRY: &str = "2099-01-01T00:00:00Z";
/// The version of the service whose rules a signature follows; those from 2020-12-06 on sign one line more.
const SIGNATURE_VERSION: &str = "2020-02-10";

const READY: Duration = Duration::from_secs(300);

pub(super) async fn start(folder: &CacheFolder) -> Result<(Endpoint, Body)> {
    let main = installed(folder, Server::Azurite, "azurite/node_modules/azurite/dist/src/blob/main.js")?;
    let data = data_directory("azurite")?;
    let port = free_port()?;
    let arguments = vec![
        main.into_os_string(),
        "--blobHost".into(),
        "127.0.0.1".into(),
        "--blobPort".into(),
        port.to_string().into(),
        "--location".into(),
        data.path().as_os_str().to_owned(),
        "--silent".into(),
        "--disableTelemetry".into(),
    ];
    let spec =
        ProcessSpec { name: "azurite", program: "node".into(), arguments, variables: Vec::new(), litter: Vec::new() };
    let mut process = Process::start(spec, data)?;
    let url = format!("http://127.0.0.1:{port}/{ACCOUNT}");
    process
        .wait_until_ready(READY, || async {
            // An anonymous list is refused, which only a working server does.
            control::status(&format!("{url}?comp=list")).await.is_ok_and(|status| status == 403)
        })
        .await?;
    let mut endpoint = Endpoint::new(Server::Azurite, url).with_keys("", ACCOUNT, KEY);
    endpoint.read_only = Some((ACCOUNT.into(), reader_signature()?));
    Ok((endpoint, process.into()))
}

/// A shared access signature of the account that lets its holder list and read blobs, and nothing else:
/// <https://learn.microsoft.com/en-us/rest/api/storageservices/create-account-sas>.
fn reader_signature() -> Result<String> {
    let (permissions, service, types, protocols) = ("rl", "b", "sco", "https,http");
    let signed =
        format!("{ACCOUNT}\n{permissions}\n{service}\n{types}\n\n{EXPIRY}\n\n{protocols}\n{SIGNATURE_VERSION}\n");
    let key = BASE64_STANDARD.decode(KEY).context(|| "read azurite's key".into())?;
    let signature = hmac::sign(&hmac::Key::new(hmac::HMAC_SHA256, &key), signed.as_bytes());
    let signature = BASE64_STANDARD.encode(signature);
    let encode = |text| utf8_percent_encode(text, NON_ALPHANUMERIC).to_string();
    Ok(format!(
        "sv={SIGNATURE_VERSION}&ss={service}&srt={types}&sp={permissions}&se={}&spr={}&sig={}",
        encode(EXPIRY),
        encode(protocols),
        encode(&signature)
    ))
}
