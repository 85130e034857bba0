//! What is installed in one go, and installing it.

use std::collections::BTreeSet;
use std::fmt;
use std::path::{Path, PathBuf};
use std::time::Duration;

use plastron_config::ErrorKind;
use plastron_sources::clock::{Clock as _, SystemClock};

use super::command::Commands;
use super::{azurite, debian, python};
use crate::error::{Context as _, Error, Result};
use crate::folder::CacheFolder;
use crate::server::Server;

const PYTHON_PINS: &str = include_str!("../../pins/python.txt");
const LOCALSTACK_PINS: &str = include_str!("../../pins/localstack.txt");
const OPENBAO_PINS: &str = include_str!("../../pins/openbao.txt");

/// Part of every stamp: counts up when the way of installing changes, so that what was installed the old way is redone.
const EDITION: u32 = 1;

/// What one installation brings.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
#[non_exhaustive]
pub enum Component {
    /// SeaweedFS, moto and boto3 in a Python environment.
    Python,
    /// LocalStack in a Python environment of its own.
    LocalStack,
    /// Azurite in a folder of npm's.
    Azurite,
    /// Swift and memcached, packages of the distribution.
    Swift,
    /// OpenBao in a Python environment of its own.
    OpenBao,
    /// etcd, a package of the distribution.
    Etcd,
}

impl Component {
    /// What `server` needs; nothing for those in this repository.
    pub fn of(server: Server) -> Option<Self> {
        match server {
            Server::SeaweedFs | Server::Moto | Server::MotoAuth => Some(Self::Python),
            Server::LocalStack => Some(Self::LocalStack),
            Server::Azurite => Some(Self::Azurite),
            Server::Swift => Some(Self::Swift),
            Server::OpenBao => Some(Self::OpenBao),
            Server::Etcd => Some(Self::Etcd),
            Server::Gcs | Server::Careless => None,
        }
    }

    /// The folder it is installed to, below the cache folder.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Python => "python",
            Self::LocalStack => "localstack",
            Self::Azurite => "azurite",
            Self::Swift => "swift",
            Self::OpenBao => "openbao",
            Self::Etcd => "etcd",
        }
    }

    /// Everything that decides what is installed.
    fn pins(self) -> String {
        match self {
            Self::Python => PYTHON_PINS.to_owned(),
            Self::LocalStack => LOCALSTACK_PINS.to_owned(),
            Self::OpenBao => OPENBAO_PINS.to_owned(),
            Self::Swift | Self::Etcd => debian::packages(self.name()).join(" "),
            Self::Azurite => format!("{}\n{}", azurite::MANIFEST, azurite::LOCK),
        }
    }

    /// The programs that a distribution's packages bring.
    const fn programs(self) -> &'static [&'static str] {
        match self {
            Self::Swift => &["swift-proxy-server", "memcached"],
            Self::Etcd => &["etcd"],
            _ => &[],
        }
    }

    async fn install(self, commands: &Commands, directory: &Path) -> Result<()> {
        match self {
            Self::Python => python::install(commands, directory, PYTHON_PINS, 310).await,
            Self::LocalStack => python::install(commands, directory, LOCALSTACK_PINS, 312).await,
            Self::OpenBao => python::install(commands, directory, OPENBAO_PINS, 310).await,
            Self::Swift | Self::Etcd => debian::install_unless_there(commands, self.name(), self.programs()).await,
            Self::Azurite => azurite::install(commands, directory).await,
        }
    }
}

impl fmt::Display for Component {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

/// How an installation ended well.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Installed {
    /// It was there.
    Already,
    /// It took this long.
    Now(Duration),
}

/// Installs servers into a cache folder.
#[derive(Debug, Clone)]
pub struct Setup {
    folder: CacheFolder,
}

impl Setup {
    /// An installer for `folder`.
    pub fn new(folder: CacheFolder) -> Self {
        Self { folder }
    }

    /// The components that `servers` need, each once.
    pub fn components(servers: &[Server]) -> BTreeSet<Component> {
        servers.iter().filter_map(|server| Component::of(*server)).collect()
    }

    /// Whether a component is there, as its pins now say.
    pub fn is_installed(&self, component: Component) -> bool {
        let stamp = std::fs::read_to_string(self.stamp(component)).unwrap_or_default();
        // Packages may have been removed, or the folder moved here from a machine that has them.
        stamp == stamp_text(component) && component.programs().iter().all(|program| debian::find(program).is_some())
    }

    /// Installs a component unless it is there already; waits for another process that installs it now.
    ///
    /// # Errors
    /// `Unsupported` when this machine lacks something that cannot be installed; `Unavailable` with the log of the command
    /// that failed.
    pub async fn install(&self, component: Component) -> Result<Installed> {
        if self.is_installed(component) {
            return Ok(Installed::Already);
        }
        let start = SystemClock.monotonic();
        let folder = self.folder.clone();
        let lock = tokio::task::spawn_blocking(move || folder.lock(component.name())).await;
        let lock = lock.unwrap_or_else(|_| Err(Error::unavailable("the lock was not taken")))?;
        if self.is_installed(component) {
            return Ok(Installed::Already);
        }
        let directory = self.folder.join(component.name());
        // What a killed installer left half done.
        match tokio::fs::remove_dir_all(&directory).await {
            Err(error) if error.kind() != std::io::ErrorKind::NotFound => Err(error),
            _ => tokio::fs::create_dir_all(&directory).await,
        }
        .context(|| format!("clear {}", directory.display()))?;
        let commands = Commands::new(self.folder.clone(), &format!("{component}.log"))?;
        component.install(&commands, &directory).await?;
        let stamp = self.stamp(component);
        tokio::fs::write(&stamp, stamp_text(component)).await.context(|| format!("write {}", stamp.display()))?;
        drop(lock);
        Ok(Installed::Now(SystemClock.monotonic().saturating_sub(start)))
    }

    /// Installs all that `servers` need, side by side, and says how each went.
    pub async fn install_all(&self, servers: &[Server]) -> Vec<(Component, Result<Installed>)> {
        let components = Self::components(servers);
        let installing =
            components.into_iter().map(|component| async move { (component, self.install(component).await) });
        futures::future::join_all(installing).await
    }

    /// Whether a failed installation only means that this machine cannot have the server.
    pub fn cannot_be_here(error: &Error) -> bool {
        error.kind() == ErrorKind::Unsupported
    }

    fn stamp(&self, component: Component) -> PathBuf {
        self.folder.join(component.name()).join(".installed")
    }
}

fn stamp_text(component: Component) -> String {
    let pins = component.pins();
    format!("edition {EDITION}, pins of {} bytes with CRC32C {:08x}\n", pins.len(), crc32c::crc32c(pins.as_bytes()))
}
