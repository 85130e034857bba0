//! A keyserver of the demo's own: a replica on a local log and a verifier, in this process, on a port of this machine that the system chooses; and the nodes of
//! the demo, each with a key file and a memory of its own.

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::{Duration, SystemTime};

use plastron::Config;
use plastron::clock::{Clock, SystemClock};
use plastron_keys::{KeyRandom, SystemKeyRandom};
use plastron_keyserver::client::{Client, ClientOptions};
use plastron_keyserver::epoch::EpochIntervals;
use plastron_keyserver::key_module::{Kem, NodeKey, Operators, Readers, read_list};
use plastron_keyserver::kv::FjallDatabase;
use plastron_keyserver::log::LocalLog;
use plastron_keyserver::machine::{Machine, MachineOptions};
use plastron_keyserver::proposer::ProposerOptions;
use plastron_keyserver::proto::{Message as _, Quorum, Realm, RealmPolicy};
use plastron_keyserver::runner::{Runner, RunnerOptions};
use plastron_keyserver::server::{Server, ServerOptions};
use plastron_keyserver::transport::HttpTransport;
use plastron_keyserver::verifier::{Verifier, VerifierOptions};
use plastron_keyserver::vrf::VrfSecret;
use plastron_keyserver::{AuthorizationPolicy, Error, SigningKey};
use tokio::task::JoinHandle;

use crate::failure::{Failure, Result};

/// The cluster of the demo's nodes.
const CLUSTER: &str = "demo";
/// The node that is revoked.
pub(super) const GUEST: &str = "guest";
/// All nodes; the director is one, to inspect everything in the end.
const NODES: [&str; 6] = ["leader-1", "leader-2", "leader-3", "follower", GUEST, "director"];
/// How long requests can take.
const DEADLINE: Duration = Duration::from_secs(60);
/// How long the verifier's signature is waited for, on whatever machine.
const PATIENCE: Duration = Duration::from_secs(600);
const PAUSE: Duration = Duration::from_millis(20);

/// The keyserver, until it is dropped.
pub(super) struct DemoRealm {
    directory: PathBuf,
    address: String,
    operator: SigningKey,
    client: Client,
    verifier: JoinHandle<()>,
    _server: Server,
}

impl Drop for DemoRealm {
    fn drop(&mut self) {
        self.verifier.abort();
    }
}

fn failed(error: Error) -> Failure {
    Failure::of_kind(error.kind(), format!("the demo's keyserver: {error}"))
}

fn random<const N: usize>() -> Result<[u8; N]> {
    let mut bytes = [0; N];
    let drawn = SystemKeyRandom::default().fill(&mut bytes);
    drawn.map_err(|fault| Failure::other(fault.to_string()))?;
    Ok(bytes)
}

fn policy(key: &SigningKey) -> Result<AuthorizationPolicy> {
    AuthorizationPolicy::threshold(1, vec![key.public()]).map_err(failed)
}

impl DemoRealm {
    /// Starts the keyserver in `directory`, registers the nodes, and lists them all as readers.
    pub(super) async fn start(directory: PathBuf) -> Result<Self> {
        let local = |error: std::io::Error| Failure::local("write to", &directory, &error);
        tokio::fs::create_dir(&directory).await.map_err(local)?;
        let (replica, verifier) = (SigningKey::from_bytes(&random()?), SigningKey::from_bytes(&random()?));
        let operator = SigningKey::from_bytes(&random()?);
        let secret = VrfSecret::from_random(&random()?).map_err(failed)?;
        let created = SystemClock.wall().duration_since(SystemTime::UNIX_EPOCH).unwrap_or_default();
        let realm = Realm {
            name: "plastron-demo".to_owned(),
            nonce: random()?,
            index_key: secret.public(),
            created_ms: u64::try_from(created.as_millis()).unwrap_or(u64::MAX),
            shortest_epoch_ms: 1,
            lifetime_ms: 3_600_000,
            policy: RealmPolicy {
                generation: 0,
                replicas: policy(&replica)?,
                verifiers: Some(policy(&verifier)?),
                operators: policy(&operator)?,
            },
        };
        tokio::fs::write(directory.join("realm"), realm.to_bytes()).await.map_err(local)?;
        let (server, address) = serve(&directory, &realm, replica, secret).await?;
        let transport = Arc::new(HttpTransport::new(&address, Arc::new(SystemClock), DEADLINE));
        let database = open(&directory, "verifier").await?;
        let mut verifier = Verifier::open(VerifierOptions {
            realm: realm.clone(),
            key: verifier,
            kv: Arc::new(database.kv("state").map_err(failed)?),
            replica: Arc::clone(&transport) as Arc<_>,
            evidence: directory.join("evidence"),
            cache_bytes: 16 << 20,
        })
        .map_err(failed)?;
        let verifier = tokio::spawn(async move {
            if let Err(error) = verifier.run(&SystemClock, |_| {}).await {
                tracing::error!(%error, "the demo's verifier has stopped");
            }
        });
        let replicas = vec![transport as Arc<_>];
        let clock = Arc::new(SystemClock);
        let client = Client::open(ClientOptions { realm, replicas, memory: None, clock }).map_err(failed)?;
        let realm = Self { directory, address, operator, client, verifier, _server: server };
        realm.wait().await?;
        for node in NODES {
            let (key, path) =
                (NodeKey::generate(Kem::X25519, &SystemKeyRandom::default()).map_err(failed)?, realm.key_file(node));
            let public = key.public().clone();
            tokio::task::spawn_blocking(move || key.create(&path)).await?.map_err(failed)?;
            realm.operators().register(CLUSTER, node, &public, &random()?).await.map_err(failed)?;
        }
        realm.list(&NODES).await?;
        Ok(realm)
    }

