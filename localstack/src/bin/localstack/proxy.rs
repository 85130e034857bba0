//! `localstack proxy`.

use std::path::Path;
use std::process::ExitCode;

use plastron_localstack::{Error, FaultProxy, Result, Rules};
use tokio::signal::unix::{SignalKind, signal};

use crate::talk::{print, say};

pub(crate) async fn proxy(upstream: &str, rules: Option<&Path>, port: u16) -> Result<ExitCode> {
    let read = || rules.map_or_else(|| Ok(Rules::default()), Rules::from_file);
    let proxy = FaultProxy::before(upstream).rules(read()?).port(port).start().await?;
    let failed = |error: std::io::Error| Error::other(format!("cannot wait for signals: {error}"));
    let mut interrupt = signal(SignalKind::interrupt()).map_err(failed)?;
    let mut terminate = signal(SignalKind::terminate()).map_err(failed)?;
    let mut reload = signal(SignalKind::hangup()).map_err(failed)?;
    print(&proxy.url());
    loop {
        tokio::select! {
            _ = interrupt.recv() => break,
            _ = terminate.recv() => break,
            _ = reload.recv() => match read() {
                Ok(rules) => proxy.set_rules(rules),
                Err(error) => say(&format!("the rules stay as they are: {error}")),
            },
        }
    }
    let (up, down) = proxy.body_bytes();
    say(&format!("{} requests, {up} bytes up, {down} bytes down", proxy.requests().total()));
    for (fault, count) in proxy.faults() {
        say(&format!("{fault:<24} {count}"));
    }
    Ok(ExitCode::SUCCESS)
}
