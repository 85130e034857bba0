//! Three replicas on etcd, over HTTP on loopback, all in this process.

use std::sync::Arc;
use std::time::Duration;

use plastron_ickpt::etcd::EtcdClientOptions;
use plastron_keyserver::client::{Client, ClientOptions};
use plastron_keyserver::epoch::EpochIntervals;
use plastron_keyserver::kv::FjallDatabase;
use plastron_keyserver::log::{EtcdLog, EtcdLogOptions};
use plastron_keyserver::machine::{Machine, MachineOptions};
use plastron_keyserver::proposer::ProposerOptions;
use plastron_keyserver::proto::Quorum;
use plastron_keyserver::runner::{Runner, RunnerOptions};
use plastron_keyserver::server::{Server, ServerOptions};
use plastron_keyserver::transport::{HttpTransport, Transport};
use plastron_keyserver::vrf::VrfSecret;
use plastron_localstack::{Server as Stack, endpoint};
use plastron_sources::clock::{Clock, SystemClock};

use crate::cpu::median;
use crate::ours::{first_update, key, realm};
use crate::rounds::Results;
use crate::{Failure, Plan};

const DEADLINE: Duration = Duration::from_secs(120);
/// Updates and lookups that are under way at once.
const AT_ONCE: usize = 64;

pub(crate) async fn run(plan: &Plan) -> Result<Results, Failure> {
    let etcd = endpoint(Stack::Etcd).await?;
    let clock: Arc<dyn Clock> = Arc::new(SystemClock);
    let now = clock.wall().duration_since(std::time::UNIX_EPOCH)?.as_millis() as u64;
    let secret = VrfSecret::from_random(&[5; 64])?;
    let realm = realm(3, &secret, now)?;
    let scratch = tempfile::tempdir()?;
    let (mut runners, mut servers, mut replicas) = (Vec::new(), Vec::new(), Vec::<Arc<dyn Transport>>::new());
    for number in 1..=3_u8 {
        let secret = VrfSecret::from_bytes(&secret.to_bytes())?;
        let options =
            MachineOptions { realm: realm.clone(), secret, retained_epochs: 100, cache_bytes: plan.cache_bytes };
        let database = FjallDatabase::open(&scratch.path().join(number.to_string()), plan.cache_bytes)?;
        let machine = Machine::open(Arc::new(options), Arc::new(database.kv("state")?))?;
        let client = EtcdClientOptions::new(etcd.other_urls.clone());
        let log = EtcdLogOptions::new(client, format!("keyserver-bench/{now}"), format!("replica-{number}"));
        let options = RunnerOptions {
            key: Some(key(number)),
            intervals: EpochIntervals { min_ms: 100, max_ms: 60_000, retry_ms: 1_000 },
            proposer: ProposerOptions::default(),
            clock: Arc::clone(&clock),
            alone: false,
            trace: None,
        };
        let runner = Arc::new(Runner::start(machine, Arc::new(EtcdLog::open(log)?), options));
        let mut options = ServerOptions::new("127.0.0.1:0".parse()?, Arc::clone(&clock));
        options.deadline = DEADLINE;
        let server = Server::start(Arc::clone(&runner), options).await?;
        replicas.push(Arc::new(HttpTransport::new(&server.address().to_string(), Arc::clone(&clock), DEADLINE)));
        servers.push(server);
        runners.push(runner);
    }
    let client = |at: usize| {
        let mut replicas = replicas.clone();
        replicas.rotate_left(at % 3);
        Client::open(ClientOptions { realm: realm.clone(), replicas, memory: None, clock: Arc::clone(&clock) })
    };
    runners[0].state().wait_for(|state| state.ratified > 0).await?;
    let count = plan.lookups * 4;
    let names: Vec<String> = (0..count).map(|number| format!("node/cluster/{number}")).collect();
    // Prepared, since clients sign on machines of their own.
    let updates: Result<Vec<_>, Failure> =
        names.iter().map(|name| first_update(&realm, secret.index(name), name)).collect();
    let updates = updates?;
    // One at a time: how long it takes until an update is ratified.
    let mut latencies = Vec::new();
    let (alone, together) = updates.split_at(10.min(updates.len()));
    for update in alone {
        let start = clock.monotonic();
        client(0)?.update(update).await?;
        latencies.push((clock.monotonic() - start).as_secs_f64() * 1e3);
    }
    let start = clock.monotonic();
    let work = together.chunks(together.len().div_ceil(AT_ONCE)).enumerate().map(|(at, updates)| {
        let client = client(at);
        async move {
            let client = client?;
            for update in updates {
                client.update(update).await?;
            }
            Ok::<(), Failure>(())
        }
    });
    futures::future::try_join_all(work).await?;
    let updating = (clock.monotonic() - start).as_secs_f64();
    let start = clock.monotonic();
    let work = names.chunks(names.len().div_ceil(AT_ONCE)).enumerate().map(|(at, names)| {
        let (client, clock) = (client(at), Arc::clone(&clock));
        async move {
            let client = client?;
            for name in names {
                // Another replica may be an epoch behind what this client has seen, for a moment.
                while client.lookup(name, 0, Quorum::Replicas).await.is_err() {
                    clock.sleep(Duration::from_millis(1)).await;
                }
            }
            Ok::<(), Failure>(())
        }
    });
    futures::future::try_join_all(work).await?;
    let looking = (clock.monotonic() - start).as_secs_f64();
    for server in servers {
        server.stop(&*clock, Duration::from_secs(1)).await;
    }
    Ok(vec![
        ("cluster: updates per second, 64 at once", together.len() as f64 / updating),
        ("cluster: verified lookups per second, 64 at once", count as f64 / looking),
        ("cluster: update until ratified, ms, median", median(latencies)),
    ])
}