    fn key_file(&self, node: &str) -> PathBuf {
        self.directory.join(format!("{node}.key"))
    }

    /// The realm's file.
    pub(super) fn file(&self) -> PathBuf {
        self.directory.join("realm")
    }

    fn operators(&self) -> Operators<'_> {
        Operators { client: &self.client, keys: std::slice::from_ref(&self.operator) }
    }

    /// Until there is a first epoch.
    async fn wait(&self) -> Result<()> {
        let start = SystemClock.monotonic();
        loop {
            match self.client.lookup("cluster/demo/readers", 0, Quorum::Verifiers).await {
                Ok(_) => return Ok(()),
                Err(error) if SystemClock.monotonic() - start > PATIENCE => return Err(failed(error)),
                Err(_) => SystemClock.sleep(PAUSE).await,
            }
        }
    }

    /// Says who may read; gives the epoch by which the verifier has signed that, too.
    async fn list(&self, nodes: &[&str]) -> Result<u64> {
        let readers = Readers::new(nodes.iter().map(|node| (*node).to_owned())).map_err(failed)?;
        let done = self.operators().list(CLUSTER, &readers, &random()?).await.map_err(failed)?;
        let start = SystemClock.monotonic();
        loop {
            // An epoch that the verifier has not signed yet was seen already; until it has, the one before is refused.
            let failed = match read_list(&self.client, CLUSTER, Quorum::Verifiers).await {
                Ok((epoch, Some((version, _)))) if version >= done.version => return Ok(epoch),
                Ok(_) => Failure::other("the demo's verifier did not sign in time"),
                Err(error) => failed(error),
            };
            if SystemClock.monotonic() - start > PATIENCE {
                return Err(failed);
            }
            SystemClock.sleep(PAUSE).await;
        }
    }

    /// Takes the guest off the list of readers; gives the epoch of that.
    pub(super) async fn revoke_guest(&self) -> Result<u64> {
        let others: Vec<&str> = NODES.into_iter().filter(|node| *node != GUEST).collect();
        self.list(&others).await
    }

    /// The store of that node.
    pub(super) fn store_of(&self, config: &Config, node: &str) -> Result<Config> {
        let mut config = config.clone();
        let text = |path: PathBuf| {
            let text = path.to_str().map(str::to_owned);
            text.ok_or_else(|| Failure::usage("the directory for temporary files (TMPDIR) must be UTF-8"))
        };
        for (key, value) in [
            ("name", "keyserver".to_owned()),
            ("config.cluster", CLUSTER.to_owned()),
            ("config.node", node.to_owned()),
            ("config.key_file", text(self.key_file(node))?),
            ("config.realm", text(self.file())?),
            ("config.memory", text(self.directory.join(format!("{node}.memory")))?),
            // So that the revocation is seen by the very next checkpoint.
            ("config.check_after", "0s".to_owned()),
        ] {
            let set = config.set(&format!("key_management.{key}"), value);
            set.map_err(|error| Failure::from(plastron::Error::from(error)))?;
        }
        let servers = Config::parse(&format!("servers=[\"{}\"]", self.address));
        let servers = servers.map_err(|error| Failure::from(plastron::Error::from(error)))?;
        if let Some(servers) = servers.get("servers") {
            let set = config.set("key_management.config.servers", servers.clone());
            set.map_err(|error| Failure::from(plastron::Error::from(error)))?;
        }
        Ok(config)
    }
}

async fn open(directory: &Path, name: &'static str) -> Result<FjallDatabase> {
    let path = directory.join(name);
    tokio::task::spawn_blocking(move || FjallDatabase::open(&path, 16 << 20)).await?.map_err(failed)
}

/// The replica.
async fn serve(directory: &Path, realm: &Realm, key: SigningKey, secret: VrfSecret) -> Result<(Server, String)> {
    let database = open(directory, "replica").await?;
    let options = MachineOptions { realm: realm.clone(), secret, retained_epochs: 10_000, cache_bytes: 16 << 20 };
    let machine = Machine::open(Arc::new(options), Arc::new(database.kv("state").map_err(failed)?)).map_err(failed)?;
    let log = LocalLog::open(Arc::new(database.kv("log").map_err(failed)?)).map_err(failed)?;
    let options = RunnerOptions {
        key: Some(key),
        intervals: EpochIntervals { min_ms: 20, max_ms: 60_000, retry_ms: 20 },
        proposer: ProposerOptions::default(),
        clock: Arc::new(SystemClock),
        alone: true,
        trace: None,
    };
    let runner = Arc::new(Runner::start(machine, Arc::new(log), options));
    let mut options = ServerOptions::new(([127, 0, 0, 1], 0).into(), Arc::new(SystemClock));
    options.deadline = DEADLINE;
    let server = Server::start(runner, options).await.map_err(failed)?;
    let address = server.address().to_string();
    Ok((server, address))
}
