//! `localstack list`.

use std::process::ExitCode;

use plastron_localstack::{CacheFolder, Component, Result, Server, Setup};

use crate::talk::print;

pub(crate) fn list(json: bool) -> Result<ExitCode> {
    let setup = Setup::new(CacheFolder::from_environment()?);
    for server in Server::ALL {
        let installed = Component::of(server).is_none_or(|component| setup.is_installed(component));
        if json {
            let line = serde_json::json!({ "name": server.name(), "about": server.about(), "installed": installed });
            print(&line.to_string());
        } else {
            let mark = if installed { "installed" } else { "-" };
            print(&format!("{:<12} {mark:<10} {}", server.name(), server.about()));
        }
    }
    Ok(ExitCode::SUCCESS)
}
