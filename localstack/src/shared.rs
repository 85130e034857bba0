//! The servers that all tests of one process share.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, PoisonError};

use tokio::sync::OnceCell;

use crate::background;
use crate::endpoint::Endpoint;
use crate::error::Result;
use crate::folder::CacheFolder;
use crate::running::Running;
use crate::server::Server;

type Slot = Arc<OnceCell<Result<(Endpoint, Option<Running>)>>>;

static SERVERS: Mutex<BTreeMap<Server, Slot>> = Mutex::new(BTreeMap::new());

/// Where `server` answers.
///
/// The one that `localstack run` started and named in the environment, if there is one; else one that this process starts
/// when it is first asked, shares among all its tests, and stops when it ends, however it ends. A server that does not start
/// gives the same error to everybody who asks; it is not tried again.
///
/// # Errors
/// `Unsupported` when it cannot run on this machine (to be reported by name), `Invalid` when it is not installed (the message
/// says how to), `Unavailable` with its log when it does not start.
///
/// # Example
/// ```no_run
/// # async fn example() -> plastron_localstack::Result<()> {
/// use plastron_localstack::{Server, endpoint};
///
/// let moto = endpoint(Server::Moto).await?;
/// moto.create_bucket("pages").await?;
/// let store = moto.store_string("pages", "db1/");
/// # Ok(())
/// # }
/// ```
pub async fn endpoint(server: Server) -> Result<Endpoint> {
    background::run(find_or_start(server)).await
}

/// [`endpoint`] for callers that are not async. Must not be called on an async thread: it blocks.
///
/// # Errors
/// Those of [`endpoint`].
pub fn endpoint_blocking(server: Server) -> Result<Endpoint> {
    background::run_blocking(find_or_start(server))
}

async fn find_or_start(server: Server) -> Result<Endpoint> {
    let slot = {
        let mut servers = SERVERS.lock().unwrap_or_else(PoisonError::into_inner);
        Slot::clone(servers.entry(server).or_default())
    };
    let found = slot.get_or_init(|| async {
        if let Some(endpoint) = Endpoint::from_variables(server, |name| std::env::var(name).ok())? {
            return Ok((endpoint, None));
        }
        let running = Running::start(server, &CacheFolder::from_environment()?).await?;
        Ok((running.endpoint().clone(), Some(running)))
    });
    found.await.as_ref().map(|(endpoint, _)| endpoint.clone()).map_err(Clone::clone)
}
