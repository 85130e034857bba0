//! `plastron-ickpt serve`.

use std::io::Write as _;

use plastron_ickpt::{ConfFile, Error, Fault, Result, Service, Settings};
use tokio::signal::unix::{SignalKind, signal};

use crate::arguments::Serve;

pub(crate) async fn run(serve: Serve) -> Result<()> {
    let mut conf = ConfFile::read(&serve.conf)?;
    for text in &serve.overrides {
        conf.set(text)?;
    }
    let io = |error| Error::new("serve", "this process", Fault::Io(error));
    let (mut terminate, mut interrupt) =
        (signal(SignalKind::terminate()).map_err(io)?, signal(SignalKind::interrupt()).map_err(io)?);
    let running = Service::new(Settings::from_conf(&conf)?).start().await?;
    let mut lines = format!("serves {} instance {}\n", running.address(), running.identity());
    if let Some(address) = running.metrics_address() {
        lines.push_str(&format!("metrics {address}\n"));
    }
    let mut out = std::io::stdout();
    // Whoever closed our output does not want to know.
    let _ = out.write_all(lines.as_bytes()).and_then(|()| out.flush()).is_ok();
    let stopper = running.stopper();
    tokio::spawn(async move {
        tokio::select! {
            _ = terminate.recv() => {}
            _ = interrupt.recv() => {}
        }
        tracing::info!("stops");
        stopper.stop();
    });
    running.stopped().await;
    Ok(())
}
