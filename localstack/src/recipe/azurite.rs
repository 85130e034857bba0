//! Azurite, its Blob service alone, with the account everybody knows.

use std::time::Duration;

use super::installed;
use crate::control;
use crate::endpoint::Endpoint;
use crate::error::Result;
use crate::folder::CacheFolder;
use crate::ports::free_port;
use crate::process::{Process, ProcessSpec, data_directory};
use crate::running::Body;
use crate::server::Server;

const ACCOUNT: &str = "devstoreaccount1";
/// Public knowledge: <https://learn.microsoft.com/azure/storage/common/storage-use-azurite#well-known-storage-account-and-key>.
const KEY: &str = "Eby8vdM02xNOcqFlqUwJPLlmEtlCDXJ1OUzFT50uSRZ6IFsuFq2UVErCz4I6tq/K1SZFPTOtr/KBHBeksoGMGw==";

const READY: Duration = Duration::from_secs(60);

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
    Ok((Endpoint::new(Server::Azurite, url).with_keys("", ACCOUNT, KEY), process.into()))
}
