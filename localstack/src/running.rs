//! A server that was started here: its process or its task, and where it answers.

use std::time::Duration;

use crate::endpoint::Endpoint;
use crate::error::Result;
use crate::folder::CacheFolder;
use crate::gcs::GcsServer;
use crate::process::Process;
use crate::recipe;
use crate::server::Server;

/// What keeps a server alive.
pub(crate) enum Body {
    /// A program of its own.
    Process(Process),
    /// Several programs that make one service.
    Processes(Vec<Process>),
    /// A task in this process.
    Gcs(GcsServer),
}

/// A started server; dropping it stops it.
pub struct Running {
    pub(crate) endpoint: Endpoint,
    pub(crate) body: Body,
    pub(crate) ready_after: Duration,
}

impl Running {
    /// Starts an installed server and waits until it answers. Must be called on a tokio runtime that outlives the server.
    ///
    /// # Errors
    /// `Invalid` when it is not installed (the message says how to), `Unsupported` when it cannot be on this machine,
    /// `Unavailable` with its log when it does not start.
    pub async fn start(server: Server, folder: &CacheFolder) -> Result<Self> {
        recipe::start(server, folder).await
    }

    /// Where it answers.
    pub fn endpoint(&self) -> &Endpoint {
        &self.endpoint
    }

    /// How long it took from its start to its first answer.
    pub fn ready_after(&self) -> Duration {
        self.ready_after
    }

    /// Process ids of the shells that supervise it; each one's children are the server. None for in-process servers.
    pub fn supervisors(&self) -> Vec<u32> {
        self.processes().iter().filter_map(|process| process.supervisor_pid()).collect()
    }

    /// The exit code, when one of its processes has ended by itself.
    pub fn exit_code(&self) -> Option<i32> {
        self.processes().iter().find_map(|process| process.exit_code())
    }

    /// The end of what it has printed.
    pub fn log(&self) -> String {
        self.processes().iter().map(|process| process.log_tail()).collect()
    }

    /// Stops it and waits until its processes and its data are gone.
    ///
    /// # Errors
    /// `Unavailable` when a process does not end.
    pub async fn stop(self) -> Result<()> {
        match self.body {
            Body::Process(process) => process.stop().await,
            Body::Processes(processes) => {
                let stopping = processes.into_iter().map(Process::stop);
                futures::future::join_all(stopping).await.into_iter().collect()
            }
            Body::Gcs(server) => {
                server.stop().await;
                Ok(())
            }
        }
    }

    fn processes(&self) -> Vec<&Process> {
        match &self.body {
            Body::Process(process) => vec![process],
            Body::Processes(processes) => processes.iter().collect(),
            Body::Gcs(_) => Vec::new(),
        }
    }
}
