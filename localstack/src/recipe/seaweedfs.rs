//! SeaweedFS: master, volume server, filer and S3 gateway in one process (`weed mini`).

use std::time::Duration;

use super::{ACCESS_KEY, REGION, SECRET_KEY, installed};
use crate::control;
use crate::endpoint::Endpoint;
use crate::error::{Context as _, Result};
use crate::folder::CacheFolder;
use crate::ports::free_port;
use crate::process::{Process, ProcessSpec, data_directory};
use crate::running::Body;
use crate::server::Server;

const READ_ONLY: (&str, &str) = ("plastron-reader", "plastron-reader-secret");

/// It needs less than a second alone, and much longer on a machine that compiles meanwhile.
const READY: Duration = Duration::from_secs(300);

pub(super) async fn start(folder: &CacheFolder) -> Result<(Endpoint, Body)> {
    let program = installed(folder, Server::SeaweedFs, "python/bin/weed")?;
    let data = data_directory("seaweedfs")?;
    let identities = serde_json::json!({ "identities": [
        { "name": "admin", "credentials": [{ "accessKey": ACCESS_KEY, "secretKey": SECRET_KEY }],
          "actions": ["Admin", "Read", "Write", "List", "Tagging"] },
        { "name": "reader", "credentials": [{ "accessKey": READ_ONLY.0, "secretKey": READ_ONLY.1 }],
          "actions": ["Read", "List"] },
    ]});
    let path = data.path().display().to_string();
    for directory in ["data", "admin"] {
        let directory = data.path().join(directory);
        std::fs::create_dir(&directory).context(|| format!("create {}", directory.display()))?;
    }
    std::fs::write(data.path().join("s3.json"), identities.to_string()).context(|| format!("write {path}/s3.json"))?;
    let s3 = free_port()?;
    let mut litter = Vec::new();
    let mut arguments = vec![
        "mini".to_owned(),
        format!("-dir={path}/data"),
        format!("-admin.dataDir={path}/admin"),
        "-ip=127.0.0.1".into(),
        "-ip.bind=127.0.0.1".into(),
        format!("-s3.port={s3}"),
        format!("-s3.config={path}/s3.json"),
        // A missing bucket must be an error, as it is at every cloud.
        "-s3.autoCreateBucket=false".into(),
        "-s3.port.iceberg=0".into(),
        "-s3.port.lance=0".into(),
        format!("-s3.localSocket={path}/s3.sock"),
        format!("-filer.localSocket={path}/filer.sock"),
        "-webdav=false".into(),
        "-admin.ui=false".into(),
        "-master.telemetry=false".into(),
    ];
    let more = ["s3.port.grpc", "master.port", "master.port.grpc", "volume.port", "volume.port.grpc", "filer.port"];
    for name in more.into_iter().chain(["filer.port.grpc", "admin.port", "admin.port.grpc"]) {
        let port = free_port()?;
        arguments.push(format!("-{name}={port}"));
        // Its parts talk through sockets whose place is written into the program (`RegisterLocalGrpcSocket`).
        if let Some(part) = name.strip_suffix(".port.grpc") {
            litter.push(format!("/tmp/seaweedfs-{part}-grpc-{port}.sock").into());
        }
    }
    let spec = ProcessSpec {
        name: "seaweedfs",
        program,
        arguments: arguments.into_iter().map(Into::into).collect(),
        variables: Vec::new(),
        litter,
    };
    let mut process = Process::start(spec, data)?;
    let url = format!("http://127.0.0.1:{s3}");
    let mut endpoint = Endpoint::new(Server::SeaweedFs, &url).with_keys(REGION, ACCESS_KEY, SECRET_KEY);
    endpoint.read_only = Some((READ_ONLY.0.into(), READ_ONLY.1.into()));
    // The gateway answers before the filer behind it takes writes: a bucket is the proof that all four are up.
    process
        .wait_until_ready(READY, || async {
            control::status(&format!("{url}/healthz")).await.is_ok_and(|status| status == 200)
                && endpoint.create_bucket("plastron").await.is_ok()
        })
        .await?;
    Ok((endpoint, process.into()))
}
