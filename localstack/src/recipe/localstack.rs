//! LocalStack with S3, KMS and STS.

use std::path::{Path, PathBuf};
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
const READY: Duration = Duration::from_secs(300);

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
    let home = data.path().to_owned();
    let warm = folder.join("localstack/warm");
    copy_in_background(warm.clone(), home.clone()).await;
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
    let spec = ProcessSpec {
        name: "localstack",
        program,
        arguments: vec![starter.into_os_string()],
        variables,
        litter: Vec::new(),
    };
    let mut process = Process::start(spec, data)?;
    let url = format!("http://{address}");
    process
        .wait_until_ready(READY, || async {
            control::status(&format!("{url}/_localstack/health")).await.is_ok_and(|status| status == 200)
        })
        .await?;
    let endpoint = Endpoint::new(Server::LocalStack, url).with_keys(REGION, ACCESS_KEY, SECRET_KEY);
    // The first request of a service loads it; let it not be a test's.
    endpoint.create_bucket("plastron").await?;
    if !warm.exists() {
        keep_warm(home, warm).await;
    }
    Ok((endpoint, process.into()))
}

/// What LocalStack works out at its first start and finds again at the next: an index of all AWS services, a certificate, the
/// plugins it has. With them it starts in a third of the processor time and of the memory.
const WARM: [&str; 2] = ["files/var/lib/localstack/cache", ".cache/plux"];

/// Keeps what the running server has worked out for those to come. Losing it costs only time, so errors are not told.
async fn keep_warm(home: PathBuf, warm: PathBuf) {
    let new = warm.with_extension(std::process::id().to_string());
    copy_in_background(home, new.clone()).await;
    let _ = tokio::task::spawn_blocking(move || {
        // As a whole or not at all; somebody else may have been faster.
        if std::fs::rename(&new, &warm).is_err() {
            let _ = std::fs::remove_dir_all(&new);
        }
    })
    .await;
}

async fn copy_in_background(from: PathBuf, to: PathBuf) {
    let copying = tokio::task::spawn_blocking(move || {
        for folder in WARM {
            copy_files(&from.join(folder), &to.join(folder))?;
        }
        Ok::<_, std::io::Error>(())
    });
    let _ = copying.await;
}

/// Copies the files of a folder, if there is one.
fn copy_files(from: &Path, to: &Path) -> std::io::Result<()> {
    if !from.exists() {
        return Ok(());
    }
    std::fs::create_dir_all(to)?;
    for entry in std::fs::read_dir(from)? {
        let entry = entry?;
        if entry.file_type()?.is_file() {
            std::fs::copy(entry.path(), to.join(entry.file_name()))?;
        }
    }
    Ok(())
}
