//! What runs until it is stopped.

use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use plastron_keyserver::epoch::EpochIntervals;
use plastron_keyserver::kv::FjallDatabase;
use plastron_keyserver::log::{EtcdLog, LocalLog, ReplicatedLog};
use plastron_keyserver::machine::{Machine, MachineOptions};
use plastron_keyserver::proposer::ProposerOptions;
use plastron_keyserver::runner::{Runner, RunnerOptions};
use plastron_keyserver::server::{Server, ServerOptions};
use plastron_keyserver::transport::InTurn;
use plastron_keyserver::verifier::{Verifier, VerifierOptions};
use plastron_keyserver::vrf::VrfSecret;
use plastron_keyserver::{Error, Result};
use plastron_sources::clock::SystemClock;

use crate::arguments::{Serve, Verify};
use crate::configuration::LogPlace;
use crate::{Answer, configuration, files, key_file};

/// Ends when the process is told to stop.
async fn interrupted() {
    #[cfg(unix)]
    if let Ok(mut terminated) = tokio::signal::unix::signal(tokio::signal::unix::SignalKind::terminate()) {
        tokio::select! {
            _ = terminated.recv() => return,
            _ = tokio::signal::ctrl_c() => return,
        }
    }
    let _ = tokio::signal::ctrl_c().await;
}

pub(crate) async fn serve(directory: &Path, serve: &Serve) -> Result<Answer> {
    let realm = files::realm(directory)?;
    let folder = directory.join(&serve.replica);
    let configuration = configuration::read(&folder)?;
    let key = key_file::signing(&folder.join("signing.key"))?;
    let secret = VrfSecret::from_bytes(&*key_file::read(&folder.join("index.key"), key_file::INDEX)?)?;
    if secret.public() != realm.index_key {
        let why = format!("{}/index.key is not that of the realm", serve.replica);
        return Err(Error::Invalid { what: "index key", why });
    }
    let cache_bytes = serve.cache_mib.map_or(configuration.cache_bytes, |mib| u64::from(mib) << 20);
    let retained_epochs = serve.retained_epochs.unwrap_or(configuration.retained_epochs);
    let database = FjallDatabase::open(&folder.join("database"), cache_bytes)?;
    let options = MachineOptions { realm, secret, retained_epochs, cache_bytes };
    let machine = Machine::open(Arc::new(options), Arc::new(database.kv("state")?))?;
    let (log, alone): (Arc<dyn ReplicatedLog>, bool) = match configuration.log {
        LogPlace::Local => (Arc::new(LocalLog::open(Arc::new(database.kv("log")?))?), true),
        LogPlace::Etcd(options) => (Arc::new(EtcdLog::open(*options)?), false),
    };
    let clock = Arc::new(SystemClock);
    let milliseconds = |duration: Duration| u64::try_from(duration.as_millis()).unwrap_or(u64::MAX);
    let options = RunnerOptions {
        key: Some(key),
        intervals: EpochIntervals {
            min_ms: serve.min_epoch_ms.unwrap_or(milliseconds(configuration.min_epoch)),
            max_ms: serve.max_epoch_ms.unwrap_or(milliseconds(configuration.max_epoch)),
            retry_ms: 1_000,
        },
        proposer: ProposerOptions::default(),
        clock: Arc::clone(&clock) as Arc<_>,
        alone,
        trace: None,
    };
    let runner = Arc::new(Runner::start(machine, log, options));
    let mut served = ServerOptions::new(configuration.address, Arc::clone(&clock) as Arc<_>);
    served.plaintext = serve.plaintext || configuration.plaintext;
    served.most_connections = configuration.most_connections;
    served.client_timeout = configuration.client_timeout;
    served.tls = configuration.tls;
    served.most_per_second = configuration.most_per_second;
    served.deadline = files::DEADLINE;
    let server = Server::start(Arc::clone(&runner), served).await?;
    let address = server.address();
    interrupted().await;
    server.stop(&*clock, Duration::from_secs(5)).await;
    Ok(Answer {
        text: format!("stopped serving {address}"),
        json: serde_json::json!({ "stopped": address.to_string() }),
    })
}

pub(crate) async fn verify(directory: &Path, verify: &Verify) -> Result<Answer> {
    let database = FjallDatabase::open(&directory.join("verifier/database"), 16 << 20)?;
    let clock = Arc::new(SystemClock);
    let mut verifier = Verifier::open(VerifierOptions {
        realm: files::realm(directory)?,
        key: key_file::signing(&directory.join("verifier/signing.key"))?,
        kv: Arc::new(database.kv("state")?),
        replica: Arc::new(InTurn::new(files::replicas(directory, verify.at.as_deref())?)?),
        evidence: directory.join("verifier/evidence"),
        cache_bytes: 16 << 20,
    })?;
    tokio::select! {
        result = verifier.run(&*clock, |_| {}) => result?,
        () = interrupted() => {}
    }
    let verified = verifier.progress().map_or(0, |progress| progress.verified);
    Ok(Answer {
        text: format!("stopped; epoch {verified} was found right last"),
        json: serde_json::json!({ "verified": verified }),
    })
}
