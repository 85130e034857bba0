//! `localstack setup`.

use std::collections::BTreeMap;
use std::process::ExitCode;

use plastron_localstack::{CacheFolder, Component, Error, Installed, Result, Server, Setup};

use crate::talk::say;

pub(crate) async fn setup(servers: &[Server]) -> Result<ExitCode> {
    let wanted = if servers.is_empty() { &Server::ALL[..] } else { servers };
    let missing = install(wanted).await?;
    let failed = missing.values().any(|error| !servers.is_empty() || !Setup::cannot_be_here(error));
    Ok(if failed { ExitCode::FAILURE } else { ExitCode::SUCCESS })
}

/// Installs what `servers` need, tells how it goes, and says which of them cannot be started, and why.
pub(crate) async fn install(servers: &[Server]) -> Result<BTreeMap<Server, Error>> {
    let folder = CacheFolder::from_environment()?;
    let setup = Setup::new(folder.clone());
    let all = Setup::components(servers);
    let new: Vec<_> = all.iter().filter(|component| !setup.is_installed(**component)).map(|new| new.name()).collect();
    if !new.is_empty() {
        say(&format!("installing into {}: {}", folder.path().display(), new.join(", ")));
    }
    let mut failures = BTreeMap::new();
    for (component, outcome) in setup.install_all(servers).await {
        match outcome {
            Ok(Installed::Already) => {}
            Ok(Installed::Now(time)) => say(&format!("installed {component} in {:.1} s", time.as_secs_f64())),
            Err(error) if Setup::cannot_be_here(&error) => {
                say(&format!("not run: {} ({error})", names(servers, component)));
                failures.insert(component, error);
            }
            Err(error) => {
                say(&format!("failed to install {component}: {error}"));
                failures.insert(component, error);
            }
        }
    }
    let missing = servers.iter().filter_map(|server| {
        let error = failures.get(&Component::of(*server)?)?;
        Some((*server, error.clone()))
    });
    Ok(missing.collect())
}

fn names(servers: &[Server], component: Component) -> String {
    let of_it = servers.iter().filter(|server| Component::of(**server) == Some(component));
    of_it.map(|server| server.name()).collect::<Vec<_>>().join(", ")
}
