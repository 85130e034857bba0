//! Several servers started and stopped together.

use std::collections::BTreeMap;

use crate::endpoint::{Endpoint, not_run_variable};
use crate::error::{Error, Result};
use crate::folder::CacheFolder;
use crate::running::Running;
use crate::server::Server;

/// Servers that run; dropping the set stops them.
pub struct ServerSet {
    running: Vec<Running>,
    not_run: BTreeMap<Server, Error>,
}

impl ServerSet {
    /// Starts installed servers side by side and waits until each answers; if one does not, all are stopped again.
    /// `not_run` are those that the caller found cannot be on this machine: users of the set are told why.
    ///
    /// # Errors
    /// That of the first server that did not start, with its log.
    pub async fn start(servers: &[Server], not_run: BTreeMap<Server, Error>) -> Result<Self> {
        let folder = CacheFolder::from_environment()?;
        let starting = servers.iter().map(|server| Running::start(*server, &folder));
        let mut set = Self { running: Vec::new(), not_run };
        let mut failure = None;
        for outcome in futures::future::join_all(starting).await {
            match outcome {
                Ok(running) => set.running.push(running),
                Err(error) => failure = failure.or(Some(error)),
            }
        }
        match failure {
            None => Ok(set),
            Some(error) => {
                set.stop().await?;
                Err(error)
            }
        }
    }

    /// The servers.
    pub fn running(&self) -> &[Running] {
        &self.running
    }

    /// The environment that tells a command where all of them are.
    pub fn variables(&self) -> BTreeMap<String, String> {
        let mut variables: BTreeMap<_, _> =
            self.running.iter().flat_map(|running| running.endpoint().variables()).collect();
        for (server, error) in &self.not_run {
            variables.insert(not_run_variable(*server), error.message().to_owned());
        }
        variables
    }

    /// Variables of an outer launcher that say something else about the same servers: a command must not see them.
    pub fn stale_variables(&self) -> Vec<String> {
        let ours = self.running.iter().map(|running| running.endpoint().server).chain(self.not_run.keys().copied());
        let fresh = self.variables();
        ours.flat_map(Endpoint::variable_names).filter(|name| !fresh.contains_key(name)).collect()
    }

    /// Servers that have ended by themselves, with their exit codes.
    pub fn ended(&self) -> Vec<(Server, i32)> {
        let code = |running: &Running| Some((running.endpoint().server, running.exit_code()?));
        self.running.iter().filter_map(code).collect()
    }

    /// The end of what `server` has printed.
    pub fn log(&self, server: Server) -> String {
        self.running.iter().filter(|running| running.endpoint().server == server).map(Running::log).collect()
    }

    /// Stops all and waits until their processes and data are gone.
    ///
    /// # Errors
    /// `Unavailable` for the first that does not end; the others are stopped all the same.
    pub async fn stop(self) -> Result<()> {
        let stopping = self.running.into_iter().map(Running::stop);
        futures::future::join_all(stopping).await.into_iter().collect()
    }
}
