//! LocalStack with S3, KMS and STS.

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

/// Its first start compiles half of Python's package index.
const READY: Duration = Duration::from_secs(180);

/// Its web server binds all interfaces whatever `GATEWAY_LISTEN` says (`localstack/runtime/server/twisted.py` drops the host),
/// so the interface is put in where it is left out.
const STARTER: &str = "\
import functools
from twisted.internet import endpoints
endpoints.TCP4ServerEndpoint = functools.partial(endpoints.TCP4ServerEndpoint, interface='127.0.0.1')
from localstack.runtime import main
main.main()
";

pub(super) async fn start(folder: &CacheFolder) -> Result<(Endpoint, Body)> {
    let program = installed(folder, Server::LocalStack, "localstack/bin/python")?;
    let data = data_directory("localstack")?;
    let address = format!("127.0.0.1:{}", free_port()?);
    let set = |name, value: &str| (name, value.into());
    let variables = vec![
        set("SERVICES", "s3,kms,sts"),
        set("EAGER_SERVICE_LOADING", "1"),
        set("GATEWAY_LISTEN", &address),
        set("LOCALSTACK_HOST", &address),
        // In a container it would write to /var/lib/localstack.
        set("OVERRIDE_IN_DOCKER", "0"),
        ("FILESYSTEM_ROOT", data.path().join("files").into_os_string()),
        set("DNS_ADDRESS", "0"),
        set("DISABLE_EVENTS", "1"),
        set("SKIP_SSL_CERT_DOWNLOAD", "1"),
        set("LS_LOG", "warning"),
    ];
    let starter = data.path().join("starter.py");
    std::fs::write(&starter, STARTER).context(|| format!("write {}", starter.display()))?;
    let spec = ProcessSpec { name: "localstack", program, arguments: vec![starter.into_os_string()], variables };
    let mut process = Process::start(spec, data)?;
    let url = format!("http://{address}");
    process
        .wait_until_ready(READY, || async {
            control::status(&format!("{url}/_localstack/health")).await.is_ok_and(|status| status == 200)
        })
        .await?;
    Ok((Endpoint::new(Server::LocalStack, url).with_keys(REGION, ACCESS_KEY, SECRET_KEY), process.into()))
}
