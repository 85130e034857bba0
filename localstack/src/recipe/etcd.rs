//! etcd, three nodes that make one cluster.

use std::time::Duration;

use crate::control;
use crate::endpoint::Endpoint;
use crate::error::Result;
use crate::ports::free_port;
use crate::process::{Process, ProcessSpec, data_directory};
use crate::running::Body;
use crate::server::Server;
use crate::setup::program;

const NODES: usize = 3;
const READY: Duration = Duration::from_secs(300);

pub(super) async fn start() -> Result<(Endpoint, Body)> {
    let etcd = program(Server::Etcd, "etcd")?;
    let mut nodes = Vec::new();
    for number in 1..=NODES {
        let client = format!("http://127.0.0.1:{}", free_port()?);
        let peer = format!("http://127.0.0.1:{}", free_port()?);
        nodes.push((format!("n{number}"), client, peer));
    }
    let cluster = nodes.iter().map(|(name, _, peer)| format!("{name}={peer}")).collect::<Vec<_>>().join(",");
    let mut processes = Vec::new();
    for (name, client, peer) in &nodes {
        let data = data_directory("etcd")?;
        let arguments = [
            "--name",
            name,
            "--data-dir",
            &data.path().join("data").display().to_string(),
            "--listen-client-urls",
            client,
            "--advertise-client-urls",
            client,
            "--listen-peer-urls",
            peer,
            "--initial-advertise-peer-urls",
            peer,
            "--initial-cluster",
            &cluster,
        ]
        .map(Into::into)
        .into();
        let spec =
            ProcessSpec { name: "etcd", program: etcd.clone(), arguments, variables: Vec::new(), litter: Vec::new() };
        processes.push(Process::start(spec, data)?);
    }
    for (process, (_, client, _)) in processes.iter_mut().zip(&nodes) {
        // A node is healthy once the cluster has a leader.
        process
            .wait_until_ready(READY, || async {
                control::status(&format!("{client}/health")).await.is_ok_and(|status| status == 200)
            })
            .await?;
    }
    let urls: Vec<String> = nodes.into_iter().map(|(_, client, _)| client).collect();
    let mut endpoint = Endpoint::new(Server::Etcd, urls.first().cloned().unwrap_or_default());
    endpoint.other_urls = urls;
    Ok((endpoint, Body::Processes(processes)))
}
