//! OpenStack Swift on one node, with `s3api` and TempAuth; data in ordinary files.

use std::path::Path;
use std::time::Duration;

use super::REGION;
use crate::control;
use crate::endpoint::Endpoint;
use crate::error::{Context as _, Result};
use crate::ports::free_port;
use crate::process::{Process, ProcessSpec, data_directory};
use crate::running::Body;
use crate::server::Server;
use crate::setup::program;

/// Builds the rings and starts the five programs.
const STARTER: &str = include_str!("swift.sh");

const ACCOUNT: &str = "test";
const USER: &str = "tester";
const KEY: &str = "testing";

const READY: Duration = Duration::from_secs(300);

pub(super) async fn start() -> Result<(Endpoint, Body)> {
    program(Server::Swift, "swift-proxy-server")?;
    program(Server::Swift, "memcached")?;
    let data = data_directory("swift")?;
    let (proxy, memcached) = (free_port()?, free_port()?);
    let backends = [("object", free_port()?), ("container", free_port()?), ("account", free_port()?)];
    write_configuration(data.path(), proxy, memcached, &backends)?;
    let starter = data.path().join("starter");
    std::fs::write(&starter, STARTER).context(|| format!("write {}", starter.display()))?;
    let mut arguments = vec![starter.into_os_string(), memcached.to_string().into()];
    for (_, port) in backends {
        arguments.push(port.to_string().into());
    }
    let spec =
        ProcessSpec { name: "swift", program: "/bin/sh".into(), arguments, variables: Vec::new(), litter: Vec::new() };
    let mut process = Process::start(spec, data)?;
    let url = format!("http://127.0.0.1:{proxy}");
    let user = format!("{ACCOUNT}:{USER}");
    let mut endpoint = Endpoint::new(Server::Swift, &url).with_keys(REGION, &user, KEY);
    endpoint.other_urls = vec![format!("{url}/auth/v1.0")];
    // The proxy answers before the three behind it do: a bucket is the proof that all work.
    process
        .wait_until_ready(READY, || async {
            control::status(&format!("{url}/healthcheck")).await.is_ok_and(|status| status == 200)
                && endpoint.create_bucket("plastron").await.is_ok()
        })
        .await?;
    Ok((endpoint, process.into()))
}

fn write_configuration(data: &Path, proxy: u16, memcached: u16, backends: &[(&str, u16)]) -> Result<()> {
    let root = data.display();
    let write = |name: &str, text: String| {
        let path = data.join("etc").join(name);
        std::fs::write(&path, text).context(|| format!("write {}", path.display()))
    };
    for folder in ["etc", "cache", "node/d1"] {
        std::fs::create_dir_all(data.join(folder)).context(|| format!("create {root}/{folder}"))?;
    }
    write("swift.conf", "[swift-hash]\nswift_hash_path_prefix = plastron\nswift_hash_path_suffix = test\n".into())?;
    for (name, port) in backends {
        let text = format!(
            "[DEFAULT]\nbind_ip = 127.0.0.1\nbind_port = {port}\nworkers = 0\nuser = @USER@\nswift_dir = {root}/etc\n\
             devices = {root}/node\nmount_check = false\ndisable_fallocate = true\nlog_name = {name}\n\
             recon_cache_path = {root}/cache\n[pipeline:main]\npipeline = {name}-server\n\
             [app:{name}-server]\nuse = egg:swift#{name}\n"
        );
        write(&format!("{name}.conf"), text)?;
    }
    let mut text = format!(
        "[DEFAULT]\nbind_ip = 127.0.0.1\nbind_port = {proxy}\nworkers = 0\nuser = @USER@\nswift_dir = {root}/etc\n\
         [pipeline:main]\npipeline = catch_errors gatekeeper healthcheck cache listing_formats bulk tempurl s3api tempauth \
         copy slo dlo symlink proxy-server\n\
         [app:proxy-server]\nuse = egg:swift#proxy\naccount_autocreate = true\n\
         [filter:tempauth]\nuse = egg:swift#tempauth\nuser_{ACCOUNT}_{USER} = {KEY} .admin\n\
         [filter:cache]\nuse = egg:swift#memcache\nmemcache_servers = 127.0.0.1:{memcached}\n\
         [filter:s3api]\nuse = egg:swift#s3api\nlocation = {REGION}\nforce_swift_request_proxy_log = false\n"
    );
    let plain = ["catch_errors", "gatekeeper", "healthcheck", "listing_formats", "bulk", "tempurl", "copy"];
    for filter in plain.into_iter().chain(["slo", "dlo", "symlink"]) {
        text.push_str(&format!("[filter:{filter}]\nuse = egg:swift#{filter}\n"));
    }
    write("proxy.conf", text)
}
